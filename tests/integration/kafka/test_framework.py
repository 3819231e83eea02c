"""What we replace in the stream framework is still where we replace it."""

from __future__ import annotations

import inspect

import pytest
from faust.transport.drivers import aiokafka as driver

from schemas.frames import Lane
from services.agents import make_app, run_agents
from services.kafka.assignor import LanesTogether
from services.kafka.client import FETCH_WAIT_MS
from services.kafka.partitions import Partitions
from services.kafka.settings import KafkaSettings
from services.kafka.writer import open_writer
from services.metrics import Metrics
from tests.support.kafka_log import build_small


def test_the_framework_still_makes_its_consumer_where_we_do() -> None:
    """When this fails a new Faust has moved the place: see whether `_create_worker_consumer` is still called."""
    made = inspect.getsource(driver.AIOKafkaConsumerThread._create_worker_consumer)
    assert "fetch_max_wait_ms=1500" in made, "the literal is gone: the override may be, too"
    assert "_create_worker_consumer" in inspect.getsource(driver.AIOKafkaConsumerThread._create_consumer)


async def nothing(_: Lane, __: int, ___: int, ____: bytes) -> None:
    """Take a record."""


def test_agents_are_three_one_at_a_time_and_serialise_nothing() -> None:
    app = make_app(KafkaSettings(), 4, nothing)
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
            assert consumer._fetcher._fetch_max_wait_ms == FETCH_WAIT_MS
            assert consumer._coordinator._assignors == [LanesTogether]


def _find_consumer() -> object:
    import gc

    from aiokafka import AIOKafkaConsumer

    # By its type, never `isinstance`: that would ask a weak reference of somebody else's, which may be dead.
    return next(one for one in gc.get_objects() if type(one) is AIOKafkaConsumer and one._group_id)
