"""Where the log on Kafka ends, over all its partitions; and whether it is there at all."""

from __future__ import annotations

from typing import NamedTuple

from schemas.frames import Lane
from services.errors import StrikewireError
from services.kafka.client import plain_consumer
from services.kafka.lanes import lane_places
from services.kafka.opening import newest_frames
from services.kafka.settings import KafkaSettings
from services.kafka.topics import present

__all__ = ["LogTail", "log_tail"]

PROBE_BYTES = 256 * 1024


class LogTail(NamedTuple):
    """The newest epoch (0 for none) and the last moment (None for none)."""

    epoch: int
    received_ns: int | None


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
            lanes = lane_places(settings, partition)
            consumer.assign(list(lanes.values()))
            for _, header in (await newest_frames(consumer, lanes)).values():
                epoch = max(epoch, header.epoch)
                received_ns = max(received_ns or 0, header.received_ns)
    return LogTail(epoch, received_ns)
