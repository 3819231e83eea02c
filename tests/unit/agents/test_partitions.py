"""What the partitions of a worker count, and what they leave to whoever counted it; and one that the consumer of the
framework lost in silence, beside one that lives.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections import Counter
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaTimeoutError

from schemas.frames import Lane
from services.agents import partitions as module
from services.agents.partitions import Partitions, _Hosted
from services.core.sequencer import Sequencer
from services.kafka.lanes import lane_partitions
from services.kafka.partition_processor import Decided, PartitionProcessor
from services.kafka.records import Published, records
from services.runtime.metrics import Metrics
from services.settings.kafka import KafkaSettings
from tests.support.kafka_log import build_small, small_log

NAME = "strikewire_pipeline_alerts_total"


def decided() -> list[Decided]:
    """What a small log leads to."""
    machine = PartitionProcessor(0, build_small, Sequencer(), dict.fromkeys(Lane, 0), lambda *_: None)
    machine._ready.extend(small_log(seed=11, frames=200, partitions=1))
    made = [machine.step() for _ in range(machine.waiting)]
    return [one for one in made if one is not None and one.decisions]


def counted(all_: list[Decided], published: Published | None) -> tuple[float, float, float]:
    """Signals, alerts sent, and signals held back, by the metrics, once all is out."""
    metrics = Metrics()
    writer = cast("Any", SimpleNamespace(speak_as=lambda _: None))
    partitions, held = Partitions(KafkaSettings(), build_small, writer, metrics), _Hosted(0)
    held.published = published
    for one in all_:
        partitions._note(one, held)

    def value(name: str, **labels: str) -> float:
        return metrics.registry.get_sample_value(name, {"detector": "echo", **labels}) or 0.0

    signals = value("strikewire_pipeline_signals_total")
    return signals, value(NAME, outcome="sent"), value(NAME, outcome="score")


async def test_a_signal_is_counted_with_what_became_of_it_and_once() -> None:
    all_ = decided()
    total = sum(len(one.decisions) for one in all_)
    signals, sent, held_back = counted(all_, None)
    assert sent > 0
    assert (signals, signals + sent) == (sent + held_back, total)
    published = Published()
    for record in [record for one in all_[: len(all_) // 2] for record in records(one) if record.topic != "contexts"]:
        published.note(record.topic, record.value, record.headers)
    rest = counted(all_, published)
    assert rest == counted(all_[len(all_) // 2 :], None)
    assert 0 < rest[2] < held_back


SETTINGS = KafkaSettings()
SILENT_S = 0.3
SILENT, LIVING = 0, 1


class Lanes:
    """A machine that takes records and makes nothing of them."""

    pending = waiting = damaged = 0

    def __init__(self) -> None:
        self.next_offset = dict.fromkeys(Lane, 0)

    def push(self, lane: Lane, offset: int, _: bytes) -> None:
        """Take the record."""
        self.next_offset[lane] = max(self.next_offset[lane], offset + 1)


class Writer:
    """Writes nothing."""

    failed = None

    def speak_as(self, _: object) -> None:
        """Nobody is spoken for."""


class Log:
    """The ends of the lanes, while a broker says them."""

    def __init__(self) -> None:
        self.ends: Counter[TopicPartition] = Counter()
        self.answers = True
        self.asked = 0

    async def end_offsets(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        self.asked += 1
        if not self.answers:
            raise KafkaTimeoutError
        return {place: self.ends[place] for place in places}


class Worker(Partitions):
    """Its partitions catch up by counting."""

    def __init__(self, log: Log) -> None:
        super().__init__(SETTINGS, build_small, Writer(), Metrics())  # type: ignore[arg-type]
        self.log = log
        self.caught: list[tuple[int, str]] = []
        self.catches = True
        self.membership._confirmed_s = math.inf

    def _start_catching(self, held: Any, reason: str) -> None:
        self.caught.append((held.partition, reason))
        super()._start_catching(held, reason)

    async def _catch_up(self, held: Any) -> None:
        held.processor = held.processor or Lanes()
        if self.catches:
            for lane, place in lane_partitions(SETTINGS, held.partition).items():
                held.processor.next_offset[lane] = self.log.ends[place]
        held.state = "live"
        held.live.set()

    async def write(self, partition: int) -> int:
        """Put a record on the first lane; its offset."""
        place = lane_partitions(SETTINGS, partition)[Lane.TRADES]
        self.log.ends[place] += 1
        return self.log.ends[place] - 1

    async def flow(self, seconds: float, partition: int = LIVING) -> list[str]:
        """Write and deliver on one partition for so long; what was said of readiness."""
        said = []
        for _ in range(int(seconds / 0.01)):
            await self.deliver(Lane.TRADES, partition, await self.write(partition), b"")
            said.append(self.not_ready() or "")
            await asyncio.sleep(0.01)
        return said

    def led_around(self) -> int:
        """How often the silent partition was read by another way."""
        return self.caught.count((SILENT, "silent"))


@pytest.fixture
async def worker(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Worker]:
    log = Log()

    @contextlib.asynccontextmanager
    async def probe(*_: Any, **__: Any) -> AsyncIterator[Log]:
        yield log

    monkeypatch.setattr(module, "plain_consumer", probe)
    monkeypatch.setattr(module, "SILENT_S", SILENT_S)
    monkeypatch.setattr(module, "PULSE_S", 0.02)
    monkeypatch.setattr(module, "LAG_S", 0.02)
    made = Worker(log)
    tasks = [asyncio.create_task(one) for one in (made.watch(), made.watch_lag())]
    made.assign({SILENT, LIVING})
    await made.flow(0.1)
    assert made.not_ready() is None
    yield made
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_one_silent_partition_among_living_ones_is_named_and_led_around(worker: Worker) -> None:
    await worker.write(SILENT)
    said = await worker.flow(1.5 * SILENT_S)
    assert said[0] == "", "a record may be on its way for a while"
    assert worker.led_around() == 1
    assert said[-1] == "partition 0 had to be read by another way, and nothing was delivered since"
    await worker.flow(2 * SILENT_S)
    assert worker.led_around() == 1, "nothing waits there any more"
    await worker.deliver(Lane.TRADES, SILENT, await worker.write(SILENT), b"")
    assert worker.not_ready() is None


async def test_its_records_are_counted_while_nobody_leads_it_around(worker: Worker) -> None:
    worker.membership._confirmed_s = -math.inf  # what would be said could not be
    await worker.write(SILENT)
    await worker.write(SILENT)
    await worker.flow(1.5 * SILENT_S)
    assert worker.led_around() == 0
    worker.membership._confirmed_s = math.inf
    assert worker.not_ready() == "partition 0: 2 records wait, and none was taken for 0.3 s"


async def test_what_stays_silent_is_led_around_once_in_a_while_and_not_at_every_pulse(worker: Worker) -> None:
    worker.catches = False
    await worker.write(SILENT)
    began = time.monotonic()
    await worker.flow(5 * SILENT_S)
    assert 2 <= worker.led_around() <= 1 + (time.monotonic() - began) / SILENT_S


async def test_a_partition_without_records_is_quiet_and_not_silent(worker: Worker) -> None:
    assert set(await worker.flow(2 * SILENT_S)) == {""}
    assert worker.led_around() == 0


async def test_an_old_answer_about_the_ends_makes_nobody_silent(worker: Worker) -> None:
    """Records were on their way when the ends were told, came, and then no broker told the ends any more."""
    offset, asked = await worker.write(SILENT), worker.log.asked
    while worker.log.asked < asked + 2:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.01)
    worker.log.answers = False
    await worker.deliver(Lane.TRADES, SILENT, offset, b"")
    assert set(await worker.flow(2 * SILENT_S)) == {""}
    assert worker.led_around() == 0


async def test_what_was_delivered_and_waits_to_be_said_is_no_silence(worker: Worker) -> None:
    """Somebody is slow there, and it is not the consumer: reading again would not be quicker."""
    await worker.write(SILENT)
    worker._here[SILENT].outbox.append(None)  # type: ignore[arg-type]
    assert set(await worker.flow(2 * SILENT_S)) == {""}
    assert worker.led_around() == 0
