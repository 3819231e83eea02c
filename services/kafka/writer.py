"""Writes to Kafka in order, with a limit on what is under way.

A writer that cannot write has nothing left to promise: the first record that fails makes every later call fail, so what
a reader finds is always a beginning of what was handed in, without a hole.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError, LeaderNotAvailableError, NotLeaderForPartitionError
from aiokafka.protocol.produce import ProduceRequest

from schemas.decisions import DeadLetter, canonical
from schemas.frames import Frame, encode_frame
from schemas.gaps import Gap
from services.kafka.client import producer
from services.kafka.membership import Membership
from services.kafka.records import ProducerRecord
from services.settings.kafka import KafkaSettings

__all__ = ["KafkaWriter", "StaleWriteError", "UnconfirmedError", "open_writer"]

log = logging.getLogger("strikewire.kafka")

# At 4 partitions and 20 ms a frame these are ten seconds of frames; then whoever writes waits, and so does the socket.
IN_FLIGHT_MAX = 2_000
# From a record in the client's hands to its bytes on the wire: its sender is woken, takes the batch, begins a request,
# writes. Each is one turn of the loop.
CLIENT_TURNS = 4
# A request is asked again after this long. A broker may be away for longer, and so may a partition's leader: the writer
# then waits, full, and so does whoever writes. (What was sent once does not expire in an idempotent client; that what
# was never sent does not either is our doing: `_TimeToLive`.)
PATIENCE_MS = 120_000
# Whoever ends waits this long for what is under way; with no broker there it is given up, and said.
ENDING_S_MAX = 20.0
# The client comes back to a batch it could not send after a tenth of a second, and ours then refuses it.
REFUSED_S_MAX = 5.0


class UnconfirmedError(KafkaError):  # type: ignore[misc]
    """Records were given up before a broker had confirmed them; it may have them all the same."""


class StaleWriteError(UnconfirmedError):
    """Records were still here when our partitions went to another, who writes them in our place."""


# What the client says of records that found no leader until their time was over.
_LEADERLESS = (LeaderNotAvailableError, NotLeaderForPartitionError)


class KafkaWriter:
    """Hands records to the client in order; `failed` holds why it stopped, once it did.

    With a `membership`, bytes go to a broker only while that is sure. They wait when it is not; when it is lost, what
    was handed over and not sent is refused with StaleWriteError, and the writer has failed: it does not know what has
    been said in its place.
    """

    def __init__(self, client: AIOKafkaProducer, settings: KafkaSettings, in_flight_max: int = IN_FLIGHT_MAX) -> None:
        self._client = client
        self._settings = settings
        self._in_flight = 0
        self._in_flight_max = in_flight_max
        self._room = asyncio.Event()
        self._room.set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._refusing: type[UnconfirmedError] | None = None
        self._membership: Membership | None = None
        self.failed: BaseException | None = None
        self.written = 0
        self._requests = 0
        self._guard()

    def speak_as(self, membership: Membership) -> None:
        """Write for a member of a group, as long as it is one."""
        self._membership = membership
        membership.on_lost = self._refuse

    def _refuse(self) -> None:
        """Send nothing of what is under way; what a broker has already may still be confirmed."""
        self._refusing = StaleWriteError if self._in_flight else None

    def _guard(self) -> None:
        """Put ourselves between the client's batches and its sockets, and its batches and its clock."""
        self._client._message_accumulator._batch_ttl = _TimeToLive(self)
        send = self._client.client.send

        async def guarded(node_id: int, request: Any, **more: Any) -> Any:
            if isinstance(request, ProduceRequest):
                await self._until_sure()
                self._requests += 1
            return await send(node_id, request, **more)

        self._client.client.send = guarded

    async def _until_sure(self) -> None:
        member = self._membership
        while member is not None and not member.sure and not self._refusing:
            await member.news()
        if self._refusing is not None:
            raise self._refusal(self._refusing)

    def _refusal(self, kind: type[UnconfirmedError]) -> UnconfirmedError:
        if kind is StaleWriteError:
            return kind(f"{self._in_flight} records were under way when our partitions went to another")
        return kind(f"{self._in_flight} records were under way when this ended, and no broker took them")

    @property
    def refuses(self) -> bool:
        """Whether what is under way is not to be sent any more."""
        return self._refusing is not None

    @property
    def in_flight(self) -> int:
        """Records that no broker has confirmed yet."""
        return self._in_flight

    async def write(self, record: ProducerRecord) -> None:
        """Hand one record over; waits while too many are under way. Raises what an earlier one failed with."""
        await self._wait_for_room()
        future = await self._taken(record)
        self._in_flight += 1
        self._idle.clear()
        if self._in_flight >= self._in_flight_max:
            self._room.clear()
        future.add_done_callback(self._confirmed)

    async def _taken(self, record: ProducerRecord) -> asyncio.Future[object]:
        """What will be done when a broker has the record, which the client has taken."""
        topic = self._settings.topic(record.topic)
        while True:
            try:
                return await self._client.send(  # type: ignore[no-any-return]
                    topic, record.value, record.key, record.partition, headers=record.headers
                )
            except KafkaTimeoutError:  # it had no room for so long, and did not take it
                self._check()

    async def write_frames(self, frames: Sequence[Frame], opening_headers: list[tuple[str, bytes]]) -> None:
        """Hand frames over, each to its lane and partition; opening frames with `opening_headers`."""
        for frame in frames:
            head = frame.header
            headers = opening_headers if head.opening else []
            key = b"%d" % head.partition
            await self.write(ProducerRecord(head.lane.topic, key, encode_frame(frame), head.partition, headers))

    async def write_dead_letter(self, letter: DeadLetter, partition: int = 0) -> None:
        """Hand a dead letter over."""
        await self.write(ProducerRecord("dead.letters", letter.source.encode(), canonical(letter), partition, []))

    async def write_gap(self, gap: Gap) -> None:
        """Hand an entry of the gap ledger over; all go to one partition, so that a later state follows the earlier."""
        await self.write(ProducerRecord("feed.gaps", gap.channel.encode(), canonical(gap), 0, []))

    async def hasten(self) -> None:
        """Let the client send what it was given before its caller goes on with work; it may be kept from it."""
        before = self._requests
        for _ in range(CLIENT_TURNS):
            await asyncio.sleep(0)
            if self._requests > before:
                return

    async def flush(self) -> None:
        """Return when everything is confirmed. Raises what failed."""
        await self._idle.wait()
        self._check()

    async def settle(self, patience_s: float) -> None:
        """Return when everything is confirmed; what is not by then is given up for lost. Raises what failed."""
        await self._wait_until_idle(patience_s)
        if self._in_flight and self._membership is not None:
            self._membership.lose()
        self._check()

    async def end(self, patience_s: float = ENDING_S_MAX) -> None:
        """Return when everything is confirmed, or given up: the client would wait for a broker for ever.

        Raises nothing; `failed` says what went wrong.
        """
        await self._wait_until_idle(patience_s)
        if self._in_flight:
            log.warning("%d records are given up: no broker confirms them", self._in_flight)
            self._refusing = self._refusing or UnconfirmedError
            await self._wait_until_idle(REFUSED_S_MAX)
            self.failed = self.failed or UnconfirmedError(f"{self._in_flight} records were not confirmed")

    async def _wait_until_idle(self, patience_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                await self._idle.wait()

    async def _wait_for_room(self) -> None:
        if not self._room.is_set():
            await self._room.wait()
        self._check()

    def _check(self) -> None:
        if self.failed is not None:
            raise self.failed

    def _confirmed(self, future: asyncio.Future[object]) -> None:
        error = asyncio.CancelledError() if future.cancelled() else future.exception()
        if self._refusing is not None and isinstance(error, _LEADERLESS):
            error = self._refusal(self._refusing)
        self._in_flight -= 1
        if error is not None and self.failed is None:
            self.failed = error
        self.written += error is None
        if self._in_flight < self._in_flight_max or self.failed is not None:
            self._room.set()
        if not self._in_flight:
            self._refusing = None
        if not self._in_flight or self.failed is not None:
            self._idle.set()


class _TimeToLive:
    """Of the client's batches, in the place of a number of seconds. A partition may be without a leader for as long as
    its broker is away; the client would give up what it was never able to send after a request's patience, and with it
    rows of a feed that nobody sends again. So a batch's time is over when its writer refuses what is under way, and
    not before.
    """

    def __init__(self, writer: KafkaWriter) -> None:
        self._writer = writer

    def __lt__(self, age_s: float) -> bool:
        return self._writer.refuses


@contextlib.asynccontextmanager
async def open_writer(settings: KafkaSettings, in_flight_max: int = IN_FLIGHT_MAX) -> AsyncIterator[KafkaWriter]:
    """A writer on an idempotent producer of its own; what was handed over is confirmed before the context ends."""
    async with producer(settings, request_timeout_ms=PATIENCE_MS) as client:
        writer = KafkaWriter(client, settings, in_flight_max)
        try:
            yield writer
        finally:
            await writer.end()
