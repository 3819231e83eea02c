"""Sessions of the US options market, checked against dates that anybody can look up."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.core.calendar import NS, Calendar, Session, ny_date, ny_ns

HOUR_NS = 3_600 * NS


@pytest.fixture(scope="module")
def year() -> Calendar:
    return Calendar.load(dt.date(2025, 1, 1), dt.date(2025, 12, 31))


def test_a_year_has_its_sessions(year: Calendar) -> None:
    """365 days less 104 weekend days, ten NYSE holidays and the day of mourning for President Carter (9 January)."""
    assert len(year.sessions) == 365 - 104 - 10 - 1


@pytest.mark.parametrize(
    ("day", "minutes"),
    [
        (dt.date(2025, 7, 2), 390),
        (dt.date(2025, 7, 3), 210),  # the day before Independence Day
        (dt.date(2025, 7, 4), None),
        (dt.date(2025, 11, 28), 210),  # the day after Thanksgiving
        (dt.date(2025, 12, 24), 210),
        (dt.date(2025, 12, 25), None),
        (dt.date(2025, 1, 9), None),  # a day of mourning, decreed two weeks before
        (dt.date(2025, 4, 18), None),  # Good Friday, on which no other US market holiday falls
        (dt.date(2025, 9, 6), None),  # a Saturday
    ],
)
def test_half_days_and_holidays(year: Calendar, day: dt.date, minutes: int | None) -> None:
    session = year.session_on(day)
    assert (None if session is None else session.minutes) == minutes


def test_the_session_opens_at_half_past_nine_in_new_york_summer_and_winter(year: Calendar) -> None:
    """In UTC that is 13:30 or 14:30; the clocks changed on 9 March 2025."""
    for day, utc_hour in ((dt.date(2025, 3, 7), 14.5), (dt.date(2025, 3, 10), 13.5)):
        session = year.session_on(day)
        assert session is not None
        midnight_utc = int(dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC).timestamp()) * NS
        assert (session.open_ns - midnight_utc) / HOUR_NS == utc_hour
        assert session.open_ns == ny_ns(day, 9, 30)
        assert session.close_ns == ny_ns(day, 16)


def test_next_after_is_strictly_after(year: Calendar) -> None:
    first, second = year.sessions[:2]
    assert year.next_after(first.open_ns - 1) == first
    assert year.next_after(first.open_ns) == second


def test_the_session_after_a_day_is_of_a_later_date(year: Calendar) -> None:
    first, second = year.sessions[:2]
    assert year.session_after(first.date - dt.timedelta(days=1)) == first
    assert year.session_after(first.date) == second
    assert year.session_after(year.sessions[-1].date) is None


def test_beyond_its_range_a_calendar_says_where_it_ends(year: Calendar) -> None:
    with pytest.raises(LookupError, match="the calendar ends on 2025-12-31"):
        year.next_after(year.sessions[-1].open_ns)
    with pytest.raises(LookupError, match="the calendar ends on no day at all"):
        Calendar(()).next_after(0)


def test_bounds_are_included_and_may_fall_on_days_without_a_session() -> None:
    calendar = Calendar.load(dt.date(2025, 7, 4), dt.date(2025, 7, 7))
    assert [session.date for session in calendar.sessions] == [dt.date(2025, 7, 7)]
    assert Calendar.load(dt.date(2025, 7, 4), dt.date(2025, 7, 6)).sessions == ()


def test_around_reaches_back_for_history_and_forward_for_expiries() -> None:
    calendar = Calendar.around(ny_ns(dt.date(2025, 9, 3), 12), days_before=7, days_after=14)
    assert calendar.sessions[0].date == dt.date(2025, 8, 27)
    assert calendar.sessions[-1].date == dt.date(2025, 9, 17)


def test_a_calendar_is_plain_data() -> None:
    session = Session(dt.date(2014, 6, 6), 1, 60 * NS + 1)
    calendar = Calendar((session,))
    assert calendar.session_on(dt.date(2014, 6, 6)) is session
    assert session.minutes == 1


@given(st.dates(dt.date(1990, 1, 1), dt.date(2100, 1, 1)), st.integers(3, 23))
def test_a_wall_time_in_new_york_is_on_its_date(day: dt.date, hour: int) -> None:
    assert ny_date(ny_ns(day, hour)) == day


def test_midnight_is_new_yorks_not_greenwichs() -> None:
    evening = int(dt.datetime(2025, 9, 4, 3, 59, tzinfo=dt.UTC).timestamp()) * NS
    assert ny_date(evening) == dt.date(2025, 9, 3)
    assert ny_date(evening + 60 * NS) == dt.date(2025, 9, 4)


def test_a_calendar_around_two_times_has_the_sessions_of_both() -> None:
    """What is recovered may be of another year than what comes."""
    then, now = ny_ns(dt.date(2014, 6, 6), 12), ny_ns(dt.date(2026, 11, 27), 12)
    for times in ((then, now), (now, then)):
        calendar = Calendar.around(*times)
        assert calendar.session_on(dt.date(2014, 6, 6)) is not None
        assert calendar.session_on(dt.date(2026, 11, 27)) is not None
        assert calendar.sessions[0].date < dt.date(2014, 5, 1)
        assert calendar.sessions[-1].date > dt.date(2029, 1, 1)
