"""Two gateways on one account: the second waits, and a first that was frozen and comes back does no harm."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.ports import free_port, free_ports
from services.commands.agents import calendar_of_day
from services.core.calendar import ny_date
from services.core.pipeline import Pipeline
from services.redis.gateway_lease import hold_lease
from services.runtime.config import Config, RedisConfig, load
from services.settings.kafka import KafkaSettings
from services.wiring import build_pipeline
from tests.support.audit import Audit, audit
from tests.support.services import ServiceProcess
from tests.torture.chain import EAGER
from tests.torture.processes import Process

pytestmark = [pytest.mark.services, pytest.mark.timeout(300)]

PARTITIONS = 2
READY_S_MAX = 90.0
PATIENCE_S = 60.0


@pytest.fixture
def configuration(kafka: KafkaSettings, redis_url: str, tmp_path: Path) -> Path:
    """Two partitions, this test's own topics and lease."""
    path = tmp_path / "strikewire.toml"
    path.write_text(
        f'[gateway]\nclock = "feed"\npartitions = {PARTITIONS}\n'
        f'[kafka]\nbrokers = "{kafka.brokers}"\nprefix = "{kafka.prefix}"\n'
        f'[redis]\nurl = "{redis_url}"\n{EAGER}'
    )
    return path


@pytest.fixture
def gateways(configuration: Path, tmp_path: Path) -> Iterator[list[Process]]:
    """Two of them before one market, each as on a machine of its own: the lock of a machine is not what is tested."""
    port = free_ports(2)
    program = [sys.executable, "-m", "services.cli"]
    market = Process(
        "standin", [*program, "standin", "--port", str(port), "--seed=3", "--speed=20", "--json"], tmp_path
    )
    feed = [f"--feed-url=ws://127.0.0.1:{port}", f"--rest-url=http://127.0.0.1:{port + 1}"]
    made = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        command = [*program, "gateway", *feed, "--json", "--config", str(configuration)]
        made.append(Process(name, ["env", f"TMPDIR={tmp_path / name}", *command], tmp_path))
    market.start()
    market.wait_until_ready(READY_S_MAX)
    yield made
    for one in (*made, market):
        one.stop()


def audited(configuration: Path) -> Audit:
    """The audit once nothing is missing, or as it is when patience ends."""
    config = load(configuration)

    def build(partition: int, log_ns: int) -> Pipeline:
        return build_pipeline(config.rules(), calendar_of_day(ny_date(log_ns)), partition)

    deadline = time.monotonic() + PATIENCE_S
    while True:
        found = asyncio.run(audit(config.kafka, PARTITIONS, build))
        if not found.missing or time.monotonic() > deadline:
            return found


def wait_for_words(gateway: Process, words: str) -> None:
    deadline = time.monotonic() + READY_S_MAX
    while words not in gateway.last_words():
        assert time.monotonic() < deadline, gateway.last_words()
        time.sleep(0.1)


def test_the_second_waits_for_the_first_to_end(gateways: list[Process]) -> None:
    first, second = gateways
    first.start()
    before = first.wait_until_ready(READY_S_MAX)
    second.start()
    wait_for_words(second, "another gateway holds the lease")
    time.sleep(2.0)
    assert second.ready() is None
    first.stop()
    after = second.wait_until_ready(READY_S_MAX)
    assert after["epoch"] > before["epoch"]


def asked(port: int, path: str) -> tuple[int, str]:
    """What health answers, once it answers at all."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode().strip()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode().strip()
        except OSError:
            assert time.monotonic() < deadline, "nobody serves health"
            time.sleep(0.1)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
async def test_one_that_waits_says_so_and_can_be_ended(
    redis_url: str, tmp_path: Path, number: signal.Signals, status: int
) -> None:
    """Kafka is not asked before the lease is there, so none is needed here."""
    port = free_port()
    prefix = f"{number.name}:"
    sets = [f"--set=redis.url={redis_url}", f"--set=redis.prefix={prefix}", f"--metrics-port={port}"]
    command = [sys.executable, "-m", "services.cli", "gateway", "--standin", "--brokers=127.0.0.1:9", *sets, "--json"]
    async with hold_lease(Config(redis=RedisConfig(url=redis_url, prefix=prefix)), "gateway"):
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        try:
            waits = "waits for the lease, which another gateway holds"
            while (found := await asyncio.to_thread(asked, port, "/ready")) != (503, waits):
                assert process.returncode is None, found
                await asyncio.sleep(0.05)
            assert await asyncio.to_thread(asked, port, "/live") == (200, "live")
            began = time.monotonic()
            process.send_signal(number)
            said, _ = await asyncio.wait_for(process.communicate(), 10)
        finally:
            if process.returncode is None:
                process.kill()
    assert process.returncode == status
    assert time.monotonic() - began < 3  # an interpreter's end; the lease would have been waited for for ever
    assert json.loads(said.splitlines()[-1])["summary"]["epoch"] == 0


def test_a_frozen_gateway_that_comes_back_ends_and_nobody_heard_it(
    gateways: list[Process], configuration: Path, tmp_path: Path
) -> None:
    first, second = gateways
    with ServiceProcess("agents", "--config", configuration, log=tmp_path / "agents.log"):
        first.start()
        first.wait_until_ready(READY_S_MAX)
        time.sleep(5.0)
        first.freeze()
        second.start()
        second.wait_until_ready(READY_S_MAX)  # ten seconds later: the lease's term
        first.thaw()
        wait_for_words(first, "the gateway's lease went to another; it ends here")
        time.sleep(5.0)
        second.stop()
        found = audited(configuration)
    assert found.rows > 1000
    assert found.decisions > 10
    assert (found.missing, found.doubled, found.foreign, found.different) == (0, 0, 0, 0)
    assert found.equal
