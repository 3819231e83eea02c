"""Where the log on Kafka ends, over all its partitions; what was heard of each channel last; and whether it is there at
all."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from aiokafka import AIOKafkaConsumer

from schemas.frames import KIND_INDEX, KIND_STOCK, FrameError, Lane, decode_frame
from schemas.gaps import CHANNELS, OPTIONS, EarlierGaps, Gap
from services.errors import StrikewireError
from services.kafka.client import plain_consumer
from services.kafka.lanes import lane_partitions
from services.kafka.opening import newest_frames
from services.kafka.published import read_partition
from services.kafka.topics import present
from services.settings.kafka import KafkaSettings

__all__ = ["LogTail", "log_tail"]

PROBE_BYTES = 256 * 1024
# How many frames of a lane's end are looked at; if none of them holds a row, so many more: a silent partition has a
# heartbeat a second, so these are a session of nine hours. A thousand, because the last print may be a late report, and
# the largest exchange time is then in a frame before it.
FRAMES_LOOKED_AT = (1_000, 32_000)
# Entries of the gap ledger that are looked at, a partition. A gap has two to four; nobody mends one older than these.
ENTRIES_LOOKED_AT = 2_000


class LogTail(NamedTuple):
    """The newest epoch (0 for none), the last moment (None for none), and what the gap ledger is to know of both."""

    epoch: int
    received_ns: int | None
    past: EarlierGaps


async def log_tail(settings: KafkaSettings, partitions: int) -> LogTail:
    """The log's end.

    Raises StrikewireError when a topic that a gateway writes to is missing, or has another number of partitions: better
    now than at the first dead letter or the first gap.
    """
    epoch, received_ns = 0, None
    have = await present(settings)
    for name in (*(lane.topic for lane in Lane), "dead.letters", "feed.gaps"):
        there = have[name].partitions if name in have else 0
        if there != partitions:
            raise StrikewireError(
                f"{settings.topic(name)} has {there} partitions on {settings.brokers}, gateway.partitions is"
                f" {partitions}; `strikewire topics create` makes what is missing"
            )
    async with plain_consumer(settings, max_partition_fetch_bytes=PROBE_BYTES) as consumer:
        for partition in range(partitions):
            lanes = lane_partitions(settings, partition)
            consumer.assign(list(lanes.values()))
            for _, header in (await newest_frames(consumer, lanes)).values():
                epoch = max(epoch, header.epoch)
                received_ns = max(received_ns or 0, header.received_ns)
        received_until_ns: dict[str, int] = {}
        for partition in range(partitions):
            for lane in (Lane.TRADES, Lane.TICKS):
                for channel, last_ns in (await _last_events(consumer, settings.topic(lane.topic), partition)).items():
                    received_until_ns[channel] = max(received_until_ns.get(channel, 0), last_ns)
        left = [
            gap
            for partition in range(partitions)
            for gap in await _open_gaps(consumer, settings.topic("feed.gaps"), partition)
        ]
    return LogTail(epoch, received_ns, EarlierGaps(received_until_ns, left))


async def _last_events(consumer: AIOKafkaConsumer, topic: str, partition: int) -> dict[str, int]:
    """The latest exchange time of each channel among a lane's last frames that hold any."""
    for last in FRAMES_LOOKED_AT:
        found: dict[str, int] = {}
        async for record in read_partition(consumer, topic, partition, last):
            for channel, last_ns in _channel_times(record.value).items():
                found[channel] = max(found.get(channel, 0), last_ns)
        if found:
            return found
    return {}


def _channel_times(value: bytes) -> dict[str, int]:
    """The latest exchange time of each channel in a frame; of what is no frame, none."""
    try:
        head, rows = decode_frame(value)
    except FrameError:
        return {}
    if not head.rows:
        return {}
    if head.lane is Lane.TRADES:
        return {OPTIONS: int(rows.event_ns.max())}
    times = {}
    for cluster, kind in (("indices", KIND_INDEX), ("stocks", KIND_STOCK)):
        its_ns = rows.event_ns[rows.kind == kind]  # type: ignore[union-attr]
        if len(its_ns):
            times[CHANNELS[cluster]] = int(its_ns.max())
    return times


async def _open_gaps(consumer: AIOKafkaConsumer, topic: str, partition: int) -> list[Gap]:
    """The gaps whose last entry says that they are open."""
    latest: dict[tuple[int, int], Gap] = {}
    async for record in read_partition(consumer, topic, partition, ENTRIES_LOOKED_AT):
        try:
            gap = msgspec.json.decode(record.value, type=Gap)
        except msgspec.DecodeError:  # somebody else's
            continue
        latest[gap.epoch, gap.number] = gap
    return [gap for gap in latest.values() if gap.state == "open"]
