"""Puts records on a test's topics, as gateway and agents do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import msgspec

from schemas.decisions import View, canonical
from schemas.frames import Frame, encode_frame
from schemas.kinds import Decision, kind_of
from services.kafka.client import producer
from services.settings.kafka import KafkaSettings
from services.sinks.clickhouse import Epoch, Ordinals

Raw = tuple[str, int, bytes | None, list[tuple[str, bytes]]]


def frame_records(frames: Iterable[Frame], epoch: Epoch | None = None) -> list[Raw]:
    """Frames as records of their lanes; opening frames say what `epoch` says."""
    header = [("epoch", msgspec.json.encode(epoch._asdict()))] if epoch is not None else []
    return [
        (f.header.lane.topic, f.header.partition, encode_frame(f), header if f.header.opening else []) for f in frames
    ]


def decision_records(decisions: Iterable[Decision]) -> list[Raw]:
    """Decisions with their ordinals."""
    return [
        (
            kind_of(one).topic,
            one.partition,
            canonical(one),
            [("ordinal", b"%d" % ordinal)],
        )
        for ordinal, one in Ordinals().number(list(decisions))
    ]


def view_records(views: Iterable[View], partition: int = 0) -> list[Raw]:
    """Views of a partition."""
    return [("contexts", partition, canonical(view), []) for view in views]


def put(settings: KafkaSettings, records: Iterable[Raw]) -> None:
    """Write records and wait until Kafka has them."""
    asyncio.run(put_async(settings, records))


async def put_async(settings: KafkaSettings, records: Iterable[Raw]) -> None:
    """Write records and wait until Kafka has them."""
    async with producer(settings) as kafka:
        sent = [
            await kafka.send(settings.topic(topic), value, key=b"k", partition=partition, headers=headers)
            for topic, partition, value, headers in records
        ]
        await asyncio.gather(*sent)
