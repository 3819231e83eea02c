"""A small market log on Kafka: frames of the smallest machine, their decisions, and how to write them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from schemas.frames import Frame, Header, Lane, Rows, empty_rows
from services.core.calendar import NS
from services.core.identity import Digest
from services.core.pipeline import Pipeline
from services.core.sequencer import Sequencer
from services.kafka.partition_processor import Decided, PartitionProcessor
from tests.support.frames import constant_rows
from tests.support.machines import CALENDAR, OPEN_NS, Echo, EveryOther, Last, Prints

__all__ = ["STEP_NS", "build_small", "expected_digest", "small_log", "taken"]

STEP_NS = NS // 50  # a frame every 20 ms, as the gateway cuts them


def build_small(partition: int, log_ns: int = 0) -> Pipeline:
    """The smallest pipeline."""
    return Pipeline(
        partition,
        CALENDAR,
        [Prints(Prints.Parameters()), Last(Last.Parameters())],
        [Echo(Echo.Parameters())],
        EveryOther(),
    )


def small_log(
    seed: int,
    frames: int,
    partitions: int = 4,
    *,
    epoch: int = 1,
    start_ns: int = OPEN_NS,
    step_ns: int = STEP_NS,
    rows_max: int = 8,
) -> list[Frame]:
    """Frames of one epoch in the order a gateway would write them: partitions in turn, lanes at random."""
    random_ = random.Random(f"{seed} {epoch}")
    seq, position = [0] * partitions, [0] * partitions
    made: list[Frame] = []

    def add(partition: int, lane: Lane, stamp_ns: int, rows: Rows, opening: bool = False) -> None:
        count = len(rows.received_ns)
        head = Header(lane, partition, epoch, seq[partition], position[partition], count, stamp_ns, opening=opening)
        made.append(Frame(head, rows))
        seq[partition] += 1
        position[partition] += count

    for partition in range(partitions):
        for lane in Lane:
            add(partition, lane, start_ns, empty_rows(lane), opening=True)
    for number in range(frames):
        stamp_ns = start_ns + number * step_ns
        for partition in range(partitions):
            lane = random_.choice((Lane.TRADES, Lane.TRADES, Lane.TICKS, Lane.GREEKS))
            add(partition, lane, stamp_ns, _rows(random_, lane, stamp_ns, random_.randint(0, rows_max)))
    return made


def _rows(random_: random.Random, lane: Lane, stamp_ns: int, count: int) -> Rows:
    stamps = [stamp_ns] * count
    if lane is Lane.TRADES:
        sizes = [random_.choice((1, 2, 5, 120)) if random_.random() < 0.2 else 1 for _ in range(count)]
        return constant_rows(lane, stamps, size_contracts=np.array(sizes), event_ns=stamp_ns)
    if lane is Lane.TICKS:
        return constant_rows(lane, stamps, price_usd=100 + random_.random(), event_ns=stamp_ns)
    return constant_rows(lane, stamps, event_ns=stamp_ns)


def expected_digest(frames: Iterable[Frame], partitions: Sequence[int] = range(4)) -> tuple[str, int]:
    """The digest of what the log leads to in one process, as embedded would have it, and the number of decisions."""
    pipelines = {partition: build_small(partition) for partition in partitions}
    sequencers = {partition: Sequencer() for partition in partitions}
    lines: dict[int, list[bytes]] = {partition: [] for partition in partitions}
    for frame in frames:
        partition = frame.header.partition
        for ordered in sequencers[partition].push(frame):
            lines[partition] += pipelines[partition].step(ordered).lines()
    digest = Digest()
    for partition in partitions:
        digest.add(partition, lines[partition])
    return digest.hexdigest(), sum(map(len, lines.values()))


def taken(machine: PartitionProcessor, lane: Lane, offset: int, data: bytes) -> Iterator[Decided]:
    """What one record leads to."""
    machine.push(lane, offset, data)
    while machine.waiting:
        decided = machine.step()
        if decided is not None:
            yield decided
