"""Whoever reads history reads it over HTTP as well: what one process recorded, others verify, tail and explain."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.services import ROOT, ServiceProcess

pytestmark = pytest.mark.services


def strikewire(*arguments: object) -> tuple[int, list[dict[str, Any]], str]:
    """A command's status, the JSON lines it printed, and what it told people."""
    command = [sys.executable, "-m", "services.cli", *map(str, arguments), "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=150, check=False)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, Any], str]]:
    """A short demo's history: its folder, its summary, and the URL where it is served."""
    folder = tmp_path_factory.mktemp("recorded")
    status, lines, told = strikewire("demo", "--seed", 7, "--duration", "6s", "--speed", 60, "--data-dir", folder)
    assert status == 0, told
    with ServiceProcess("warehouse", "--port", 0, "--data-dir", folder, log=folder / "log") as process:
        yield folder, lines[-1]["summary"], process.ready["url"]


def test_verify_over_http_finds_what_live_decided(recorded: tuple[Path, dict[str, Any], str]):
    _, summary, url = recorded
    status, (verdict,), _ = strikewire("verify", "--warehouse", url)
    assert (status, verdict["equal"]) == (0, True)
    assert verdict["replay"]["digest"] == summary["digest"]


def test_replay_and_tail_over_http_read_the_log(recorded: tuple[Path, dict[str, Any], str]):
    _, summary, url = recorded
    status, (run,), _ = strikewire("replay", "--warehouse", url)
    assert (status, run["events"], run["digest"]) == (0, summary["events"], summary["digest"])
    status, rows, _ = strikewire("tail", "options.trades", "-n", 3, "--warehouse", url)
    assert (status, len(rows)) == (0, 3)
    status, alerts, _ = strikewire("tail", "alerts", "-n", 1, "--warehouse", url)
    assert status == 0
    if alerts:
        status, (why,), _ = strikewire("explain", alerts[0]["id"], "--warehouse", url)
        assert (status, why["reproduced"]) == (0, True)


def test_the_folder_belongs_to_the_server_meanwhile(recorded: tuple[Path, dict[str, Any], str]):
    folder, _, _ = recorded
    status, _, told = strikewire("verify", "--data-dir", folder)
    assert status == 2
    assert "is in use by process" in told
    assert "strikewire warehouse" in told


def test_a_server_that_is_not_there_is_one_sentence():
    status, lines, told = strikewire("tail", "alerts", "--warehouse", "http://127.0.0.1:9")
    assert (status, lines) == (2, [])
    assert len(told.strip().splitlines()) == 1
    assert "127.0.0.1:9" in told
