"""When a listed contract settles: one rule for files, tapes and the live rooms."""

from __future__ import annotations

import datetime as dt

from services.core.calendar import Calendar, ny_ns

__all__ = ["settlement_ns"]

# Good Friday before a Saturday expiry is two days; five holds every stretch of closed days since 2005.
_CLOSED_DAYS_MAX = 5


def settlement_ns(expiry: dt.date, am_settled: bool, calendar: Calendar) -> int:
    """Nanoseconds since 1970 UTC: the open of the session if a.m.-settled, else its close (13:00 on half days).

    An expiry on a closed day belongs to the session before it and keeps its hour: Saturdays, on which standard
    contracts expired until February 2015, are the Friday; a Good Friday is the Thursday. Beyond the calendar's
    sessions the weekday before it at 9:30 or 16:00 stands in.
    """
    for days in range(_CLOSED_DAYS_MAX):
        session = calendar.session_on(expiry - dt.timedelta(days=days))
        if session is not None:
            return session.open_ns if am_settled else session.close_ns
    weekday = expiry - dt.timedelta(days=max(0, expiry.weekday() - 4))
    return ny_ns(weekday, 9, 30) if am_settled else ny_ns(weekday, 16)
