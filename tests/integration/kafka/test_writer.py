"""A writer speaks for a member of a group only while the group knows that member."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from aiokafka.protocol.group import HeartbeatRequest

from deploy.kafka.broker import Broker, reason_not_here
from services.kafka import membership as module
from services.kafka.client import plain_consumer
from services.kafka.membership import SURE_S, Membership
from services.kafka.published import read_partition
from services.kafka.records import ProducerRecord
from services.kafka.topics import create
from services.kafka.writer import StaleWriteError, UnconfirmedError, open_writer
from services.settings.kafka import KafkaSettings

pytestmark = pytest.mark.services

ONE = ProducerRecord("signals", b"SPY", b"{}", 0, [])
BEAT = HeartbeatRequest("group", 1, "member")


class Answer:
    """To a heartbeat."""

    error_code = 0


async def on_the_topic(settings: KafkaSettings) -> int:
    """Records the first partition of the signals has."""
    async with plain_consumer(settings) as consumer:
        return sum([1 async for _ in read_partition(consumer, settings.topic("signals"), 0)])


async def test_records_wait_at_the_socket_until_the_group_answers(settings: KafkaSettings) -> None:
    member = Membership()
    async with open_writer(settings) as writer:
        writer.speak_as(member)
        await writer.write(ONE)
        await asyncio.sleep(0.3)
        assert writer.in_flight == 1
        member.note(BEAT, Answer, time.monotonic() - SURE_S)  # an answer that was long on its way
        await asyncio.sleep(0.1)
        assert await on_the_topic(settings) == 0
        member.note(BEAT, Answer, time.monotonic())
        await writer.flush()
    assert await on_the_topic(settings) == 1


async def test_whoever_hastens_goes_on_when_the_record_is_at_the_socket(
    settings: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The turns that the client needs are counted in our code; another release of it may need more."""
    async with open_writer(settings) as writer:
        await writer.write(ONE)
        await writer.flush()  # from now on the client knows who leads the partition, and its own number
        sent = []
        send = writer._client.client.send

        async def noted(node_id: int, request: object, **more: object) -> object:
            sent.append(request)
            return await send(node_id, request, **more)

        monkeypatch.setattr(writer._client.client, "send", noted)
        await writer.write(ONE)
        assert not sent
        await writer.hasten()
        assert len(sent) == 1
        await writer.flush()


async def test_what_was_under_way_when_the_partitions_went_is_never_sent(settings: KafkaSettings) -> None:
    member = Membership()
    async with open_writer(settings) as writer:
        writer.speak_as(member)
        member.note(BEAT, Answer, time.monotonic())
        member.lose()  # nothing is under way: nothing was said in our place that we would say again
        member.note(BEAT, Answer, time.monotonic())
        await writer.write(ONE)
        await writer.flush()
        await writer.write(ONE)
        member.lose()  # before the client's own task had a turn
        member.note(BEAT, Answer, time.monotonic())  # and a member again, as somebody else
        with pytest.raises(StaleWriteError, match="1 records were under way when our partitions went to another"):
            await writer.flush()
        with pytest.raises(StaleWriteError):
            await writer.write(ONE)
    assert await on_the_topic(settings) == 1


async def test_who_leaves_waits_for_what_is_under_way_and_then_gives_it_up(
    settings: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = Membership()
    async with open_writer(settings) as writer:
        writer.speak_as(member)
        member.note(BEAT, Answer, time.monotonic())
        await writer.write(ONE)
        await writer.settle(SURE_S)
        assert (writer.in_flight, writer.failed) == (0, None)
        monkeypatch.setattr(module, "SURE_S", 0.0)  # nobody has answered for too long
        await writer.write(ONE)
        await writer.settle(0.1)
        with pytest.raises(StaleWriteError):
            await writer.flush()
    assert await on_the_topic(settings) == 1


async def test_a_broker_that_is_gone_keeps_nobody_from_ending(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Records of an idempotent client never expire, and its end waits for them: ours gives them up, and says so."""
    if (reason := reason_not_here()) is not None:
        pytest.skip(reason)
    with Broker(tmp_path / "kafka") as broker:
        settings = KafkaSettings(brokers=broker.address)
        await create(settings, 1)
        async with asyncio.timeout(30), open_writer(settings) as writer:
            await writer.write(ONE)
            await writer.flush()
            broker.kill()
            await writer.write(ONE)
            await writer.end(patience_s=1.0)
            assert isinstance(writer.failed, UnconfirmedError)
            assert writer.in_flight == 0
    assert "1 records are given up: no broker confirms them" in caplog.messages
