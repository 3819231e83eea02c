"""The whole gateway against the stand-in's sockets and REST on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from websockets.asyncio.server import ServerConnection, serve

from schemas.decisions import DeadLetter
from schemas.frames import CLOCK_FEED, Frame, GreekRows, Lane, TradeRows
from schemas.gaps import Gap
from schemas.symbols import symbol_code
from services.core.calendar import NS, Calendar, ny_date
from services.core.calendar import Session as MarketSession
from services.gateway.errors import FeedRefusedError
from services.gateway.gaps.feed_watchdog import SilentChannel, WatchdogVerdict
from services.gateway.massive.protocol import FeedProtocol
from services.gateway.massive.rest_pages import chain_page
from services.gateway.policy.reconnect_backoff import ReconnectBackoff
from services.gateway.shell.gateway import Gateway
from services.gateway.shell.receive_queue import ReceiveQueue
from services.gateway.shell.sockets import FeedSocket, Lost
from services.settings.gateway import GatewaySettings
from standin.files.tape import Tape
from standin.server.server import StandIn
from tests.support import vendor as v
from tests.unit.gateway.sequencing.test_writer import assert_sequenced
from tests.unit.standin.conftest import CALL, DAY, PUT, write_tape

ALL_CHANNELS = frozenset({"options.T", "indices.V", "stocks.A"})


class Log:
    """Where the gateway publishes."""

    def __init__(self, pause_s: float = 0.0) -> None:
        self.frames: list[Frame] = []
        self.letters: list[DeadLetter] = []
        self._pause_s = pause_s

    async def on_frames(self, frames: list[Frame]) -> None:
        await asyncio.sleep(self._pause_s)
        self.frames += frames

    def gateway(self, calendar: Calendar | None = None, **settings: Any) -> Gateway:
        return Gateway(GatewaySettings(**settings), self.on_frames, self.letters.append, calendar=calendar)

    def rows(self, lane: Lane) -> list[Any]:
        return [frame.rows for frame in self.frames if frame.header.lane is lane and frame.header.rows]


@pytest.fixture
async def standin(tmp_path: Path) -> AsyncIterator[StandIn]:
    tape = Tape.open(write_tape(tmp_path), DAY, "XYZ")
    async with StandIn(tape, speed=None, at_end="close", start_when=ALL_CHANNELS) as it:
        yield it


def lockstep(standin: StandIn, **changes: Any) -> dict[str, Any]:
    base = {"ws_url": standin.ws_url, "rest_url": standin.rest_url, "api_key": "demo-key", "clock": "feed"}
    return base | {"lockstep": True, "partitions": 2, "epoch": 5, "watch": ("XYZ",)} | changes


@pytest.mark.parametrize("pause_s", [0.0, 0.02])
async def test_a_tape_arrives_whole_and_in_order_however_slow_the_reader(standin: StandIn, pause_s: float) -> None:
    log = Log(pause_s)
    gateway = log.gateway(**lockstep(standin))
    async with asyncio.timeout(60):
        await gateway.run(until_closed=True)
    assert_sequenced(log.frames)
    assert [frame.header.opening for frame in log.frames[:6]] == [True] * 6
    assert all(frame.header.clock == CLOCK_FEED and frame.header.epoch == 5 for frame in log.frames)
    sizes = [size for rows in log.rows(Lane.TRADES) for size in rows.size_contracts.tolist()]
    assert sizes == [12, 700, 3]
    assert gateway.stats.trades == 3
    assert log.letters == []
    assert gateway.stats.gaps == {}, "a feed that ends is no gap"


async def test_chains_come_before_the_first_print_and_prints_carry_the_quote_before_them(standin: StandIn) -> None:
    log = Log()
    async with asyncio.timeout(60):
        await log.gateway(**lockstep(standin)).run(until_closed=True)
    lanes = [frame.header.lane for frame in log.frames if frame.header.rows]
    assert lanes.index(Lane.GREEKS) < lanes.index(Lane.TRADES)
    greeks: GreekRows = log.rows(Lane.GREEKS)[0]
    assert 321 in greeks.open_interest.tolist()
    trades: list[TradeRows] = log.rows(Lane.TRADES)
    quoted = {rows.size_contracts[0]: (rows.bid_usd[0], rows.ask_usd[0]) for rows in trades}
    assert quoted[3] == (1.48, 1.52)


async def test_both_contracts_have_their_quotes_subscribed(standin: StandIn) -> None:
    log = Log()
    gateway = log.gateway(**lockstep(standin))
    async with asyncio.timeout(60):
        await gateway.run(until_closed=True)
    assert {f"Q.{CALL}", f"Q.{PUT}", "T.*"} <= set(gateway._sockets["options"].pairs)
    assert gateway.stats.quotes > 0


async def test_a_refused_key_ends_it_in_one_sentence_without_the_key(
    standin: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    gateway = Log().gateway(**lockstep(standin, api_key="wr0ng-key"))
    with caplog.at_level(logging.DEBUG, "strikewire"):
        async with asyncio.timeout(30):
            with pytest.raises(FeedRefusedError, match="the feed refuses this key on /options: auth_failed") as caught:
                await gateway.run()
    assert "wr0ng-key" not in caplog.text + str(caught.value) + repr(gateway.settings)


async def test_when_publishing_fails_the_gateway_fails(standin: StandIn) -> None:
    async def broken(frames: list[Frame]) -> None:
        raise OSError("the disk is full")

    gateway = Gateway(GatewaySettings(**lockstep(standin)), broken, lambda letter: None)
    async with asyncio.timeout(30):
        with pytest.raises(OSError, match="the disk is full"):
            await gateway.run(until_closed=True)


class Scripted:
    """A vendor's WebSocket that says what the test wants after the session is up; one script a connection."""

    def __init__(self, *scripts: list[bytes | int], refused: str = "") -> None:
        self.scripts = list(scripts)
        self.refused = refused
        self.connections = 0

    async def __call__(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        await connection.send(v.frame(v.status("connected")).decode())
        await connection.recv()
        if connection.request.path == self.refused:
            await connection.send(v.frame(v.status("auth_failed", "Your plan doesn't include this.")).decode())
            return
        await connection.send(v.frame(v.status("auth_success")).decode())
        asked = msgspec.json.decode(await connection.recv())
        await connection.send(v.frame(v.status("success", f"subscribed to: {asked['params']}")).decode())
        if connection.request.path != "/options":
            await connection.wait_closed()
            return
        self.connections += 1
        for step in self.scripts.pop(0) if self.scripts else []:
            if isinstance(step, int):
                await connection.close(step)
                return
            await connection.send(step.decode("utf-8", "surrogateescape"))
        await connection.wait_closed()


@contextlib.asynccontextmanager
async def running(scripted: Scripted, log: Log, **settings: Any) -> AsyncIterator[Gateway]:
    async with serve(scripted, "127.0.0.1", 0, compression=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        base = {"ws_url": f"ws://127.0.0.1:{port}", "rest_url": "http://127.0.0.1:9", "indices": (), "poll": False}
        gateway = log.gateway(**(base | {"clusters": ("options",), "partitions": 2} | settings))
        task = asyncio.create_task(gateway.run())
        try:
            yield gateway
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def until(condition: Any, timeout_s: float = 20.0) -> None:
    ends = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < ends, "it did not happen in time"
        await asyncio.sleep(0.005)


async def test_on_the_wall_clock_opening_frames_come_first_and_heartbeats_go_on() -> None:
    log = Log()
    async with running(Scripted([]), log):
        await until(lambda: len(log.frames) >= 6 + 2 * 2)
    assert_sequenced(log.frames)
    assert [frame.header.opening for frame in log.frames[:7]] == [True] * 6 + [False]
    assert time.time_ns() - log.frames[-1].header.received_ns < 5 * 10**9


async def test_malformed_elements_become_dead_letters_with_their_bytes_and_the_rest_goes_on() -> None:
    log = Log()
    bad = v.trade(p=-1)
    frames = [v.frame(v.trade(), bad, {"ev": "ZZ"}, v.trade("NONSENSE")), b"not json", v.frame(v.trade(x=326, c=[999]))]
    async with running(Scripted(frames), log) as gateway:
        await until(lambda: gateway.stats.trades == 2 and gateway.stats.unknown_ids)
    assert [(letter.source, letter.reason) for letter in log.letters] == [
        ("ws/options", "malformed"), ("ws/options", "unknown_event"), ("ws/options", "bad_ticker"),
        ("ws/options", "not_json"),
    ]  # fmt: skip
    assert log.letters[0].data == v.frame(bad)[1:-1]
    assert gateway.stats.dead_letters.total() == 4
    assert gateway.stats.unknown_ids == {"condition 999": 1, "exchange 326": 1}


async def test_by_the_walls_clock_a_print_two_minutes_ahead_is_refused() -> None:
    log = Log()
    now_ms = time.time_ns() // 1_000_000
    frames = [v.frame(v.trade(q=1, t=now_ms + 120_000)), v.frame(v.trade(q=2, t=now_ms))]
    async with running(Scripted(frames), log) as gateway:
        await until(lambda: gateway.stats.trades == 1)
    assert [letter.reason for letter in log.letters] == ["time_ahead"]


async def test_a_chain_ahead_of_time_does_not_carry_the_feeds_clock_away() -> None:
    log = Log()
    gateway = log.gateway(clock="feed", partitions=1)
    gateway._clock.start(v.T0_NS)
    gateway._believe()
    far_ns = v.T0_NS + 30 * 86_400 * NS
    asset = {"ticker": "SPY", "price": 687.4, "last_updated": far_ns}
    results = [{"details": {"ticker": v.SPY_CALL}, "underlying_asset": asset}]
    answer = msgspec.json.encode({"status": "OK", "results": results})
    await gateway._write_page(chain_page(answer, gateway._table.contracts, v.T0_NS, 0))
    assert gateway._now_ns() == v.T0_NS
    assert [letter.reason for letter in log.letters] == ["time_ahead"]


async def test_what_arrived_before_a_cancel_is_published() -> None:
    log = Log()
    async with running(Scripted([v.frame(v.trade())]), log, flush_ms=1000) as gateway:
        await until(lambda: gateway.stats.trades == 1)
    assert [rows.underlying.tolist() for rows in log.rows(Lane.TRADES)] == [[symbol_code("SPY")]]


async def test_a_lost_socket_is_opened_again_and_its_quotes_are_forgotten() -> None:
    log = Log()
    scripted = Scripted([v.frame(v.quote(), v.trade(q=1)), 1011], [v.frame(v.trade(q=2))])
    async with running(scripted, log) as gateway:
        await until(lambda: gateway.stats.trades == 2)
    bids = {rows.vendor_seq[0]: rows.bid_usd[0] for rows in log.rows(Lane.TRADES)}
    assert bids[1] == 12.38
    assert bids[2] != bids[2], "after a gap nobody knows what stands"
    assert scripted.connections == 2
    assert_sequenced(log.frames)


@pytest.mark.parametrize("broken", [b"not json", v.frame(v.trade(q=2))[:-1] + b',{"ev":"Q","sy'])
async def test_when_a_frame_breaks_off_what_it_may_have_said_of_quotes_is_unknown(broken: bytes) -> None:
    log = Log()
    scripted = Scripted([v.frame(v.quote(), v.trade(q=1)), broken, v.frame(v.trade(q=3))])
    async with running(scripted, log) as gateway:
        await until(lambda: log.letters and 3 in [q for rows in log.rows(Lane.TRADES) for q in rows.vendor_seq])
    bids = {q: bid for rows in log.rows(Lane.TRADES) for q, bid in zip(rows.vendor_seq, rows.bid_usd, strict=True)}
    assert bids[1] == 12.38
    assert bids.get(2, 12.38) == 12.38, "it came before the break"
    assert bids[3] != bids[3]
    assert gateway.stats.gaps.total() == 1


class Talkative(Scripted):
    """Brings something new on every socket, fifty times a second."""

    async def __call__(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        await connection.send(v.frame(v.status("connected")).decode())
        await connection.recv()
        await connection.send(v.frame(v.status("auth_success")).decode())
        event = v.trade if connection.request.path == "/options" else v.stock_bar
        for number in range(10**9):
            await connection.send(v.frame(event(q=number) if event is v.trade else event()).decode())
            await asyncio.sleep(0.02)


def open_now() -> Calendar:
    """The exchange is in session, whatever the hour."""
    now_ns = time.time_ns()
    return Calendar((MarketSession(ny_date(now_ns), now_ns - 3600 * NS, now_ns + 3600 * NS),))


class Held(Log):
    """Where publishing stands still once, for three seconds."""

    async def on_frames(self, frames: list[Frame]) -> None:
        held = len(self.frames) < 100 <= len(self.frames) + len(frames)
        await super().on_frames(frames)
        await asyncio.sleep(3.0 if held else 0.0)


async def test_what_waits_while_publishing_stands_still_is_no_silence() -> None:
    log = Held()
    clusters = ("options", "stocks")
    async with running(Talkative(), log, clusters=clusters, silence_s=2.0, calendar=open_now()) as gateway:
        await until(lambda: len(log.frames) >= 200)
    assert (gateway.stats.silences, gateway.stats.reconnects, gateway.stats.gaps) == (0, 0, {})


async def test_what_comes_in_while_a_heartbeat_is_published_is_waited_for() -> None:
    inbox: ReceiveQueue[Any] = ReceiveQueue(10, 10)

    class Slow(Log):
        async def on_frames(self, frames: list[Frame]) -> None:
            await inbox.put("a frame that came meanwhile")
            await asyncio.sleep(0.1)

    now_ns = time.time_ns()
    gateway = Slow().gateway(open_now(), silence_s=0.05)
    await gateway._outlet.open(now_ns - 2 * NS)
    while len(inbox):
        await inbox.get(0)
    await gateway._connected("options")
    await gateway._tick(inbox)
    assert (len(inbox), gateway.stats.silences) == (1, 0)


async def test_a_given_up_connection_that_speaks_in_its_last_second_leaves_a_gap_behind_it() -> None:
    gaps: list[Gap] = []
    gateway = Gateway(GatewaySettings(), Log().on_frames, print, on_gap=gaps.append)
    socket = FeedSocket(
        "options", "", "", ReconnectBackoff(random.Random(1).random), lambda item, size: asyncio.sleep(0)
    )
    session = FeedProtocol("options", "")
    gateway._sockets["options"] = socket
    for last_words in (False, True):
        gaps.clear()
        await gateway._judge(SilentChannel("options", 30 * NS, WatchdogVerdict.DEAD))
        session.last_status = "silence: 30 s without an event"
        if last_words:
            await gateway._heard(socket, np.array([v.T0_NS]), 0)
        await gateway._lost(Lost(socket, session, None, "", asyncio.get_running_loop().create_future()))
        told = [(gap.cause, gap.state, gap.losses) for gap in gaps]
        first, *more = [("silence", "open", 1), ("silence", "restored", 1), ("silence", "open", 1)]
        assert told == [first, *(more if last_words else [])]
        assert gateway._gaps.is_open("options")
        await gateway._heard(socket, np.array([v.T0_NS]), 0)


async def test_a_plan_without_indices_goes_on_with_the_options() -> None:
    log = Log()
    scripted = Scripted([v.frame(v.trade())], refused="/indices")
    async with running(scripted, log, clusters=("options", "indices")) as gateway:
        await until(lambda: gateway.stats.trades == 1 and gateway.stats.disabled)
    assert gateway.stats.disabled == {
        "/indices": "the feed refuses this key on /indices: auth_failed: Your plan doesn't include this."
    }
    assert gateway.stats.gaps == {}, "what the plan does not have is not missed"


def test_settings_refuse_what_they_do_not_know_and_never_show_the_key() -> None:
    assert "s3cret" not in repr(GatewaySettings(api_key="s3cret"))
    with pytest.raises(msgspec.ValidationError, match="flush_milliseconds"):
        msgspec.convert({"flush_milliseconds": 20}, GatewaySettings)
