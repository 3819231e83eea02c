"""Seconds to settlement: a.m. and p.m., half days, night, and the floor."""

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from services.quant import clock

NEW_YORK = ZoneInfo("America/New_York")


def ns(year, month, day, hour, minute=0):
    return int(dt.datetime(year, month, day, hour, minute, tzinfo=NEW_YORK).timestamp()) * clock.NS_PER_SECOND


FRIDAY_OPEN, FRIDAY_CLOSE = ns(2024, 3, 15, 9, 30), ns(2024, 3, 15, 16)


def test_am_settled_contracts_end_at_the_open_and_pm_settled_at_the_close():
    assert clock.settlement_ns(FRIDAY_OPEN, FRIDAY_CLOSE, am_settled=True) == FRIDAY_OPEN
    assert clock.settlement_ns(FRIDAY_OPEN, FRIDAY_CLOSE, am_settled=False) == FRIDAY_CLOSE


def test_one_hour_before_the_close_is_one_hour():
    years, status = clock.calendar_years(ns(2024, 3, 15, 15), FRIDAY_CLOSE)
    assert years[0] == pytest.approx(3600 / (365 * 86_400), rel=1e-15)
    assert status[0] == clock.OK


def test_a_half_day_takes_three_hours_off():
    now = ns(2015, 12, 24, 10)
    half, _ = clock.calendar_years(now, ns(2015, 12, 24, 13))
    full, _ = clock.calendar_years(now, ns(2015, 12, 24, 16))
    assert (full - half)[0] * clock.SECONDS_PER_YEAR == pytest.approx(3 * 3600)


def test_summer_time_makes_the_weekend_an_hour_shorter():
    years, _ = clock.calendar_years(ns(2024, 3, 8, 16), ns(2024, 3, 11, 16))
    assert years[0] * clock.SECONDS_PER_YEAR == pytest.approx(71 * 3600)


def test_inside_the_floor_time_is_the_floor_and_says_so():
    years, status = clock.calendar_years(FRIDAY_CLOSE - 5 * clock.NS_PER_SECOND, FRIDAY_CLOSE)
    assert years[0] == clock.FLOOR_SECONDS / clock.SECONDS_PER_YEAR
    assert status[0] == clock.FLOORED


def test_after_settlement_there_is_no_time():
    years, status = clock.calendar_years(FRIDAY_CLOSE, [FRIDAY_CLOSE, FRIDAY_CLOSE - 1])
    assert np.isnan(years).all()
    assert (status == clock.EXPIRED).all()


def test_trading_time_counts_open_minutes_only():
    opens = np.array([ns(2024, 3, 14, 9, 30), FRIDAY_OPEN])
    closes = np.array([ns(2024, 3, 14, 16), FRIDAY_CLOSE])
    years, status = clock.trading_years(ns(2024, 3, 14, 15), FRIDAY_CLOSE, opens, closes)
    assert years[0] * clock.TRADING_MINUTES_PER_YEAR == pytest.approx(60 + 390)
    assert status[0] == clock.OK


def test_trading_time_of_an_am_settlement_overnight_is_floored_not_expired():
    opens, closes = np.array([FRIDAY_OPEN]), np.array([FRIDAY_CLOSE])
    years, status = clock.trading_years(ns(2024, 3, 14, 20), [FRIDAY_OPEN, ns(2024, 3, 14, 16)], opens, closes)
    assert status.tolist() == [clock.FLOORED, clock.EXPIRED]
    assert years[0] > 0.0
    assert np.isnan(years[1])
