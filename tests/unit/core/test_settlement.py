"""One rule of settlement: half days, closed days, Saturdays."""

from __future__ import annotations

import datetime as dt

import pytest

from services.core.calendar import Calendar, ny_ns
from services.core.settlement import settlement_ns


@pytest.mark.parametrize(
    ("expiry", "am_settled", "day", "hour", "minute"),
    [
        (dt.date(2025, 9, 19), True, dt.date(2025, 9, 19), 9, 30),
        (dt.date(2025, 9, 19), False, dt.date(2025, 9, 19), 16, 0),
        (dt.date(2025, 11, 28), False, dt.date(2025, 11, 28), 13, 0),  # the day after Thanksgiving
        (dt.date(2014, 6, 21), True, dt.date(2014, 6, 20), 9, 30),  # a Saturday, a.m.: the Friday's open
        (dt.date(2014, 6, 21), False, dt.date(2014, 6, 20), 16, 0),
        (dt.date(2019, 4, 19), True, dt.date(2019, 4, 18), 9, 30),  # Good Friday keeps the morning
        (dt.date(2019, 4, 19), False, dt.date(2019, 4, 18), 16, 0),
    ],
)
def test_a_contract_settles_in_its_session(
    expiry: dt.date, am_settled: bool, day: dt.date, hour: int, minute: int
) -> None:
    calendar = Calendar.load(expiry - dt.timedelta(days=10), expiry)
    assert settlement_ns(expiry, am_settled, calendar) == ny_ns(day, hour, minute)


def test_beyond_the_calendar_the_weekday_before_stands_in() -> None:
    assert settlement_ns(dt.date(2014, 6, 21), True, Calendar(())) == ny_ns(dt.date(2014, 6, 20), 9, 30)
