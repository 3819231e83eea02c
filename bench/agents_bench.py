"""Agents on a real broker: latency, throughput, recovery.

`agents_events_per_s` compares Faust and all that stands around it with a bare aiokafka loop that drives the very same
pipelines over the same topics; both wait until the topics are full, so that only they can be the slow ones.
`latency_*` is the time from a print's exchange stamp to its alert in a consumer's hands, frames cut as soon as nothing
more is waiting, beside one bare produce-and-consume hop at the same rate. `recovery_s` is a worker killed with -9 at
the end of a day of ten million prints and started anew: from the start of its process to caught up, beside reading and
decoding the same frames.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import uvloop

from bench.agents_worker import DAY, MARK_CONTRACTS
from bench.harness import entry
from deploy.kafka.broker import Broker
from schemas.frames import CLOCK_FEED, CLOCK_WALL, COLUMN_DTYPES, ROW_TYPES, Frame, Lane, Rows, decode_frame
from schemas.symbols import symbol_code
from services.core.calendar import NS, ny_ns
from services.gateway.sequencing.writer import Writer
from services.kafka.client import plain_consumer
from services.kafka.lanes import lane_partitions
from services.kafka.topics import create
from services.kafka.writer import open_writer
from services.settings.kafka import KafkaSettings

__all__ = ["run"]

ROOT = Path(__file__).resolve().parents[1]
PARTITIONS = 4
UNDERLYINGS = [f"U{number:02d}" for number in range(40)]
# Enough for a second or two of work, and 100 MB on the broker's disk.
EVENTS = 800_000
# A day of the whole tape: what a worker that is killed late in it reads again.
TAPE_EVENTS = 10_000_000
ROUNDS = 3
RATES = (10_000, 50_000)
LATENCY_S = 8.0
# Before that, for tables that grow and kernels that are loaded at their first use.
WARM_S = 4.0
# The vendor sends what it gathered over some 10 ms.
SOCKET_S = 0.010
# One handing over in so many carries a marked print: twenty alerts a second.
MARK_EVERY = 5
READY_S = 180.0


def run() -> list[dict[str, Any]]:
    """Start a broker, measure, stop it.

    Latency comes first: what the others pour in, a disk is busy with for a while after.
    """
    with tempfile.TemporaryDirectory(prefix="strikewire-bench-") as scratch, Broker(Path(scratch) / "kafka") as broker:
        return [
            *[one for rate in RATES for one in uvloop.run(_latency(broker.address, rate))],
            *_throughput(broker.address),
            *_recovery(broker.address),
        ]


def _throughput(brokers: str) -> list[dict[str, Any]]:
    frames = list(_day(EVENTS))
    warm = len(frames) // 3
    rows = _rows(frames[warm:])
    rates: dict[str, list[float]] = {"agents": [], "bare": []}
    for number in range(ROUNDS):
        for which in ("agents", "bare") if number % 2 == 0 else ("bare", "agents"):
            settings = KafkaSettings(brokers=brokers, prefix=f"t{number}-{which}-")
            asyncio.run(create(settings, PARTITIONS))
            with _worker(which, settings, _rows(frames[:warm]), rows) as worker:
                asyncio.run(_write(settings, frames[:warm]))
                assert _reported(worker)["warm"]
                asyncio.run(_write(settings, frames[warm:]))
                worker.send_signal(signal.SIGUSR1)
                rates[which].append(rows / _reported(worker)["seconds"])
    bare = float(np.median(rates["bare"]))
    against = "a bare aiokafka loop driving the same pipelines"
    return [entry("agents_events_per_s", rates["agents"], "1/s", against, bare, target=0.6 * bare)]


def _rows(frames: list[Frame]) -> int:
    return sum(frame.header.rows for frame in frames)


async def _latency(brokers: str, rate: int) -> list[dict[str, Any]]:
    hop = KafkaSettings(brokers=brokers, prefix=f"hop{rate}-")
    settings = KafkaSettings(brokers=brokers, prefix=f"lat{rate}-")
    for one in (hop, settings):
        await create(one, PARTITIONS)
    bare_ms = await _measure(hop, rate, Lane.TRADES.topic)
    with _worker("agents", settings, 0, 0):
        ours_ms = await _measure(settings, rate, "alerts")
    suffix = "" if rate == RATES[0] else f"_{rate // 1000}k"
    made = []
    for name, percent, target in (("latency_p50_ms", 50, 15.0), ("latency_p99_ms", 99, 50.0)):
        value, against = float(np.percentile(ours_ms, percent)), float(np.percentile(bare_ms, percent))
        made.append(
            entry(
                name + suffix, [value], "ms", f"one bare hop, {rate:,} events/s", against,
                target=None if suffix else target, lower_is_better=True,
            )
        )  # fmt: skip
    return made


async def _measure(settings: KafkaSettings, rate: int, topic: str) -> list[float]:
    """Milliseconds from a marked print's stamp (or, on a lane, from its frame's) to a consumer of `topic`."""
    found: list[tuple[int, float]] = []
    async with plain_consumer(settings, settings.topic(topic), auto_offset_reset="latest") as consumer:
        reading = asyncio.create_task(_read(consumer, topic, found))
        await asyncio.sleep(0.5)
        since_ns = await _pour(settings, rate)
        await asyncio.sleep(1.0)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    return [took_ms for stamp_ns, took_ms in found if stamp_ns >= since_ns]


async def _read(consumer: Any, topic: str, found: list[tuple[int, float]]) -> None:
    async for record in consumer:
        now_ns = time.time_ns()
        if topic == "alerts":
            stamp_ns = json.loads(record.value)["event_ns"]
            found.append((stamp_ns, (now_ns - stamp_ns) / 1e6))
        else:
            frame = decode_frame(record.value)
            if frame.header.rows:
                found.append((frame.header.received_ns, (now_ns - frame.header.received_ns) / 1e6))


async def _pour(settings: KafkaSettings, rate: int) -> int:
    """Prints at `rate`, stamped as they happen, handed over every 10 ms as a socket would, and cut at once.

    They are drawn before it begins, so that no reader waits for the drawing. Gives the stamp from which on all is warm.
    """
    writer = Writer(PARTITIONS, time.time_ns(), CLOCK_WALL)
    count = int(rate * SOCKET_S)
    random = np.random.default_rng(rate)
    ages_ns = np.linspace(int(SOCKET_S * 1e9), 0, count).astype(np.int64)
    drawn = [_trades(random, ages_ns) for _ in range(int((WARM_S + LATENCY_S) / SOCKET_S))]
    for rows, _ in drawn[::MARK_EVERY]:
        rows.size_contracts[random.integers(count)] = MARK_CONTRACTS
    async with open_writer(settings) as kafka:
        began = time.monotonic()
        warm_ns = time.time_ns() + int(WARM_S * 1e9)
        for number, (rows, partitions) in enumerate(drawn):
            await asyncio.sleep(max(0.0, began + number * SOCKET_S - time.monotonic()))
            now_ns = time.time_ns()
            rows = rows._replace(event_ns=now_ns - ages_ns)
            frames = writer.write(Lane.TRADES, rows, partitions, now_ns) + writer.flush(now_ns) + writer.tick(now_ns)
            await kafka.write_frames(frames, [])
        await kafka.flush()
    return warm_ns


def _recovery(brokers: str) -> list[dict[str, Any]]:
    settings = KafkaSettings(brokers=brokers, prefix="rec-")
    asyncio.run(create(settings, PARTITIONS))
    asyncio.run(_write(settings, _day(TAPE_EVENTS)))
    command = [
        sys.executable, "-m", "services.cli", "agents", "--json", "--brokers", brokers, "--set",
        "kafka.prefix=rec-", "--instance", "bench",
    ]  # fmt: skip
    took = []
    for _ in range(2):
        began = time.monotonic()
        with _process(command) as worker:
            assert _reported(worker)["ready"]
            took.append(time.monotonic() - began)
            worker.kill()
    reading_s = asyncio.run(_reading(settings))
    # The first start has nobody's decisions to find; the one after the kill -9 is what is asked for.
    against = f"reading the same {TAPE_EVENTS:,} rows without a pipeline"
    return [entry("recovery_s", took[1:], "s", against, reading_s, target=15.0, lower_is_better=True)]


async def _reading(settings: KafkaSettings) -> float:
    began = time.monotonic()
    async with plain_consumer(settings) as consumer:
        assigned = [partition for p in range(PARTITIONS) for partition in lane_partitions(settings, p).values()]
        consumer.assign(assigned)
        ends = await consumer.end_offsets(assigned)
        for partition in assigned:
            consumer.seek(partition, 0)
        left = sum(ends.values())
        while left:
            for batch in (await consumer.getmany(timeout_ms=50)).values():
                for record in batch:
                    decode_frame(record.value)
                left -= len(batch)
    return time.monotonic() - began


def _day(events: int) -> Iterator[Frame]:
    """Frames of a log: prints in full frames of 500, index ticks and chain rows between them, by the feed's clock."""
    random = np.random.default_rng(7)
    writer = Writer(PARTITIONS, time.time_ns(), CLOCK_FEED)
    now_ns = ny_ns(DAY, 9, 30)
    batch = 500 * PARTITIONS
    for number in range(events // batch):
        rows, partitions = _trades(random, now_ns + np.arange(batch) * (NS // 20 // batch))
        yield from writer.write(Lane.TRADES, rows, partitions, 0)
        if number % 4 == 0:
            yield from writer.write(Lane.TICKS, *_ticks(random, now_ns + NS // 20), 0)
        if number % 16 == 0:
            yield from writer.write(Lane.GREEKS, *_chain(random, now_ns + NS // 20), 0)
        now_ns += NS // 20
    yield from writer.finish(0)


def _columns(lane: Lane, count: int, **known: Any) -> Rows:
    dtypes = COLUMN_DTYPES[lane]
    arrays = (np.broadcast_to(np.asarray(known.get(name, 0), kind), (count,)).copy() for name, kind in dtypes.items())
    return ROW_TYPES[lane](np.zeros(count, np.int64), *arrays)  # type: ignore[arg-type]


_CODES = np.array([symbol_code(name) for name in UNDERLYINGS], np.uint64)


def _contracts(random: np.random.Generator, count: int) -> tuple[dict[str, Any], Any]:
    which = random.integers(len(UNDERLYINGS), size=count)
    expiry_day = ny_ns(DAY, 12) // (86_400 * NS) + random.integers(1, 60, count)
    strike_mills = 1_000 * random.integers(80, 120, count)
    right = random.choice(np.array([1, -1]), count)
    known = {
        "underlying": _CODES[which], "root": _CODES[which], "expiry_day": expiry_day, "strike_mills": strike_mills,
        "right": right,
    }  # fmt: skip
    return known, (which % PARTITIONS).astype(np.int16)


def _trades(random: np.random.Generator, events_ns: Any) -> tuple[Any, Any]:
    count = len(events_ns)
    known, partitions = _contracts(random, count)
    price = random.uniform(0.5, 10, count)
    rows = _columns(
        Lane.TRADES, count, event_ns=events_ns, price_usd=price, size_contracts=random.geometric(0.2, count),
        exchange=300 + random.integers(1, 17, count), condition=209, condition_bits=1 << 9, bid_usd=price - 0.05,
        ask_usd=price + 0.05, bid_size=10, ask_size=10, quote_age_ns=1_000_000, **known,
    )  # fmt: skip
    return rows, partitions


def _ticks(random: np.random.Generator, event_ns: int) -> tuple[Any, Any]:
    count = len(UNDERLYINGS)
    price = 100 + random.normal(0, 0.2, count)
    rows = _columns(
        Lane.TICKS, count, event_ns=event_ns, symbol=_CODES, kind=2, price_usd=price, high_usd=price + 0.05,
        low_usd=price - 0.05, volume=1_000,
    )  # fmt: skip
    return rows, (np.arange(count) % PARTITIONS).astype(np.int16)


def _chain(random: np.random.Generator, event_ns: int) -> tuple[Any, Any]:
    count = 400
    known, partitions = _contracts(random, count)
    rows = _columns(
        Lane.GREEKS, count, event_ns=event_ns, multiplier=100, bid_usd=1.0, ask_usd=1.1, iv_annual=0.3, delta=0.5,
        gamma=0.02, open_interest=random.integers(0, 5_000, count), day_volume=100, spot_usd=100.0, **known,
    )  # fmt: skip
    return rows, partitions


async def _write(settings: KafkaSettings, frames: Iterable[Frame]) -> None:
    async with open_writer(settings) as writer:
        for frame in frames:
            await writer.write_frames([frame], [])
        await writer.flush()


@contextlib.contextmanager
def _worker(which: str, settings: KafkaSettings, warm: int, rows: int) -> Iterator[subprocess.Popen[str]]:
    numbers = [str(PARTITIONS), str(warm), str(rows)]
    command = [sys.executable, "-m", "bench.agents_worker", which, settings.brokers, settings.prefix, *numbers]
    with _process(command) as worker:
        assert _reported(worker)["ready"]
        yield worker


@contextlib.contextmanager
def _process(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def _reported(worker: subprocess.Popen[str]) -> dict[str, Any]:
    """The next line a worker prints. Raises when it ends instead."""
    assert worker.stdout is not None
    line = worker.stdout.readline()
    if not line:
        raise RuntimeError(f"a worker ended with {worker.wait(READY_S)} before it had spoken")
    return dict(json.loads(line))
