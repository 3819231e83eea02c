"""The table of holidays says what exchange-calendars says, for every year it has."""

from __future__ import annotations

import datetime as dt

from services.core.calendar import Calendar
from services.core.holidays import HALF_DAYS, HOLIDAYS

FIRST, LAST = dt.date(min(HOLIDAYS), 1, 1), dt.date(max(HOLIDAYS), 12, 31)


def test_the_table_is_what_exchange_calendars_knows() -> None:
    """Red after an update of exchange-calendars that knows of a new holiday: write down what it says."""
    ours, rules = Calendar.written_down(FIRST, LAST), Calendar.by_rules(FIRST, LAST)
    different = sorted(set(ours.sessions) ^ set(rules.sessions))
    assert not different, "services/core/holidays.py differs on " + ", ".join(str(each.date) for each in different)
    assert ours.sessions == rules.sessions


def test_every_year_of_the_table_is_whole() -> None:
    assert list(HOLIDAYS) == list(HALF_DAYS) == list(range(FIRST.year, LAST.year + 1))


def test_years_the_table_has_not_are_asked_for() -> None:
    assert Calendar.load(dt.date(1999, 12, 20), dt.date(2000, 1, 10)).session_on(dt.date(1999, 12, 24)) is None
    across = Calendar.load(LAST - dt.timedelta(days=10), LAST + dt.timedelta(days=10))
    assert across.sessions[0].date < LAST < across.sessions[-1].date
