"""The vendor's WebSocket, row by row (massive.md 11.1): each holds, and each check fails without its behaviour."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus

from services.standin import server as server_module
from services.standin import session as session_module
from services.standin.connection import Connection
from services.standin.delay import Delay
from services.standin.faults import (
    BackwardQ,
    BigFrames,
    Drop,
    FloatIntegers,
    ForceDisconnect,
    HalfOpen,
    Lag,
    LateStatuses,
    MissingConditions,
    NoPlan,
    RepeatedQ,
    SlowConsumer,
    StickySessions,
    TruncatedJson,
    Unentitled,
    UnknownCondition,
    UnknownEvent,
)
from services.standin.manners import Manners
from services.standin.session import Reply, Session
from services.standin.wire import status_frame
from tests.support.rows import Feed, Row, Table, heard, messages, of, quiet, say, settings, statuses, to_the_end
from tests.unit.standin.conftest import CALL

ROWS = Table()
DELAY_NS = 900 * 1_000_000_000
MINUTE_S = 60.0


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


@ROWS.row("2", "greeting", off=settings(Session, "greeting", staticmethod(lambda: status_frame("hello", ""))))
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


@ROWS.row("4", "no auth in time", manners=Manners(auth_timeout_s=0.05), off=settings(manners=Manners()))
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


@ROWS.row("6", "unknown ticker: acknowledged", off=settings(Session, "_offers", lambda *pair: pair[2] != "O:NOPE"))
async def unknown_ticker(feed: Feed) -> None:
    async with feed.still() as standin, feed.client(standin.ws_url + "/options", "T.O:NOPE") as socket:
        assert messages(await quiet(socket)) == ["subscribed to: T.O:NOPE"]


@ROWS.row(
    "6",
    "unknown channel: silent",
    off=settings(session_module, "CHANNELS", {"options": frozenset({"T", "ZZ"})}),
)
async def unknown_channel(feed: Feed) -> None:
    async with feed.still() as standin, feed.client(standin.ws_url + "/options", "ZZ.SPY,T.*") as socket:
        assert messages(await quiet(socket)) == ["subscribed to: T.*"]


@ROWS.row("6", "duplicate: silent", off=settings(Session, "_held", lambda *_: False))
async def duplicate(feed: Feed) -> None:
    async with feed.still() as standin, feed.client(standin.ws_url + "/options", "T.*") as socket:
        assert messages(await quiet(socket)) == ["subscribed to: T.*"]
        await say(socket, "subscribe", "T.*")
        assert await quiet(socket) == []


@ROWS.row("7", "unentitled: error, the rest acknowledged", faults=[Unentitled(channels=("Q",))], off=settings())
async def unentitled(feed: Feed) -> None:
    async with feed.still() as standin, feed.client(standin.ws_url + "/options", f"Q.{CALL},T.*") as socket:
        assert messages(await quiet(socket)) == ["not authorized", "subscribed to: T.*"]


NO_LIMIT = settings(manners=Manners(quoted_contracts_max=100_000))


@ROWS.row("8", "past the limit: refused whole", off=NO_LIMIT)
async def limit(feed: Feed) -> None:
    async with feed.still() as standin, feed.client(standin.ws_url + "/options", "T.*," + quotes(1, 1001)) as socket:
        told = await quiet(socket)
        assert statuses(told) == ["error"] * 27
        assert messages(told)[0].startswith("Subscription limit reached for feed.")
        await say(socket, "subscribe", "T.*")
        assert statuses(await quiet(socket)) == ["success"], "a pair of the refused request was added"


@ROWS.row("8", "configurable errors", manners=Manners(limit_errors=3), off=settings())
async def limit_errors(feed: Feed) -> None:
    async with feed.still() as standin, feed.client(standin.ws_url + "/options", quotes(1, 1001)) as socket:
        assert statuses(await quiet(socket)) == ["error"] * 3


@ROWS.row("8", "held contracts count", off=NO_LIMIT)
async def limit_counts_held(feed: Feed) -> None:
    async with feed.still() as standin, feed.client(standin.ws_url + "/options", quotes(1, 1000)) as socket:
        assert statuses(await quiet(socket)) == ["success"] * 1000
        await say(socket, "subscribe", quotes(2000, 1))
        assert set(statuses(await quiet(socket))) == {"error"}


@ROWS.row("8", "unsubscribing frees", off=settings(Session, "_unsubscribe", lambda *_: Reply()))
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


@ROWS.row("9", "the older goes", off=settings(manners=Manners(connections_max=2)))
async def older_goes(feed: Feed) -> None:
    assert await two_connections(feed) == "older"


@ROWS.row("9", "the newer goes", manners=Manners(victim="newer"), off=settings())
async def newer_goes(feed: Feed) -> None:
    assert await two_connections(feed) == "newer"


@ROWS.row("9", "any of them goes", manners=Manners(victim="random"), off=settings())
async def any_goes(feed: Feed) -> None:
    assert {await two_connections(feed, seed) for seed in range(6)} == {"older", "newer"}


async def slow(feed: Feed) -> tuple[list[str], ConnectionClosed]:
    async with (
        feed.standin(start_when=frozenset({"options.T"})) as standin,
        feed.client(standin.ws_url + "/options", "T.*") as socket,
    ):
        events, closed = await to_the_end(socket)
    return statuses(events), closed


@ROWS.row("10", "the buffer overflows", faults=[SlowConsumer(buffer_bytes=100)], off=settings(at_end="close"))
async def overflow(feed: Feed) -> None:
    told, closed = await slow(feed)
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
    told, closed = await slow(feed)
    assert "slow_consumer" not in told
    assert closed.rcvd is None


# Frames


async def frames_of(feed: Feed) -> list[list[dict[str, Any]]]:
    """The frames of a whole tape of trades and quotes."""
    found: list[list[dict[str, Any]]] = []
    async with (
        feed.standin(at_end="close", start_when=frozenset({"options.T"})) as standin,
        feed.client(standin.ws_url + "/options", f"T.*,Q.{CALL}") as socket,
    ):
        with contextlib.suppress(ConnectionClosed):
            while True:
                found.append(await heard(socket))
    return found


APART = Manners(mix_statuses=False)


@ROWS.row("11", "many events a frame", manners=APART, off=settings(manners=Manners(frame_events_max=1)))
async def many_events(feed: Feed) -> None:
    frames = await frames_of(feed)
    assert ["Q", "T"] in [[event["ev"] for event in frame] for frame in frames]


@ROWS.row("11", "so many at most", manners=Manners(frame_events_max=1, mix_statuses=False), off=settings(manners=APART))
async def events_a_frame(feed: Feed) -> None:
    frames = await frames_of(feed)
    assert {len(frame) for frame in frames if frame[0]["ev"] != "status"} == {1}


@ROWS.row("11", "statuses among events", manners=Manners(flush_s=5.0), off=settings(manners=APART))
async def mixed_frame(feed: Feed) -> None:
    frames = await frames_of(feed)
    assert [event["ev"] for event in frames[0]] == ["status", "status", "Q", "T"]


@ROWS.row("11", "flushed together", off=settings(manners=Manners(flush_s=2.0)))
async def flush(feed: Feed) -> None:
    async with feed.standin(speed=600) as standin, feed.client(standin.ws_url + "/options", "T.*") as socket:
        began = asyncio.get_running_loop().time()
        while not of(await heard(socket), "T"):
            pass
        # A tape at 600 times real time has its first print after a tenth of a second; a flush comes every 25 ms.
        assert asyncio.get_running_loop().time() - began < 1.5


@ROWS.row("12", "ms on T, Q and A", off=settings(session_module, "CHANNELS", {"options": frozenset("T")}))
async def milliseconds(feed: Feed) -> None:
    events = await feed.day(f"T.*,Q.{CALL},AM.*")
    assert {event["ev"] for event in events} == {"T", "Q", "AM"}
    for event in events:
        assert len(str(event["s" if event["ev"] == "AM" else "t"])) == 13
    bar = of(events, "AM")[0]
    assert (bar["sym"], bar["o"], bar["v"], bar["av"], bar["e"] - bar["s"]) == (CALL, 1.55, 12, 12, 60_000)


@ROWS.row("12", "V has T for its ticker", off=settings(Session, "wants", lambda *_: False))
async def index_values(feed: Feed) -> None:
    events = await feed.day("V.*,AM.I:SPX", "/indices")
    assert {event["ev"] for event in events} == {"V", "AM"}
    value, bar = of(events, "V")[0], of(events, "AM")[0]
    assert (value["T"], value["val"], len(str(value["t"])), "sym" in value) == ("I:SPX", 3700.0, 13, False)
    assert (bar["sym"], bar["o"], "v" in bar) == ("I:SPX", 3700.0, False)


@ROWS.row("12", "ns on FMV", manners=Manners(business=True), off=settings())
async def fair_values(feed: Feed) -> None:
    events = await feed.day(f"T.*,FMV.{CALL}")
    values = of(events, "FMV")
    assert [(value["fmv"], value["sym"]) for value in values] == [(1.53, CALL), (1.5, CALL)]
    assert {len(str(value["t"])) for value in values} == {19}


def with_snapshot(connection: Connection, *arguments: Any, **options: Any) -> None:
    """What a server that sends a snapshot on subscribing would do."""
    connection.put(b'[{"ev":"Q","sym":"O:NOPE"}]')


@ROWS.row("13", "no snapshot on subscribing", off=settings(Connection, "answer", with_snapshot))
async def no_snapshot(feed: Feed) -> None:
    async with feed.still(minutes=5) as standin, connect(standin.ws_url + "/options") as socket:
        await say(socket, "auth", "demo-key")
        await say(socket, "subscribe", f"T.*,Q.{CALL}")
        assert {event["ev"] for event in await quiet(socket)} == {"status"}


def with_replay(connection: Connection, *arguments: Any, **options: Any) -> None:
    """What a server that told again what a client had missed would do."""
    connection.put(b'[{"ev":"T","q":2}]')


REPLAY = settings(Connection, "answer", with_replay, faults=[Drop(after_s=MINUTE_S)])


@ROWS.row("13", "no replay after reconnecting", faults=[Drop(after_s=MINUTE_S)], off=REPLAY)
async def no_replay(feed: Feed) -> None:
    async with feed.standin(start_when=frozenset({"options.T"}), at_end="close") as standin:
        async with connect(standin.ws_url + "/options") as socket:
            await say(socket, "auth", "demo-key")
            await say(socket, "subscribe", "T.*")
            _, closed = await to_the_end(socket)
        assert closed.rcvd is None
        async with connect(standin.ws_url + "/options") as socket:
            await say(socket, "auth", "demo-key")
            await say(socket, "subscribe", "T.*")
            events, _ = await to_the_end(socket)
    # The first print was due when the connection died; the two after it come, and it never does.
    assert [event["q"] for event in of(events, "T")] == [4, 6]


# Keeping alive


@ROWS.row("14", "pings are answered", off=settings(faults=[HalfOpen()]))
async def pongs(feed: Feed) -> None:
    async with feed.standin() as standin, feed.client(standin.ws_url + "/options", "T.*", close_timeout=0.2) as socket:
        await asyncio.sleep(0.1)
        await asyncio.wait_for(await socket.ping(), 1)


@ROWS.row("14", "the server's own pings", manners=Manners(ping_s=0.05), off=settings())
async def server_pings(feed: Feed) -> None:
    async with (
        feed.still() as standin,
        aiohttp.ClientSession() as http,
        http.ws_connect(standin.ws_url.replace("ws", "http") + "/options", autoping=False) as socket,
    ):
        kinds = [(await socket.receive(1)).type for _ in range(2)]
    assert aiohttp.WSMsgType.PING in kinds


@ROWS.row("14", "half-open", faults=[HalfOpen()], off=settings(at_end="close"))
async def half_open(feed: Feed) -> None:
    async with feed.standin() as standin, feed.client(standin.ws_url + "/options", "T.*", close_timeout=0.2) as socket:
        assert of(await quiet(socket), "T") == []
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(await socket.ping(), 0.3)


# Faults


@ROWS.row("15", "lag", faults=[Lag(by_s=5 * MINUTE_S, for_s=60 * MINUTE_S)], off=settings())
async def lag(feed: Feed) -> None:
    async with (
        feed.standin(start_when=frozenset({"options.T"}), at_end="close") as standin,
        feed.client(standin.ws_url + "/options", "T.*") as socket,
    ):
        late, q = [], []
        with contextlib.suppress(ConnectionClosed):
            while True:
                for event in of(await heard(socket), "T"):
                    late.append(standin.clock_ns - event["t"] * 1_000_000)
                    q.append(event["q"])
    assert q == [2, 4, 6]
    assert min(late) >= 5 * MINUTE_S * 1e9


@ROWS.row("15", "drop", faults=[Drop()], off=settings(at_end="close"))
async def drop(feed: Feed) -> None:
    _, closed = await slow(feed)
    assert closed.rcvd is None


@ROWS.row("15", "repeated q", faults=[RepeatedQ(share=1.0)], off=settings())
async def repeated(feed: Feed) -> None:
    assert [event["q"] for event in await feed.day()] == [2, 2, 4, 4, 6, 6]


@ROWS.row("15", "one q on two events", faults=[RepeatedQ(share=1.0, how="number")], off=settings())
async def repeated_number(feed: Feed) -> None:
    assert [(event["q"], event["s"]) for event in await feed.day()] == [(2, 12), (2, 700), (4, 3)]


@ROWS.row("15", "backward q", faults=[BackwardQ(share=1.0, by=2)], off=settings())
async def backward(feed: Feed) -> None:
    assert [event["q"] for event in await feed.day()] == [1, 2, 4]


@ROWS.row("15", "floats for integers", faults=[FloatIntegers(share=1.0)], off=settings())
async def floats(feed: Feed) -> None:
    assert {type(event[key]) for event in await feed.day() for key in ("x", "s", "t", "q")} == {float}


@ROWS.row("15", "missing c", faults=[MissingConditions(share=1.0)], off=settings())
async def missing_conditions(feed: Feed) -> None:
    events = await feed.day()
    assert len(events) == 3
    assert not any("c" in event for event in events)


@ROWS.row("15", "unknown ev", faults=[UnknownEvent(share=1.0)], off=settings())
async def unknown_event(feed: Feed) -> None:
    assert [event["ev"] for event in await feed.day()] == ["T", "LULD"] * 3


@ROWS.row("15", "unknown condition id", faults=[UnknownCondition(share=1.0, id=299)], off=settings())
async def unknown_condition(feed: Feed) -> None:
    assert [event["c"] for event in await feed.day()] == [[299]] * 3


@ROWS.row("15", "a frame over 1 MiB", faults=[BigFrames()], off=settings())
async def big_frame(feed: Feed) -> None:
    async with (
        feed.standin(start_when=frozenset({"options.T"}), at_end="close") as standin,
        feed.client(standin.ws_url + "/options", "T.*") as socket,
    ):
        frames = [frame async for frame in socket]
    assert max(len(frame) for frame in frames) > 1024 * 1024
    assert len([event for frame in frames for event in json.loads(frame) if event["ev"] == "T"]) == 3


@ROWS.row("15", "truncated JSON", faults=[TruncatedJson()], off=settings())
async def truncated(feed: Feed) -> None:
    async with (
        feed.standin(start_when=frozenset({"options.T"}), at_end="close") as standin,
        feed.client(standin.ws_url + "/options", "T.*") as socket,
    ):
        broken = 0
        async for frame in socket:
            try:
                json.loads(frame)
            except json.JSONDecodeError:
                broken += 1
    assert broken == 1


@ROWS.row("15", "force_disconnect", faults=[ForceDisconnect()], off=settings(at_end="close"))
async def force_disconnect(feed: Feed) -> None:
    told, closed = await slow(feed)
    assert told[-1] == "force_disconnect"
    assert closed.rcvd is not None


# The delayed host, and sessions that linger


def undelayed() -> Delay:
    return Delay(0)


@ROWS.row(
    "16",
    "900 s late, with the original time",
    delayed=True,
    off=settings(server_module, "Delay", undelayed, delayed=True),
)
async def delayed(feed: Feed) -> None:
    async with feed.standin(start_when=frozenset({"options.T"}), at_end="close") as standin:
        assert standin.delayed_url is not None
        async with feed.client(standin.delayed_url + "/options", "T.*") as socket:
            late = []
            with contextlib.suppress(ConnectionClosed):
                while True:
                    late += [standin.clock_ns - event["t"] * 1_000_000 for event in of(await heard(socket), "T")]
    assert len(late) == 3
    assert min(late) >= DELAY_NS


@ROWS.row("16", "Q refused", delayed=True, off=settings(Session, "_offers", lambda *_: True, delayed=True))
async def no_delayed_quotes(feed: Feed) -> None:
    async with feed.still() as standin:
        assert standin.delayed_url is not None
        async with feed.client(standin.delayed_url + "/options", f"Q.{CALL},T.*") as socket:
            assert messages(await quiet(socket)) == ["not authorized", "subscribed to: T.*"]


@ROWS.row(
    "14",
    "half-open, until the next one",
    faults=[HalfOpen()],
    off=settings(Connection, "_abort", lambda _: None, faults=[HalfOpen()]),
)
async def half_open_ends(feed: Feed) -> None:
    async with feed.standin() as standin, feed.client(standin.ws_url + "/options", "T.*", close_timeout=0.2) as socket:
        assert of(await quiet(socket), "T") == []
        async with feed.client(standin.ws_url + "/options"):
            with pytest.raises(ConnectionClosedError) as closed:
                await heard(socket, 1)
    assert closed.value.rcvd is None


@ROWS.row("17", "a dead session keeps its slot", faults=[StickySessions(for_s=1.0)], off=settings())
async def sticky(feed: Feed) -> None:
    async with feed.still() as standin, feed.client(standin.ws_url + "/options", "T.*") as socket:
        socket.transport.abort()
        await asyncio.sleep(0.1)
        async with feed.client(standin.ws_url + "/options", "T.*") as early:
            assert statuses((await to_the_end(early))[0])[-1] == "max_connections"
        await asyncio.sleep(1.0)
        async with feed.client(standin.ws_url + "/options", "T.*") as later:
            assert statuses(await quiet(later)) == ["success"]


# How a check fails: what it asserts, or what it waits for, does not hold. Any other error would be the check's own.
RED = (AssertionError, pytest.fail.Exception, TimeoutError, ConnectionClosed, InvalidStatus)


def named(row: Row) -> str:
    return f"{row.id}: {row.says}"


@pytest.mark.parametrize("row", ROWS, ids=named)
async def test_row(row: Row, tmp_path: Path) -> None:
    await asyncio.wait_for(row.check(Feed(tmp_path, row.on)), 60)


@pytest.mark.parametrize("row", ROWS, ids=named)
async def test_row_is_red_without_its_behaviour(row: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without = row.off(monkeypatch)
    with pytest.raises(RED):
        await asyncio.wait_for(row.check(Feed(tmp_path, without)), 30)


def test_every_row_of_the_checklist_is_here() -> None:
    assert {int(row.id) for row in ROWS} == set(range(1, 18))
    assert len({named(row) for row in ROWS}) == len(ROWS)
