"""Bad input ends with status 2 and one sentence that names it; never a traceback, never silence."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.integration.embedded.conftest import LIMIT_S, ROOT, command


def refused(*arguments: object, named: str) -> None:
    """Assert that a command is refused with one sentence that names the culprit."""
    done = subprocess.run(command(*arguments), cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 2, (done.returncode, done.stderr)
    assert named in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_a_data_directory_that_is_not_there(tmp_path: Path) -> None:
    refused("replay", "--data-dir", tmp_path / "nowhere", named="nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_a_misspelt_key_in_a_file(tmp_path: Path) -> None:
    config = tmp_path / "typo.toml"
    config.write_text("[gateway]\nflush_milliseconds = 20\n")
    refused("demo", "--config", config, "--data-dir", tmp_path / "x", named="flush_milliseconds")


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("detectors.unusal_activity.enabled=false", "unusal_activity"),
        ("detectors.unusual_activity.enabled=maybe", "maybe"),
        ("scanner.score_minimum=3", "score_minimum"),
        ("gateway.api_key=secret", "MASSIVE_API_KEY"),
        ("nonsense", "nonsense"),
        ("gateway.partition_overrides.SPX=9", "partition_overrides.SPX = 9"),
        ("detectors.unusual_activity.weight_volume=30", "its weights add up to 110, not to 100"),
        ("contexts.gamma.wall_mark_s=0", "wall_mark_s"),
    ],
)
def test_an_override_that_cannot_be(tmp_path: Path, override: str, named: str) -> None:
    refused("demo", "--set", override, "--duration", "1s", "--data-dir", tmp_path / "x", named=named)


def test_a_rule_nobody_knows(tmp_path: Path) -> None:
    refused("detectors", "--set", "detectors.typo.enabled=false", named="detectors.typo: there is no such detector")


def test_a_server_where_history_is_recorded_here(tmp_path: Path) -> None:
    refused("demo", "--warehouse", "http://127.0.0.1:9", "--data-dir", tmp_path / "x", named="--warehouse")
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("words", [("tail", "options.trades"), ("replay",)], ids=lambda words: words[0])
def test_an_underlying_that_cannot_be(words: tuple[str, ...]) -> None:
    done = subprocess.run(
        command(*words, "--underlying", "ABCDEFGHIJ"), capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith("'ABCDEFGHIJ' is not a symbol of 1 to 8 ASCII characters")


def test_a_configuration_that_is_not_there(tmp_path: Path) -> None:
    refused("detectors", "--config", tmp_path / "none.toml", named="none.toml")


def test_a_file_where_the_data_directory_should_be(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("")
    refused("demo", "--duration", "1s", "--data-dir", tmp_path / "var", named="var")


def test_a_topic_nobody_knows(tmp_path: Path) -> None:
    refused("tail", "alarms", "--data-dir", tmp_path, named="alarms")


def test_a_feed_without_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MASSIVE_API_KEY", raising=False)
    refused("up", "--data-dir", tmp_path, named="MASSIVE_API_KEY")


def test_a_date_that_is_none(tmp_path: Path) -> None:
    done = subprocess.run(
        command("demo", "--tape", tmp_path, "--date", "yesterday", "--underlying", "AAPL"),
        cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "yesterday" in done.stderr


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("tail", "alerts", "--warehouse", "http://127.0.0.1:abc"), "warehouse.url"),
        (("topics", "list", "--brokers", "localhost:abc"), "kafka.brokers"),
        (("gateway", "--standin", "--set", "redis.url=redis://127.0.0.1:99999/0"), "redis.url"),
    ],
)
def test_an_address_that_cannot_be(tmp_path: Path, words: tuple[str, ...], named: str) -> None:
    refused(*words, "--data-dir", tmp_path, named=named)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("gateway", "--rest-url", "https://there"), "--rest-url"),
        (("gateway", "--standin", "--rest-url", "https://there"), "--rest-url"),
        (("gateway", "--standin", "--feed-url", "wss://there", "--rest-url", "https://there"), "--feed-url"),
        (("gateway", "--feed-url", "wss://there"), "--rest-url"),
        (("gateway", "--feed-url", "socket.massive.com", "--rest-url", "https://there"), "ws:// or wss://"),
        (("gateway", "--feed-url", "wss://there", "--rest-url", "there"), "http:// or https://"),
        (("gateway", "--feed-url", "wss://there:abc", "--rest-url", "https://there"), "wss://there:abc"),
        (("gateway", "--set", "gateway.ws_url=socket.massive.com"), "ws:// or wss://"),
        (("gateway", "--set", "gateway.rest_url=api.massive.com"), "http:// or https://"),
        (("gateway", "--feed-url", "wss://there", "--rest-url", "https://there", "--duration", "5s"), "--duration"),
        (("gateway", "--scenario", "quiet"), "--scenario"),
        (("gateway", "--fault-seed", "0"), "--fault-seed"),
        (("up", "--feed-url", "socket.massive.com"), "ws:// or wss://"),
        (("up", "--feed-url", "wss://there:abc"), "wss://there:abc"),
        (("up", "--set", "gateway.ws_url=socket.massive.com"), "ws:// or wss://"),
    ],
)
def test_a_feed_that_cannot_be(
    tmp_path: Path, words: tuple[str, ...], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASSIVE_API_KEY", "a-key")
    brokers = ("--brokers", "127.0.0.1:9") if words[0] == "gateway" else ()
    refused(*words, *brokers, "--data-dir", tmp_path, named=named)
