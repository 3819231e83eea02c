"""The server over real sockets: sessions, lockstep, eviction, slow consumers, endings (spec/vendor.md 2 and 11.1)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket as kernel
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus

from standin.errors import StandInError
from standin.faults.named import Disconnect
from standin.faults.protocol_options import ProtocolOptions
from standin.faults.requested import options_of, read_fault
from standin.files.tape import Tape
from standin.market.seeded import SeededMarket
from standin.server.server import StandIn
from tests.unit.standin.conftest import CALL, DAY, MINUTE_MS, OPEN_MS, write_tape

Event = dict[str, Any]
TAPE_EVENTS = frozenset({"options.T", "stocks.A"})


@asynccontextmanager
async def client(
    standin: StandIn, path: str, subscriptions: str = "", key: str = "demo-key", receive_buffer: int = 0, host: str = ""
) -> AsyncIterator[ClientConnection]:
    """A connection that has been greeted, let in, and has subscribed."""
    url = host or standin.ws_url
    name, port = url.removeprefix("ws://").split(":")
    plain = kernel.socket()
    if receive_buffer:
        plain.setsockopt(kernel.SOL_SOCKET, kernel.SO_RCVBUF, receive_buffer)
    plain.connect((name, int(port)))
    async with connect(url + path, compression=None, max_size=None, sock=plain) as socket:
        assert json.loads(await socket.recv())[0]["status"] == "connected"
        await socket.send(json.dumps({"action": "auth", "params": key}))
        assert json.loads(await socket.recv())[0]["status"] == "auth_success"
        if subscriptions:
            await socket.send(json.dumps({"action": "subscribe", "params": subscriptions}))
        yield socket


async def to_the_end(socket: ClientConnection) -> tuple[list[Event], ConnectionClosed]:
    """Every event until the connection is gone, and how it went."""
    events: list[Event] = []
    while True:
        try:
            events += json.loads(await socket.recv())
        except ConnectionClosed as closed:
            return events, closed


def of(events: list[Event], kind: str) -> list[Event]:
    return [event for event in events if event["ev"] == kind]


async def test_a_tape_arrives_whole_in_order_and_ends_with_1000(tape: Tape) -> None:
    async with StandIn(tape, speed=None, at_end="close", start_when=TAPE_EVENTS) as standin:
        async with client(standin, "/options", f"T.*,Q.{CALL}") as options, client(standin, "/stocks", "A.*") as stocks:
            (events, closed), (bars, _) = await asyncio.gather(to_the_end(options), to_the_end(stocks))
        await asyncio.wait_for(standin.finished.wait(), 5)
    assert closed.rcvd is not None
    assert closed.rcvd.code == 1000
    assert [(event["ev"], event["q"]) for event in events if event["ev"] != "status"] == [
        ("Q", 1), ("T", 2), ("T", 4), ("Q", 5), ("T", 6),
    ]  # fmt: skip
    assert [bar["c"] for bar in of(bars, "A")] == [100.0, 100.1, 100.2]


async def test_the_clock_stands_still_until_every_named_channel_is_subscribed(tape: Tape) -> None:
    async with StandIn(tape, speed=None, start_when=TAPE_EVENTS) as standin, client(standin, "/options", "T.*"):
        await asyncio.sleep(0.1)
        assert standin.clock_ns == tape.session.open_ns
        async with client(standin, "/stocks", "A.*"):
            await asyncio.wait_for(standin.finished.wait(), 20)
        assert standin.clock_ns == tape.session.close_ns


async def test_in_lockstep_nobody_listening_means_no_time_passing(tape: Tape) -> None:
    async with StandIn(tape, speed=None) as standin:
        await asyncio.sleep(0.1)
        assert standin.clock_ns == tape.session.open_ns


async def test_in_lockstep_a_reader_that_stops_stops_the_market(realdata: Path) -> None:
    tape = Tape.open(realdata / "lean", DAY, "AAPL")
    async with (
        StandIn(tape, speed=None, start_when=frozenset({"options.T"})) as standin,
        client(standin, "/options", "T.*") as socket,
    ):
        await asyncio.sleep(1.0)  # does not read: its library takes a few frames, then the socket fills
        stopped_at = standin.clock_ns
        await asyncio.sleep(0.5)
        # A few frames of a minute each have gone out, the other six hours have not.
        assert standin.clock_ns == stopped_at
        assert standin.clock_ns < tape.session.open_ns + 60 * 60_000_000_000
        reading = asyncio.create_task(to_the_end(socket))
        await asyncio.wait_for(standin.finished.wait(), 60)
        await socket.close()
        events, _ = await reading
    assert len(of(events, "T")) == 22_067


async def test_paced_time_follows_the_wall(tape: Tape) -> None:
    async with StandIn(tape, speed=600, duration_s=0.5) as standin:
        await asyncio.wait_for(standin.finished.wait(), 5)
        passed_s = (standin.clock_ns - tape.session.open_ns) / 1e9
    assert 150 < passed_s < 400


async def test_an_unknown_path_is_404(tape: Tape) -> None:
    async with StandIn(tape, speed=1) as standin:
        with pytest.raises(InvalidStatus) as refused:
            await connect(standin.ws_url + "/crypto")
    assert refused.value.response.status_code == 404


async def test_a_wrong_key_is_told_and_dropped_without_a_close_frame(tape: Tape) -> None:
    async with StandIn(tape, speed=1) as standin, connect(standin.ws_url + "/options") as socket:
        await socket.recv()
        await socket.send('{"action":"auth","params":"wrong"}')
        assert json.loads(await socket.recv())[0]["status"] == "auth_failed"
        with pytest.raises(ConnectionClosedError) as closed:
            await socket.recv()
    assert closed.value.rcvd is None


async def test_no_key_in_time_is_a_timeout(tape: Tape) -> None:
    hurried = ProtocolOptions(auth_timeout_s=0.05)
    async with StandIn(tape, speed=1, options=hurried) as standin, connect(standin.ws_url + "/options") as socket:
        events, _ = await to_the_end(socket)
    assert [event["status"] for event in events] == ["connected", "auth_timeout"]


async def test_a_second_connection_with_a_key_evicts_the_first_with_1008(tape: Tape) -> None:
    async with (
        StandIn(tape, speed=1) as standin,
        client(standin, "/options", "T.*") as first,
        client(standin, "/options", "T.*") as second,
    ):
        events, closed = await to_the_end(first)
        assert closed.rcvd is not None
        assert closed.rcvd.code == 1008
        assert events[-1]["status"] == "max_connections"
        await second.send('{"action":"subscribe","params":"AM.*"}')
        acknowledged = json.loads(await second.recv()) + json.loads(await second.recv())
    assert [event["message"] for event in acknowledged] == ["subscribed to: T.*", "subscribed to: AM.*"]


async def test_another_cluster_or_another_key_evicts_nobody(tape: Tape) -> None:
    keys = frozenset({"demo-key", "other"})
    async with (
        StandIn(tape, speed=1, keys=keys) as standin,
        client(standin, "/options", "T.*") as first,
        client(standin, "/stocks", "A.*"),
        client(standin, "/options", "T.*", key="other"),
    ):
        await first.recv()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(first.recv(), 0.2)


async def test_a_client_whose_buffer_overflows_is_cut_off(realdata: Path) -> None:
    tape = Tape.open(realdata / "lean", DAY, "AAPL")
    small = ProtocolOptions(buffer_bytes=100_000)
    async with (
        StandIn(tape, speed=20_000, start_when=frozenset({"options.T"}), options=small) as standin,
        client(standin, "/options", "T.*", receive_buffer=4096) as socket,
    ):
        # Neither reads nor lets its library read: the kernel's buffers fill, then the server's.
        socket.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.wait_for(standin.finished.wait(), 60)
        socket.transport.resume_reading()  # type: ignore[attr-defined]
        events, _ = await to_the_end(socket)
    assert 0 < len(of(events, "T")) < 22_067


async def test_a_client_that_leaves_does_not_hold_up_the_others(tape: Tape) -> None:
    async with (
        StandIn(tape, speed=None, at_end="close", start_when=TAPE_EVENTS) as standin,
        client(standin, "/options", "T.*") as options,
    ):
        async with client(standin, "/stocks", "A.*"):
            pass
        events, _ = await asyncio.wait_for(to_the_end(options), 20)
    assert len(of(events, "T")) == 3


@pytest.mark.parametrize("wrong", ["options.ZZ", "bonds.T", "options"])
def test_start_when_refuses_what_is_no_channel(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(ValueError, match=r"cluster\.channel"):
        StandIn(Tape.open(write_tape(tmp_path), DAY, "XYZ"), speed=1, start_when=frozenset({wrong}))


async def test_who_comes_after_the_end_is_sent_home_too(tape: Tape) -> None:
    async with StandIn(tape, speed=None, at_end="close", start_when=frozenset({"options.T"})) as standin:
        async with client(standin, "/options", "T.*") as first:
            await to_the_end(first)
        await asyncio.wait_for(standin.finished.wait(), 5)
        async with client(standin, "/stocks", "A.*") as late:
            events, closed = await asyncio.wait_for(to_the_end(late), 5)
    assert [event["status"] for event in events] == ["success"]
    assert closed.rcvd is not None
    assert closed.rcvd.code == 1000


@pytest.mark.parametrize(("switched", "offered"), [(True, True), (False, False)])
async def test_compression_is_offered_only_when_switched_on(tape: Tape, switched: bool, offered: bool) -> None:
    async with (
        StandIn(tape, speed=1, options=ProtocolOptions(compression=switched)) as standin,
        connect(standin.ws_url + "/options") as socket,
    ):
        assert socket.response is not None
        assert ("Sec-WebSocket-Extensions" in socket.response.headers) == offered
        assert json.loads(await socket.recv())[0]["status"] == "connected"


@pytest.mark.parametrize(
    ("fault", "switch"),
    [("slow_consumer", "slow_consumer_code=4001"), ("force_disconnect", "force_disconnect_code=4001")],
)
async def test_close_codes_nobody_knows_are_switches(tape: Tape, fault: str, switch: str) -> None:
    async with (
        StandIn(tape, speed=None, faults=[read_fault(fault)], options=options_of([switch])) as standin,
        client(standin, "/options", "T.*") as socket,
    ):
        events, closed = await to_the_end(socket)
    assert closed.rcvd is not None
    assert closed.rcvd.code == 4001
    assert events[-1]["status"] == fault


async def test_faults_that_struck_are_listed(tape: Tape) -> None:
    faults = [read_fault("truncated_json:after=60s,times=2,every=60s"), read_fault("disconnect:after=180s,code=1001")]
    async with (
        StandIn(tape, speed=None, faults=faults, start_when=frozenset({"options.T"})) as standin,
        client(standin, "/options", "T.*") as socket,
    ):
        with contextlib.suppress(ConnectionClosed):
            while True:
                await socket.recv()
        struck = [(each.clock_ns - tape.session.open_ns) // 1_000_000_000 for each in standin.struck]
    assert struck == [60, 120, 180]
    assert socket.close_code == 1001


@pytest.mark.parametrize("first", ["drop", "slow_consumer:close=abort", "disconnect", "half_open"])
async def test_who_is_going_or_gone_is_not_struck_again_and_the_market_goes_on(tape: Tape, first: str) -> None:
    text = f"{first}{',' if ':' in first else ':'}after=60s"
    faults = [read_fault(text), read_fault("drop:after=60s,times=3,every=60s")]
    async with (
        # Many quanta a flush: the next one comes long before a reset is noticed.
        StandIn(tape, speed=24_000, faults=faults, start_when=frozenset({"options.T"})) as standin,
        client(standin, "/options", "T.*"),
    ):
        await asyncio.wait_for(standin.finished.wait(), 20)
        assert standin.clock_ns == tape.session.close_ns
        assert [each.fault for each in standin.struck] == faults[:1]


async def test_every_reset_waits_for_a_connection(tape: Tape) -> None:
    faults = [read_fault("drop:after=60s,times=3,every=60s")]
    async with StandIn(tape, speed=None, faults=faults, start_when=frozenset({"options.T"})) as standin:
        for _ in range(3):
            async with client(standin, "/options", "T.*") as socket:
                _, closed = await asyncio.wait_for(to_the_end(socket), 5)
                assert closed.rcvd is None
        async with client(standin, "/options", "T.*"):
            await asyncio.wait_for(standin.finished.wait(), 20)
        assert len(standin.struck) == 3


async def test_an_error_that_ends_the_market_is_told(tape: Tape, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: object) -> None:
        raise ValueError("no such second")

    monkeypatch.setattr(tape, "advance", breaks)
    with pytest.raises(StandInError, match="an error ended the market: ValueError: no such second"):
        async with StandIn(tape, speed=60) as standin:
            await asyncio.wait_for(standin.finished.wait(), 5)


async def test_a_code_no_close_frame_can_carry_is_a_cut(tape: Tape) -> None:
    async with (
        StandIn(tape, speed=None, faults=[Disconnect(code=1006)]) as standin,
        client(standin, "/options", "T.*") as socket,
    ):
        _, closed = await asyncio.wait_for(to_the_end(socket), 5)
    assert closed.rcvd is None


async def test_answers_that_wait_come_before_the_one_word_about_slowness(tape: Tape) -> None:
    options = ProtocolOptions(flush_s=60.0, buffer_bytes=1000)
    async with (
        StandIn(tape, speed=1e-9, options=options, start_when=frozenset({"options.T"})) as standin,
        client(standin, "/options", "T.*,AM.*") as socket,
    ):
        await standin._until(standin._all_subscribed)
        (waiting,) = standin._acceptor.connections
        waiting.put(b" " * 1001)
        events, closed = await asyncio.wait_for(to_the_end(socket), 5)
    assert [event["status"] for event in events] == ["success", "success", "slow_consumer"]
    assert closed.rcvd is not None
    assert closed.rcvd.code == 1008


QUARTER_NS = 900 * 1_000_000_000
TRADES = frozenset({"options.T"})


def late_tape(base: Path) -> Tape:
    """The small tape with one more print in the last minute before the close."""
    print_file = write_tape(base) / "option/xyz/20140606_trade_american.zip"
    name = "20140606_xyz_minute_trade_american_call_1000000_20140620.csv"
    minutes = {0: 12, 2: 3, 389: 5}
    text = "".join(f"{OPEN_MS + at * MINUTE_MS},15000,16000,14000,15500,{size}\n" for at, size in minutes.items())
    with zipfile.ZipFile(print_file, "w") as archive:
        archive.writestr(name, text)
    return Tape.open(base, DAY, "XYZ")


@pytest.mark.parametrize("speed", [None, 24_000.0])
async def test_the_delayed_host_tells_a_days_last_quarter_of_an_hour(tmp_path: Path, speed: float | None) -> None:
    tape = late_tape(tmp_path)
    async with StandIn(tape, speed=speed, at_end="close", start_when=TRADES, delayed=True) as standin:
        assert standin.delayed_url is not None
        async with client(standin, "/options", "T.*,AM.*", host=standin.delayed_url) as socket:
            events, _ = await asyncio.wait_for(to_the_end(socket), 20)
        assert QUARTER_NS < standin.clock_ns - tape.session.close_ns < QUARTER_NS + 200_000_000_000
    assert [trade["s"] for trade in of(events, "T")] == [12, 3, 5]
    assert [(bar["v"], bar["av"], bar["op"]) for bar in of(events, "AM")] == [
        (12, 12, 1.55), (3, 15, 1.55), (5, 20, 1.55),
    ]  # fmt: skip


async def test_a_days_last_bar_is_told(tmp_path: Path) -> None:
    async with (
        StandIn(late_tape(tmp_path), speed=None, at_end="close", start_when=TRADES) as standin,
        client(standin, "/options", "T.*,A.*,AM.*") as socket,
    ):
        events, _ = await asyncio.wait_for(to_the_end(socket), 20)
    assert [[bar["v"] for bar in of(events, kind)] for kind in ("A", "AM")] == [[12, 3, 5], [12, 3, 5]]


async def test_between_two_sessions_the_clock_runs_on_until_the_delayed_host_has_told_the_first() -> None:
    open_ns = SeededMarket(7).clock_ns
    close_ns = open_ns + 23_400 * 1_000_000_000
    market = SeededMarket(7, close_ns - 3_000_000_000)
    async with StandIn(market, speed=None, start_when=TRADES, delayed=True) as standin:
        assert standin.delayed_url is not None
        async with client(standin, "/options", "T.*", host=standin.delayed_url) as socket:
            lags: list[float] = []
            while len(lags) < 200 and market.clock_ns <= close_ns:
                trades = of(json.loads(await asyncio.wait_for(socket.recv(), 20)), "T")
                lags += [(standin.clock_ns - trade["t"] * 1_000_000) / 1e9 for trade in trades]
            assert market.clock_ns == close_ns
    assert len(lags) >= 200
    assert min(lags) >= 900
    assert max(lags) < 903
