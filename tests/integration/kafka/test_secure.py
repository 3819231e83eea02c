"""TLS and SASL against a broker that really asks for them: every client connects, and who is not let in says why."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.kafka.broker import BrokerError, reason_not_here
from services.agents import run_agents
from services.kafka.audit import audit
from services.kafka.partitions import Partitions
from services.kafka.settings import KafkaSettings
from services.kafka.topics import create
from services.kafka.writer import open_writer
from services.metrics import Metrics
from tests.integration.kafka.conftest import ROOT, assert_exact, write
from tests.support.certificates import Authority
from tests.support.kafka_log import build_small, expected_digest, small_log
from tests.support.secure_broker import SecureBroker

pytestmark = [pytest.mark.services, pytest.mark.timeout(180)]

USER, PASSWORD, KEY_PASSWORD = "strikewire", "s3cret-of-kafka", "s3cret-of-the-key"
PARTITIONS = 2


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
