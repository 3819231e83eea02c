"""What a process that stood still had not sent yet is not sent."""

from __future__ import annotations

import pytest

from services.kafka.client import plain_consumer
from services.kafka.documents import Record
from services.kafka.published import read_partition
from services.kafka.settings import KafkaSettings
from services.kafka.writer import StaleWriteError, open_writer

pytestmark = pytest.mark.services

ONE = Record("signals", b"SPY", b"{}", 0, [])


async def on_the_topic(settings: KafkaSettings) -> int:
    """Records the first partition of the signals has."""
    async with plain_consumer(settings) as consumer:
        return sum([1 async for _ in read_partition(consumer, settings.topic("signals"), 0)])


async def test_records_are_refused_at_the_socket_while_the_process_finds_it_stood_still(
    settings: KafkaSettings,
) -> None:
    async with open_writer(settings) as writer:
        await writer.write(ONE)
        await writer.flush()
        writer.stands_still = lambda: True
        await writer.write(ONE)
        with pytest.raises(StaleWriteError, match="1 records were under way while this process stood still"):
            await writer.flush()
        writer.stands_still = lambda: False
        with pytest.raises(StaleWriteError):
            await writer.write(ONE)
    assert await on_the_topic(settings) == 1


async def test_what_is_in_doubt_is_not_sent_and_without_anything_under_way_there_is_no_doubt(
    settings: KafkaSettings,
) -> None:
    async with open_writer(settings) as writer:
        writer.doubt()
        await writer.write(ONE)
        await writer.flush()
        await writer.write(ONE)
        writer.doubt()  # before the client's own task had a turn
        with pytest.raises(StaleWriteError):
            await writer.flush()
    assert await on_the_topic(settings) == 1
