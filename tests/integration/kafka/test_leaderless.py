"""Partitions without a leader: one of three brokers is gone, and nothing else has a copy."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from deploy.kafka.broker import Broker, reason_not_here
from deploy.ports import free_port
from schemas.frames import Lane
from services.kafka import writer
from services.kafka.client import client_arguments
from services.kafka.topics import create
from services.settings.kafka import KafkaSettings
from tests.integration.kafka.conftest import PARTITIONS, Start, assert_exact, audited, write
from tests.support.kafka_log import expected_digest, small_log

pytestmark = [pytest.mark.services, pytest.mark.timeout(300)]

NOTICED_S_MAX = 60.0
NO_LEADER = -1
# The client's patience with what has no leader, two minutes in production: here it is over while the leader is away.
PATIENCE_MS = 3_000


@pytest.fixture
def brokers(tmp_path: Path) -> Iterator[list[Broker]]:
    """Three that vote together, so that two can say that the third is gone."""
    reason = reason_not_here()
    if reason is not None:
        pytest.skip(f"no three brokers: {reason}")
    voters = [(node, free_port()) for node in (1, 2, 3)]
    made = [Broker(tmp_path / f"kafka{node}", node=node, voters=voters, controller_port=at) for node, at in voters]
    for one in made:
        one.start(wait=False)
    try:
        for one in made:
            one.wait_until_ready()
        yield made
    finally:
        for one in made:
            one.kill()


@pytest.fixture
def settings(brokers: list[Broker]) -> KafkaSettings:
    """Topics whose partitions each live on one broker only."""
    made = KafkaSettings(brokers=",".join(one.address for one in brokers), prefix="leaderless-")
    asyncio.run(create(made, PARTITIONS))
    return made


async def wait_for_leaderless(settings: KafkaSettings) -> None:
    """Return when the cluster has noticed that some partitions have no leader: after the broker's session, 9 s."""
    deadline = time.monotonic() + NOTICED_S_MAX
    admin = AIOKafkaAdminClient(**client_arguments(settings))
    await admin.start()
    try:
        while time.monotonic() < deadline:
            with contextlib.suppress(KafkaError):  # it may have asked the dead one
                told = await admin.describe_topics([settings.topic(lane.topic) for lane in Lane])
                if any(part["leader"] == NO_LEADER for topic in told for part in topic["partitions"]):
                    return
            await asyncio.sleep(0.5)
        raise AssertionError("every partition still has a leader")
    finally:
        await admin.close()


def test_a_partition_without_a_leader_is_waited_for_and_nothing_is_lost(
    settings: KafkaSettings, brokers: list[Broker], start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "PATIENCE_MS", PATIENCE_MS)
    log = small_log(seed=11, frames=240)
    digest, wanted = expected_digest(log)
    worker = start()
    worker.wait_until_ready()
    write(settings, log[: len(log) // 2])
    brokers[2].kill()
    writing = threading.Thread(target=write, args=(settings, log[len(log) // 2 :]), daemon=True)
    writing.start()
    asyncio.run(wait_for_leaderless(settings))
    time.sleep(2 * PATIENCE_MS / 1000)
    assert writing.is_alive(), "the writer waits for the leader"
    brokers[2].start()
    writing.join(90.0)
    assert not writing.is_alive()
    assert_exact(audited(settings, wanted), digest, wanted)
