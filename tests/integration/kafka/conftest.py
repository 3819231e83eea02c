"""Topics of a test's own on the session's broker, and workers as processes."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from deploy.kafka.broker import die_with_parent
from schemas.frames import Frame
from services.kafka.topics import create
from services.kafka.writer import open_writer
from services.settings.kafka import KafkaSettings
from tests.support.audit import Audit, audit
from tests.support.kafka_log import build_small

ROOT = Path(__file__).resolve().parents[3]
PARTITIONS = 4
# Two slow cores with other tests on them; on an idle machine each takes a second or two.
PATIENCE_S = 60.0
_NUMBERS = itertools.count()

pytestmark = pytest.mark.services


class Worker:
    """One worker of the agents with the smallest pipeline."""

    def __init__(self, settings: KafkaSettings, instance: str, log: Path) -> None:
        command = [
            sys.executable, "-m", "tests.support.agents_worker", "--brokers", settings.brokers, "--prefix",
            settings.prefix, "--partitions", str(PARTITIONS), "--instance", instance,
        ]  # fmt: skip
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True, preexec_fn=die_with_parent
            )

    def wait_until_ready(self) -> list[int]:
        """The partitions it has."""
        assert self.process.stdout is not None
        told = json.loads(self.process.stdout.readline())
        assert told["ready"]
        return list(told["partitions"])

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()


Start = Callable[..., Worker]


@pytest.fixture
def settings(broker: str) -> KafkaSettings:
    """Topics of this test's own."""
    made = KafkaSettings(brokers=broker, prefix=f"t{os.getpid()}-{next(_NUMBERS)}-")
    asyncio.run(create(made, PARTITIONS))
    return made


@pytest.fixture
def start(settings: KafkaSettings, tmp_path: Path) -> Iterator[Start]:
    """Starts workers; those still there at the end are killed."""
    workers: list[Worker] = []

    def one(instance: str = "") -> Worker:
        workers.append(Worker(settings, instance, tmp_path / "workers.log"))
        return workers[-1]

    yield one
    for worker in workers:
        worker.kill()


def write(settings: KafkaSettings, frames: Sequence[Frame], pause_s: float = 0.0, chunk: int = 40) -> None:
    """Put frames on their lanes, in order, with a breath between chunks."""

    async def put() -> None:
        async with open_writer(settings) as writer:
            for start in range(0, len(frames), chunk):
                await writer.write_frames(frames[start : start + chunk], [])
                await asyncio.sleep(pause_s)
            await writer.flush()

    asyncio.run(put())


def audited(settings: KafkaSettings, wanted: int) -> Audit:
    """The audit once nothing is missing, or as it is when patience ends. `wanted`: how many decisions there must be."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        found = asyncio.run(audit(settings, PARTITIONS, build_small))
        if (found.decisions >= wanted and not found.missing) or time.monotonic() > deadline:
            return found
        time.sleep(0.5)


def assert_exact(found: Audit, digest: str, wanted: int) -> None:
    """Every decision once, byte for byte, and nothing else."""
    assert (found.decisions, found.missing, found.foreign, found.different, found.doubled) == (wanted, 0, 0, 0, 0)
    assert found.log_digest == found.topic_digest == digest
