"""REST over a real socket: pages, filters, keys, errors, documents (spec/vendor.md 7.1 to 7.11)."""

from __future__ import annotations

import datetime as dt
import gc
import weakref
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from services.core.calendar import ny_ns
from standin.files.tape import Tape
from standin.server.server import StandIn
from tests.unit.standin.conftest import CALL, DAY, PUT, write_tape

MINUTE_NS = 60_000_000_000


class Client:
    """Asks the stand-in with a key."""

    def __init__(self, base: str, http: aiohttp.ClientSession) -> None:
        self.base, self.http = base, http

    async def get(self, path: str, expected: int = 200) -> Any:
        async with self.http.get(path if path.startswith("http") else self.base + path) as response:
            assert response.status == expected, await response.text()
            return await response.json()


@pytest.fixture
async def rest(tape: Tape) -> AsyncIterator[Client]:
    """A client of the small tape, five minutes into its day; `speed` so slow that time stands still."""
    import numpy as np

    tape.advance(5 * MINUTE_NS, np.empty(0, np.int32))
    async with (
        StandIn(tape, speed=1e-9) as standin,
        aiohttp.ClientSession(headers={"Authorization": "Bearer demo-key"}) as http,
    ):
        yield Client(standin.rest_url, http)


async def test_a_chain_comes_in_pages_that_join_without_gap_or_overlap(rest: Client) -> None:
    url, tickers = "/v3/snapshot/options/XYZ?limit=2", []
    pages = 0
    while url:
        page = await rest.get(url)
        tickers += [row["details"]["ticker"] for row in page["results"]]
        url, pages = page.get("next_url", ""), pages + 1
    assert tickers == [CALL, "O:XYZ140620C00110000", PUT]
    assert pages == 2


async def test_next_url_is_absolute_opaque_and_without_the_key(rest: Client) -> None:
    page = await rest.get("/v3/snapshot/options/XYZ?limit=1&apiKey=demo-key&contract_type=call")
    assert page["next_url"].startswith(rest.base + "/v3/snapshot/options/XYZ?cursor=")
    assert "demo-key" not in page["next_url"]
    following = await rest.get(page["next_url"])
    assert [row["details"]["contract_type"] for row in following["results"]] == ["call"]
    assert "next_url" not in following


async def test_a_row_of_the_chain_says_what_is_known_and_leaves_out_what_is_not(rest: Client) -> None:
    traded, listed, _ = (await rest.get("/v3/snapshot/options/XYZ"))["results"]
    assert traded["details"] == {
        "contract_type": "call",
        "exercise_style": "american",
        "expiration_date": "2014-06-20",
        "shares_per_contract": 100,
        "strike_price": 100.0,
        "ticker": CALL,
    }
    assert traded["open_interest"] == 321
    assert traded["last_quote"]["midpoint"] == 1.5
    assert traded["last_trade"]["price"] == 1.5
    assert traded["day"]["volume"] == 15
    assert set(traded["greeks"]) == {"delta", "gamma", "theta", "vega"}
    assert traded["break_even_price"] == 101.5
    assert traded["underlying_asset"]["price"] == 100.2
    assert listed["day"] == {}
    assert not {"greeks", "implied_volatility", "last_trade", "last_quote"} & set(listed)


@pytest.mark.parametrize(
    ("query", "strikes"),
    [
        ("strike_price=100", [100.0]),
        ("strike_price.gt=95&strike_price.lte=110", [100.0, 110.0]),
        ("contract_type=put", [95.0]),
        ("expiration_date=2014-06-20&sort=strike_price", [95.0, 100.0, 110.0]),
        ("sort=strike_price&order=desc", [110.0, 100.0, 95.0]),
        ("expiration_date.gt=2014-06-20", []),
    ],
)
async def test_filters_and_sorting(rest: Client, query: str, strikes: list[float]) -> None:
    page = await rest.get(f"/v3/snapshot/options/XYZ?{query}")
    assert [row["details"]["strike_price"] for row in page["results"]] == strikes


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("limit=251", "limit"),
        ("limit=0", "limit"),
        ("limit=many", "limit"),
        ("strike_price=cheap", "strike_price"),
        ("strike_price.lte=inf&limit=1", "strike_price"),
        ("strike_price.gte=-1e306", "strike_price"),
        ("strike_price=nan", "strike_price"),
        ("limit=nan", "limit"),
        ("limit=inf", "limit"),
        ("expiration_date.gte=soon", "expiration_date"),
        ("contract_type=straddle", "contract_type"),
        ("sort=colour", "sort"),
        ("order=random", "order"),
        ("cursor=@@@", "cursor"),
    ],
)
async def test_a_bad_parameter_is_400_and_named(rest: Client, query: str, named: str) -> None:
    body = await rest.get(f"/v3/snapshot/options/XYZ?{query}", 400)
    assert body["status"] == "ERROR"
    assert body["request_id"]
    assert named in body["error"]


async def test_one_contract_is_an_object_and_a_stranger_is_404(rest: Client) -> None:
    body = await rest.get(f"/v3/snapshot/options/XYZ/{CALL}")
    assert body["results"]["details"]["ticker"] == CALL
    for path in (
        f"/v3/snapshot/options/ABC/{CALL}",
        "/v3/snapshot/options/XYZ/O:NOPE",
        "/v3/snapshot/options/I:XYZ",
        "/v3",
    ):
        assert (await rest.get(path, 404))["status"] == "NOT_FOUND"


async def test_keys_go_by_bearer_or_parameter_and_a_wrong_one_is_401(rest: Client) -> None:
    async with aiohttp.ClientSession() as http:
        stranger = Client(rest.base, http)
        path = "/v3/reference/exchanges?asset_class=options"
        assert (await stranger.get(path, 401))["error"] == "Unknown API Key"
        await stranger.get(f"{path}&apiKey=wrong", 401)
        assert (await stranger.get(f"{path}&apiKey=demo-key"))["status"] == "OK"


async def test_contracts_conditions_and_exchanges_have_the_vendors_rows(rest: Client) -> None:
    contracts = await rest.get("/v3/reference/options/contracts?underlying_ticker=XYZ&limit=1000")
    assert [row["ticker"] for row in contracts["results"]] == [CALL, "O:XYZ140620C00110000", PUT]
    assert contracts["results"][0]["cfi"] == "OCASPS"
    assert (await rest.get(f"/v3/reference/options/contracts/{PUT}"))["results"]["contract_type"] == "put"
    conditions = (await rest.get("/v3/reference/conditions?asset_class=options&data_type=trade&limit=1000"))["results"]
    assert len(conditions) == 33
    sweep = next(row for row in conditions if row["id"] == 219)
    assert sweep["sip_mapping"] == {"OPRA": "S"}
    late = next(row for row in conditions if row["id"] == 202)
    assert late["update_rules"]["consolidated"]["updates_volume"] is False
    exchanges = (await rest.get("/v3/reference/exchanges?asset_class=options"))["results"]
    assert {row["id"]: row["participant_id"] for row in exchanges}[302] == "C"


async def test_condition_and_exchange_ids_follow_their_opra_letters(rest: Client) -> None:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    for row in (await rest.get("/v3/reference/conditions?limit=1000"))["results"]:
        assert row["id"] == 201 + letters.index(row["sip_mapping"]["OPRA"])
    for row in (await rest.get("/v3/reference/exchanges"))["results"]:
        assert row["id"] == 300 + letters.index(row["participant_id"])


async def test_market_status_has_no_envelope_and_holidays_are_a_bare_array(rest: Client) -> None:
    now = await rest.get("/v1/marketstatus/now")
    assert now["market"] == "open"
    assert now["serverTime"] == "2014-06-06T09:35:00-04:00"
    upcoming = await rest.get("/v1/marketstatus/upcoming")
    assert {"date": "2014-07-04", "exchange": "NYSE", "name": "Market holiday", "status": "closed"} in upcoming
    early = next(row for row in upcoming if row["date"] == "2014-07-03" and row["exchange"] == "NASDAQ")
    assert (early["status"], early["close"]) == ("early-close", "2014-07-03T17:00:00.000Z")


async def test_holidays_are_those_of_the_next_year_whenever_they_are_asked_for(rest: Client, tape: Tape) -> None:
    """Asked again in spring, the weekdays beyond what was loaded in winter were all holidays."""
    await rest.get("/v1/marketstatus/upcoming")
    tape._clock_ns = ny_ns(dt.date(2014, 12, 15), 12)
    later = await rest.get("/v1/marketstatus/upcoming")
    closed = {row["date"] for row in later if row["status"] == "closed"}
    assert {"2014-12-25", "2015-07-03", "2015-11-26"} <= closed
    assert 9 <= len(closed) <= 10


async def test_an_unknown_index_is_an_element_with_an_error(rest: Client) -> None:
    body = await rest.get("/v3/snapshot/indices?ticker.any_of=I:SPX")
    assert body["results"] == [{"ticker": "I:SPX", "error": "NOT_FOUND", "message": "Ticker not found."}]


async def test_contracts_of_another_day_are_refused_and_none_that_is_listed_has_expired(rest: Client) -> None:
    path = "/v3/reference/options/contracts"
    assert len((await rest.get(f"{path}?as_of=2014-06-06&expired=false"))["results"]) == 3
    assert (await rest.get(f"{path}?expired=true"))["results"] == []
    for requested in (f"{path}?expired=true&as_of=2010-01-01", f"{path}/{CALL}?as_of=2014-06-09"):
        assert "as_of must be 2014-06-06" in (await rest.get(requested, 400))["error"]
    assert "as_of" in (await rest.get(f"{path}?as_of=then", 400))["error"]
    assert "expired" in (await rest.get(f"{path}?expired=maybe", 400))["error"]


async def test_conditions_of_quotes_are_none_of_trades(rest: Client) -> None:
    assert (await rest.get("/v3/reference/conditions?data_type=nbbo&limit=1000"))["results"] == []


async def test_a_list_of_tickers_is_narrowed_to_the_type_asked_for(rest: Client) -> None:
    async def requested(kind: str) -> list[str]:
        page = await rest.get(f"/v3/snapshot?ticker.any_of={CALL},XYZ,O:NOPE,I:SPX&type={kind}")
        return [row["ticker"] for row in page["results"]]

    assert await requested("options") == [CALL, "O:NOPE"]
    assert await requested("stocks") == ["XYZ"]
    assert await requested("crypto") == []


async def test_pages_are_compressed_for_who_asks(rest: Client) -> None:
    async with rest.http.get(rest.base + "/v3/reference/conditions", headers={"Accept-Encoding": "gzip"}) as response:
        assert response.headers["Content-Encoding"] == "gzip"
        assert len((await response.json())["results"]) == 10


async def test_a_market_that_is_no_longer_served_is_let_go(tmp_path: Path) -> None:
    """A process that serves one market after another keeps none of them: two hundred sessions came to gigabytes."""
    served = []
    for _ in range(2):
        market = Tape.open(write_tape(tmp_path), DAY, "XYZ")
        served.append(weakref.ref(market))
        headers = {"Authorization": "Bearer demo-key"}
        async with StandIn(market, speed=1e-9) as standin, aiohttp.ClientSession(headers=headers) as http:
            await Client(standin.rest_url, http).get("/v3/snapshot/options/XYZ")
        del market, standin
    gc.collect()
    assert [market() for market in served] == [None, None]


async def test_what_there_is_no_document_for_is_the_vendors_not_found(rest: Client) -> None:
    assert (await rest.get("/v3/nothing/of/the/kind", expected=404))["status"] == "NOT_FOUND"
