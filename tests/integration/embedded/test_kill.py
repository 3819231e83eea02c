"""Recovery is replay: kill -9 at any moment, start again, and nothing is lost or doubled."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from schemas.frames import Lane
from schemas.topics import TOPICS
from services.history.engine import open_embedded
from tests.integration.embedded.conftest import ROOT, command, run

pytestmark = pytest.mark.slow


def test_three_kills_at_random_moments_lose_and_double_nothing(tmp_path: Path) -> None:
    data_dir = tmp_path / "var"
    moments = random.Random(20261122)
    for _ in range(3):
        demo = command("demo", "--json", "--data-dir", data_dir, "--duration", "60s", "--seed", "3", "--speed", "60")
        process = subprocess.Popen(demo, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while not (data_dir / "warehouse").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(2.5 + 3 * moments.random())
        process.send_signal(signal.SIGKILL)
        process.wait()
    last = run("demo", "--data-dir", data_dir, "--duration", "3s", "--seed", "3", "--speed", "60")
    assert last.status == 0, last.stderr
    verdict = run("verify", "--data-dir", data_dir)
    assert verdict.status == 0, verdict.documents
    _every_recorded_event_is_there_once(data_dir)


def _every_recorded_event_is_there_once(data_dir: Path) -> None:
    # A process of its own would be cleaner, but the engine allows one path a process, and nobody else opens one here.
    with open_embedded(data_dir, create=False) as client:
        (epochs,) = client.query("SELECT count() FROM epochs").result_rows[0]
        assert epochs == 4
        for lane in Lane:
            table = TOPICS[lane.topic].table
            rows, distinct, framed = client.query(
                f"SELECT count(), uniqExact(partition, epoch, position),"
                f" (SELECT sum(rows) FROM frames WHERE lane = {lane.value})"
                f" FROM {table}"
            ).result_rows[0]
            assert rows == distinct == framed > 0, table
        ids, distinct_ids = client.query("SELECT count(), uniqExact(id) FROM alerts FINAL").result_rows[0]
        assert ids == distinct_ids
