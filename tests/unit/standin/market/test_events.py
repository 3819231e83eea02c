"""Announcements: where they fall, what they add to options, and that they are gone when they have passed."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from services.core.calendar import Calendar, ny_ns
from standin.market.book import Book
from standin.market.events import DECISION_MONTHS, NEVER_NS, EventSchedule, earnings_night, schedule_of
from standin.market.scenario import scenario_of
from standin.market.seeded import SeededMarket
from standin.market.universe import CAST, position_of

CALENDAR = Calendar.load(dt.date(2025, 1, 1), dt.date(2028, 12, 31))


@pytest.fixture(scope="module")
def schedule() -> EventSchedule:
    return schedule_of(7, scenario_of("plain"), CALENDAR, dt.date(2026, 12, 31))


def test_every_stock_reports_four_times_a_year_and_nothing_else_does(schedule: EventSchedule) -> None:
    reports = np.count_nonzero(schedule.earnings_ns < NEVER_NS, axis=1)
    stocks = np.array([member.kind == "stock" for member in CAST])
    assert set(reports[stocks].tolist()) == {8}
    assert not reports[~stocks].any()


def test_rates_are_decided_eight_times_and_inflation_told_twelve_times_a_year(schedule: EventSchedule) -> None:
    per_year = len(schedule.market_ns) / 2
    assert per_year == 12 + len(DECISION_MONTHS)
    assert np.all(np.diff(schedule.market_ns) > 0)
    assert ny_ns(dt.date(2025, 12, 17), 14) in schedule.market_ns.tolist()


def test_an_option_carries_the_announcements_it_outlives(schedule: EventSchedule) -> None:
    spx = np.array([position_of["SPX"]] * 3)
    now_ns = ny_ns(dt.date(2025, 12, 17), 10)
    settles = np.array(
        [ny_ns(dt.date(2025, 12, 17), 13), ny_ns(dt.date(2025, 12, 17), 16), ny_ns(dt.date(2026, 1, 30), 16)]
    )
    variance = schedule.variance(spx, settles, now_ns)
    assert variance[0] == 0.0
    assert variance[1] == pytest.approx(0.006**2)
    assert variance[2] == pytest.approx(2 * 0.006**2 + 0.005**2)
    assert not schedule.variance(spx[:2], settles[:2], ny_ns(dt.date(2025, 12, 17), 15)).any()


def test_who_reported_overnight(schedule: EventSchedule) -> None:
    nvda = position_of["NVDA"]
    at_ns = int(schedule.earnings_ns[nvda][0])
    assert earnings_night(schedule, at_ns, at_ns + 1)[nvda]
    assert not earnings_night(schedule, at_ns + 1, at_ns + 10**14)[nvda]


def _front_vol(book: Book, ticker: str) -> float:
    """At-the-money volatility of the first expiry at least a day away, a decimal a year."""
    slots = np.flatnonzero((book.slot_underlying == position_of[ticker]) & (book.years > 1 / 365))
    front = slots[np.argmin(book.years[slots])]
    return float(np.sqrt(book.theta[front] / book.years[front]))


def test_implied_volatility_ramps_into_earnings_and_is_crushed_after() -> None:
    market = SeededMarket(5, scenario="earnings")
    before = market._today.book
    quiet_before, nvda_before = _front_vol(before, "AAPL"), _front_vol(before, "NVDA")
    close_ns = market._today.day.session.close_ns
    after = SeededMarket(5, close_ns + 1, scenario="earnings")
    nvda_after, quiet_after = _front_vol(after._today.book, "NVDA"), _front_vol(after._today.book, "AAPL")
    assert nvda_before > 1.5 * CAST[position_of["NVDA"]].vol_annual
    assert nvda_after < 0.75 * nvda_before
    assert quiet_after == pytest.approx(quiet_before, rel=0.3)


def test_the_calm_market_has_no_announcements() -> None:
    quiet = schedule_of(7, scenario_of("calm"), CALENDAR, dt.date(2026, 12, 31))
    assert not len(quiet.market_ns)
    assert np.all(quiet.earnings_ns == NEVER_NS)
