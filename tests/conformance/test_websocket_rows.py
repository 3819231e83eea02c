"""Who the WebSocket lets in and what it acknowledges (spec/vendor.md 11.1, rows 1 to 10): each is red without it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus

from standin.faults.named import (
    LateStatuses,
    NoPlan,
    SlowConsumer,
    Unentitled,
)
from standin.faults.protocol_options import ProtocolOptions
from standin.protocol import session as session_module
from standin.protocol.session import ClientSession, Reply
from standin.protocol.wire import status_frame
from standin.server import server as server_module
from standin.server.connection import Connection
from tests.support.rows import (
    Feed,
    Row,
    Table,
    heard,
    holds,
    is_red,
    messages,
    named,
    quiet,
    say,
    settings,
    statuses,
    to_the_end,
)
from tests.unit.standin.conftest import CALL

ROWS = Table()


def quotes(first: int, count: int) -> str:
    return ",".join(f"Q.O:SPY300118C{1000 * strike:08d}" for strike in range(first, first + count))


# Paths, greeting, auth


@ROWS.row("1", "three paths", off=settings(server_module, "CLUSTERS", {"/options": "options"}))
async def three_paths(feed: Feed) -> None:
    async with feed.still() as standin:
        for path in ("/options", "/indices", "/stocks"):
            async with feed.client(standin.ws_url + path):
                pass


@ROWS.row("1", "unknown path: 404", off=settings(server_module, "_check_path", lambda *_: None))
async def unknown_path(feed: Feed) -> None:
    async with feed.still() as standin:
        with pytest.raises(InvalidStatus) as refused:
            async with connect(standin.ws_url + "/crypto"):
                pass
    assert refused.value.response.status_code == 404


@ROWS.row("2", "greeting", off=settings(ClientSession, "greeting", staticmethod(lambda: status_frame("hello", ""))))
async def greeting(feed: Feed) -> None:
    async with feed.still() as standin, connect(standin.ws_url + "/options") as socket:
        event = {"ev": "status", "status": "connected", "message": "Connected Successfully"}
        assert await heard(socket) == [event]


@ROWS.row("3", "a good key", off=settings(keys=frozenset({"other"})))
async def good_key(feed: Feed) -> None:
    async with feed.still() as standin, feed.client(standin.ws_url + "/options"):
        pass


async def refused_with(feed: Feed, key: str, message: str) -> None:
    async with feed.still() as standin, connect(standin.ws_url + "/options") as socket:
        await heard(socket)
        await say(socket, "auth", key)
        assert await heard(socket) == [{"ev": "status", "status": "auth_failed", "message": message}]
        with pytest.raises(ConnectionClosedError) as closed:
            await heard(socket, 1)
    assert closed.value.rcvd is None, "the server sent a close frame"


@ROWS.row("3", "a bad key: auth_failed, cut", off=settings(keys=frozenset({"demo-key", "wrong"})))
async def bad_key(feed: Feed) -> None:
    await refused_with(feed, "wrong", "authentication failed")


@ROWS.row("3", "a plan without the WebSocket", faults=[NoPlan()], off=settings())
async def no_plan(feed: Feed) -> None:
    sentence = "Your plan doesn't include websocket access. Visit https://massive.com/pricing to upgrade."
    await refused_with(feed, "demo-key", sentence)


@ROWS.row("4", "no auth in time", options=ProtocolOptions(auth_timeout_s=0.05), off=settings(options=ProtocolOptions()))
async def auth_timeout(feed: Feed) -> None:
    async with feed.still() as standin, connect(standin.ws_url + "/options") as socket:
        await heard(socket)
        assert statuses(await heard(socket, 1)) == ["auth_timeout"]
        with pytest.raises(ConnectionClosed):
            await heard(socket)


# Subscriptions


@ROWS.row("5", "one element a pair, many a frame", off=settings(faults=[LateStatuses(by_s=0.05, a_frame=1)]))
async def many_acks(feed: Feed) -> None:
    pairs = [f"T.O:NOPE{at}" for at in range(300)]
    async with feed.still() as standin, feed.client(standin.ws_url + "/options", ",".join(pairs)) as socket:
        assert messages(await heard(socket)) == [f"subscribed to: {pair}" for pair in pairs]


@ROWS.row("5", "order not guaranteed", faults=[LateStatuses(by_s=0.01)], off=settings())
async def shuffled_acks(feed: Feed) -> None:
    pairs = [f"T.O:NOPE{at}" for at in range(300)]
    async with feed.still() as standin, feed.client(standin.ws_url + "/options", ",".join(pairs)) as socket:
        told = messages(await quiet(socket))
    assert sorted(told) == sorted(f"subscribed to: {pair}" for pair in pairs)
    assert told != [f"subscribed to: {pair}" for pair in pairs]


@ROWS.row(
    "6", "unknown ticker: acknowledged", off=settings(ClientSession, "_offers", lambda *pair: pair[2] != "O:NOPE")
)
async def unknown_ticker(feed: Feed) -> None:
    async with feed.still() as standin, feed.client(standin.ws_url + "/options", "T.O:NOPE") as socket:
        assert messages(await quiet(socket)) == ["subscribed to: T.O:NOPE"]


@ROWS.row("6", "unknown ticker: then silent", off=settings(Connection, "_chosen", lambda *batch: batch[-1]))
async def unknown_ticker_stays_silent(feed: Feed) -> None:
    assert {event["sym"] for event in await feed.day(f"T.{CALL}")} == {CALL}
    assert await feed.day("T.O:NOPE") == []


@ROWS.row(
    "6",
    "unknown channel: silent",
    off=settings(session_module, "CHANNELS", {"options": frozenset({"T", "ZZ"})}),
)
async def unknown_channel(feed: Feed) -> None:
    async with feed.still() as standin, feed.client(standin.ws_url + "/options", "ZZ.SPY,T.*") as socket:
        assert messages(await quiet(socket)) == ["subscribed to: T.*"]


@ROWS.row("6", "duplicate: silent", off=settings(ClientSession, "_subscribed_to", lambda *_: False))
async def duplicate(feed: Feed) -> None:
    async with feed.still() as standin, feed.client(standin.ws_url + "/options", "T.*") as socket:
        assert messages(await quiet(socket)) == ["subscribed to: T.*"]
        await say(socket, "subscribe", "T.*")
        assert await quiet(socket) == []


@ROWS.row("7", "unentitled: error, the rest acknowledged", faults=[Unentitled(channels=("Q",))], off=settings())
async def unentitled(feed: Feed) -> None:
    async with feed.still() as standin, feed.client(standin.ws_url + "/options", f"Q.{CALL},T.*") as socket:
        assert messages(await quiet(socket)) == ["not authorized", "subscribed to: T.*"]


NO_LIMIT = settings(options=ProtocolOptions(quoted_contracts_max=100_000))


@ROWS.row("8", "past the limit: refused whole", off=NO_LIMIT)
async def limit(feed: Feed) -> None:
    async with feed.still() as standin, feed.client(standin.ws_url + "/options", "T.*," + quotes(1, 1001)) as socket:
        told = await quiet(socket)
        assert statuses(told) == ["error"] * 27
        assert messages(told)[0].startswith("Subscription limit reached for feed.")
        await say(socket, "subscribe", "T.*")
        assert statuses(await quiet(socket)) == ["success"], "a pair of the refused request was added"


@ROWS.row("8", "configurable errors", options=ProtocolOptions(limit_errors=3), off=settings())
async def limit_errors(feed: Feed) -> None:
    async with feed.still() as standin, feed.client(standin.ws_url + "/options", quotes(1, 1001)) as socket:
        assert statuses(await quiet(socket)) == ["error"] * 3


@ROWS.row("8", "held contracts count", off=NO_LIMIT)
async def limit_counts_held(feed: Feed) -> None:
    async with feed.still() as standin, feed.client(standin.ws_url + "/options", quotes(1, 1000)) as socket:
        assert statuses(await quiet(socket)) == ["success"] * 1000
        await say(socket, "subscribe", quotes(2000, 1))
        assert set(statuses(await quiet(socket))) == {"error"}


@ROWS.row("8", "unsubscribing frees", off=settings(ClientSession, "_unsubscribe", lambda *_: Reply()))
async def unsubscribe_frees(feed: Feed) -> None:
    async with feed.still() as standin, feed.client(standin.ws_url + "/options", quotes(1, 1000)) as socket:
        await quiet(socket)
        await say(socket, "unsubscribe", quotes(1, 10))
        await quiet(socket)
        await say(socket, "subscribe", quotes(2000, 10))
        assert statuses(await quiet(socket)) == ["success"] * 10


# Connections


async def two_connections(feed: Feed, seed: int = 0) -> str:
    """Which of two connections with one key is told `max_connections` and closed with 1008."""
    async with (
        feed.still(fault_seed=seed) as standin,
        feed.client(standin.ws_url + "/options", "T.*") as older,
        feed.client(standin.ws_url + "/options", "T.*") as newer,
    ):
        ends = {"older": asyncio.create_task(to_the_end(older)), "newer": asyncio.create_task(to_the_end(newer))}
        await asyncio.wait(ends.values(), timeout=4, return_when=asyncio.FIRST_COMPLETED)
        gone = [name for name, end in ends.items() if end.done()]
        assert len(gone) == 1, gone
        events, closed = ends[gone[0]].result()
        assert statuses(events)[:1] == ["success"], "it had not been acknowledged"
        assert statuses(events)[-1] == "max_connections"
        assert closed.rcvd is not None
        assert closed.rcvd.code == 1008
        for end in ends.values():
            end.cancel()
        await asyncio.gather(*ends.values(), return_exceptions=True)
    return gone[0]


@ROWS.row("9", "the older goes", off=settings(options=ProtocolOptions(connections_max=2)))
async def older_goes(feed: Feed) -> None:
    assert await two_connections(feed) == "older"


@ROWS.row("9", "the newer goes", options=ProtocolOptions(victim="newer"), off=settings())
async def newer_goes(feed: Feed) -> None:
    assert await two_connections(feed) == "newer"


@ROWS.row("9", "any of them goes", options=ProtocolOptions(victim="random"), off=settings())
async def any_goes(feed: Feed) -> None:
    assert {await two_connections(feed, seed) for seed in range(6)} == {"older", "newer"}


@ROWS.row("10", "the buffer overflows", faults=[SlowConsumer(buffer_bytes=100)], off=settings(at_end="close"))
async def overflow(feed: Feed) -> None:
    told, closed = await feed.cut_off()
    assert told[-1] == "slow_consumer"
    assert closed.rcvd is not None
    assert closed.rcvd.code == 1008


@ROWS.row(
    "10",
    "the buffer overflows, reset",
    faults=[SlowConsumer(buffer_bytes=100, close="abort")],
    off=settings(at_end="close"),
)
async def overflow_reset(feed: Feed) -> None:
    told, closed = await feed.cut_off()
    assert "slow_consumer" not in told
    assert closed.rcvd is None


RESET = ProtocolOptions(buffer_bytes=100, slow_consumer="abort")


@ROWS.row("10", "a switch: reset", options=RESET, off=settings(options=ProtocolOptions(buffer_bytes=100)))
async def overflow_reset_by_switch(feed: Feed) -> None:
    await overflow_reset(feed)


# How a check fails: what it asserts, or what it waits for, does not hold. Any other error would be the check's own.
RED = (AssertionError, pytest.fail.Exception, TimeoutError, ConnectionClosed, InvalidStatus)


@pytest.mark.parametrize("row", ROWS, ids=named)
async def test_row(row: Row, tmp_path: Path) -> None:
    await holds(row, tmp_path)


@pytest.mark.parametrize("row", ROWS, ids=named)
async def test_row_is_red_without_its_behaviour(row: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await is_red(row, tmp_path, monkeypatch, RED)


def test_every_row_of_the_checklist_is_here() -> None:
    assert {int(row.id) for row in ROWS} == set(range(1, 11))
    assert len({named(row) for row in ROWS}) == len(ROWS)
