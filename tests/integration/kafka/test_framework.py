"""What we replace in the stream framework is still where we replace it."""

from __future__ import annotations

import asyncio
import inspect

import pytest
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.consumer.group_coordinator import CoordinatorGroupRebalance, GroupCoordinator
from faust.transport.conductor import Conductor
from faust.transport.consumer import Consumer as FaustConsumer
from faust.transport.drivers import aiokafka as driver

from schemas.frames import Lane
from services.agents.app import DELIVERY, Begun, make_app, run_agents
from services.agents.assignor import LanesTogether
from services.agents.partitions import Partitions
from services.kafka.client import FETCH_WAIT_MS
from services.kafka.membership import Membership
from services.kafka.writer import open_writer
from services.runtime.metrics import Metrics
from services.settings.kafka import KafkaSettings
from tests.support.kafka_log import build_small


def test_the_framework_still_makes_its_consumer_where_we_do() -> None:
    """When this fails a new Faust has moved the place: see whether `_create_worker_consumer` is still called."""
    made = inspect.getsource(driver.AIOKafkaConsumerThread._create_worker_consumer)
    assert "fetch_max_wait_ms=1500" in made, "the literal is gone: the override may be, too"
    assert "_create_worker_consumer" in inspect.getsource(driver.AIOKafkaConsumerThread._create_consumer)


def test_the_framework_still_races_each_delivery_where_we_begin_it() -> None:
    """When this fails a new Faust delivers in another way: see whether `wait_first` is worth overriding still."""
    drained = inspect.getsource(FaustConsumer._drain_messages)
    assert "self.wait_first(" in drained
    assert "callback(message), self.suspend_flow.wait()" in drained
    assert f"async def {DELIVERY}(message" in inspect.getsource(Conductor._compile_message_handler)


def test_the_client_still_asks_and_forgets_the_group_where_we_listen() -> None:
    """When this fails a new aiokafka has moved the place: see `Membership.watch`."""
    assert "self._send_req(request)" in inspect.getsource(GroupCoordinator._do_heartbeat)
    assert "self.reset_generation()" in inspect.getsource(GroupCoordinator._do_heartbeat)
    assert "_coordinator._send_req(request)" in inspect.getsource(CoordinatorGroupRebalance._send_sync_group_request)


def test_the_framework_still_tells_nobody_that_there_is_room_again() -> None:
    """When this fails a new Faust may wake whoever waits for records itself: see whether `on_buffer_drop` has to."""
    dropped = inspect.getsource(FaustConsumer.on_buffer_drop)
    assert "active_partitions.add(tp)" in dropped
    assert "notify" not in dropped
    assert "def _notify(" in inspect.getsource(Fetcher)
    assert "self._fetch_waiters.add(" in inspect.getsource(Fetcher._create_fetch_waiter)


@pytest.mark.parametrize("raising", [False, True])
async def test_a_delivery_that_has_to_wait_is_raced_to_its_end(raising: bool) -> None:
    gate, steps = asyncio.Event(), []

    async def on_message() -> str:
        steps.append("begun")
        try:
            await gate.wait()
            await asyncio.sleep(0)
        finally:
            steps.append("ended")
        if raising:
            raise ValueError("of the delivery")
        return "delivered"

    delivery = on_message()
    begun = Begun(delivery, delivery.send(None))
    assert steps == ["begun"]
    asyncio.get_running_loop().call_later(0.01, gate.set)
    if raising:
        with pytest.raises(ValueError, match="of the delivery"):
            await asyncio.ensure_future(begun)
    else:
        assert await asyncio.ensure_future(begun) == "delivered"
    assert steps == ["begun", "ended"]


async def test_a_delivery_that_waits_ends_when_the_race_is_lost() -> None:
    ended = asyncio.Event()

    async def on_message() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    delivery = on_message()
    task = asyncio.ensure_future(Begun(delivery, delivery.send(None)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()


async def nothing(_: Lane, __: int, ___: int, ____: bytes) -> None:
    """Take a record."""


def test_agents_are_three_one_at_a_time_and_serialise_nothing() -> None:
    app = make_app(KafkaSettings(), 4, nothing, Membership())
    assert sorted(app.agents) == ["lane.greeks", "lane.ticks", "lane.trades"]
    assert {agent.concurrency for agent in app.agents.values()} == {1}
    assert app.conf.value_serializer == app.conf.key_serializer == "raw"
    assert not app.tables
    assert not app.conf.web_enabled


@pytest.mark.services
async def test_the_consumer_of_a_running_worker_waits_20_ms_and_keeps_lanes_together(settings: KafkaSettings) -> None:
    async with open_writer(settings) as writer:
        held = Partitions(settings, build_small, writer, Metrics())
        async with run_agents(settings, 4, held):
            consumer = _find_consumer()
            assert consumer._loop is asyncio.get_running_loop(), "the consumer runs in a thread of its own again"
            assert consumer._fetcher._fetch_max_wait_ms == FETCH_WAIT_MS
            assert consumer._coordinator._assignors == [LanesTogether]


def _find_consumer() -> object:
    import gc

    from aiokafka import AIOKafkaConsumer

    # By its type, never `isinstance`: that would ask a weak reference of somebody else's, which may be dead.
    return next(one for one in gc.get_objects() if type(one) is AIOKafkaConsumer and one._group_id)
