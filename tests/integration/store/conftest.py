"""What the tests of the stores stand on: a broker, a served warehouse, and topics of a test's own."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Iterator
from typing import Any

import pytest

from deploy.kafka.broker import Broker, reason_not_here
from services.config import WarehouseConfig
from services.history.engine import open_remote
from services.kafka.settings import KafkaSettings
from services.kafka.topics import create
from tests.support.services import ServiceProcess

_NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def store_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A broker's address: the environment's, or a real one of our own."""
    named = os.environ.get("STRIKEWIRE_TEST_KAFKA")
    if named:
        yield named
        return
    reason = reason_not_here()
    if reason is not None:
        pytest.skip(reason)
    with Broker(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker.address


@pytest.fixture
def kafka(store_broker: str) -> KafkaSettings:
    """Settings for topics of this test's own, with two partitions each."""
    settings = KafkaSettings(brokers=store_broker, prefix=f"s{os.getpid()}-{next(_NUMBERS)}-")
    asyncio.run(create(settings, 2))
    return settings


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """A served warehouse."""
    folder = tmp_path_factory.mktemp("served")
    with ServiceProcess("warehouse", "--port", 0, "--data-dir", folder, log=folder / "log") as process:
        yield process


@pytest.fixture
def warehouse(served: ServiceProcess) -> WarehouseConfig:
    """A database of this test's own on the served warehouse."""
    config = WarehouseConfig(url=served.ready["url"], database=f"t{os.getpid()}_{next(_NUMBERS)}")
    open_remote(config).close()
    return config


@pytest.fixture
def client(warehouse: WarehouseConfig) -> Iterator[Any]:
    """The unchanged HTTP client on that database."""
    made = open_remote(warehouse)
    yield made
    made.close()
