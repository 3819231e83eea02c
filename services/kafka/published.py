"""Reads the ends of the output topics: what of a partition is published already; and whole topics for comparison."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord

from schemas.kinds import KINDS
from services.kafka.records import Published
from services.settings.kafka import KafkaSettings

__all__ = ["outputs", "read_partition", "read_published"]

log = logging.getLogger("strikewire.agents")

# Decisions that one row led to are a handful, views of one minute some hundreds; and a zombie may have repeated a few.
TAIL_RECORDS = 1_000
POLL_MS = 200


def outputs() -> tuple[str, ...]:
    """The topics on which a partition publishes: one a kind of decision, and the views."""
    return (*(kind.topic for kind in KINDS.values()), "contexts")


async def read_published(consumer: AIOKafkaConsumer, settings: KafkaSettings, partition: int) -> Published:
    """What is out. `consumer` is assigned anew."""
    published = Published()
    for topic in outputs():
        async for record in read_partition(consumer, settings.topic(topic), partition, TAIL_RECORDS):
            try:
                published.note(topic, record.value, record.headers)
            except (msgspec.DecodeError, ValueError, TypeError, RecursionError) as error:
                # Somebody else's: it says nothing about what we have published, and must not keep us from going on.
                log.warning("%s partition %d offset %d is none of ours: %s", topic, partition, record.offset, error)
    return published


async def read_partition(
    consumer: AIOKafkaConsumer, topic: str, partition: int, last: int | None = None
) -> AsyncIterator[ConsumerRecord]:
    """The records a partition has at this moment (only the `last` so many). `consumer` is assigned anew.

    `assign` and then `seek_to_beginning` would race with the client's own reset to an offset: it is told each offset.
    """
    topic_partition = TopicPartition(topic, partition)
    consumer.assign([topic_partition])
    begin = (await consumer.beginning_offsets([topic_partition]))[topic_partition]
    end = (await consumer.end_offsets([topic_partition]))[topic_partition]
    begin = begin if last is None else max(begin, end - last)
    if begin >= end:
        return
    consumer.seek(topic_partition, begin)
    while await consumer.position(topic_partition) < end:
        for record in (await consumer.getmany(topic_partition, timeout_ms=POLL_MS)).get(topic_partition, ()):
            if record.offset < end:
                yield record
