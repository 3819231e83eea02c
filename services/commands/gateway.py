"""The feed into Kafka: sockets and REST in, sequenced frames out on the three lanes. One at a time writes (a lease in
Redis sees to it where there is one); a second waits. Without --feed-url it needs the vendor's key in MASSIVE_API_KEY;
with --standin it brings a market of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import time
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from schemas.decisions import DeadLetter
from schemas.frames import Frame
from services.commands._arguments import check_feed, day, duration, speed
from services.commands._faults import add_fault_arguments
from services.commands._gateway_metrics import count_forever
from services.commands._kafka import add_broker_arguments, add_metrics_argument, kafka_configuration
from services.commands._output import console, print_json
from services.commands._running import Feed
from services.commands.demo import standin_feed
from services.core.calendar import Calendar
from services.errors import InputError
from services.gateway.shell.account import own_account
from services.gateway.shell.gateway import Gateway
from services.gateway.shell.stats import GatewayStats
from services.kafka.client import refusals_in_a_sentence
from services.kafka.epochs import epoch_header
from services.kafka.log_tail import LogTail, log_tail
from services.kafka.writer import KafkaWriter, open_writer
from services.redis.gateway_lease import GatewayLease, hold_lease
from services.replay.runner import rules_document
from services.runtime.config import Config
from services.runtime.health import serve_health
from services.runtime.metrics import Metrics
from services.settings.gateway import GatewaySettings
from services.sinks.clickhouse import Epoch
from services.wiring import PROGRAM, rules_digest

EXAMPLE = "strikewire gateway --standin --speed 5"

log = logging.getLogger("strikewire.gateway")

DEMO_KEY = "demo-key"
# Nothing written for so long: the feed or Kafka is gone, and somebody should look.
SILENT_S = 30.0
# What a feed that is not ours would not heed.
STANDIN_ONLY = ("duration", "scenario", "date", "underlying", "fault", "fault_seed", "switch")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which feed, which Kafka."""
    add_broker_arguments(parser)
    add_metrics_argument(parser)
    parser.add_argument("--feed-url", metavar="URL", help="WebSocket of the feed (default: the vendor's, real time)")
    parser.add_argument("--rest-url", metavar="URL", help="REST of the feed at --feed-url")
    parser.add_argument("--standin", action="store_true", help="a market of our own on loopback instead of a feed")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the stand-in's market (default 1)")
    parser.add_argument("--speed", type=speed, default=1.0, metavar="X|max", help="of the stand-in (default 1)")
    parser.add_argument("--duration", type=duration, metavar="D", help="wall time of the stand-in's market")
    parser.add_argument("--scenario", metavar="NAME", help="a named market of the stand-in")
    parser.add_argument("--tape", type=Path, metavar="DIR", help="the stand-in plays a tape in LEAN's layout")
    parser.add_argument("--date", type=day, metavar="D", help="the tape's day")
    parser.add_argument("--underlying", metavar="U", help="the tape's underlying")
    add_fault_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """0 at the feed's end or when asked to end, 130 when interrupted."""
    import uvloop

    config = kafka_configuration(options)
    remote = _remote(options, config)
    with refusals_in_a_sentence():
        return int(uvloop.run(_serve(options, config, remote)))


def _remote(options: argparse.Namespace, config: Config) -> GatewaySettings | None:
    """How the feed is reached; None for a market of our own. Raises InputError, also for what would be ignored."""
    if options.standin or options.tape is not None:
        _refuse_given(
            options, ("feed_url", "rest_url"), f"and {'--standin' if options.standin else '--tape'} exclude each other"
        )
        return None
    _refuse_given(options, STANDIN_ONLY, "is of the stand-in's market, and a feed would not heed it")
    settings = config.gateway
    key = os.environ.get("MASSIVE_API_KEY", "")
    if options.feed_url is not None:
        if not options.rest_url:
            raise InputError("--rest-url", "is missing; the feed's REST belongs to its WebSocket")
        # A stand-in of our own asks for a key that is no secret; anybody else's feed wants the user's.
        settings = msgspec.structs.replace(settings, ws_url=options.feed_url, rest_url=options.rest_url)
        key = key or (DEMO_KEY if options.feed_url.startswith(("ws://127.0.0.1", "ws://localhost")) else "")
    else:
        _refuse_given(options, ("rest_url",), "is read with --feed-url only; a feed's REST belongs to its WebSocket")
    check_feed(settings)
    if not key:
        raise InputError("MASSIVE_API_KEY", "is not set; the feed wants a key (--standin needs none)")
    return msgspec.structs.replace(settings, api_key=key)


def _refuse_given(options: argparse.Namespace, names: tuple[str, ...], problem: str) -> None:
    for name in names:
        if getattr(options, name) not in (None, []):
            raise InputError(f"--{name.replace('_', '-')}", problem)


async def _serve(options: argparse.Namespace, config: Config, remote: GatewaySettings | None) -> int:
    signals: list[int] = []
    stop = asyncio.Event()

    def ask(number: int) -> None:
        signals.append(number)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ask, number)
    metrics, flow = Metrics(), _Flow()
    async with (
        serve_health(metrics.registry, flow.not_ready, options.metrics_port) as port,
        contextlib.AsyncExitStack() as stack,
    ):
        lease = await _unless(stop, stack.enter_async_context(hold_lease(config, "gateway", flow.wait_for_lease)))
        if lease is None:
            _print_goodbye(options, 0, 0, GatewayStats())
        else:
            flow.begin()
            await _write_epoch(options, config, remote, lease, stop, _Reported(metrics, flow, port))
    return 130 if signal.SIGINT in signals else 0


async def _unless(stop: asyncio.Event, turn: Coroutine[Any, Any, GatewayLease]) -> GatewayLease | None:
    """What `turn` gives; None when it is stopped before, and then `turn` has ended."""
    turning = asyncio.create_task(turn, name="turn")
    stopped = asyncio.create_task(stop.wait(), name="signal")
    try:
        await asyncio.wait((turning, stopped), return_when=asyncio.FIRST_COMPLETED)
        return None if stop.is_set() else turning.result()
    finally:
        turning.cancel()
        stopped.cancel()
        await asyncio.gather(turning, stopped, return_exceptions=True)


async def _write_epoch(
    options: argparse.Namespace,
    config: Config,
    remote: GatewaySettings | None,
    lease: GatewayLease,
    stop: asyncio.Event,
    reported: _Reported,
) -> None:
    tail = await log_tail(config.kafka, config.gateway.partitions)
    async with _open_feed(options, config, remote, tail.received_ns) as feed, open_writer(config.kafka) as writer:
        epoch = max(tail.epoch + 1, lease.number, time.time_ns())
        service = _Service(config, feed, writer, epoch, tail, reported)
        tasks = [
            asyncio.create_task(service.run(), name="gateway"),
            asyncio.create_task(stop.wait(), name="signal"),
            asyncio.create_task(lease.lost(), name="lease"),
            asyncio.create_task(count_forever(service.gateway.stats, reported.metrics), name="metrics"),
            asyncio.create_task(service.announce_when_ready(options.json), name="teller"),
        ]
        await _first_of(tasks)
        await writer.end()
        if writer.failed is not None:
            raise writer.failed
    _print_goodbye(options, epoch, tail.epoch, service.gateway.stats)


async def _first_of(tasks: list[asyncio.Task[Any]]) -> None:
    """Wait for any but the teller, end the others, and raise what went wrong."""
    try:
        await asyncio.wait(tasks[:-1], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result


@contextlib.asynccontextmanager
async def _open_feed(
    options: argparse.Namespace, config: Config, remote: GatewaySettings | None, last_ns: int | None
) -> AsyncIterator[Feed]:
    if remote is None:
        async with standin_feed(options, config, last_ns) as feed:
            yield feed
        return
    now_ns = time.time_ns() if remote.clock == "wall" else last_ns or time.time_ns()
    with own_account(remote.ws_url, remote.api_key):
        yield Feed(remote.ws_url, remote, now_ns, until_closed=False)


class _Flow:
    """Whether frames are written, and why not: what /ready says."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self._before = "the lease was not asked for yet"
        self._written_at = 0.0

    def wait_for_lease(self) -> None:
        """Another gateway has its turn."""
        self._before = "waits for the lease, which another gateway holds"

    def begin(self) -> None:
        """It is our turn."""
        self._before = "no frame was written yet"

    def write(self) -> None:
        """A frame was written."""
        self._written_at = time.monotonic()
        self.begun.set()

    def not_ready(self) -> str | None:
        """Why nothing flows, or None when something does."""
        if not self.begun.is_set():
            return self._before
        silent_s = time.monotonic() - self._written_at
        return f"no frame was written for {silent_s:.0f} s" if silent_s > SILENT_S else None


class _Reported(NamedTuple):
    """What the outside may ask, and on which port."""

    metrics: Metrics
    flow: _Flow
    port: int


class _Service:
    """One epoch of the gateway on Kafka."""

    def __init__(
        self, config: Config, feed: Feed, writer: KafkaWriter, epoch: int, tail: LogTail, reported: _Reported
    ) -> None:
        self.metrics, self._flow, self._port = reported
        self.epoch = epoch
        self.gateway = Gateway(
            msgspec.structs.replace(feed.settings, epoch=epoch, start_ns=tail.received_ns or 0),
            self._on_frames,
            self._on_dead_letter,
            self._on_metric,
            on_gap=writer.write_gap,
            calendar=Calendar.around(feed.now_ns),
            past=tail.past,
        )
        self._feed = feed
        self._writer = writer
        rules = config.rules()
        self._headers = epoch_header(
            Epoch(
                epoch=epoch,
                started_ns=feed.now_ns,
                source=feed.name,
                clock=feed.settings.frame_clock,
                partitions=config.gateway.partitions,
                rules=rules_document(rules),
                rules_digest=rules_digest(rules),
                program=PROGRAM,
            )
        )

    async def run(self) -> None:
        """Until the feed closes or somebody cancels; what arrived is written."""
        await self.gateway.run(self._feed.until_closed)

    async def announce_when_ready(self, json: bool) -> None:
        """One line, once frames flow."""
        await self._flow.begun.wait()
        where = f"http://127.0.0.1:{self._port}/metrics"
        if json:
            print_json({"ready": True, "epoch": self.epoch, "metrics": where, "feed": self._feed.name})
        else:
            console.print(f"{self._feed.name} into Kafka, epoch {self.epoch}, metrics on {where}")

    async def _on_frames(self, frames: list[Frame]) -> None:
        await self._writer.write_frames(frames, self._headers)
        self._flow.write()
        for frame in frames:
            lane = frame.header.lane.topic
            self.metrics.count("strikewire_log_frames_total", lane=lane)
            self.metrics.count("strikewire_log_rows_total", frame.header.rows, lane=lane)
        self.metrics.set("strikewire_gateway_unconfirmed_records", self._writer.in_flight)

    async def _on_dead_letter(self, letter: DeadLetter) -> None:
        self.metrics.count("strikewire_dead_letters_total", reason=letter.reason)
        await self._writer.write_dead_letter(letter)

    def _on_metric(self, name: str, value: float) -> None:
        """What operators watch is counted from the gateway's statistics, and as frames are written."""


def _print_goodbye(options: argparse.Namespace, epoch: int, after_epoch: int, stats: GatewayStats) -> None:
    summary = {
        "epoch": epoch,  # 0 where none was opened
        "after_epoch": after_epoch,
        "trades": stats.trades,
        "ticks": stats.ticks,
        "greeks": stats.greeks,
        "frames": stats.frames,
        "dead_letters": sum(stats.dead_letters.values()),
    }
    if options.json:
        print_json({"summary": summary})
    else:
        console.print(", ".join(f"{name} {value:,}" for name, value in summary.items()))
