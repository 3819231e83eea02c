"""History on demand: made, gone on with, replayed and verified, without network."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.embedded.conftest import run


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object]]:
    """One session before the half day, thin, with chains at its open and close."""
    data_dir = tmp_path_factory.mktemp("history")
    return data_dir, _make(data_dir)


def _make(data_dir: Path) -> dict[str, object]:
    finished = run(
        "standin", "--make-history", data_dir, "--days", 1, "--intensity", 0.004, "--chains-every", 390, "--seed", 5,
        "--scenario", "half_day", "--json",
    )  # fmt: skip
    assert finished.status == 0, finished.stderr
    return finished.documents[-1]


def test_what_is_made_replays_to_the_same_decisions(made: tuple[Path, dict[str, object]]) -> None:
    data_dir, summary = made
    assert summary["sessions"] == 1
    assert int(str(summary["trades"])) > 10_000
    verified = run("verify", "--data-dir", data_dir, "--json")
    assert verified.status == 0, verified.stderr
    assert verified.documents[-1]["equal"] is True
    assert verified.documents[-1]["replay"]["digest"] == summary["digest"]


def test_the_same_command_goes_on_with_the_scenarios_own_session(made: tuple[Path, dict[str, object]]) -> None:
    data_dir, first = made
    second = _make(data_dir)
    # A half day has not much more than half of a whole one's prints.
    assert 0.3 < int(str(second["trades"])) / int(str(first["trades"])) < 0.9
    verified = run("verify", "--data-dir", data_dir, "--json")
    assert verified.documents[-1]["equal"] is True


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--days", 0), "--days 0"),
        (("--days", 100_000), "--days 100000"),
        (("--intensity", 0), "--intensity 0"),
        (("--density", 17), "--density 17"),
        (("--chains-every", 400), "--chains-every 400"),
        (("--scenario", "bedlam"), "plain, calm, crash"),
    ],
)
def test_a_wrong_wish_is_one_sentence(tmp_path: Path, arguments: tuple[object, ...], named: str) -> None:
    finished = run("standin", "--make-history", tmp_path / "x", *arguments)
    assert finished.status == 2
    assert named in " ".join(finished.stderr.split())
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("option", "value"), [("--days", 3), ("--intensity", 0.5), ("--density", 2), ("--chains-every", 60)]
)
def test_where_no_history_is_made_its_options_are_refused(option: str, value: float) -> None:
    finished = run("standin", option, value, "--duration", "1s")
    assert finished.status == 2
    assert f"{option}: is for --make-history" in " ".join(finished.stderr.split())
