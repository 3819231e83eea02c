"""What a configuration refuses: numbers that stand for a loop or a stall, addresses that are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.errors import ConfigError
from services.history.engine import open_remote
from services.redis.client import open_redis
from services.runtime.config import RedisConfig, WarehouseConfig, load, split_address

AUTHORITY = Path(__file__)  # any file that is there


@pytest.mark.parametrize("override", [
    "sink.retry_ms_max=0", "sink.retry_ms_max=99", "sink.retry_ms_max=-1", "sink.rows_max=0", "sink.rows_max=1000001",
    "sink.age_ms_max=0", "sink.age_ms_max=86400000", "sink.pending_rows_max=0", "sink.metrics_port=99999",
    "sink.metrics_port=-1", "embedded.metrics_port=65536", "embedded.commit_ms_max=0", "embedded.commit_ms_min=-1",
    "embedded.pending_rows_max=0", "redis.alerts_max=0", "redis.alerts_max=100000000",
])  # fmt: skip
def test_a_number_out_of_bounds_is_refused_by_name(override: str) -> None:
    with pytest.raises(ConfigError, match=override.partition("=")[0].replace(".", r"\.")):
        load(None, [override])


def test_bounds_have_room_for_the_defaults_and_their_ends() -> None:
    load()
    config = load(None, ["sink.retry_ms_max=100", "sink.metrics_port=65535", "sink.rows_max=1"])
    assert (config.sink.retry_ms_max, config.sink.metrics_port, config.sink.rows_max) == (100, 65535, 1)


@pytest.mark.parametrize("url", [
    "http://127.0.0.1:abc", "http://127.0.0.1:99999", "http://127.0.0.1:0", "http://user:s3#cret@host", "http://[::1",
    "http://s3cret:abc",
])  # fmt: skip
def test_an_address_without_a_port_is_one_sentence_that_does_not_repeat_it(url: str) -> None:
    with pytest.raises(ConfigError, match=r"^some\.url: ") as told:
        split_address("some.url", url)
    assert "s3" not in str(told.value)
    with pytest.raises(ConfigError, match=r"^warehouse\.url: "):
        open_remote(WarehouseConfig(url=url))
    with pytest.raises(ConfigError, match=r"^redis\.url: "):
        open_redis(RedisConfig(url=url.replace("http", "redis")))


def test_an_option_in_an_address_that_redis_cannot_read_is_one_sentence() -> None:
    with pytest.raises(ConfigError, match=r"^redis\.url: .*socket_timeout"):
        open_redis(RedisConfig(url="redis://127.0.0.1:6379/0?socket_timeout=soon"))


def test_an_authority_is_no_wish_for_a_password_in_clear() -> None:
    with pytest.raises(ConfigError, match=r"^warehouse\.ca_file: is for TLS, and warehouse\.url begins with http://"):
        open_remote(WarehouseConfig(url="http://127.0.0.1:9", ca_file=str(AUTHORITY)))
    with pytest.raises(ConfigError, match=r"^redis\.ca_file: is for TLS, and redis\.url begins with redis://"):
        open_redis(RedisConfig(url="redis://127.0.0.1:9", ca_file=str(AUTHORITY)))


def test_an_authority_that_is_not_there_is_named(tmp_path: Path) -> None:
    missing = str(tmp_path / "ca.pem")
    with pytest.raises(ConfigError, match=r"^warehouse\.ca_file: .*ca\.pem: No such file"):
        open_remote(WarehouseConfig(url="https://127.0.0.1:9", ca_file=missing))
    with pytest.raises(ConfigError, match=r"^redis\.ca_file: .*ca\.pem: No such file"):
        open_redis(RedisConfig(url="rediss://127.0.0.1:9", ca_file=missing))
