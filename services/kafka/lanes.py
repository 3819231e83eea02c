"""Reads a partition's three lanes by a plain consumer, evenly, into its machine: how it catches up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.frames import Lane
from services.kafka.partition_processor import Decided, PartitionProcessor
from services.settings.kafka import KafkaSettings

__all__ = ["AHEAD_FRAMES_MAX", "WorkPace", "lane_partitions", "read_lanes", "stepped"]

# A lane that is this many frames ahead waits for the others; the sequencer gives up at five times as many.
AHEAD_FRAMES_MAX = 2_000
POLL_MS = 50
POLL_FRAMES_MAX = 500
# The group's heartbeats and its word that a partition is no longer ours wait for us: never for longer than this.
BUSY_S_MAX = 0.005


def lane_partitions(settings: KafkaSettings, partition: int) -> dict[Lane, TopicPartition]:
    """A partition's three lanes on the cluster."""
    return {lane: TopicPartition(settings.topic(lane.topic), partition) for lane in Lane}


async def read_lanes(
    consumer: AIOKafkaConsumer,
    lanes: Mapping[Lane, TopicPartition],
    processor: PartitionProcessor,
    arrived: Callable[[], bool],
) -> AsyncIterator[Decided]:
    """Push records into `machine` from where it stands until `arrived`; what they led to.

    `consumer` must be assigned to `lanes`. It waits for ever for a lane whose partition has no leader.
    """
    names = {topic_partition: lane for lane, topic_partition in lanes.items()}
    for lane, topic_partition in lanes.items():
        consumer.seek(topic_partition, processor.next_offset[lane])
    pace = WorkPace()
    while not arrived():
        wanted = _not_too_far_ahead(processor)
        batches = await consumer.getmany(
            *(lanes[lane] for lane in wanted), timeout_ms=POLL_MS, max_records=POLL_FRAMES_MAX
        )
        # All lanes first: neighbours of one lane can then be read as one.
        for topic_partition, batch in batches.items():
            for record in batch:
                processor.push(names[topic_partition], record.offset, record.value)
            await pace.yield_if_due()
        async for decided in stepped(processor, pace):
            yield decided


class WorkPace:
    """Lets others run when we have been busy for long enough."""

    def __init__(self) -> None:
        self._since = time.monotonic()

    async def yield_if_due(self) -> None:
        """Return at once, or after everybody else had a turn."""
        if time.monotonic() - self._since > BUSY_S_MAX:
            await asyncio.sleep(0)
            self._since = time.monotonic()


async def stepped(processor: PartitionProcessor, pace: WorkPace) -> AsyncIterator[Decided]:
    """Step what waits in `machine`, with breaks; what it led to. Several may do so at a time: the order is kept."""
    while processor.waiting:
        decided = processor.step_run()
        if decided is not None:
            yield decided
        await pace.yield_if_due()


def _not_too_far_ahead(processor: PartitionProcessor) -> list[Lane]:
    """The lanes to read on. When all are ahead a frame is lost, and only what comes later can close the hole."""
    if processor.pending < AHEAD_FRAMES_MAX:
        return list(Lane)
    behind = [lane for lane in Lane if not processor.is_ahead(lane)]
    return behind or list(Lane)
