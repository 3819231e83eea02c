"""The gateway on Kafka: the stand-in's market through real sockets, sequenced, judged by the real rules, audited."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from schemas.frames import Lane, decode_header
from services.commands.agents import calendar_of_day
from services.core.calendar import ny_date
from services.core.pipeline import Pipeline
from services.kafka.client import client_arguments, plain_consumer
from services.kafka.epochs import read_epoch
from services.kafka.log_tail import log_tail
from services.kafka.published import read_partition
from services.runtime.config import load
from services.settings.kafka import KafkaSettings
from services.wiring import build_pipeline, rules_digest
from tests.integration.kafka.conftest import PARTITIONS
from tests.support.audit import audit
from tests.support.services import ServiceProcess
from tests.torture.chain import EAGER

pytestmark = [pytest.mark.services, pytest.mark.timeout(300)]

GATEWAY = ("gateway", "--standin", "--seed", "3", "--speed", "60", "--duration", "4s")


@pytest.fixture
def configuration(settings: KafkaSettings, tmp_path: Path) -> Path:
    """Rules that speak at every trifle, on topics of this test's own."""
    path = tmp_path / "strikewire.toml"
    path.write_text(f'[kafka]\nbrokers = "{settings.brokers}"\nprefix = "{settings.prefix}"\n{EAGER}')
    return path


def run_gateway(configuration: Path) -> dict[str, Any]:
    """One epoch of four seconds; what it said last."""
    command = [sys.executable, "-m", "services.cli", *GATEWAY, "--config", str(configuration), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(json.loads(done.stdout.splitlines()[-1])["summary"])


def earliest_stamp(settings: KafkaSettings, epoch: int) -> int:
    """The earliest stamp of an epoch's frames."""

    async def earliest() -> int:
        async with plain_consumer(settings) as consumer:
            heads = [
                decode_header(record.value)
                for lane in Lane
                for partition in range(PARTITIONS)
                async for record in read_partition(consumer, settings.topic(lane.topic), partition)
            ]
            return min(head.received_ns for head in heads if head.epoch == epoch)

    return asyncio.run(earliest())


def test_two_epochs_of_a_market_are_judged_live_as_in_replay(
    settings: KafkaSettings, configuration: Path, tmp_path: Path
) -> None:
    config = load(configuration)

    def build(partition: int, log_ns: int) -> Pipeline:
        return build_pipeline(config.rules(), calendar_of_day(ny_date(log_ns)), partition)

    with ServiceProcess("agents", "--config", configuration, log=tmp_path / "agents.log"):
        first = run_gateway(configuration)
        middle = asyncio.run(log_tail(settings, PARTITIONS))
        second = run_gateway(configuration)
        end = asyncio.run(log_tail(settings, PARTITIONS))
        for _ in range(60):
            found = asyncio.run(audit(settings, PARTITIONS, build))
            if not found.missing:
                break
    assert second["after_epoch"] == first["epoch"] < second["epoch"] == end.epoch
    assert (end.received_ns or 0) > (middle.received_ns or 0), "the market went on where it had been"
    assert earliest_stamp(settings, second["epoch"]) >= (middle.received_ns or 0), "and no frame is stamped earlier"
    assert found.rows >= first["trades"] + second["trades"]
    assert found.decisions > 10
    assert (found.missing, found.doubled, found.foreign, found.different) == (0, 0, 0, 0)
    assert found.equal


def test_opening_frames_say_what_is_in_force(settings: KafkaSettings, configuration: Path) -> None:
    summary = run_gateway(configuration)

    async def openings() -> list[Any]:
        async with plain_consumer(settings) as consumer:
            return [
                read_epoch(record.headers)
                for lane in Lane
                for partition in range(PARTITIONS)
                async for record in read_partition(consumer, settings.topic(lane.topic), partition)
                if decode_header(record.value).opening
            ]

    said = asyncio.run(openings())
    assert len(said) == 3 * PARTITIONS
    assert set(said) == {said[0]}
    assert said[0].epoch == summary["epoch"]
    assert said[0].rules_digest == rules_digest(load(configuration).rules())


def test_a_gateway_without_topics_says_what_to_do(broker: str) -> None:
    command = [sys.executable, "-m", "services.cli", *GATEWAY, "--brokers", broker, "--set", "kafka.prefix=nowhere-"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "strikewire topics create" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("topic", ["feed.gaps", "dead.letters"])
def test_a_topic_it_will_need_later_is_missed_at_the_start(
    settings: KafkaSettings, configuration: Path, topic: str
) -> None:
    async def delete() -> None:
        admin = AIOKafkaAdminClient(**client_arguments(settings))
        await admin.start()
        try:
            await admin.delete_topics([settings.topic(topic)])
        finally:
            await admin.close()

    asyncio.run(delete())
    command = [sys.executable, "-m", "services.cli", *GATEWAY, "--config", str(configuration)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith("`strikewire topics create` makes what is missing")
    assert settings.topic(topic) in done.stderr.splitlines()[-1]
