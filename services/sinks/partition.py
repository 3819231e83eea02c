"""One topic-partition of the sink: the batch in hand, what came after it, and the batch on its way."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any, NamedTuple, Protocol

from aiokafka import TopicPartition

from schemas.topics import Topic
from services.sinks.batch import BatchLimits, Commit, Filling, token
from services.sinks.records import Item, Reader, SinkRecord, tables

__all__ = ["LostPartitionError", "Partition"]

log = logging.getLogger(__name__)

# An intent this old is committed again before an insert: the proof that the partition is still ours. Far younger than
# the warehouse's window of tokens, which at a second a batch holds a quarter of an hour.
PROOF_S = 10.0
# More to read and nothing read for so long: somebody should look.
STUCK_S = 30.0


class LostPartitionError(Exception):
    """The partition belongs to another sink by now."""


class Outside(Protocol):
    """What a partition asks of the sink."""

    limits: BatchLimits

    async def commit(self, topic_partition: TopicPartition, offset: int, note: Commit) -> None:
        """Commit, or raise LostPartitionError."""

    async def send_to_dlq(self, items: Iterable[Item]) -> None:
        """Hand poison to dead.letters."""

    async def insert(self, table: str, rows: Any, name: str, fence: Callable[[], Awaitable[None]]) -> None:
        """Insert under a name, trying until it is done."""

    async def build(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run beside the loop."""

    def highwater(self, topic_partition: TopicPartition) -> int:
        """The end of the partition, as far as is known."""

    def fail(self, error: BaseException) -> None:
        """Stop everything."""


class _Read(NamedTuple):
    """One record after the reader: what it brings (None for a repetition), and the last frame's place by then."""

    item: Item | None
    offset: int
    last: tuple[int, int]


class Partition:
    """Begins at the offset `start` that was committed (None: at whatever comes first) with the `commit` there."""

    def __init__(
        self, sink: Outside, topic_partition: TopicPartition, topic: Topic, start: int | None, commit: Commit
    ) -> None:
        self.topic = topic
        self._sink, self._topic_partition = sink, topic_partition
        self._reader = Reader(topic, topic_partition.partition, commit.last)
        self._filling = Filling(start, commit.end)
        self._items: list[Item] = []
        self._last_before = self._last = commit.last  # the last frame's position before, and in, the batch in hand
        self._waiting: deque[_Read] = deque()
        self._waiting_rows = 0
        self._position = start or 0
        self._sending: asyncio.Task[None] | None = None
        self._lost = False
        self._moved = time.monotonic()

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.topic.name}/{self._topic_partition.partition}"

    @property
    def pending_rows(self) -> int:
        """Rows in memory whose insert has not begun."""
        return self._filling.rows + self._waiting_rows

    @property
    def lag(self) -> int:
        """Records on Kafka that were not read yet."""
        return max(0, self._sink.highwater(self._topic_partition) - self._position)

    @property
    def stuck(self) -> bool:
        """Whether there is more to read and nothing was for long."""
        return self.lag > 0 and time.monotonic() - self._moved > STUCK_S

    def wants_more(self, crowded: bool) -> bool:
        """Whether to read on: not when the next batch is complete already, nor when memory is short and it has rows."""
        return not self._lost and not self._waiting and not (crowded and self.pending_rows)

    def take(self, records: Iterable[Any], now_ns: int) -> None:
        """Take what the consumer read, in order."""
        for one in records:
            record = SinkRecord(
                self.topic.name, one.partition, one.offset, one.timestamp * 1_000_000, one.value, one.headers
            )
            item = self._reader.read(record)
            self._waiting.append(_Read(item, one.offset, self._reader.last))
            self._waiting_rows += item.rows if item is not None else 0
            self._position = one.offset + 1
        self._moved = time.monotonic()
        self._fill(now_ns)

    def advance(self, now_ns: int) -> None:
        """Send the batch in hand on its way when it is due and none is on its way."""
        if self._sending is not None and not self._sending.done():
            return
        self._sending = None
        # What waits does not belong to the batch in hand, so that one is complete.
        if self._lost or not (self._waiting or self._filling.due(self._position, now_ns, self._sink.limits)):
            return
        start, end = self._filling.close()
        items, before, last = self._items, self._last_before, self._last
        self._filling, self._items, self._last_before = Filling(end), [], last
        self._fill(now_ns)
        self._sending = asyncio.create_task(self._send(start, end, items, before, last), name=f"send {self.name}")
        self._sending.add_done_callback(lambda _: self.advance(time.monotonic_ns()))

    @property
    def reforming(self) -> bool:
        """Whether the batch in hand was intended by an earlier run and is not complete yet."""
        return self._filling.intended and not self._waiting

    def reach(self, position: int) -> None:
        """The consumer stands at `position`: of what lies before it nothing more will come.

        Only a batch that is formed again needs to know: its last records may have left a compacted topic.
        """
        self._position = max(self._position, position)

    async def settle(self) -> None:
        """Wait for the batch that is on its way."""
        if self._sending is not None:
            await asyncio.wait({self._sending})

    async def abandon(self) -> None:
        """Stop caring about the batch on its way. An insert that runs already ends by itself."""
        self._lost = True
        if self._sending is not None:
            self._sending.cancel()
            with suppress(asyncio.CancelledError):
                await self._sending

    def _fill(self, now_ns: int) -> None:
        """Move what waits into the batch in hand, as far as it belongs there."""
        while self._waiting:
            item, offset, last = self._waiting[0]
            rows, day = (item.rows, item.day) if item is not None else (0, None)
            if not self._filling.takes(offset, rows, day, self._sink.limits):
                return
            self._waiting.popleft()
            self._waiting_rows -= rows
            self._filling.add(offset, rows, day, now_ns)
            self._last = last
            if item is not None:
                self._items.append(item)

    async def _send(
        self, start: int, end: int, items: list[Item], before: tuple[int, int], last: tuple[int, int]
    ) -> None:
        intent = Commit(end, before)
        fenced_at = float("-inf")

        async def fence() -> None:
            nonlocal fenced_at
            if time.monotonic() - fenced_at > PROOF_S:
                await self._sink.commit(self._topic_partition, start, intent)
                fenced_at = time.monotonic()

        try:
            await fence()
            poisoned = [item for item in items if item.poison is not None]
            if poisoned:
                await self._sink.send_to_dlq(poisoned)
            for table, rows in await self._sink.build(tables, self.topic, items):
                name = token(self.topic.name, self._topic_partition.partition, start, end, table)
                await self._sink.insert(table, rows, name, fence)
            if not self._waiting:
                # Nothing follows at once, whose intent would say so: nothing is left to be done again.
                await self._sink.commit(self._topic_partition, end, Commit(None, last))
            self._moved = time.monotonic()
        except LostPartitionError as error:
            log.warning("%s went to another sink: %s", self.name, error)
            self._lost = True
        except Exception as error:
            self._sink.fail(error)
