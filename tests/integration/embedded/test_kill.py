"""Recovery is replay: kill -9 at any moment, start again, and nothing is lost or doubled."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from schemas.frames import Lane
from tests.integration.embedded.conftest import ROOT, command, run

pytestmark = pytest.mark.slow


KILLS = 3
# What a newcomer's own look at the store says, in a process of its own: the engine allows one path a process.
LOOK = """
import json, sys
from pathlib import Path
from schemas.frames import Lane
from schemas.topics import TOPICS
from services.history.engine import open_embedded
with open_embedded(Path(sys.argv[1]), create=False) as client:
    rows = {"epochs": client.query("SELECT count() FROM epochs").result_rows[0]}
    for lane in Lane:
        rows[lane.topic] = client.query(
            "SELECT count(), uniqExact(partition, epoch, position), (SELECT sum(rows) FROM frames WHERE lane ="
            f" {lane.value}) FROM {TOPICS[lane.topic].table}").result_rows[0]
    rows["alerts"] = client.query("SELECT count(), uniqExact(id) FROM alerts FINAL").result_rows[0]
print(json.dumps(rows))
"""


def test_kills_at_random_moments_lose_and_double_nothing(tmp_path: Path) -> None:
    data_dir = tmp_path / "var"
    moments = random.Random(20261122)
    for _ in range(KILLS):
        _killed_in_full_flight(data_dir, seconds=0.5 + 3 * moments.random())
    last = run("demo", "--data-dir", data_dir, "--duration", "3s", "--seed", "3", "--speed", "60")
    assert last.status == 0, last.stderr
    verdict = run("verify", "--data-dir", data_dir)
    assert verdict.status == 0, verdict.documents
    _every_recorded_event_is_there_once(data_dir)


def _killed_in_full_flight(data_dir: Path, seconds: float) -> None:
    demo = command("demo", "--json", "--data-dir", data_dir, "--duration", "60s", "--seed", "3", "--speed", "60")
    process = subprocess.Popen(demo, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert any("first frame with rows" in line for line in process.stderr), "the demo ended before its first frame"
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.communicate()


def _every_recorded_event_is_there_once(data_dir: Path) -> None:
    looked = subprocess.run(
        [sys.executable, "-c", LOOK, str(data_dir)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found = json.loads(looked.stdout)
    assert found["epochs"] == [KILLS + 1]
    for lane in Lane:
        rows, distinct, framed = found[lane.topic]
        assert rows == distinct == framed > 0, lane.topic
    alerts, distinct_ids = found["alerts"]
    assert alerts == distinct_ids
