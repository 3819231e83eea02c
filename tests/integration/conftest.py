"""The services of integration tests, in this order: one the environment names; a real process started here; a container
where a Docker engine answers; else the test is skipped with the reason (a failure under REQUIRE_SERVICES=1).
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from deploy.kafka.broker import Broker, engine_answers, reason_not_here

KAFKA_ENV = "STRIKEWIRE_TEST_KAFKA"
# The same version as the jars of deploy/kafka/pom.xml.
KAFKA_IMAGE = "apache/kafka:4.4.0"


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Kafka broker; tests keep apart by `kafka.prefix`."""
    named = os.environ.get(KAFKA_ENV)
    if named:
        yield named
        return
    reason = reason_not_here()
    if reason is None:
        with Broker(tmp_path_factory.mktemp("kafka")) as started:
            yield started.address
        return
    if not engine_answers():
        pytest.skip(f"no Kafka: {KAFKA_ENV} is not set, {reason}, and no Docker engine answers")
    from testcontainers.community.kafka import KafkaContainer

    with KafkaContainer(KAFKA_IMAGE).with_kraft() as container:
        yield container.get_bootstrap_server()
