"""The REST client and the poller against a server that misbehaves on request."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from schemas.symbols import symbol_code
from services.core.calendar import NS, ny_ns
from services.core.partitioner import Partitioner
from services.gateway.decoding.contracts import ContractTable
from services.gateway.errors import RestRefusedError, RestUnavailableError
from services.gateway.policy.poll_schedule import PollSchedule
from services.gateway.shell.chain_poller import ChainPoller
from services.gateway.shell.rest_client import BODY_BYTES_MAX, TRIES, RestClient
from tests.unit.gateway.massive.test_rest_pages import chain_row

KEY = "s3cret"
NOW = ny_ns(dt.date(2025, 12, 17), 10)
Handler = Callable[[web.Request], Awaitable[web.Response]]


class Vendor:
    """A REST server whose answers the test writes."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.seen: list[web.Request] = []
        self.answers: dict[str, Handler] = {}
        app = web.Application()
        app.router.add_get("/{path:.*}", self._answer)
        self.server = TestServer(app)

    async def _answer(self, request: web.Request) -> web.Response:
        self.calls[request.path] += 1
        self.seen.append(request)
        return await self.answers[request.path](request)

    def says(self, path: str, *answers: tuple[int, object]) -> None:
        """Answer with these in turn; the last for ever."""
        left = list(answers)

        async def handler(request: web.Request) -> web.Response:
            status, body = left.pop(0) if len(left) > 1 else left[0]
            return web.json_response(body, status=status)

        self.answers[path] = handler


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    it = Vendor()
    async with it.server:
        yield it


@pytest.fixture
async def rest(vendor: Vendor) -> AsyncIterator[RestClient]:
    async with RestClient(str(vendor.server.make_url("/")), KEY, random.Random(1), backoff_s=0.001) as client:
        yield client


async def test_the_key_travels_in_the_header_and_in_no_address(vendor: Vendor, rest: RestClient) -> None:
    vendor.says("/v3/x", (200, {}))
    await rest.get("/v3/x", {"limit": "250"})
    (request,) = vendor.seen
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert KEY not in str(request.url)


@pytest.mark.parametrize("status", [429, 499, 500, 503])
async def test_what_may_pass_is_tried_again(vendor: Vendor, rest: RestClient, status: int) -> None:
    vendor.says("/v3/x", (status, {"error": "wait"}), (200, {"ok": 1}))
    assert b"ok" in await rest.get("/v3/x")
    assert vendor.calls["/v3/x"] == 2


async def test_after_its_tries_it_gives_up_in_one_sentence(vendor: Vendor, rest: RestClient) -> None:
    vendor.says("/v3/x", (503, {"error": "no"}))
    with pytest.raises(RestUnavailableError, match=rf"/v3/x gave no answer in {TRIES} tries: 503: no"):
        await rest.get("/v3/x")
    assert vendor.calls["/v3/x"] == TRIES


@pytest.mark.parametrize("status", [400, 401, 403, 404])
async def test_a_refusal_is_not_repeated(vendor: Vendor, rest: RestClient, status: int) -> None:
    vendor.says("/v3/x", (status, {"message": "no plan"}))
    with pytest.raises(RestRefusedError, match=f"/v3/x answers {status}: no plan"):
        await rest.get("/v3/x")
    assert vendor.calls["/v3/x"] == 1


async def test_a_page_on_another_host_is_not_followed(rest: RestClient) -> None:
    with pytest.raises(RestRefusedError, match="another host"):
        await rest.follow("http://elsewhere.example/v3/x?cursor=1")


@pytest.mark.parametrize("next_url", ["/v3/x?cursor=a", "", "http://[", "http://host:port/", "x" * 1000])
async def test_a_next_page_without_an_address_is_refused_in_a_sentence(rest: RestClient, next_url: str) -> None:
    with pytest.raises(RestRefusedError, match="is no address") as refused:
        await rest.follow(next_url)
    assert len(str(refused.value)) < 200


async def test_a_body_without_end_is_given_up(vendor: Vendor, rest: RestClient) -> None:
    async def endless(request: web.Request) -> web.Response:
        return web.Response(body=b"x" * (BODY_BYTES_MAX + 1))

    vendor.answers["/v3/x"] = endless
    with pytest.raises(RestUnavailableError, match="a body above"):
        await rest.get("/v3/x")


def poller(rest: RestClient, *underlyings: str) -> ChainPoller:
    schedule = PollSchedule(30.0, 300.0, 10)
    schedule.follow(underlyings)
    return ChainPoller(rest, ContractTable(Partitioner(4).of), schedule, 4, lambda name: name)


def contracts(*expiries: str) -> dict[str, object]:
    return {"results": [{"ticker": "O:SPY251219C00650000", "expiration_date": expiry} for expiry in expiries]}


async def test_a_chain_is_learned_and_paged_to_its_end(vendor: Vendor, rest: RestClient) -> None:
    path = "/v3/snapshot/options/SPY"
    vendor.says("/v3/reference/options/contracts", (200, contracts("2025-12-19")))
    next_url = str(vendor.server.make_url(f"{path}?cursor=2"))
    vendor.says(path, (200, {"results": [chain_row()], "next_url": next_url}), (200, {"results": [chain_row()]}))
    pages = [page async for page in poller(rest, "SPY").poll(NOW)]
    assert [len(page.partitions) for page in pages] == [1, 1]
    assert pages[0].rows.underlying.tolist() == [symbol_code("SPY")]
    first, second = (request for request in vendor.seen if request.path == path)
    assert first.query["expiration_date.gte"] == first.query["expiration_date.lte"] == "2025-12-19"
    assert second.query == {"cursor": "2"}


async def test_pages_come_in_the_order_of_the_schedule_however_the_answers_arrive(
    vendor: Vendor, rest: RestClient
) -> None:
    expiries = [f"2026-0{month}-16" for month in range(1, 8)]
    vendor.says("/v3/reference/options/contracts", (200, contracts(*[e for e in expiries for _ in range(250)])))

    async def slower_first(request: web.Request) -> web.Response:
        month = int(request.query["expiration_date.gte"][5:7])
        await asyncio.sleep(0.02 / month)
        return web.json_response({"results": [chain_row(f"O:SPY260{month}16C00650000")]})

    vendor.answers["/v3/snapshot/options/SPY"] = slower_first
    days = [page.rows.expiry_day[0] async for page in poller(rest, "SPY").poll(NOW)]
    assert len(days) == 7
    assert days == sorted(days)


async def test_a_plan_without_chains_switches_the_feature_off(vendor: Vendor, rest: RestClient) -> None:
    vendor.says("/v3/reference/options/contracts", (403, {"message": "You are not entitled to this data."}))
    it = poller(rest, "SPY", "QQQ")
    assert [page async for page in it.poll(NOW)] == []
    assert it.disabled == "REST /v3/reference/options/contracts answers 403: You are not entitled to this data."


async def test_an_unknown_underlying_is_dropped_and_the_others_go_on(vendor: Vendor, rest: RestClient) -> None:
    vendor.says("/v3/reference/options/contracts", (200, contracts("2025-12-19")))
    vendor.says("/v3/snapshot/options/NOPE", (404, {"message": "Not found."}))
    vendor.says("/v3/snapshot/options/SPY", (200, {"results": [chain_row()]}))
    it = poller(rest, "NOPE", "SPY")
    assert len([page async for page in it.poll(NOW)]) == 1
    later = NOW + 31 * 10**9
    assert len([page async for page in it.poll(later)]) == 1
    assert vendor.calls["/v3/snapshot/options/NOPE"] == 1
    tomorrow = NOW + 24 * 3600 * 10**9
    assert len([page async for page in it.poll(tomorrow)]) == 1
    assert vendor.calls["/v3/snapshot/options/NOPE"] == 2


@pytest.mark.parametrize("status", [400, 408, 413, 301])
async def test_one_bad_moment_costs_no_chain_its_day(vendor: Vendor, rest: RestClient, status: int) -> None:
    vendor.says("/v3/reference/options/contracts", (200, contracts("2025-12-19")))
    vendor.says("/v3/snapshot/options/SPY", (status, {"message": "not now"}), (200, {"results": [chain_row()]}))
    it = poller(rest, "SPY")
    assert [page async for page in it.poll(NOW)] == []
    assert it.failures == 1
    assert len([page async for page in it.poll(NOW + 31 * 10**9)]) == 1


async def test_a_reference_that_makes_no_sense_is_no_empty_chain(vendor: Vendor, rest: RestClient) -> None:
    vendor.says("/v3/reference/options/contracts", (200, {"results": "soon"}), (200, contracts("2025-12-19")))
    vendor.says("/v3/snapshot/options/SPY", (200, {"results": [chain_row()]}))
    it = poller(rest, "SPY")
    assert [page async for page in it.poll(NOW)] == []
    assert it.failures == 1
    assert len([page async for page in it.poll(NOW + 10**9)]) == 1


async def test_an_answer_that_does_not_come_is_missing_and_asked_for_again(vendor: Vendor, rest: RestClient) -> None:
    vendor.says("/v3/reference/options/contracts", (200, contracts("2025-12-19")))
    vendor.says("/v3/snapshot/options/SPY", *[(503, {})] * TRIES, (200, {"results": [chain_row()]}))
    it = poller(rest, "SPY")
    assert [page async for page in it.poll(NOW)] == []
    assert it.failures == 1
    assert len([page async for page in it.poll(NOW + 31 * 10**9)]) == 1


async def test_a_chain_that_does_not_answer_is_left_alone_ever_longer_and_told_of_once(
    vendor: Vendor, rest: RestClient, caplog: pytest.LogCaptureFixture
) -> None:
    """A plan of five requests a minute was asked two hundred times."""
    caplog.set_level("INFO", "strikewire.gateway")
    reference = "/v3/reference/options/contracts"
    vendor.says(reference, (429, {"error": "too many requests"}))
    it = poller(rest, "SPY")
    for second in range(600):
        assert [page async for page in it.poll(NOW + second * NS)] == []
        it.settle(NOW + second * NS)
    assert vendor.calls[reference] == 6 * TRIES
    (told,) = caplog.records
    assert told.getMessage().startswith("chain of SPY is late")
    vendor.says(reference, (200, {"results": []}))
    for second in range(600, 1000):
        assert [page async for page in it.poll(NOW + second * NS)] == []
        it.settle(NOW + second * NS)
    assert [record.getMessage() for record in caplog.records[1:]] == ["chain of SPY: answers come again"]
    assert vendor.calls[reference] == 6 * TRIES + 1
