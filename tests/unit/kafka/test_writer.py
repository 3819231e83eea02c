"""A writer waits for a partition's leader as long as it takes. The client is the real one, and no broker is asked:

when one of these fails with a new aiokafka, see where its batches expire now.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.structs import PartitionMetadata

from services.kafka.membership import Membership
from services.kafka.records import ProducerRecord
from services.kafka.writer import KafkaWriter, StaleWriteError, UnconfirmedError
from services.settings.kafka import KafkaSettings

PATIENCE_MS = 20
NOBODY, BROKER = -1, 1
PLACE = TopicPartition("signals", 0)
# Two of them do not fit into one of the client's batches.
HALF = ProducerRecord("signals", b"SPY", b"x" * 10_000, 0, [])


class Client(AIOKafkaProducer):  # type: ignore[misc]
    """Knows one topic of one partition, and has a number of its own as after a start."""

    def __init__(self) -> None:
        super().__init__(enable_idempotence=True, request_timeout_ms=PATIENCE_MS)
        self._txn_manager.set_pid_and_epoch(1, 0)
        self.led_by(NOBODY)

    def led_by(self, node: int) -> None:
        """Let it know who leads the partition."""
        self.client.cluster._partitions = {PLACE.topic: {0: PartitionMetadata(PLACE.topic, 0, node, [1], [1], None)}}

    def sent(self) -> int:
        """Do what its sender does at each of its turns; the batches that go to a broker."""
        nodes, _ = self._message_accumulator.drain_by_nodes(ignore_nodes=set())
        return sum(map(len, nodes.values()))


async def outlive(client: Client) -> int:
    """What the client has sent when its patience is over, and what it says of the rest was heard."""
    await asyncio.sleep(2 * PATIENCE_MS / 1000)
    sent = client.sent()
    await asyncio.sleep(0)
    return sent


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    made = Client()
    yield made
    await made.stop()


async def test_a_record_that_has_no_leader_waits_for_one_as_long_as_it_takes(client: Client) -> None:
    writer = KafkaWriter(client, KafkaSettings())
    await writer.write(HALF)
    assert await outlive(client) == 0
    assert (writer.failed, writer.in_flight) == (None, 1)
    client.led_by(BROKER)
    assert client.sent() == 1


async def test_whoever_writes_waits_too_when_the_client_has_no_room(client: Client) -> None:
    """It would say that it has waited long enough, and whoever wrote would end with what it held."""
    writer = KafkaWriter(client, KafkaSettings())
    await writer.write(HALF)
    second = asyncio.create_task(writer.write(HALF))
    assert await outlive(client) == 0
    assert not second.done()
    client.led_by(BROKER)
    assert client.sent() == 1
    await second
    assert writer.in_flight == 2


def lose(writer: KafkaWriter, member: Membership) -> None:
    """The group does not know us any more."""
    member.lose()


def end(writer: KafkaWriter, member: Membership) -> None:
    """As `KafkaWriter.end` does when its patience is over."""
    writer._refusing = UnconfirmedError


@pytest.mark.parametrize(
    ("giving_up", "kind", "sentence"),
    [
        (lose, StaleWriteError, "1 records were under way when our partitions went to another"),
        (end, UnconfirmedError, "1 records were under way when this ended, and no broker took them"),
    ],
)
async def test_what_is_given_up_needs_no_leader_to_be_refused(
    client: Client, giving_up: Callable[[KafkaWriter, Membership], None], kind: type[Exception], sentence: str
) -> None:
    """Else the end of a writer, which waits for the client's, waits for the leader."""
    member = Membership()
    writer = KafkaWriter(client, KafkaSettings())
    writer.speak_as(member)
    await writer.write(HALF)
    giving_up(writer, member)
    assert await outlive(client) == 0
    assert writer.in_flight == 0
    with pytest.raises(kind, match=sentence):
        await writer.write(HALF)
