"""One session's path: bridge, jumps, drifts, halts, and volatility beside it."""

from __future__ import annotations

import numpy as np
import pytest

from standin.market.paths import Day
from standin.market.seeded import SeededMarket
from standin.market.universe import CAST, position_of
from standin.market.variance import intraday_shape


@pytest.fixture(scope="module")
def day() -> Day:
    return SeededMarket(7)._today.day


def test_a_path_begins_at_nothing_and_etfs_follow_their_index(day: Day) -> None:
    assert not day.log_return[0].any()
    assert np.array_equal(day.log_return[:, position_of["SPY"]], day.log_return[:, position_of["SPX"]])


def test_seconds_vary_by_the_clock_of_variance(day: Day) -> None:
    """More in the first half hour than around noon, by about the ratio of the clock."""
    steps = np.diff(day.log_return, axis=0)
    quiet = [at for at, member in enumerate(CAST) if member.kind == "stock" and member.weight < 3]
    opening, noon = np.median(steps[:1800, quiet].var(axis=0)), np.median(steps[9000:14400, quiet].var(axis=0))
    shape = intraday_shape(day.seconds)
    assert opening / noon == pytest.approx(shape[:1800].mean() / shape[9000:14400].mean(), rel=0.8)
    assert opening > 1.3 * noon


def test_an_informed_drift_is_in_the_path(day: Day) -> None:
    """What the day's informed traders know, taken out again, leaves a path without their drift: its mean in their
    direction over all drifts is nothing."""
    informed = day.morning.informed
    know = np.flatnonzero(informed.deviations)
    moved = [
        day.log_return[informed.drift_end_s[at], informed.moves[at]]
        - day.log_return[informed.drift_start_s[at], informed.moves[at]]
        for at in know
    ]
    expected = informed.deviations[know] * day.morning.daily_sd[informed.moves[know]]
    assert len(know) > 80
    assert np.polyfit(expected, moved, 1)[0] == pytest.approx(1.0, abs=0.25)


def test_halted_levels_stand_still_and_reopen_elsewhere() -> None:
    day = SeededMarket(3, scenario="halt")._today.day
    nvda = day.log_return[:, position_of["NVDA"]]
    assert np.all(nvda[600:1200] == nvda[600])
    assert nvda[1201] - nvda[1199] == pytest.approx(-0.083, abs=0.03)
    assert day.halted(599) is None
    halted, reopening_s = day.halted(600), day.reopening_s(1201, 3)
    assert halted is not None
    assert reopening_s is not None
    assert [CAST[at].ticker for at in np.flatnonzero(halted)] == ["NVDA"]
    assert {CAST[at].ticker: reopening_s[at] for at in np.flatnonzero(reopening_s)} == {"NVDA": 2}
    assert day.reopening_s(1203, 3) is None


def test_volatility_answers_to_the_level_at_once(day: Day) -> None:
    spx = position_of["SPX"]
    seconds = range(0, day.seconds, 60)
    log_vol = np.array([np.log(day.vols(second).now[spx]) for second in seconds])
    level = day.log_return[::60, spx][: len(log_vol)].astype(float)
    slope = np.polyfit(np.diff(level), np.diff(log_vol), 1)[0]
    # Ten times at typical volatility, with its inverse root elsewhere; its own moves blur the slope.
    assert -14 < slope < -5
