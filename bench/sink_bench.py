"""The sink on a real broker beside the same inserts without Kafka, into the same served warehouse, tokens on.

Prints of 500 a frame lie ready on four partitions. Ours: a sink of a new group reads, decodes, commits intents, builds
and inserts them. The peer: the tables, built beforehand, inserted by as many threads as the sink uses.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from bench.harness import entry
from deploy.kafka.broker import Broker
from schemas.frames import COLUMN_DTYPES, Frame, Header, Lane, TradeRows, encode_frame
from schemas.symbols import symbol_code
from services.history.engine import open_remote
from services.kafka.client import producer
from services.kafka.topics import create
from services.runtime.config import SinkConfig, WarehouseConfig
from services.runtime.metrics import Metrics
from services.settings.kafka import KafkaSettings
from services.sinks.batch import token
from services.sinks.clickhouse import frames_table, insert, lane_table
from services.sinks.kafka_sink import INSERTS, KafkaSink

__all__ = ["run"]

ROOT = Path(__file__).resolve().parents[1]
TOPIC = Lane.TRADES.topic
PARTITIONS = 4
FRAME_ROWS = 500
# Three full batches a partition: enough that filling and draining the pipe do not count.
ROWS = 1_200_000
ROUNDS = 3
START_NS = 1_704_207_600_000_000_000
TARGET_ROWS_S = 400_000


def run() -> list[dict[str, Any]]:
    """Start a broker and a warehouse, measure, stop them."""
    with tempfile.TemporaryDirectory(prefix="strikewire-bench-") as scratch:
        folder = Path(scratch)
        with Broker(folder / "kafka") as broker, _warehouse(folder / "history") as url:
            kafka = KafkaSettings(brokers=broker.address, prefix="bench-")
            frames = _frames()
            asyncio.run(_fill(kafka, frames))
            batches = _batches(frames)
            ours, theirs = [], []
            for number in range(-1, ROUNDS):  # the first warms up
                works = [("ours", ours), ("theirs", theirs)]
                for name, rates in works if number % 2 else reversed(works):
                    database = f"bench_{name}_{number + 1}"
                    client = open_remote(WarehouseConfig(url=url, database=database))
                    work = _sink(kafka, client, number) if name == "ours" else _inserts(client, batches)
                    if number >= 0:
                        rates.append(ROWS / work)
                    (counted,) = client.query(
                        "SELECT count(), uniqExact(partition, position) FROM option_trades"
                    ).result_rows
                    assert counted == (ROWS, ROWS), f"{counted} rows, not {ROWS}"
                    client.command(f"DROP DATABASE {database}")
                    client.close()
    peer = sorted(theirs)[len(theirs) // 2]
    return [
        entry(
            "sink_rows_per_s", ours, "rows/s", "insert_arrow of the same batches without Kafka", peer,
            target=min(TARGET_ROWS_S, 0.6 * peer),
        )
    ]  # fmt: skip


def _sink(kafka: KafkaSettings, client: Any, number: int) -> float:
    """Seconds from the assignment of partitions to the last row's acknowledgement."""
    import uvloop

    return float(uvloop.run(_sink_async(kafka, client, number)))


async def _sink_async(kafka: KafkaSettings, client: Any, number: int) -> float:
    sink = KafkaSink(kafka, SinkConfig(group=f"bench-{number}"), client, Metrics(), [TOPIC])
    running = asyncio.create_task(sink.run())
    await sink.assigned.wait()
    began = time.perf_counter()
    while sink.rows < ROWS + ROWS // FRAME_ROWS:
        await asyncio.sleep(0.005)
        if running.done():
            running.result()
    took = time.perf_counter() - began
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    return took


def _inserts(client: Any, batches: list[list[tuple[str, str, pa.Table]]]) -> float:
    """Seconds for the same tables. A batch's two tables follow each other, batches stand beside each other."""

    def one(batch: list[tuple[str, str, pa.Table]]) -> None:
        for table, name, rows in batch:
            insert(client, table, rows, name)

    began = time.perf_counter()
    with ThreadPoolExecutor(INSERTS) as threads:
        list(threads.map(one, batches))
    return time.perf_counter() - began


def _batches(frames: list[list[Frame]]) -> list[list[tuple[str, str, pa.Table]]]:
    """What the sink inserts for these frames, partition by partition in turn."""
    size = SinkConfig().rows_max // FRAME_ROWS
    made = []
    for partition, own in enumerate(frames):
        made.append(
            [
                [
                    (table, token(TOPIC, partition, start, start + size, table), rows)
                    for table, rows in (
                        ("option_trades", lane_table(Lane.TRADES, own[start : start + size]).combine_chunks()),
                        ("frames", frames_table([frame.header for frame in own[start : start + size]])),
                    )
                ]
                for start in range(0, len(own), size)
            ]
        )
    return [batch for turn in itertools.zip_longest(*made) for batch in turn if batch is not None]


def _frames() -> list[list[Frame]]:
    """Prints as a busy minute has them: a few hundred contracts, prices in cents, quotes on most."""
    generator = np.random.default_rng(7)
    symbols = np.array([symbol_code(f"U{number:02d}") for number in range(100)], np.uint64)
    frames: list[list[Frame]] = []
    for partition in range(PARTITIONS):
        own = []
        for seq in range(ROWS // PARTITIONS // FRAME_ROWS):
            now_ns = START_NS + seq * 20_000_000
            price = generator.integers(5, 2_000, FRAME_ROWS) / 100
            underlying = symbols[generator.integers(0, 100, FRAME_ROWS)]
            columns: dict[str, Any] = {
                "event_ns": now_ns - np.sort(generator.integers(0, 20_000_000, FRAME_ROWS))[::-1] // 10**6 * 10**6,
                "underlying": underlying,
                "root": underlying,
                "expiry_day": 19_730 + 7 * generator.integers(0, 12, FRAME_ROWS),
                "strike_mills": 5_000 * generator.integers(10, 200, FRAME_ROWS),
                "right": generator.choice([-1, 1], FRAME_ROWS),
                "price_usd": price,
                "size_contracts": generator.geometric(0.15, FRAME_ROWS),
                "exchange": generator.integers(301, 320, FRAME_ROWS),
                "condition": generator.choice([209, 219, 227, 232], FRAME_ROWS),
                "condition_bits": 1 << generator.choice([9, 19, 27, 32], FRAME_ROWS),
                "vendor_seq": seq * FRAME_ROWS + np.arange(FRAME_ROWS),
                "bid_usd": price - 0.05,
                "ask_usd": price + 0.05,
                "bid_size": generator.integers(1, 500, FRAME_ROWS),
                "ask_size": generator.integers(1, 500, FRAME_ROWS),
                "quote_age_ns": generator.integers(0, 10**9, FRAME_ROWS),
            }
            rows = TradeRows(
                np.full(FRAME_ROWS, now_ns, np.int64),
                *(np.asarray(columns[name]).astype(dtype) for name, dtype in COLUMN_DTYPES[Lane.TRADES].items()),  # type: ignore[arg-type]
            )
            own.append(Frame(Header(Lane.TRADES, partition, 1, seq, seq * FRAME_ROWS, FRAME_ROWS, now_ns), rows))
        frames.append(own)
    return frames


async def _fill(kafka: KafkaSettings, frames: list[list[Frame]]) -> None:
    await create(kafka, PARTITIONS)
    async with producer(kafka) as writer:
        for turn in zip(*frames, strict=True):
            sent = [
                await writer.send(kafka.topic(TOPIC), encode_frame(frame), partition=frame.header.partition)
                for frame in turn
            ]
        await asyncio.gather(*sent)
        await writer.flush()


@contextlib.contextmanager
def _warehouse(folder: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "services.cli", "warehouse", "--port", "0", "--data-dir", str(folder), "--json"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())["url"]
        finally:
            process.terminate()
            process.wait(30)
