"""The two contestants of agents_bench, as a process: our agents, or a bare aiokafka loop over the same pipelines.

    python -m bench.agents_worker agents|bare BROKERS PREFIX PARTITIONS WARM ROWS

Prints {"ready": true} once its consumer stands at the lanes' ends. After `WARM` rows (which fill tables and caches) it
prints {"warm": true} and takes nothing before SIGUSR1: meanwhile the topics are filled, so that only the worker can be
the slow one. Then it prints the seconds until `ROWS` more rows went through. With ROWS 0 there is no end: for latency.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import uvloop

from schemas.decisions import Alert, Record
from schemas.frames import Frame, Lane
from services.agents.app import run_agents
from services.agents.partitions import Partitions
from services.core.calendar import Calendar, ny_ns
from services.core.identity import identity
from services.core.pipeline import Outputs, Pipeline
from services.core.sequencer import Sequencer
from services.kafka.client import plain_consumer
from services.kafka.lanes import lane_partitions
from services.kafka.partition_processor import PartitionProcessor
from services.kafka.records import records
from services.kafka.writer import open_writer
from services.runtime.config import Config
from services.runtime.gc_pauses import spare_what_stays
from services.runtime.metrics import Metrics
from services.settings.kafka import KafkaSettings
from services.wiring import build_pipeline, warm_up

# A print of this size is the bench's own mark: the pipeline says an alert about it, whatever the rules say.
MARK_CONTRACTS = 7_777_777
DAY = dt.date(2026, 11, 20)


class Marked(Pipeline):
    """The whole pipeline, which also says an alert about each marked print."""

    def step(self, frame: Frame) -> Outputs:
        outputs = super().step(frame)
        if frame.header.lane is Lane.TRADES and frame.header.rows:
            rows: Any = frame.rows
            for row in np.flatnonzero(rows.size_contracts == MARK_CONTRACTS).tolist():
                outputs.decisions.append(_alert(frame, int(rows.event_ns[row]), row))
        return outputs


def _alert(frame: Frame, event_ns: int, row: int) -> Alert:
    head = frame.header
    return Alert(
        id=identity("mark", event_ns, head.partition), signal_id="", detector="mark", version="1", underlying="MARK",
        contract=None, direction="NEUTRAL", score=0.0, base=0.0, boosts=(), penalties=(), coverage=0.0, flags=(),
        event_ns=event_ns, emitted_ns=head.received_ns, partition=head.partition, epoch=head.epoch,
        position=head.position + row, inputs=(), reference_usd=None, stop_usd=None, target_usd=None, horizon_s=0,
        evidence={}, record=Record(), headline="",
    )  # fmt: skip


class Gated(Partitions):
    """Partitions that take nothing before the gate opens."""

    gate: asyncio.Event

    async def deliver(self, lane: Lane, partition: int, offset: int, data: bytes) -> None:
        await self.gate.wait()
        await super().deliver(lane, partition, offset, data)


def _build(calendar: Calendar) -> Any:
    def build(partition: int, log_ns: int) -> Pipeline:
        made = build_pipeline(Config().rules(), calendar, partition)
        made.__class__ = Marked
        return made

    return build


async def _agents(
    settings: KafkaSettings, partitions: int, warm: int, rows: int, build: Any, gate: asyncio.Event
) -> None:
    async with open_writer(settings) as writer:
        hosted = Gated(settings, build, writer, Metrics())
        hosted.gate = gate
        async with run_agents(settings, partitions, hosted) as ended:
            await _until(lambda: hosted.not_ready() is None)
            _report({"ready": True})
            if not rows:
                await ended
            await _until(lambda: ended.done() or hosted.rows >= warm)
            gate.clear()
            _report({"warm": True})
            await gate.wait()
            began = time.perf_counter()
            await _until(lambda: ended.done() or hosted.rows >= warm + rows)
            if ended.done():
                ended.result()
            await writer.flush()
            _report({"seconds": time.perf_counter() - began})


async def _until(happened: Callable[[], bool]) -> None:
    while not happened():  # noqa: ASYNC110 - what is waited for is a count, which tells nobody
        await asyncio.sleep(0.005)


async def _bare(
    settings: KafkaSettings, partitions: int, warm: int, rows: int, build: Any, gate: asyncio.Event
) -> None:
    done = 0

    def stepped(head: Any, *_: float) -> None:
        nonlocal done
        done += head.rows

    processors = {
        p: PartitionProcessor(p, build, Sequencer(), dict.fromkeys(Lane, 0), stepped) for p in range(partitions)
    }
    names = {partition: lane for p in processors for lane, partition in lane_partitions(settings, p).items()}
    async with open_writer(settings) as writer, plain_consumer(settings) as consumer:
        consumer.assign(list(names))
        for partition in names:
            consumer.seek(partition, 0)
        _report({"ready": True})
        for until in (warm, warm + rows):
            began = time.perf_counter()
            while done < until:
                for partition, batch in (await consumer.getmany(timeout_ms=20, max_records=200)).items():
                    processor = processors[partition.partition]
                    for record in batch:
                        processor.push(names[partition], record.offset, record.value)
                        while processor.waiting:
                            decided = processor.step()
                            for one in records(decided) if decided is not None else ():
                                await writer.write(one)
            await writer.flush()
            if until == warm:
                _report({"warm": True})
                gate.clear()
                await gate.wait()
        _report({"seconds": time.perf_counter() - began})


async def main() -> None:
    """One contestant."""
    which, brokers, prefix, partitions, warm, rows = sys.argv[1:7]
    gate = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, gate.set)
    gate.set()
    calendar = Calendar.around(ny_ns(DAY, 12))
    warm_up(Config().rules(), calendar)
    spare_what_stays()
    contestant = {"agents": _agents, "bare": _bare}[which]
    settings = KafkaSettings(brokers=brokers, prefix=prefix)
    await contestant(settings, int(partitions), int(warm), int(rows), _build(calendar), gate)


def _report(document: dict[str, Any]) -> None:
    print(json.dumps(document), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
