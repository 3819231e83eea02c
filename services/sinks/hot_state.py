"""What is true now, in Redis, for dashboards and notifiers: the latest view of each context, and the alerts.

    HGETALL strikewire:view:SPY          a field a context, its published JSON
    SUBSCRIBE strikewire:alerts          alerts as they come
    XRANGE strikewire:alerts:stream - +  the last 10,000; field `document`, and `id` to drop what one has seen

Nothing depends on it: it reads the topics as a consumer of its own, and where Redis is absent it says so once, tries
again, and goes on from where it stopped. Alerts go out once by id, also when the topic repeats one; those older than a
day are no news.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaConnectionError

from services.kafka.client import KafkaUnreachableError, client_arguments, reaching
from services.redis.client import open_redis
from services.runtime.config import RedisConfig
from services.runtime.metrics import Metrics
from services.settings.kafka import KafkaSettings

__all__ = ["HotState", "HotStore"]

log = logging.getLogger(__name__)

POLL_MS = 200
RECORDS_MAX = 500
RETRY_S = (1.0, 30.0)
# Longer than Kafka keeps alerts matter to nobody who was not there; a day covers every repetition by a zombie.
KNOWN_S = 86_400

# Mark, stream and publish in one step: a crash between them would lose or double an alert here.
_ALERT_ONCE = """
if redis.call('SET', KEYS[1], 1, 'NX', 'EX', ARGV[1]) then
    redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[2], '*', 'id', ARGV[3], 'document', ARGV[4])
    redis.call('PUBLISH', KEYS[3], ARGV[4])
    return 1
end
return 0
"""
# Latest by the log's time, not by arrival: a recovering worker publishes old views again.
_VIEW_LATEST = """
local old = redis.call('HGET', KEYS[2], ARGV[1])
if old and tonumber(old) > tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
"""


class PoisonError(ValueError):
    """A record that is no alert or view; the sink buries it."""


class _Alert(msgspec.Struct):
    """The part of an alert that is needed here."""

    id: str


class _View(msgspec.Struct):
    """The part of a view that is needed here."""

    context: str
    underlying: str
    as_of_ns: int


Part = TypeVar("Part", _Alert, _View)


class HotStore:
    """The keys, over one asyncio Redis client."""

    def __init__(self, client: Any, config: RedisConfig) -> None:
        self._client, self._prefix, self._alerts_max = client, config.prefix, config.alerts_max
        self._alert_once = client.register_script(_ALERT_ONCE)
        self._view_latest = client.register_script(_VIEW_LATEST)
        self._read_alert = msgspec.json.Decoder(_Alert)
        self._read_view = msgspec.json.Decoder(_View)

    async def alert(self, document: bytes) -> bool:
        """Put an alert out unless it was; whether it was new. Raises PoisonError, and what Redis raises."""
        identity = _read(self._read_alert, document).id
        keys = [f"{self._prefix}alert:{identity}", f"{self._prefix}alerts:stream", f"{self._prefix}alerts"]
        return bool(await self._alert_once(keys, [KNOWN_S, self._alerts_max, identity, document]))

    async def view(self, document: bytes) -> bool:
        """Put a view in its place unless a later one stands there; whether it was put. Raises as `alert` does."""
        one = _read(self._read_view, document)
        key = f"{self._prefix}view:{one.underlying}"
        # Milliseconds, because Lua's numbers are doubles.
        return bool(await self._view_latest([key, f"{key}:at"], [one.context, one.as_of_ns // 1_000_000, document]))


def _read(decoder: msgspec.json.Decoder[Part], document: bytes) -> Part:
    try:
        return decoder.decode(document)
    except (msgspec.DecodeError, ValueError, TypeError, RecursionError) as error:  # no JSON, no UTF-8, None, too deep
        raise PoisonError(str(error)) from None


class HotState:
    """Reads `contexts` and `alerts` and keeps Redis up to date until cancelled. Without a URL it does nothing."""

    def __init__(self, kafka: KafkaSettings, config: RedisConfig, metrics: Metrics) -> None:
        self._kafka, self._config, self._metrics = kafka, config, metrics
        self._client = open_redis(config)

    async def run(self) -> None:
        """Run until cancelled."""
        if self._client is None:
            await asyncio.Event().wait()
            return
        store = HotStore(self._client, self._config)
        names = {self._kafka.topic(name): name for name in ("contexts", "alerts")}
        # Views of today are wanted even after a restart; the group remembers how far alerts went out.
        consumer = AIOKafkaConsumer(
            *names, **client_arguments(self._kafka), group_id=f"{self._kafka.prefix}hot-state",
            enable_auto_commit=False, auto_offset_reset="earliest", fetch_max_wait_ms=POLL_MS,
        )  # fmt: skip
        try:
            with reaching(self._kafka):
                await consumer.start()
            await self._ping(self._client)
            while True:
                batches = await consumer.getmany(timeout_ms=POLL_MS, max_records=RECORDS_MAX)
                oldest_ms = (time.time() - KNOWN_S) * 1e3
                records = [
                    (names[topic_partition.topic], one.value)
                    for topic_partition, batch in batches.items()
                    for one in batch
                    if names[topic_partition.topic] != "alerts" or one.timestamp >= oldest_ms
                ]
                await self._put_all(store, records)
                if batches:
                    await _commit(consumer)
        except KafkaConnectionError as error:
            raise KafkaUnreachableError(self._kafka.brokers, error) from None
        finally:
            await consumer.stop()
            await self._client.aclose()

    async def _ping(self, client: Any) -> None:
        """Say whether Redis is there before the first record does."""
        try:
            await client.ping()
            self._metrics.set("strikewire_hot_state_available", 1)
        except Exception as error:  # redis and its transport raise many kinds
            log.warning("hot state is away, alerts and history go on without it: %s", error)

    async def _put_all(self, store: HotStore, records: Sequence[tuple[str, bytes]]) -> None:
        """Put everything; waits while Redis is away."""
        wait_s, warned = RETRY_S[0], False
        for name, value in records:
            while True:
                try:
                    await self._put(store, name, value)
                    break
                except PoisonError:
                    break
                except Exception as error:  # redis and its transport raise many kinds
                    if not warned:
                        log.warning("hot state is away, alerts and history go on without it: %s", error)
                        warned = True
                    self._metrics.set("strikewire_hot_state_available", 0)
                    await asyncio.sleep(wait_s)
                    wait_s = min(2 * wait_s, RETRY_S[1])
        if warned:
            log.warning("hot state is back")
        if records:
            self._metrics.set("strikewire_hot_state_available", 1)

    async def _put(self, store: HotStore, name: str, value: bytes) -> None:
        if name == "contexts":
            await store.view(value)
        elif await store.alert(value):
            self._metrics.count("strikewire_hot_state_alerts_total")


async def _commit(consumer: AIOKafkaConsumer) -> None:
    """Note how far it went; a failed note means some are put again, which changes nothing."""
    try:
        await consumer.commit()
    except Exception as error:  # a rebalance, a broker that moves
        log.debug("hot state could not commit: %s", error)
