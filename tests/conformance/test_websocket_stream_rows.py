"""What the WebSocket sends and how it fails (spec/vendor.md 11.1, rows 11 to 17): each holds, and is red without it."""

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

from standin.faults.delay import Delay
from standin.faults.named import (
    BackwardQ,
    BigFrames,
    Drop,
    FloatIntegers,
    ForceDisconnect,
    HalfOpen,
    Lag,
    MissingConditions,
    RepeatedQ,
    StickySessions,
    TruncatedJson,
    UnknownCondition,
    UnknownEvent,
)
from standin.faults.protocol_options import ProtocolOptions
from standin.protocol import live_bars as live_bars_module
from standin.protocol import session as session_module
from standin.protocol.session import ClientSession
from standin.server import connection as connection_module
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
    of,
    quiet,
    say,
    settings,
    statuses,
    to_the_end,
)
from tests.unit.standin.conftest import CALL

ROWS = Table()
DELAY_NS = 900 * 1_000_000_000
MINUTE_S = 60.0


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


APART = ProtocolOptions(mix_statuses=False)


@ROWS.row("11", "many events a frame", options=APART, off=settings(options=ProtocolOptions(frame_events_max=1)))
async def many_events(feed: Feed) -> None:
    frames = await frames_of(feed)
    assert ["Q", "T"] in [[event["ev"] for event in frame] for frame in frames]


@ROWS.row(
    "11",
    "so many at most",
    options=ProtocolOptions(frame_events_max=1, mix_statuses=False),
    off=settings(options=APART),
)
async def events_a_frame(feed: Feed) -> None:
    frames = await frames_of(feed)
    assert {len(frame) for frame in frames if frame[0]["ev"] != "status"} == {1}


@ROWS.row("11", "statuses among events", options=ProtocolOptions(flush_s=5.0), off=settings(options=APART))
async def mixed_frame(feed: Feed) -> None:
    frames = await frames_of(feed)
    assert [event["ev"] for event in frames[0]] == ["status", "status", "Q", "T"]


@ROWS.row("11", "flushed together", off=settings(options=ProtocolOptions(flush_s=2.0)))
async def flush(feed: Feed) -> None:
    async with feed.standin(speed=600) as standin, feed.client(standin.ws_url + "/options", "T.*") as socket:
        began = asyncio.get_running_loop().time()
        while not of(await heard(socket), "T"):
            pass
        # A tape at 600 times real time has its first print after a tenth of a second; a flush comes every 25 ms.
        assert asyncio.get_running_loop().time() - began < 1.5


@ROWS.row("12", "ms on T, Q, A and AM", off=settings(session_module, "CHANNELS", {"options": frozenset("T")}))
async def milliseconds(feed: Feed) -> None:
    events = await feed.day(f"T.*,Q.{CALL},A.*,AM.*")
    assert {event["ev"] for event in events} == {"T", "Q", "A", "AM"}
    for event in events:
        assert len(str(event["s" if event["ev"] in ("A", "AM") else "t"])) == 13
    for kind, width_ms in (("A", 1000), ("AM", 60_000)):
        bar = of(events, kind)[0]
        assert (bar["sym"], bar["o"], bar["v"], bar["av"], bar["e"] - bar["s"]) == (CALL, 1.55, 12, 12, width_ms)


WIDTHS = {"A": 60_000, "AM": 60_000}


@ROWS.row("12", "an index's A is a second", off=settings(live_bars_module, "WIDTH_MS", WIDTHS))
async def index_seconds(feed: Feed) -> None:
    events = await feed.day("V.*,A.I:SPX", "/indices")
    bars = of(events, "A")
    assert [(bar["sym"], bar["c"]) for bar in bars] == [("I:SPX", value["val"]) for value in of(events, "V")]
    assert {(len(str(bar["s"])), bar["e"] - bar["s"], "v" in bar) for bar in bars} == {(13, 1000, False)}


@ROWS.row("12", "V has T for its ticker", off=settings(ClientSession, "wants", lambda *_: False))
async def index_values(feed: Feed) -> None:
    events = await feed.day("V.*,AM.I:SPX", "/indices")
    assert {event["ev"] for event in events} == {"V", "AM"}
    value, bar = of(events, "V")[0], of(events, "AM")[0]
    assert (value["T"], value["val"], len(str(value["t"])), "sym" in value) == ("I:SPX", 3700.0, 13, False)
    assert (bar["sym"], bar["o"], "v" in bar) == ("I:SPX", 3700.0, False)


@ROWS.row("12", "a stock's trades and quotes", off=settings(connection_module, "stock_ticks", lambda *_: []))
async def stock_ticks(feed: Feed) -> None:
    events = await feed.day("T.*,Q.XYZ,A.XYZ", "/stocks")
    assert {event["ev"] for event in events} == {"T", "Q", "A"}
    bars, trades, quotes = (of(events, kind) for kind in "ATQ")
    assert sum(trade["s"] for trade in trades) == sum(bar["v"] for bar in bars)
    assert [trade["p"] for trade in trades if trade["p"] == bars[-1]["c"]]
    for tick in (*trades, *quotes):
        assert (tick["sym"], len(str(tick["t"]))) == ("XYZ", 13)
    assert {quote["q"] + 1 for quote in quotes} == {trade["q"] for trade in trades}


@ROWS.row("12", "stock quotes in round lots", options=ProtocolOptions(stock_sizes="lots"), off=settings())
async def stock_lots(feed: Feed) -> None:
    quotes = of(await feed.day("Q.XYZ", "/stocks"), "Q")
    assert quotes
    assert all(0 < quote[side] < 100 for quote in quotes for side in ("bs", "as"))


@ROWS.row("12", "an index every so many seconds", options=ProtocolOptions(index_every=120), off=settings())
async def index_cadence(feed: Feed) -> None:
    values = of(await feed.day("V.*", "/indices"), "V")  # a tape of three minutes, a value each
    assert len(values) == len({value["t"] // 120_000 for value in values}) == 2


@ROWS.row("12", "only the stocks' channels that are held", off=settings(ClientSession, "wants", lambda *_: True))
async def stock_channels(feed: Feed) -> None:
    assert {event["ev"] for event in await feed.day("Q.XYZ", "/stocks")} == {"Q"}


@ROWS.row("12", "ns on FMV", options=ProtocolOptions(business=True), off=settings())
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


@ROWS.row("14", "the server's own pings", options=ProtocolOptions(ping_s=0.05), off=settings())
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
    _, closed = await feed.cut_off()
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
    told, closed = await feed.cut_off()
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


@ROWS.row("16", "Q refused", delayed=True, off=settings(ClientSession, "_offers", lambda *_: True, delayed=True))
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


@pytest.mark.parametrize("row", ROWS, ids=named)
async def test_row(row: Row, tmp_path: Path) -> None:
    await holds(row, tmp_path)


@pytest.mark.parametrize("row", ROWS, ids=named)
async def test_row_is_red_without_its_behaviour(row: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await is_red(row, tmp_path, monkeypatch, RED)


def test_every_row_of_the_checklist_is_here() -> None:
    assert {int(row.id) for row in ROWS} == set(range(11, 18))
    assert len({named(row) for row in ROWS}) == len(ROWS)
