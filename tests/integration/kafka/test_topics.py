"""Topics on a real broker: made once, compared for ever, never changed."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import msgspec
import pytest

from schemas.topics import TOPICS
from services.kafka import topics
from services.settings.kafka import KafkaSettings

pytestmark = pytest.mark.services


def test_creating_again_makes_nothing(settings: KafkaSettings) -> None:
    assert asyncio.run(topics.create(settings, 4)) == []


def test_what_the_cluster_has_is_what_the_registry_says(settings: KafkaSettings) -> None:
    have = asyncio.run(topics.present(settings))
    assert set(have) == set(TOPICS)
    for name, want in topics.wanted(settings, 4).items():
        assert topics.differences(want, have[name]) == []


def test_another_number_of_partitions_is_refused_and_nothing_is_touched(settings: KafkaSettings) -> None:
    for partitions in (2, 8):
        with pytest.raises(topics.TopicDifferenceError, match="has partitions 4, the registry says"):
            asyncio.run(topics.create(settings, partitions))
    assert {one.partitions for one in asyncio.run(topics.present(settings)).values()} == {4}


def test_another_durability_is_named_not_applied(settings: KafkaSettings) -> None:
    safer = msgspec.structs.replace(settings, min_isr=2)
    with pytest.raises(topics.TopicDifferenceError, match=r"min\.insync\.replicas 1, the registry says 2"):
        asyncio.run(topics.create(safer, 4))


def test_the_command_ends_with_2_and_one_sentence(settings: KafkaSettings) -> None:
    command = [
        sys.executable, "-m", "services.cli", "topics", "create", "--brokers", settings.brokers, "--set",
        f"kafka.prefix={settings.prefix}", "--set", "gateway.partitions=8",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert "partitions 4, the registry says 8" in done.stderr
