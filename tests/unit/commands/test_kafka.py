"""What a command line says about Kafka reaches the clients."""

from __future__ import annotations

import pytest

from services.cli import _parsed
from services.commands._kafka import kafka_configuration
from services.settings.kafka import KafkaSettings


def kafka(*words: str) -> KafkaSettings:
    options = _parsed(list(words))
    assert options is not None
    return kafka_configuration(options).kafka


def test_a_workers_own_name_reaches_the_group() -> None:
    said = kafka("agents", "--instance", "desk-1", "--brokers", "somewhere:9092")
    assert (said.instance, said.brokers) == ("desk-1", "somewhere:9092")


@pytest.mark.parametrize("command", ["agents", "gateway", "sink"])
def test_what_is_not_said_is_the_configuration_s(command: str) -> None:
    said = kafka(command, "--set", "kafka.instance=desk-2", "--set", "kafka.brokers=there:1")
    assert (said.instance, said.brokers) == ("desk-2", "there:1")
