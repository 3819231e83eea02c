"""Recorded days through the whole program: every bar arrives as a print, none is refused, and a replay says the same.

The tapes stand in LEAN's folders beside the checkout; how many prints each holds is known (bars of its trade archive).
What fires is told in docs/evidence.md.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.embedded.conftest import run

Note = Callable[[str], None]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def _played(realdata: Path, data_dir: Path, date: str, underlying: str) -> dict[str, object]:
    done = run(
        "demo", "--data-dir", data_dir, "--tape", realdata / "lean", "--date", date, "--underlying", underlying,
        "--speed", "max",
    )  # fmt: skip
    assert done.status == 0, done.stderr
    return done.summary


@pytest.mark.parametrize(
    ("underlying", "date", "prints"),
    [("AAPL", "2014-06-06", 22_067), ("GOOG", "2015-12-24", 958), ("SPXW", "2021-01-04", 1_918)],
)
def test_a_recorded_day_arrives_whole_and_replays_to_the_same_bytes(
    realdata: Path, tmp_path: Path, figure: Note, underlying: str, date: str, prints: int
) -> None:
    summary = _played(realdata, tmp_path / "var", date, underlying)
    figure(f"{underlying} {date}: {summary['trades']:,} prints of {summary['events']:,} rows in {summary['seconds']} s")
    assert summary["trades"] == prints
    assert summary["dead_letters"] == 0
    verified = run("verify", "--data-dir", tmp_path / "var")
    assert verified.status == 0, verified.stderr
    (verdict,) = verified.documents
    assert verdict["equal"] is True
    assert verdict["replay"]["digest"] == summary["digest"]


def test_a_day_without_quotes_is_the_same_log_every_time(realdata: Path, tmp_path: Path) -> None:
    """The market waits until each bar and the chains due with it are written, so two runs cannot differ."""
    one, other = (_played(realdata, tmp_path / name, "2014-06-06", "AAPL") for name in ("one", "other"))
    assert one["signals"], "the day's bounce off a put wall"
    for what in ("events", "frames", "signals", "alerts", "digest"):
        assert one[what] == other[what], what
