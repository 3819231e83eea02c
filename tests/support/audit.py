"""Reads a whole log on Kafka again, by itself, and compares what it leads to with what was published."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord

from schemas.decisions import canonical
from schemas.frames import Lane
from services.core.identity import Digest
from services.core.sequencer import Sequencer
from services.kafka.client import plain_consumer
from services.kafka.lanes import lane_partitions, read_lanes
from services.kafka.partition_processor import Build, PartitionProcessor
from services.kafka.published import read_partition
from services.kafka.records import in_log_order
from services.settings.kafka import KafkaSettings

__all__ = ["Audit", "Repeat", "audit"]

DECISIONS = ("signals", "alerts")
COUNTED = ("frames", "rows", "decisions", "missing", "doubled", "foreign", "different", "held", "zombies")


class Repeat(NamedTuple):
    """A decision that stands on its topic more often than the log leads to it: where, and when the broker took each
    (Unix seconds).
    """

    topic: str
    partition: int
    id: str
    offsets: tuple[int, ...]
    written_s: tuple[float, ...]


class Audit(NamedTuple):
    """Published decisions against those the log leads to. Ids are compared, then bytes."""

    frames: int
    rows: int
    decisions: int
    missing: int
    doubled: int
    foreign: int
    different: int
    held: int
    zombies: int
    log_digest: str
    topic_digest: str
    repeats: tuple[Repeat, ...] = ()

    @property
    def equal(self) -> bool:
        """Whether readers of the topics who drop what they have by id see exactly what the log leads to."""
        return self.log_digest == self.topic_digest

    def __str__(self) -> str:
        return ", ".join(f"{name} {value}" for name, value in self._asdict().items())


async def audit(settings: KafkaSettings, partitions: int, build: Build) -> Audit:
    """Compare the whole log, as far as Kafka keeps it. Nothing may be writing meanwhile."""
    tally: Counter[str] = Counter()
    log_digest, topic_digest = Digest(), Digest()
    repeats: list[Repeat] = []
    async with plain_consumer(settings) as consumer:
        for partition in range(partitions):
            lines = await _replay(consumer, settings, partition, build, tally)
            records = [
                (topic, record)
                for topic in DECISIONS
                async for record in read_partition(consumer, settings.topic(topic), partition)
            ]
            read = [(record.value, record.headers) for _, record in records]
            found = Counter(_identity(value) for value, _ in read)
            bytes_of = {_identity(value): value for value in reversed(in_log_order(read))}
            repeated = Counter(name for name, _ in lines)
            made = dict(reversed(lines))  # under one name the first counts
            tally["decisions"] += len(made)
            tally["missing"] += len(made.keys() - found.keys())
            tally["foreign"] += len(found.keys() - made.keys())
            excess = {name for name, count in found.items() if name in made and count > repeated[name]}
            tally["doubled"] += sum(found[name] - repeated[name] for name in excess)
            repeats += _repeats(records, excess)
            tally["different"] += sum(bytes_of[name] != made[name] for name in made.keys() & bytes_of.keys())
            log_digest.add(partition, [made[name] for name in dict.fromkeys(name for name, _ in lines)])
            topic_digest.add(partition, in_log_order(read))
    counts = {name: tally[name] for name in COUNTED}
    return Audit(
        **counts, log_digest=log_digest.hexdigest(), topic_digest=topic_digest.hexdigest(), repeats=tuple(repeats)
    )


def _repeats(records: Sequence[tuple[str, ConsumerRecord]], ids: set[str]) -> list[Repeat]:
    """Where those stand."""
    places: dict[tuple[str, int, str], list[ConsumerRecord]] = {}
    for topic, record in records:
        name = _identity(record.value)
        if name in ids:
            places.setdefault((topic, record.partition, name), []).append(record)
    return [
        Repeat(*place, tuple(one.offset for one in stand), tuple(one.timestamp / 1e3 for one in stand))
        for place, stand in places.items()
    ]


async def _replay(
    consumer: AIOKafkaConsumer, settings: KafkaSettings, partition: int, build: Build, tally: Counter[str]
) -> list[tuple[str, bytes]]:
    """What one partition's log leads to: ids and canonical lines, in order."""
    lanes = lane_partitions(settings, partition)
    consumer.assign(list(lanes.values()))
    begins = await consumer.beginning_offsets(list(lanes.values()))
    ends = await consumer.end_offsets(list(lanes.values()))

    def stepped(head: Any, frames: int, _: float) -> None:
        tally["frames"] += frames
        tally["rows"] += head.rows

    offsets = {lane: begins[place] for lane, place in lanes.items()}
    machine = PartitionProcessor(partition, build, Sequencer(), offsets, stepped)
    lines: list[tuple[str, bytes]] = []
    async for decided in read_lanes(consumer, lanes, machine, _at(machine, lanes, ends)):
        for _, decision in decided.decisions:
            lines.append((decision.id, canonical(decision)))
    tally["held"] += machine.pending
    tally["zombies"] += machine.sequencer.zombies
    return lines


def _at(
    machine: PartitionProcessor, lanes: dict[Lane, TopicPartition], ends: dict[TopicPartition, int]
) -> Callable[[], bool]:
    return lambda: all(machine.next_offset[lane] >= ends[place] for lane, place in lanes.items())


class _Named(msgspec.Struct, frozen=True):
    id: str


_NAMED = msgspec.json.Decoder(_Named)


def _identity(value: bytes) -> str:
    return _NAMED.decode(value).id
