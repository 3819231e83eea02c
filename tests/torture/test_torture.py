"""Twenty kill -9 over the whole chain, and freezes between them; three hundred are run by hand (docs/evidence.md)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.kafka.broker import reason_not_here
from tests.torture.faults import plan

ROOT = Path(__file__).resolve().parents[2]
KILLS = 20
# Four minutes where little else runs.
PATIENCE_S = 900


@pytest.mark.services
@pytest.mark.slow
@pytest.mark.timeout(PATIENCE_S + 60)
def test_nothing_is_lost_nothing_doubled_and_the_digests_are_equal(tmp_path: Path) -> None:
    reason = reason_not_here()
    if reason is not None:
        pytest.skip(f"no torture: {reason}")
    command = [sys.executable, "-m", "tests.torture", "--kills", str(KILLS), "--seed", "2", "--json"]
    done = subprocess.run(
        [*command, "--keep", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.stdout, done.stderr[-2_000:]
    found = json.loads(done.stdout)
    assert found["kills"] == KILLS
    assert found["decisions"] > 0
    told = ("lost", "different", "foreign", "digests_equal")
    assert {name: found[name] for name in told} == {"lost": 0, "different": 0, "foreign": 0, "digests_equal": True}, (
        found
    )
    # A worker that stood still with bytes in its kernel's hands may say them when it wakes up; a killed one never.
    assert found["doubled"] == found["doubled_by_zombies"], found["repeats"]
    assert found["warehouse"]["rows_doubled"] == 0


def test_a_seed_is_a_plan() -> None:
    victims = ["gateway", "agents-0", "agents-1", "sink", "broker"]
    first, again, other = (list(plan(seed, 30, victims)) for seed in (1, 1, 2))
    assert first == again != other
    assert sum(not fault.freeze_s for fault in first) == 30
    assert {fault.victim for fault in first} == set(victims)
