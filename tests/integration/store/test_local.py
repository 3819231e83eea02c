"""`make up` and `make down` without Docker."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deploy.kafka.broker import reason_not_here
from deploy.local import Local, Process, _is_alive, _started, compose_command, feed_arguments
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
    told: dict[str, object] = {"agents": 2, "speed": "10", "feed_url": None, "rest_url": None, "no_feed": False}
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
