"""Kafka into the warehouse, exactly once: the shell around `batch` (what belongs together) and `records` (what it is).

One loop reads; each topic-partition fills a batch; a complete batch becomes a task that commits its intent, hands
poison to dead.letters, inserts table by table, and tries again for as long as the warehouse is away. A partition whose
next batch is complete too is paused until then, so memory is bounded and Kafka keeps what waits.

What makes it exact (storage spec, after eBay's block aggregator):

- the intent is committed before the first insert and after the last one of the batch before it;
- a retry, here or in whoever gets the partition after us, inserts the same rows under the same token;
- a sink that lost its partition without noticing (it was stopped and came back) fails at its next commit, and commits
  again before it retries anything old.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from aiokafka.structs import OffsetAndMetadata

from schemas.decisions import canonical
from schemas.topics import TOPICS
from services.errors import InputError
from services.kafka.client import client_arguments, reaching
from services.runtime.config import SinkConfig
from services.runtime.metrics import Metrics
from services.settings.kafka import KafkaSettings
from services.sinks.batch import BatchLimits, Commit
from services.sinks.clickhouse import insert
from services.sinks.partition import LostPartitionError, Partition
from services.sinks.records import Item

__all__ = ["KafkaSink"]

log = logging.getLogger(__name__)

# Records taken from the consumer at once: some 10 ms of decoding, so heartbeats and inserts get their turn.
POLL_RECORDS = 200
POLL_MS = 100
# Between fetches for partitions that have nothing: little beside a batch's second, and quiet when idle.
FETCH_WAIT_MS = 50
# Inserts beside each other; the served engine has four handles and others want some.
INSERTS = 2
RETRY_MS_MIN = 100
OFFSETS_RETRY_S = 1.0
# The group's patience with a sink that says nothing: the least that Kafka grants.
SESSION_MS = 6_000
# For what is on its way when partitions go or the sink ends.
SETTLE_S = 5.0
END_S_MAX = 10.0
DEAD_LETTERS = "dead.letters"
LAG_EVERY_NS = 1_000_000_000


class KafkaSink:
    """Reads all topics of the registry as a member of a group and writes them to the warehouse until cancelled."""

    def __init__(
        self,
        kafka: KafkaSettings,
        config: SinkConfig,
        client: Any,
        metrics: Metrics,
        topics: Iterable[str] = tuple(TOPICS),
    ) -> None:
        self._kafka, self._config, self._client, self.metrics = kafka, config, client, metrics
        self._topics = {kafka.topic(name): TOPICS[name] for name in topics}
        self.limits = BatchLimits(config.rows_max, config.age_ms_max * 1_000_000)
        self._partitions: dict[TopicPartition, Partition] = {}
        self._threads = ThreadPoolExecutor(INSERTS, thread_name_prefix="insert")
        self._failed: asyncio.Future[None] | None = None
        self.assigned = asyncio.Event()
        self._lag_shown_ns = 0
        self.rows = 0
        self._troubles: dict[str, str] = {}  # why the warehouse does not take what it should, by table

    async def run(self) -> None:
        """Consume until cancelled; what was complete by then is inserted first, within a few seconds."""
        arguments = client_arguments(self._kafka)
        group = f"{self._kafka.prefix}{self._config.group}"
        self._consumer = AIOKafkaConsumer(
            **arguments, group_id=group, enable_auto_commit=False, auto_offset_reset="earliest",
            fetch_max_wait_ms=FETCH_WAIT_MS, session_timeout_ms=SESSION_MS, heartbeat_interval_ms=SESSION_MS // 4,
        )  # fmt: skip
        self._producer = AIOKafkaProducer(**arguments, enable_idempotence=True, acks="all")
        self._admin = AIOKafkaAdminClient(**arguments)
        self._group = group
        self._failed = asyncio.get_running_loop().create_future()
        try:
            await self._connect()
            self._consumer.subscribe(sorted(self._topics), listener=_Listener(self))
            while True:
                await self._turn()
        finally:
            await self._wind_up()

    async def _connect(self) -> None:
        """Raises KafkaUnreachableError, and InputError when a topic was not made."""
        with reaching(self._kafka):
            for client in (self._producer, self._admin, self._consumer):
                await client.start()
        missing = sorted(set(self._topics) - set(await self._admin.list_topics()))
        if missing:
            raise InputError(f"topic {missing[0]}", "is not there; `strikewire topics create` makes it")

    def not_ready(self) -> str | None:
        """Why this sink does not do its work, or None."""
        if not self.assigned.is_set():
            return "no partition was assigned yet"
        if self.trouble is not None:
            return self.trouble
        stuck = [one for one in self._partitions.values() if one.stuck]
        return f"{stuck[0].name} has not moved for long although there is more to read" if stuck else None

    async def _turn(self) -> None:
        """One round: read, fill, start what is due."""
        crowded = sum(one.pending_rows for one in self._partitions.values()) > self._config.pending_rows_max
        wanted = [topic_partition for topic_partition, one in self._partitions.items() if one.wants_more(crowded)]
        for topic_partition, records in (await self._read(wanted)).items():
            if (one := self._partitions.get(topic_partition)) is not None:
                one.take(records, time.monotonic_ns())
        for topic_partition, one in list(self._partitions.items()):
            if one.reforming:
                with suppress(IllegalStateError):  # it went in this very moment
                    one.reach(await self._consumer.position(topic_partition))
        now_ns = time.monotonic_ns()
        for one in self._partitions.values():
            one.advance(now_ns)
        if now_ns - self._lag_shown_ns > LAG_EVERY_NS:
            self._lag_shown_ns = now_ns
            self._show_lag()
        assert self._failed is not None
        if self._failed.done():
            self._failed.result()

    async def _read(self, wanted: list[TopicPartition]) -> dict[TopicPartition, list[Any]]:
        """Records of partitions that are known here: the consumer may have been given more in this very moment."""
        if wanted:
            return dict(await self._consumer.getmany(*wanted, timeout_ms=POLL_MS, max_records=POLL_RECORDS))
        assigned = list(self._partitions)
        if not assigned:
            await asyncio.sleep(POLL_MS / 1000)
            return {}
        # Nothing may come in. The consumer must be asked all the same, or the group takes it for dead.
        self._consumer.pause(*assigned)
        late = dict(await self._consumer.getmany(*assigned, timeout_ms=POLL_MS))
        self._consumer.resume(*(tp for tp in assigned if tp in self._consumer.assignment()))
        return late

    def _show_lag(self) -> None:
        lags = dict.fromkeys((topic.name for topic in self._topics.values()), 0)
        for one in self._partitions.values():
            lags[one.topic.name] += one.lag
        for name, lag in lags.items():
            self.metrics.set("strikewire_sink_lag_records", lag, topic=name)

    async def assign(self, topic_partitions: Iterable[TopicPartition]) -> None:
        """Take partitions over where whoever had them before left them."""
        wanted = list(topic_partitions)
        committed = await self._committed(wanted) if wanted else {}
        for topic_partition in wanted:
            offset, text = committed[topic_partition]
            start = offset if offset >= 0 else None
            self._partitions[topic_partition] = Partition(
                self, topic_partition, self._topics[topic_partition.topic], start, Commit.read(text)
            )
        self.assigned.set()

    async def _committed(self, topic_partitions: list[TopicPartition]) -> dict[TopicPartition, tuple[int, str]]:
        """Offset and metadata of each; for as long as it takes, because a listener that fails is only logged.

        A place where nothing was committed is in the answer, with -1. One that is not in it was not answered for: a
        coordinator that moves or loads says so in a field that the client does not look at, beside an empty list. Taken
        for "nothing committed", the intent would be forgotten, and its rows inserted again under other tokens.
        """
        while True:
            try:
                found = await self._admin.list_consumer_group_offsets(self._group, partitions=topic_partitions)
                lacking = [topic_partition for topic_partition in topic_partitions if topic_partition not in found]
                if not lacking:
                    return {topic_partition: (one.offset, one.metadata) for topic_partition, one in found.items()}
                why = f"nothing was said of {len(lacking)} of {len(topic_partitions)} places"
            except KafkaError as error:
                why = _short(error)
            log.warning("the group's offsets cannot be read and are asked for again: %s", why)
            await asyncio.sleep(OFFSETS_RETRY_S)

    async def revoke(self, topic_partitions: Iterable[TopicPartition]) -> None:
        """Let partitions go. What is on its way into the warehouse arrives there under its token, or is sent again."""
        gone = [
            one
            for topic_partition in topic_partitions
            if (one := self._partitions.pop(topic_partition, None)) is not None
        ]
        # While the warehouse answers, waiting is quicker than sending it all again.
        with suppress(TimeoutError):
            async with asyncio.timeout(0 if self.trouble else SETTLE_S):
                await asyncio.gather(*(one.settle() for one in gone))
        await asyncio.gather(*(one.abandon() for one in gone))

    async def _wind_up(self) -> None:
        await self.revoke(list(self._partitions))
        for end in (self._consumer.stop, self._producer.stop, self._admin.close):
            # With no broker there a producer waits for one for ever; the record of its letter was not acknowledged.
            with suppress(TimeoutError):
                async with asyncio.timeout(END_S_MAX):
                    await end()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def build(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run what takes its time beside the loop."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)

    def highwater(self, topic_partition: TopicPartition) -> int:
        """The offset the next record of a partition will get, as far as is known."""
        return self._consumer.highwater(topic_partition) or 0

    async def commit(self, topic_partition: TopicPartition, offset: int, note: Commit) -> None:
        """Commit an offset with what is said about it. Raises LostPartitionError."""
        while True:
            try:
                await self._consumer.commit({topic_partition: OffsetAndMetadata(offset, note.text())})
                return
            except (CommitFailedError, IllegalStateError) as error:
                raise LostPartitionError(str(error)) from None
            except KafkaError as error:
                if not getattr(error, "retriable", False):
                    raise LostPartitionError(str(error)) from None
                log.warning("a commit of %s failed and is tried again: %s", topic_partition, error)
                await asyncio.sleep(RETRY_MS_MIN / 1000)

    async def send_to_dlq(self, items: Iterable[Item]) -> None:
        """Hand poison to dead.letters; returns when Kafka has it."""
        topic = self._kafka.topic(DEAD_LETTERS)
        for item in items:
            letter = item.poison
            assert letter is not None
            log.warning("%s: %s", letter.source, letter.detail)
            self.metrics.count("strikewire_dead_letters_total", reason=letter.reason)
            if letter.source != DEAD_LETTERS:  # what is poison in dead.letters itself goes straight into its table
                await self._producer.send_and_wait(topic, canonical(letter), key=letter.source.encode())

    async def insert(self, table: str, rows: Any, name: str, fence: Callable[[], Awaitable[None]]) -> None:
        """Insert, trying again for as long as it takes. `prove` is awaited before every try."""
        wait_s = RETRY_MS_MIN / 1000
        loop = asyncio.get_running_loop()
        while True:
            await fence()
            began = time.monotonic()
            try:
                await loop.run_in_executor(self._threads, insert, self._client, table, rows, name)
                break
            except Exception as error:  # whatever the warehouse or the way to it makes of an insert
                self.metrics.count("strikewire_sink_retries_total", table=table)
                if table not in self._troubles:
                    log.warning("the warehouse does not take %s, which is tried again: %s", name, _short(error))
                self._troubles[table] = f"the warehouse does not take rows of {table}: {_short(error)}"
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, self._config.retry_ms_max / 1000)
        if self._troubles.pop(table, None) is not None:
            log.warning("the warehouse takes rows of %s again", table)
        self.metrics.observe("strikewire_sink_insert_seconds", time.monotonic() - began)
        self.metrics.count("strikewire_sink_rows_total", rows.num_rows, table=table)
        self.rows += rows.num_rows

    @property
    def trouble(self) -> str | None:
        """Why the warehouse does not take something, or None when it takes everything."""
        return next(iter(self._troubles.values()), None)

    def fail(self, error: BaseException) -> None:
        """Stop the sink: what happened is nobody's trouble but ours."""
        assert self._failed is not None
        if not self._failed.done():
            self._failed.set_exception(error)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Tells the sink which partitions are its own."""

    def __init__(self, sink: KafkaSink) -> None:
        self._sink = sink

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        await self._sink.revoke(revoked)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        await self._sink.assign(assigned)


def _short(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text[:200]
