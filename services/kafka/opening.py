"""Where a partition's lanes must be read from so that a fresh pipeline comes to stand where a running one would.

State never outlives a trading day, so the day's first frames are enough: of the day in which the log stands, or of an
earlier one when what was decided then may not have been published. Frames of a lane carry rising stamps, so the place
is found by bisection, a handful of records a lane.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.frames import FrameError, Header, Lane, decode_header
from services.core.calendar import ny_date, ny_ns

__all__ = ["Opening", "expected", "find_opening", "newest_frames"]

# What stands in the topic without being a frame is stepped over; so many in a row are no accident.
FOREIGN_MAX = 100


class Opening(NamedTuple):
    """Offsets to start from, the first frame to wait for (None: the oldest epoch's first), and the log's last moment
    (0 when it is empty).
    """

    offsets: dict[Lane, int]
    expect: tuple[int, int] | None
    last_ns: int


async def newest_frames(
    consumer: AIOKafkaConsumer, lanes: Mapping[Lane, TopicPartition]
) -> dict[Lane, tuple[int, Header]]:
    """The last frame of each lane that has one, with its offset."""
    begins = await consumer.beginning_offsets(list(lanes.values()))
    ends = await consumer.end_offsets(list(lanes.values()))
    found = {}
    for lane, topic_partition in lanes.items():
        for offset in range(
            ends[topic_partition] - 1, max(begins[topic_partition], ends[topic_partition] - FOREIGN_MAX) - 1, -1
        ):
            header = await _header_at(consumer, topic_partition, offset)
            if header is not None:
                found[lane] = (offset, header)
                break
    return found


async def find_opening(consumer: AIOKafkaConsumer, lanes: Mapping[Lane, TopicPartition], published_ns: int) -> Opening:
    """Where to begin. `published_ns` is the log time up to which decisions are known to be out, 0 for none.

    `consumer` must be assigned to the lanes' partitions. Nothing published: the log's very beginning.
    """
    begins = await consumer.beginning_offsets(list(lanes.values()))
    newest = await newest_frames(consumer, lanes)
    last_ns = max((header.received_ns for _, header in newest.values()), default=0)
    if not newest or not published_ns:
        return Opening({lane: begins[topic_partition] for lane, topic_partition in lanes.items()}, None, last_ns)
    day_ns = ny_ns(ny_date(min(last_ns, published_ns)), 0)
    offsets: dict[Lane, int] = {}
    first: list[Header] = []
    before: list[Header] = []
    for lane, topic_partition in lanes.items():
        begin, end = begins[topic_partition], newest[lane][0] + 1 if lane in newest else begins[topic_partition]
        offsets[lane] = await _first_since(consumer, topic_partition, begin, end, day_ns)
        for offset, into in ((offsets[lane], first), (offsets[lane] - 1, before)):
            header = await _header_at(consumer, topic_partition, offset) if begin <= offset < end else None
            if header is not None:
                into.append(header)
    return Opening(offsets, expected(first, before), last_ns)


def expected(first: Sequence[Header], before: Sequence[Header]) -> tuple[int, int] | None:
    """The frame to wait for, from the lanes' first frames of the day and their last ones before it.

    It follows the newest of those before, even when another comes first on the lanes: that one may be on its way.
    """
    if not first:
        return None
    epoch = min(header.epoch for header in first)
    earliest = min(header.seq for header in first if header.epoch == epoch)
    passed = [header.seq + 1 for header in before if header.epoch == epoch]
    if passed:
        return epoch, min(max(passed), earliest)
    return None if earliest < len(Lane) else (epoch, earliest)


async def _first_since(
    consumer: AIOKafkaConsumer, topic_partition: TopicPartition, begin: int, end: int, since_ns: int
) -> int:
    """The first offset in `[begin, end)` whose frame is stamped at or after `since_ns`; `end` when none is."""
    low, high = begin, end
    while low < high:
        middle = (low + high) // 2
        header = await _header_at(consumer, topic_partition, middle)
        if header is not None and header.received_ns < since_ns:
            low = middle + 1
        else:
            high = middle
    return low


async def _header_at(consumer: AIOKafkaConsumer, topic_partition: TopicPartition, offset: int) -> Header | None:
    consumer.seek(topic_partition, offset)
    record = await consumer.getone(topic_partition)
    try:
        return decode_header(record.value)
    except FrameError:
        return None
