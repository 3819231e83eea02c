"""From session to session: one day leads into the next, and what is realised agrees with what options price."""

from __future__ import annotations

import datetime as dt
import itertools

import numpy as np
import pytest

from services.core.calendar import Calendar
from standin.market.events import schedule_of
from standin.market.paths import day_of
from standin.market.scenario import Scenario, scenario_of
from standin.market.universe import CAST, VOLS, position_of
from standin.market.walk import ALARM_S, MARKET, VIX, Walk

CALENDAR = Calendar.load(dt.date(2025, 1, 1), dt.date(2029, 1, 1))
SPX, SPY, NVDA = position_of["SPX"], position_of["SPY"], position_of["NVDA"]


def walk_of(scenario: Scenario | str, seed: int = 7) -> Walk:
    chosen = scenario_of(scenario) if isinstance(scenario, str) else scenario
    identity = chosen.identity(seed)
    return Walk(identity, chosen, CALENDAR, schedule_of(identity, chosen, CALENDAR, dt.date(2029, 1, 1)))


class Years:
    """Three years' sessions, (sessions, members): log returns from close to close and from open to open, log
    volatilities at the open."""

    def __init__(self, scenario: str, seed: int) -> None:
        walk = walk_of(scenario, seed)
        mornings = [walk.morning(session) for session in CALENDAR.sessions[:750]]
        self.returns = np.diff([morning.log_close for morning in mornings], axis=0)
        self.opening_returns = np.diff([morning.log_open for morning in mornings], axis=0)
        self.log_vol = np.array([morning.log_vol for morning in mornings])
        self.priced_sd = VOLS * np.exp(self.log_vol[:-1]) / np.sqrt(252.0)


@pytest.fixture(scope="module")
def plain() -> list[Years]:
    return [Years("plain", seed) for seed in (1, 2, 3)]


def test_a_day_opens_where_the_day_before_closed() -> None:
    """Over a week with a rate decision in it: the close the next morning knows is the end of the path."""
    walk = walk_of("plain")
    week = [session for session in CALENDAR.sessions if dt.date(2025, 12, 15) <= session.date][:5]
    days = [day_of(7, walk.morning(session)) for session in week]
    others = np.arange(len(CAST)) != VIX
    for today, tomorrow in itertools.pairwise(days):
        close = today.levels(today.seconds)
        assert close[others] == pytest.approx(tomorrow.previous_close_usd[others], rel=1e-4)


def test_any_morning_is_found_directly_as_well_as_day_by_day() -> None:
    stepping, direct = walk_of("plain"), walk_of("plain")
    for session in CALENDAR.sessions[230:250]:
        last = stepping.morning(session)
    found = direct.morning(CALENDAR.sessions[249])
    assert np.array_equal(last.log_open, found.log_open)
    assert np.array_equal(last.log_vol, found.log_vol)
    assert np.array_equal(
        direct.morning(CALENDAR.sessions[240]).log_open, stepping.morning(CALENDAR.sessions[240]).log_open
    )


def test_levels_are_the_casts_where_the_scenario_begins() -> None:
    for scenario in ("plain", "driftless", "crash"):
        session = CALENDAR.session_on(scenario_of(scenario).start)
        assert session is not None
        assert np.all(walk_of(scenario).morning(session).log_close == 0.0)


def test_realised_volatility_is_what_is_priced_less_a_premium(plain: list[Years]) -> None:
    """SPX realises 0.92 of its at-the-money volatility, rate decisions and inflation on top; 3 x 749 sessions."""
    ratio = np.concatenate([years.returns[:, MARKET] / years.priced_sd[:, MARKET] for years in plain])
    assert np.sqrt(np.mean(ratio**2)) == pytest.approx(0.94, abs=4 * 0.94 / np.sqrt(2 * len(ratio)))


def test_without_a_premium_the_driftless_market_realises_what_is_priced() -> None:
    years = Years("driftless", 5)
    ratio = years.returns[:, MARKET] / years.priced_sd[:, MARKET]
    assert np.sqrt(np.mean(ratio**2)) == pytest.approx(1.03, abs=0.09)


def test_volatility_falls_when_levels_rise_and_comes_back_slowly(plain: list[Years]) -> None:
    """Bounds are the recorded VIX9D's, the nearest to volatility now: over any 750 sessions since 2011 its logarithm
    had a deviation of 0.20 to 0.49 (0.33 in the middle) and a first autocorrelation of 0.84 to 0.96 (0.92); VIX
    itself, which looks further ahead, 0.15 to 0.41 and 0.89 to 0.98."""
    for years in plain:
        change, vol = np.diff(years.log_vol[:, MARKET]), years.log_vol[:, MARKET]
        assert np.corrcoef(years.opening_returns[:, MARKET], change)[0, 1] < -0.6
        assert 0.89 < np.corrcoef(vol[:-1], vol[1:])[0, 1] < 0.985
        assert 0.15 < vol.std() < 0.49


def test_a_move_of_volatility_passes_by_half_in_days_and_lasts_by_the_rest_for_months(plain: list[Years]) -> None:
    """VIX's logarithm, 2010 to 2026: 0.97, 0.88 and 0.66 over 1, 5 and 22 sessions, which no single scale gives."""
    logs = np.concatenate([years.log_vol[:, [MARKET]] for years in plain], axis=1)
    centred = logs - logs.mean()
    one, five, month = (float(np.mean(centred[lag:] * centred[:-lag]) / centred.var()) for lag in (1, 5, 22))
    assert one > 0.93
    assert one**5 - 0.03 < five < 0.92
    assert month > max(one**22, 0.5)


def test_alarms_are_rare_jumps_up_in_a_falling_market() -> None:
    """One session in eight, by an eighth on average, everybody's within a minute; none where the scenario has none."""
    walk, calm = walk_of("plain"), walk_of("calm")
    alarms = [
        step
        for session in CALENDAR.sessions[:400]
        for step in walk.morning(session).steps
        if step.end_s - step.start_s == ALARM_S
    ]
    assert len(alarms) == pytest.approx(48, abs=4 * np.sqrt(48))
    sizes = np.array([step.log_vol[MARKET] for step in alarms])
    assert sizes.min() > 0
    assert sizes.mean() == pytest.approx(0.125, abs=4 * 0.125 / np.sqrt(len(sizes)))
    assert all(step.log_return[MARKET] < 0 and step.log_vol.min() == step.log_vol.max() for step in alarms)
    assert not any(step.log_vol.any() for session in CALENDAR.sessions[:60] for step in calm.morning(session).steps)


def test_large_moves_cluster_and_have_fat_tails(plain: list[Years]) -> None:
    returns = np.concatenate([years.returns[:, NVDA] for years in plain])
    kurtosis = np.mean((returns - returns.mean()) ** 4) / np.var(returns) ** 2
    assert kurtosis > 3.8
    moves = [np.abs(years.returns[:, MARKET]) for years in plain]
    assert np.mean([np.corrcoef(move[:-5], move[5:])[0, 1] for move in moves]) > 0.02


def test_etfs_follow_their_index(plain: list[Years]) -> None:
    assert np.array_equal(plain[0].returns[:, SPX], plain[0].returns[:, SPY])


def test_daily_returns_do_not_foretell_each_other_in_the_driftless_market() -> None:
    """First autocorrelation of 749 sessions of each underlying within five deviations of nothing, on average zero."""
    returns = np.delete(Years("driftless", 9).returns, VIX, axis=1)
    first = [np.corrcoef(column[:-1], column[1:])[0, 1] for column in returns.T]
    assert np.max(np.abs(first)) < 5 / np.sqrt(len(returns))
    assert abs(np.mean(first)) < 0.02


def test_a_session_the_calendar_does_not_have_is_a_lookup_error() -> None:
    session = CALENDAR.sessions[0]._replace(date=dt.date(2031, 1, 2))
    with pytest.raises(LookupError, match="2031-01-02"):
        walk_of("plain").morning(session)
