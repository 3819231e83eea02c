"""A gap is asked for contract by contract; what comes is marked, counted once, and enters the log when it is known."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec
import numpy as np
import pytest

from schemas.frames import CONDITION_REFILLED
from schemas.gaps import EarlierGaps, Gap
from services.core.calendar import NS, Calendar, ny_ns
from services.core.partitioner import Partitioner
from services.gateway.decoding.tabulate import Tabulator
from services.gateway.errors import RestRefusedError, RestUnavailableError
from services.gateway.gaps.ledger import NOTHING, Refill
from services.gateway.gaps.refill_course import FAILURES_MAX, GAPS_WAITING_MAX, REFUSALS_MAX, RefillOrder
from services.gateway.gaps.refill_planner import EDGE_NS
from services.gateway.massive.messages import decode_frame
from services.gateway.massive.trade_pages import trade_page, trades_query
from services.gateway.policy.contract_ranking import ContractRanking
from services.gateway.shell.gap_tracker import GapTracker
from services.gateway.shell.refiller import RefillEnd, Refiller, RefillPage
from services.gateway.shell.stats import GatewayStats
from services.settings.gateway import GatewaySettings
from tests.support import vendor as v

CALENDAR = Calendar.load(dt.date(2025, 12, 15), dt.date(2025, 12, 19))
OTHER = "O:SPY251219P00650000"


def row(**changes: Any) -> dict[str, Any]:
    """A row of REST's prints, the one that `v.trade()` is on the socket."""
    base = {"conditions": [219], "exchange": 302, "price": 12.41, "sequence_number": 1844730912, "size": 25}
    return base | {"sip_timestamp": v.T0_NS + 456_789} | changes


def body(*rows: dict[str, Any], next_url: str | None = None) -> bytes:
    envelope: dict[str, Any] = {"status": "OK", "request_id": "1", "results": list(rows)}
    return msgspec.json.encode(envelope if next_url is None else envelope | {"next_url": next_url})


class Rest:
    """Answers by path; an exception is raised, a list is answered page by page."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, Mapping[str, str]]] = []

    async def get(self, path: str, parameters: Mapping[str, str]) -> bytes:
        self.asked.append((path, parameters))
        return self._answer(path)

    async def follow(self, next_url: str) -> bytes:
        return self._answer(next_url)

    def _answer(self, path: str) -> bytes:
        answer = self.answers.get(path, body())
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, bytes)
        return answer


@contextlib.asynccontextmanager
async def running(rest: Rest, concurrency: int = 2) -> AsyncIterator[tuple[Refiller, list[Any]]]:
    """A refiller at work, and what it has enqueued."""
    told: list[Any] = []

    async def enqueue(item: Any, size: int) -> None:
        told.append(item)

    async def at_once(seconds: float) -> None:
        await asyncio.sleep(0)

    refiller = Refiller(rest, concurrency, enqueue, at_once)  # type: ignore[arg-type]
    task = asyncio.create_task(refiller.run())
    try:
        yield refiller, told
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def order(number: int, *tickers: str) -> RefillOrder:
    return RefillOrder(number, v.T0_NS, v.T0_NS + NS, list(tickers))


async def refilled(rest: Rest, *orders: RefillOrder) -> list[Any]:
    async with running(rest) as (refiller, told):
        for one in orders:
            assert refiller.order(one)
        async with asyncio.timeout(10):
            await refiller.idle()
    return told


async def test_each_contract_is_asked_for_from_the_gaps_beginning_to_its_end() -> None:
    rest = Rest({f"/v3/trades/{v.SPY_CALL}": body(row())})
    page, end = await refilled(rest, order(7, v.SPY_CALL, OTHER))
    assert [path for path, _ in rest.asked] == [f"/v3/trades/{v.SPY_CALL}", f"/v3/trades/{OTHER}"]
    assert rest.asked[0][1] == trades_query(v.T0_NS, v.T0_NS + NS)
    assert (type(page), page.number, [trade.q for trade in page.page.trades]) == (RefillPage, 7, [1844730912])
    assert end == RefillEnd(7, Refill(2, 0, ""))


async def test_pages_are_followed() -> None:
    rest = Rest({f"/v3/trades/{v.SPY_CALL}": body(row(), next_url="more"), "more": body(row(sequence_number=2))})
    *pages, end = await refilled(rest, order(1, v.SPY_CALL))
    assert [trade.q for page in pages for trade in page.page.trades] == [1844730912, 2]
    assert end.refill.failed == 0


@pytest.mark.parametrize("answer", [b"<html>", body(row(), row(size="many"))], ids=["html", "row"])
async def test_an_answer_that_makes_no_sense_is_no_answer(answer: bytes) -> None:
    """What could be read of it is taken, and the ledger says that not all of the contract was answered."""
    rest = Rest({f"/v3/trades/{v.SPY_CALL}": answer})
    *pages, end = await refilled(rest, order(1, v.SPY_CALL, OTHER))
    assert sum(len(page.page.rejects) for page in pages) == 1
    assert (end.refill.asked, end.refill.failed) == (2, 1)
    assert end.refill.note


async def test_pages_without_end_are_no_whole_answer() -> None:
    rest = Rest({f"/v3/trades/{v.SPY_CALL}": body(next_url="more"), "more": body(next_url="more")})
    *_, end = await refilled(rest, order(1, v.SPY_CALL))
    assert end.refill.failed == 1
    assert "no end after" in end.refill.note


async def test_an_answer_that_does_not_come_is_counted_and_the_others_are_asked_for() -> None:
    path = f"/v3/trades/{v.SPY_CALL}"
    rest = Rest({path: RestUnavailableError(path, 3, "503"), f"/v3/trades/{OTHER}": body(row())})
    page, end = await refilled(rest, order(1, v.SPY_CALL, OTHER))
    assert page.page.trades
    assert (end.refill.asked, end.refill.failed) == (2, 1)
    assert "gave no answer in 3 tries: 503" in end.refill.note


@pytest.mark.parametrize(
    ("error", "asked_max"),
    [
        (RestRefusedError("/v3/trades", 403, "NOT_AUTHORIZED"), REFUSALS_MAX),
        (RestUnavailableError("/v3/trades", 3, "503"), FAILURES_MAX),
    ],
    ids=["refused", "away"],
)
async def test_nobody_asks_on_for_what_will_not_come(error: Exception, asked_max: int) -> None:
    tickers = [f"O:SPY251219C{strike:08d}" for strike in range(1000, 51_000, 1000)]
    rest = Rest({f"/v3/trades/{ticker}": error for ticker in tickers})
    (end,) = await refilled(rest, order(1, *tickers))
    assert end.refill.asked == end.refill.failed == len(rest.asked) <= asked_max + 1, "and one for the second worker"


async def test_gaps_are_asked_for_one_after_the_other_and_only_so_many_wait() -> None:
    async with running(Rest({})) as (refiller, told):
        assert all(refiller.order(order(number, OTHER)) for number in range(GAPS_WAITING_MAX))
        assert not refiller.order(order(99, OTHER))
        async with asyncio.timeout(10):
            await refiller.idle()
    assert [item.number for item in told] == list(range(GAPS_WAITING_MAX))


def test_a_row_that_makes_no_sense_is_refused_alone() -> None:
    page = trade_page(body(row(), row(price=-1), row(sip_timestamp=5)), v.SPY_CALL)
    assert len(page.trades) == 1
    assert [reject.reason for reject in page.rejects] == ["malformed", "malformed"]


def test_a_print_by_rest_is_the_print_the_socket_would_have_brought() -> None:
    (trade,) = trade_page(body(row()), v.SPY_CALL).trades
    (heard,), _, _ = decode_frame("options", v.frame(v.trade()))
    assert trade == heard


class Kept:
    """A keeper over a table that has heard one print, and the orders it gives."""

    def __init__(self, past: EarlierGaps = NOTHING, **settings: Any) -> None:
        self.table = Tabulator(Partitioner(1))
        self.stats = GatewayStats()
        self.entries: list[Gap] = []
        self.orders: list[RefillOrder] = []
        interest = ContractRanking(self.table.contracts)
        self.keeper = GapTracker(
            GatewaySettings(**settings), CALENDAR, self.table, interest, self.stats, self.entries.append, past
        )
        self.keeper.refiller = self  # type: ignore[assignment]
        trades = self.table.trades(decode_frame("options", v.frame(v.trade())))
        interest.prints(trades.contracts, trades.rows.price_usd, trades.rows.size_contracts)

    def order(self, one: RefillOrder) -> bool:
        self.orders.append(one)
        return len(self.orders) < 3

    async def gap(self) -> RefillOrder:
        """A gap of ten seconds, over by now."""
        await self.keeper.heard("options", v.T0_NS, 0)
        await self.keeper.lost("options", "dropped", 1)
        await self.keeper.heard("options", v.T0_NS + 10 * NS, 2)
        return self.orders[-1]


async def test_a_gap_that_is_over_is_ordered_with_a_little_on_either_side() -> None:
    kept = Kept()
    one = await kept.gap()
    assert one == RefillOrder(1, v.T0_NS - EDGE_NS, v.T0_NS + 10 * NS + EDGE_NS, [v.SPY_CALL])
    assert [entry.state for entry in kept.entries] == ["open", "restored"]
    assert kept.stats.gaps == {("options.T", "dropped"): 1}
    assert kept.stats.refilling == 1


async def test_a_gap_of_the_night_is_neither_counted_nor_asked_for() -> None:
    kept = Kept()
    evening_ns = ny_ns(dt.date(2025, 12, 17), 16, 14)
    await kept.keeper.heard("options", evening_ns, 0)
    await kept.keeper.lost("options", "dropped", 1)
    kept.keeper.count(evening_ns + 3600 * NS)
    assert kept.stats.open_gaps == 0
    await kept.keeper.connected("options", evening_ns + 7200 * NS, 2)
    assert [entry.state for entry in kept.entries] == ["open", "restored"]
    assert (kept.orders, kept.stats.refilling) == ([], 0)


async def test_a_gap_of_a_session_is_counted_until_it_is_over() -> None:
    kept = Kept()
    await kept.keeper.heard("options", v.T0_NS, 0)
    await kept.keeper.lost("options", "dropped", 1)
    counted = []
    for second in (1, 2):
        kept.keeper.count(v.T0_NS + second * NS)
        counted.append(kept.stats.open_gaps)
        await kept.keeper.heard("options", v.T0_NS + second * NS, 2)
    assert counted == [1, 0]


async def test_each_gap_is_counted_once_however_it_was_found() -> None:
    kept = Kept()
    for step in range(50):
        await kept.keeper.heard("options", v.T0_NS + step * NS // 50, 0)
    await kept.keeper.lost("options", "silence", 1)  # the watchdog's
    await kept.keeper.lost("options", "silence", 1)
    await kept.keeper.heard("options", v.T0_NS + 40 * NS, 2)
    assert kept.stats.gaps == {("options.T", "silence"): 1}
    await kept.keeper.heard("options", v.T0_NS + 60 * NS, 3)  # found afterwards, never open
    assert kept.stats.gaps == {("options.T", "silence"): 2}


async def test_what_is_new_is_marked_and_what_was_heard_is_not_doubled() -> None:
    kept = Kept()
    one = await kept.gap()
    missed = row(sequence_number=1844730913, sip_timestamp=v.T0_NS + 5 * NS)
    trades = kept.keeper.found(RefillPage(one.number, trade_page(body(row(), missed), v.SPY_CALL)))
    assert trades is not None
    assert trades.rows.vendor_seq.tolist() == [1844730913]
    assert (trades.rows.condition_bits & np.uint64(CONDITION_REFILLED)).all()
    assert np.isnan(trades.rows.bid_usd).all(), "nobody knows what was quoted then"
    await kept.keeper.ended(RefillEnd(one.number, Refill(1, 0, "")))
    last = kept.entries[-1]
    assert (last.state, last.prints_refilled, last.prints_known) == ("refilled", 1, 1)
    assert kept.stats.refilled == 1


async def test_what_rest_has_ahead_of_time_is_refused() -> None:
    kept = Kept()
    one = await kept.gap()
    kept.table.latest_ns = v.T0_NS + 60 * NS
    ahead = row(sequence_number=1844730913, sip_timestamp=v.T0_NS + 61 * NS)
    trades = kept.keeper.found(RefillPage(one.number, trade_page(body(ahead), v.SPY_CALL)))
    assert trades is not None
    assert (len(trades.contracts), [reject.reason for reject in trades.rejects]) == (0, ["time_ahead"])


async def test_when_too_much_was_heard_since_nothing_is_taken_rather_than_doubled() -> None:
    kept = Kept()
    one = await kept.gap()
    kept.table.repeats.clear()
    assert kept.keeper.found(RefillPage(one.number, trade_page(body(row()), v.SPY_CALL))) is None


async def test_gaps_beyond_the_line_are_noted_as_not_refilled() -> None:
    kept = Kept()
    for _ in range(3):
        await kept.gap()
    assert (kept.entries[-1].state, kept.entries[-1].note) == ("not_refilled", "too many gaps wait already")


async def test_a_feed_without_refill_keeps_its_ledger_all_the_same() -> None:
    kept = Kept()
    kept.keeper.refiller = None
    await kept.keeper.heard("options", v.T0_NS, 0)
    await kept.keeper.lost("options", "dropped", 1)
    await kept.keeper.heard("options", v.T0_NS + NS, 2)
    assert [entry.state for entry in kept.entries] == ["open", "restored"]
    assert kept.orders == []


DELAYED = "wss://delayed.massive.com"
NOON = ny_ns(dt.date(2025, 12, 17), 12)


async def test_on_a_delayed_host_gaps_begin_and_end_at_the_feeds_times() -> None:
    delay_ns = 900 * NS
    kept = Kept(EarlierGaps({"options.T": NOON - delay_ns - 60 * NS}, ()), ws_url=DELAYED, start_ns=NOON - 30 * NS)
    await kept.keeper.start("options", NOON)
    await kept.keeper.heard("options", NOON - delay_ns + NS, NOON + NS)
    restart = kept.entries[-1]
    assert (restart.from_ns, restart.to_ns) == (NOON - delay_ns - 60 * NS, NOON - delay_ns + NS)
    await kept.keeper.lost("options", "dropped", NOON + 2 * NS)
    await kept.keeper.heard("options", NOON - delay_ns + 9 * NS, NOON + 9 * NS)
    gap = kept.entries[-1]
    assert (gap.from_ns, gap.to_ns) == (NOON - delay_ns + NS, NOON - delay_ns + 9 * NS)


async def test_after_a_kill_prints_are_asked_for_from_the_last_one_in_the_log_and_none_that_it_holds() -> None:
    """Nobody in this process remembers what an earlier one wrote: what is asked for must begin behind it."""
    left = Gap(
        epoch=1, number=1, channel="options.T", cause="dropped", from_ns=NOON - 25 * NS, to_ns=None, lost_ns=0,
        restored_ns=None, losses=1, state="open",
    )  # fmt: skip
    kept = Kept(EarlierGaps({"options.T": NOON - 25 * NS}, [left]), start_ns=NOON, epoch=2)
    await kept.keeper.start("options", NOON + 10 * NS)
    await kept.keeper.heard("options", NOON + 11 * NS, NOON + 11 * NS)
    (one,) = kept.orders
    assert (one.from_ns, one.to_ns) == (NOON - 25 * NS + NS // 1000, NOON + 12 * NS)
    told = [(entry.epoch, entry.number, entry.state) for entry in kept.entries]
    assert told == [(1, 1, "not_refilled"), (2, 1, "open"), (2, 1, "restored")]
    assert kept.stats.gaps == {("options.T", "restart"): 1}, "an earlier epoch's was counted by that"


async def test_a_delayed_host_that_is_heard_to_the_end_leaves_no_silence() -> None:
    kept = Kept(ws_url=DELAYED)
    await kept.keeper.start("options", NOON - 3600 * NS)
    for step in range(50):
        await kept.keeper.heard("options", NOON + (step - 900 * 50) * NS // 50, 0)
    await kept.keeper.end(NOON + NS, 0)
    assert kept.entries == []


async def test_a_delayed_host_closes_a_quarter_of_an_hour_later() -> None:
    kept = Kept(ws_url=DELAYED)
    close_ns = ny_ns(dt.date(2025, 12, 17), 16)
    for step in range(50):
        await kept.keeper.heard("options", close_ns - 26 * NS + (step - 49) * NS // 50, 0)
    await kept.keeper.closed(close_ns + 900 * NS, 0)
    assert kept.entries == []
    await kept.keeper.closed(close_ns + 931 * NS, 0)
    assert [(entry.state, entry.to_ns) for entry in kept.entries] == [("restored", close_ns)]
    assert kept.orders[0].from_ns == close_ns - 27 * NS


def test_the_feeds_own_clock_is_never_behind_it() -> None:
    assert GatewaySettings(ws_url=DELAYED).delay_ns == 900 * NS
    assert GatewaySettings(ws_url=DELAYED, clock="feed").delay_ns == 0
