"""`make up` and `make down` without Docker."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from deploy import local as deploy_local
from deploy.kafka.broker import reason_not_here
from deploy.local import (
    Local,
    Process,
    _is_alive,
    _started,
    compose_command,
    docker_environment,
    env_variable,
    feed_arguments,
    refusal,
)
from tests.support.services import ROOT


def local(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "deploy/local.py", *map(str, arguments), "--no-docker"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)


@pytest.mark.services
@pytest.mark.slow
def test_up_starts_the_whole_chain_and_down_ends_it(tmp_path: Path):
    reason = reason_not_here()
    if reason is not None:
        pytest.skip(f"no broker: {reason}")
    up = local("up", "--folder", tmp_path, "--agents", 1, "--speed", 60)
    try:
        assert up.returncode == 0, up.stdout + up.stderr
        assert "127.0.0.1:" in up.stdout
        names = {process.name for process in Local(tmp_path).processes}
        assert {"kafka", "warehouse", "agents.1", "sink", "gateway"} <= names
        assert "it runs already" in local("up", "--folder", tmp_path).stdout
        deadline = time.monotonic() + 60
        while not (rows := _tail(tmp_path)):
            assert time.monotonic() < deadline, "no print of the market reached the warehouse"
            time.sleep(1)
        assert rows[0]["epoch"] > 0
        pids = [process.pid for process in Local(tmp_path).processes]
    finally:
        down = local("down", "--folder", tmp_path)
    assert down.returncode == 0, down.stdout + down.stderr
    assert not any(_started(pid) for pid in pids)
    assert local("down", "--folder", tmp_path).stdout.strip() == "nothing ran"


def _tail(folder: Path) -> list[dict[str, int]]:
    command = [sys.executable, "-m", "services.cli", "tail", "options.trades", "-n", "1", "--json"]
    done = subprocess.run(
        [*command, "--config", str(folder / "strikewire.toml")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def wish(action: str, **given: object) -> argparse.Namespace:
    told: dict[str, object] = {"agents": 2, "speed": None, "feed_url": None, "rest_url": None, "no_feed": False}
    return argparse.Namespace(action=action, **{**told, **given})


def test_docker_is_told_the_same_wish() -> None:
    up = ["docker", "compose", "up", "--detach", "--wait", "--scale", "agents=3"]
    assert compose_command(wish("up", agents=3)) == up
    assert compose_command(wish("up", agents=3, no_feed=True)) == [*up, "--scale", "gateway=0"]
    assert compose_command(wish("status"))[2:] == ["ps"]
    assert compose_command(wish("down"))[2:] == ["down"]
    assert feed_arguments(wish("up", speed="60")) == ["--standin", "--speed", "60"]
    real = feed_arguments(wish("up", feed_url="wss://there", rest_url="https://there"))
    assert real == ["--feed-url", "wss://there", "--rest-url", "https://there"]
    default = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["gateway"]["environment"]
    assert default["GATEWAY_ARGUMENTS"] == f"${{GATEWAY_ARGUMENTS-{' '.join(feed_arguments(wish('up')))}}}"


def test_a_feed_that_the_environment_names_is_not_replaced_by_a_made_up_market(tmp_path: Path) -> None:
    """`MASSIVE_API_KEY=... GATEWAY_ARGUMENTS= make up`: the gateway takes the vendor's feed, whoever runs it."""
    assert docker_environment(wish("up")) == {}
    assert docker_environment(wish("up", speed="60")) == {"GATEWAY_ARGUMENTS": "--standin --speed 60"}
    assert docker_environment(wish("up", feed_url="ws://a")) == {"GATEWAY_ARGUMENTS": "--feed-url ws://a"}
    assert feed_arguments(wish("up"), "") == []
    assert feed_arguments(wish("up"), "--standin --scenario quiet") == ["--standin", "--scenario", "quiet"]
    assert feed_arguments(wish("up"), None) == ["--standin", "--speed", "10"]
    assert env_variable("GATEWAY_ARGUMENTS", {}, tmp_path) is None
    assert env_variable("GATEWAY_ARGUMENTS", {"GATEWAY_ARGUMENTS": ""}, tmp_path) == ""
    for line, value in {
        "GATEWAY_ARGUMENTS=": "",
        'export GATEWAY_ARGUMENTS=""': "",
        "GATEWAY_ARGUMENTS='--standin --speed 3'": "--standin --speed 3",
        "GATEWAY_ARGUMENTS=--standin --speed 3  # slow": "--standin --speed 3",
    }.items():
        (tmp_path / ".env").write_text(f"# GATEWAY_ARGUMENTS=no\nMASSIVE_API_KEY=k\n{line}\n")
        assert env_variable("GATEWAY_ARGUMENTS", {}, tmp_path) == value
        assert env_variable("MASSIVE_API_KEY", {}, tmp_path) == "k"
        assert env_variable("GATEWAY_ARGUMENTS", {"GATEWAY_ARGUMENTS": "--seed 2"}, tmp_path) == "--seed 2"


@pytest.mark.parametrize(
    ("given", "told", "sentence"),
    [
        ({"rest_url": "https://r"}, None, "--rest-url belongs to a feed"),
        ({"speed": "5", "feed_url": "wss://f"}, None, "--speed is of the stand-in's market"),
        ({"no_feed": True, "feed_url": "wss://f"}, None, "--no-feed starts no gateway"),
        ({"speed": "5"}, "", "both say what the gateway listens to"),
        ({"feed_url": "wss://f"}, "--standin", "both say what the gateway listens to"),
        ({}, "", None),
        ({"no_feed": True}, "--standin", None),
        ({"feed_url": "wss://f", "rest_url": "https://r"}, None, None),
    ],
)
def test_wishes_that_do_not_go_together_are_refused(given: dict[str, object], told: str | None, sentence: str | None):
    reason = refusal(wish("up", **given), told)
    assert (reason is None) if sentence is None else (sentence in str(reason))


def test_what_docker_is_told_when_it_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Through `main`, with an engine that takes everything."""
    ran: list[dict[str, str]] = []

    def run(command: list[str], *, env: dict[str, str], **_: object) -> subprocess.CompletedProcess[str]:
        assert command[:2] == ["docker", "compose"]
        ran.append(env)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(deploy_local, "engine_answers", lambda: True)
    monkeypatch.setattr(deploy_local.subprocess, "run", run)
    monkeypatch.setattr(sys, "argv", ["local.py", "up"])
    monkeypatch.setenv("GATEWAY_ARGUMENTS", "")
    assert deploy_local.main() == 0
    assert ran[-1]["GATEWAY_ARGUMENTS"] == ""
    monkeypatch.setattr(sys, "argv", ["local.py", "up", "--speed", "3"])
    with pytest.raises(SystemExit) as ended:
        deploy_local.main()
    assert ended.value.code == 2
    assert "both say what the gateway listens to" in capsys.readouterr().err


def test_a_stranger_with_an_old_number_is_left_alone(tmp_path: Path):
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        mistaken = Process("sink", stranger.pid, "Thu Jan  1 00:00:00 1970", "", "log")
        assert not _is_alive(mistaken)
        (tmp_path / "processes.json").write_text(json.dumps([mistaken]))
        assert Local(tmp_path).down() == 0
        assert stranger.poll() is None
        ours = mistaken._replace(started=_started(stranger.pid))
        (tmp_path / "processes.json").write_text(json.dumps([ours]))
        assert Local(tmp_path).down() == 0
        assert stranger.wait(5) == -signal.SIGTERM
    finally:
        stranger.kill()
    assert _started(2**22 + os.getpid()) == ""


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process to be ended."""
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


def noted(folder: Path, *processes: Process) -> None:
    """Write the table."""
    (folder / "processes.json").write_text(json.dumps(processes))


@pytest.mark.parametrize("proc", [True, False])
def test_a_process_is_known_in_every_time_zone(
    sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, proc: bool
) -> None:
    if not proc:  # as on a machine without /proc
        monkeypatch.setattr(deploy_local, "BOOT", tmp_path / "none")
    began = []
    for zone in ("UTC0", "JST-9", "EST5EDT"):
        monkeypatch.setenv("TZ", zone)
        began.append(_started(sleeper.pid))
    assert began[0]
    assert len(set(began)) == 1
    sleeper.kill()
    time.sleep(0.1)
    assert _started(sleeper.pid) == "", "its remains are no process"


def test_a_name_with_brackets_and_spaces_hides_nothing(tmp_path: Path) -> None:
    program = tmp_path / "a ) Z (b"
    program.symlink_to("/bin/sleep")
    process = subprocess.Popen([program, "60"])
    try:
        assert _started(process.pid)
    finally:
        process.kill()
        process.wait()


def test_down_tells_what_ended_from_what_had(
    sleeper: subprocess.Popen[bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = Process("gateway", 2**22 + os.getpid(), "tick 1", "", "log")
    noted(tmp_path, Process("sink", sleeper.pid, _started(sleeper.pid), "", "log"), gone)
    assert Local(tmp_path).down() == 0
    assert capsys.readouterr().out.splitlines() == ["sink ended", "gateway had ended before"]
    assert not (tmp_path / "processes.json").exists()


def test_what_cannot_be_ended_is_remembered(
    sleeper: subprocess.Popen[bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stubborn = Process("sink", sleeper.pid, _started(sleeper.pid), "", "log")
    noted(tmp_path, stubborn, Process("gateway", 2**22 + os.getpid(), "tick 1", "", "log"))
    monkeypatch.setattr(deploy_local, "STOP_S_MAX", 0.1)
    monkeypatch.setattr(deploy_local, "KILL_S_MAX", 0.1)

    def refuse(*_: int) -> None:
        raise PermissionError("another's")

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(os, "kill", refuse)
        assert Local(tmp_path).down() == 1
    told = capsys.readouterr()
    assert "sink ended" not in told.out
    assert f"sink (pid {sleeper.pid}) could not be ended" in told.err
    assert Local(tmp_path).processes == [stubborn]
    assert Local(tmp_path).down() == 0
    assert sleeper.wait(5) == -signal.SIGTERM


@pytest.mark.parametrize(
    ("running", "dead", "no_feed", "missing"),
    [
        (["kafka", "warehouse", "agents.1", "sink"], ["gateway"], False, "gateway"),
        (["kafka", "warehouse", "sink", "gateway", "agents.1"], ["agents.2", "redis"], False, "agents.2, redis"),
        (["kafka", "warehouse"], [], False, "agents, sink, gateway"),
        (["kafka", "warehouse", "agents.1", "sink"], [], True, None),
        (["kafka", "warehouse", "agents.1", "sink", "gateway", "redis"], [], False, None),
    ],
)
def test_half_a_chain_is_no_chain(
    sleeper: subprocess.Popen[bytes],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    running: list[str],
    dead: list[str],
    no_feed: bool,
    missing: str | None,
) -> None:
    """One sleeping process stands for all that run."""
    began = _started(sleeper.pid)
    noted(
        tmp_path,
        *(Process(name, sleeper.pid, began, "", "log") for name in running),
        *(Process(name, 2**22 + os.getpid(), "tick 1", "", "log") for name in dead),
    )
    status = Local(tmp_path).up(wish("up", no_feed=no_feed))
    told = capsys.readouterr()
    if missing is None:
        assert (status, told.err) == (0, "")
        assert "it runs already" in told.out
    else:
        assert status == 2
        assert f"not running: {missing}; `make down` first" in told.err
