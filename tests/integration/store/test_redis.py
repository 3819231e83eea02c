"""Hot state and lease on a real Redis (Valkey): latest views, alerts once, one holder at a time, absence."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.asyncio

from schemas.decisions import canonical
from services.errors import ConfigError
from services.redis.client import open_redis
from services.redis.gateway_lease import hold_lease
from services.redis.lease import Lease
from services.runtime.config import Config, RedisConfig, WarehouseConfig
from services.settings.kafka import KafkaSettings
from services.sinks.hot_state import HotStore, PoisonError
from tests.support.decisions import alert, view
from tests.support.services import ServiceProcess
from tests.support.topics import decision_records, put, view_records

pytestmark = pytest.mark.services

MINUTE_NS = 60_000_000_000


@pytest.fixture
def config(redis_url: str, request: pytest.FixtureRequest) -> RedisConfig:
    return RedisConfig(url=redis_url, prefix=f"{request.node.name}:", alerts_max=100)


@pytest.fixture
async def client(config: RedisConfig) -> AsyncIterator[Any]:
    made = open_redis(config)
    assert made is not None
    yield made
    await made.aclose()


async def test_the_latest_view_stands_whatever_order_they_came_in(client: Any, config: RedisConfig):
    store = HotStore(client, config)
    early, late = view(MINUTE_NS, stance="FALLING"), view(2 * MINUTE_NS)
    other = view(MINUTE_NS, context="gamma")
    assert await store.view(canonical(late))
    assert not await store.view(canonical(early))
    assert await store.view(canonical(other))
    found = await client.hgetall(f"{config.prefix}view:SPY")
    assert found == {b"price": canonical(late), b"gamma": canonical(other)}


async def test_an_alert_goes_out_once_however_often_it_comes(client: Any, config: RedisConfig):
    store = HotStore(client, config)
    async with client.pubsub() as listener:
        await listener.subscribe(f"{config.prefix}alerts")
        assert await store.alert(canonical(alert("a1")))
        assert not await store.alert(canonical(alert("a1")))
        assert await store.alert(canonical(alert("a2")))
        answers = [await listener.get_message(ignore_subscribe_messages=True, timeout=0.3) for _ in range(5)]
        heard = [message["data"] for message in answers if message is not None]
    assert heard == [canonical(alert("a1")), canonical(alert("a2"))]
    kept = await client.xrange(f"{config.prefix}alerts:stream")
    assert [fields[b"id"] for _, fields in kept] == [b"a1", b"a2"]


async def test_the_stream_of_alerts_is_capped(client: Any, config: RedisConfig):
    store = HotStore(client, config)
    for number in range(1000):
        await store.alert(canonical(alert(f"a{number}")))
    assert await client.xlen(f"{config.prefix}alerts:stream") < 300  # `~` trims by whole nodes of a hundred


async def test_one_holder_at_a_time_and_numbers_that_rise(client: Any, config: RedisConfig):
    first, second = Lease(client, config.prefix, 0.6), Lease(client, config.prefix, 0.6)
    one = await first.acquire()
    assert await second.acquire() is None
    assert await first.renew()
    await first.release()
    two = await second.acquire()
    assert one is not None
    assert two is not None
    assert time.time_ns() > one > time.time_ns() - 60 * 10**9
    assert two > one
    assert not await first.renew()
    await first.release()  # not the holder's any more: changes nothing
    assert await second.renew()


async def test_a_holder_that_was_stopped_has_lost_it_and_the_next_has_a_higher_number(client: Any, config: RedisConfig):
    first, second = Lease(client, config.prefix, 0.3), Lease(client, config.prefix, 0.3)
    one = await first.acquire()
    two = await second.await_turn()  # the first never renews
    assert one is not None
    assert two is not None
    assert two > one
    running = asyncio.create_task(first.run())
    await asyncio.wait_for(first.lost.wait(), 2)
    await running


async def test_a_holder_that_was_busy_beyond_its_term_keeps_what_nobody_took(client: Any, config: RedisConfig):
    first, second = Lease(client, config.prefix, 0.2), Lease(client, config.prefix, 0.2)
    await first.acquire()
    await asyncio.sleep(0.4)
    assert await first.renew()
    assert await second.acquire() is None
    await asyncio.sleep(0.4)
    assert await second.acquire() is not None
    await second.release()
    assert not await first.renew()  # free now, but somebody had it in between


async def test_numbers_rise_even_when_the_counter_is_ahead_of_the_clock(client: Any, config: RedisConfig):
    ahead = time.time_ns() + 10**15
    await client.set(f"{config.prefix}:fence", ahead)
    lease = Lease(client, config.prefix, 1)
    assert await lease.acquire() == ahead + 1


class Away:
    """A script of a Redis that does not answer."""

    async def __call__(self, *_: Any) -> Any:
        raise redis.ConnectionError("away")


async def test_a_redis_that_is_away_ends_no_gateway(client: Any, config: RedisConfig, caplog: pytest.LogCaptureFixture):
    lease = Lease(client, config.prefix, 0.3)
    await lease.acquire()
    there, lease._renew_script = lease._renew_script, Away()
    running = asyncio.create_task(lease.run())
    await asyncio.sleep(0.9)  # three terms
    assert not running.done()
    assert [record.message for record in caplog.records] == [
        "no lease while Redis is away, so gateways do not know of each other: away"
    ]
    lease._renew_script = there
    await asyncio.sleep(0.3)
    assert await Lease(client, config.prefix, 0.3).acquire() is None  # it is held again
    running.cancel()


async def test_a_redis_without_its_memory_is_told_again(client: Any, config: RedisConfig):
    """Every Redis that is shipped keeps nothing on disk; a restart of it is no other gateway."""
    first, second = Lease(client, config.prefix, 5), Lease(client, config.prefix, 5)
    one = await first.acquire()
    await client.delete(f"{config.prefix}:lease", f"{config.prefix}:fence")
    assert await first.renew()
    assert await second.acquire() is None
    await first.release()
    two = await second.acquire()
    assert one is not None
    assert two is not None
    assert two > one


async def test_who_began_without_redis_takes_the_lease_when_it_can(client: Any, config: RedisConfig):
    lease = Lease(client, config.prefix, 0.3)
    running = asyncio.create_task(lease.run())
    await asyncio.sleep(0.3)
    assert await Lease(client, config.prefix, 0.3).acquire() is None
    running.cancel()
    other = Lease(client, config.prefix, 5)
    await other.await_turn()
    late = Lease(client, config.prefix, 0.3)
    await asyncio.wait_for(late.run(), 2)  # another has it: two gateways would throw each other off the feed
    assert late.lost.is_set()


async def test_who_waits_for_its_turn_waits_for_redis_too(client: Any, config: RedisConfig):
    first, second = Lease(client, config.prefix, 0.5), Lease(client, config.prefix, 0.5)
    await first.acquire()
    there, second._acquire_script = second._acquire_script, Away()
    waiting = asyncio.create_task(second.await_turn())
    await asyncio.sleep(0.3)
    assert not waiting.done()
    second._acquire_script = there
    assert await asyncio.wait_for(waiting, 2) > 0


async def test_two_stacks_on_one_redis_do_not_wait_for_each_other(client: Any, config: RedisConfig):
    def stack(prefix: str, of_kafka: str = "") -> Config:
        return Config(redis=RedisConfig(url=config.url, prefix=prefix), kafka=KafkaSettings(prefix=of_kafka))

    stacks = stack(config.prefix), stack(f"{config.prefix}other:"), stack(config.prefix, "blue.")
    async with asyncio.timeout(5), contextlib.AsyncExitStack() as held:
        for one in stacks:
            assert (await held.enter_async_context(hold_lease(one, "gateway"))).number > 0
        for name in ("gateway", "other:gateway", "blue.gateway"):
            assert await client.exists(f"{config.prefix}{name}:lease") == 1


async def test_whoever_gives_up_waiting_takes_nothing_from_the_holder(client: Any, config: RedisConfig):
    ours, waits = Config(redis=config), asyncio.Event()
    async with hold_lease(ours, "gateway"):
        waiting = asyncio.create_task(hold_lease(ours, "gateway", waits.set).__aenter__())
        await asyncio.wait_for(waits.wait(), 5)
        connections = len(await client.client_list())
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert waiting.cancelled()
        assert await client.exists(f"{config.prefix}gateway:lease") == 1
        assert len(await client.client_list()) == connections - 1
    async with asyncio.timeout(5), hold_lease(ours, "gateway") as after:
        assert after.number > 0


@pytest.mark.parametrize("poison", [
    b"", b"{}", b"\xff\xfe", b'{"id": 3}', b'{"x":' + b"[" * 200_000 + b"]" * 200_000 + b"}", None,
], ids=["empty", "fields", "utf8", "type", "deep", "null"])  # fmt: skip
async def test_a_record_that_is_no_alert_is_told_from_a_redis_that_is_away(
    client: Any, config: RedisConfig, poison: Any
):
    store = HotStore(client, config)
    for put_out in (store.alert, store.view):
        with pytest.raises(PoisonError):
            await put_out(poison)


def test_an_address_that_is_none_is_named_and_a_password_is_not_shown():
    assert open_redis(RedisConfig()) is None
    with pytest.raises(ConfigError, match="not redis://"):
        open_redis(RedisConfig(url="http://host"))
    with pytest.raises(ConfigError, match="STRIKEWIRE_REDIS_PASSWORD") as told:
        open_redis(RedisConfig(url="redis://:w0rd@host"))
    assert "w0rd" not in str(told.value)
    with pytest.raises(ConfigError, match=r"^redis\.ca_file: "):
        open_redis(RedisConfig(url="redis://host", ca_file="ca.pem"))


def test_the_sink_keeps_hot_state_and_goes_on_without_it(
    kafka: KafkaSettings, warehouse: WarehouseConfig, config: RedisConfig, tmp_path: Path
):
    put(kafka, [*decision_records([alert("a1")]), *view_records([view()])])

    def sink(url: str) -> ServiceProcess:
        settings = {
            "kafka.prefix": kafka.prefix, "warehouse.database": warehouse.database, "redis.url": url,
            "redis.prefix": config.prefix,
        }  # fmt: skip
        options = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
        return ServiceProcess(
            "sink", "--warehouse", warehouse.url, "--brokers", kafka.brokers, *options, log=tmp_path / "log"
        )

    plain = redis.Redis.from_url(config.url)
    with sink("redis://127.0.0.1:9/0") as process:  # nobody there
        deadline = time.monotonic() + 20
        while "hot state is away" not in (tmp_path / "log").read_text():
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert process.stop() == 0
    with sink(config.url):
        deadline = time.monotonic() + 30
        while not plain.hgetall(f"{config.prefix}view:SPY") or not plain.xlen(f"{config.prefix}alerts:stream"):
            assert time.monotonic() < deadline
            time.sleep(0.2)
    assert plain.hget(f"{config.prefix}view:SPY", "price") == canonical(view())
    plain.close()
