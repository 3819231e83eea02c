"""The promise everything stands on: the same log gives the same bytes of signals and alerts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.embedded.conftest import Finished, run

pytestmark = pytest.mark.slow

Recorded = tuple[Path, Finished]


def test_a_demo_alerts_and_ends_with_a_summary(recorded: Recorded) -> None:
    _, demo = recorded
    assert demo.alerts, "eight seconds at sixty times real time hold bursts worth an alert"
    assert demo.summary["trades"] > 1000
    assert demo.summary["alerts"] == len(demo.alerts)
    assert demo.summary["dead_letters"] == 0
    assert len({alert["id"] for alert in demo.alerts}) == len(demo.alerts)


def test_replay_gives_the_bytes_live_gave(recorded: Recorded) -> None:
    data_dir, demo = recorded
    verdict = run("verify", "--data-dir", data_dir)
    (document,) = verdict.documents
    assert verdict.status == 0
    assert document["equal"] is True
    assert document["first_difference"] is None
    assert document["live"] == document["replay"]
    assert document["live"]["digest"] == demo.summary["digest"]
    assert document["live"]["alerts"] == len(demo.alerts)


@pytest.mark.parametrize("env", [{"PYTHONHASHSEED": "1"}, {"PYTHONHASHSEED": "4242"}], ids=lambda env: str(env))
def test_hash_seeds_change_nothing(recorded: Recorded, env: dict[str, str]) -> None:
    data_dir, demo = recorded
    (document,) = run("replay", "--data-dir", data_dir, env=env).documents
    assert document["digest"] == demo.summary["digest"]


def test_a_generic_processor_gives_the_same_bytes(recorded: Recorded, tmp_path: Path) -> None:
    data_dir, demo = recorded
    env = {"NUMBA_CPU_NAME": "generic", "NUMBA_CACHE_DIR": str(tmp_path / "numba")}
    (document,) = run("replay", "--data-dir", data_dir, env=env).documents
    assert document["digest"] == demo.summary["digest"]


def test_verify_says_no_and_names_the_first_difference_when_a_rule_is_off(recorded: Recorded) -> None:
    data_dir, demo = recorded
    detector = demo.alerts[0]["detector"]
    verdict = run("verify", "--data-dir", data_dir, "--set", f"detectors.{detector}.enabled=false")
    (document,) = verdict.documents
    assert verdict.status == 1
    assert document["equal"] is False
    assert document["first_difference"]["live"]["detector"] == detector


def test_every_alert_can_be_explained_and_reproduced(recorded: Recorded) -> None:
    data_dir, demo = recorded
    for alert in demo.alerts[:3]:
        done = run("explain", alert["id"], "--data-dir", data_dir)
        (document,) = done.documents
        assert done.status == 0
        assert document["reproduced"] is True
        assert document["alert"] == alert
        assert document["inputs"]


def test_a_replay_of_one_underlying_is_part_of_the_whole(recorded: Recorded) -> None:
    data_dir, demo = recorded
    underlying = demo.alerts[0]["underlying"]
    done = run("replay", "--data-dir", data_dir, "--underlying", underlying, "--alerts")
    assert done.documents[:-1] == [alert for alert in demo.alerts if alert["underlying"] == underlying]
