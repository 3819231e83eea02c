"""Trading sessions of the US options market, as integers a pipeline can compare.

Whoever starts a program loads a `Calendar` once (the XNYS schedule of exchange-calendars, most of it written down in
`holidays`); from then on it is plain data, so live and replay agree on what a session is without asking a clock. Times
are nanoseconds since 1970 UTC. A *trading day* runs from midnight to midnight in New York; that is when daily state
starts afresh, hours away from any session of the regular market.
"""

from __future__ import annotations

import bisect
import datetime as dt
from typing import NamedTuple
from zoneinfo import ZoneInfo

from services.core.holidays import HALF_DAYS, HOLIDAYS

__all__ = ["NEW_YORK", "NS", "Calendar", "Session", "ny_date", "ny_ns"]

NS = 1_000_000_000
NEW_YORK = ZoneInfo("America/New_York")
SATURDAY = 5


def ny_ns(day: dt.date, hour: int, minute: int = 0, second: int = 0) -> int:
    """Nanoseconds since the epoch of a wall time in New York.

    >>> ny_ns(dt.date(2014, 6, 6), 9, 30)
    1402061400000000000
    """
    return int(dt.datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=NEW_YORK).timestamp()) * NS


def ny_date(time_ns: int) -> dt.date:
    """The date in New York at `time_ns`.

    >>> ny_date(1402061400000000000)
    datetime.date(2014, 6, 6)
    """
    return dt.datetime.fromtimestamp(time_ns // NS, NEW_YORK).date()


class Session(NamedTuple):
    """One regular session: 09:30 to 16:00 New York, or to 13:00 on a half day."""

    date: dt.date
    open_ns: int
    close_ns: int

    @property
    def minutes(self) -> int:
        """Length in minutes: 390, or 210 on a half day."""
        return (self.close_ns - self.open_ns) // (60 * NS)


class Calendar:
    """An ordered set of sessions.

    >>> calendar = Calendar.load(dt.date(2015, 12, 23), dt.date(2015, 12, 28))
    >>> [session.minutes for session in calendar.sessions]   # Christmas Eve is a half day, the 25th a holiday
    [390, 210, 390]
    """

    def __init__(self, sessions: tuple[Session, ...]) -> None:
        self.sessions = sessions
        self._opens = [session.open_ns for session in sessions]
        self._by_date = {session.date: session for session in sessions}

    @classmethod
    def load(cls, first: dt.date, last: dt.date) -> Calendar:
        """Sessions from `first` to `last`, both included."""
        if first.year in HOLIDAYS and last.year in HOLIDAYS:
            return cls.written_down(first, last)
        return cls.by_rules(first, last)

    @classmethod
    def written_down(cls, first: dt.date, last: dt.date) -> Calendar:
        """The same from the table of holidays; for its years only."""
        closed = {f"{year}{day}" for year in range(first.year, last.year + 1) for day in HOLIDAYS[year].split()}
        halved = {f"{year}{day}" for year in range(first.year, last.year + 1) for day in HALF_DAYS[year].split()}
        sessions: list[Session] = []
        for ordinal in range(first.toordinal(), last.toordinal() + 1):
            day = dt.date.fromordinal(ordinal)
            name = f"{day:%Y%m%d}"
            if day.weekday() < SATURDAY and name not in closed:
                sessions.append(Session(day, ny_ns(day, 9, 30), ny_ns(day, 13 if name in halved else 16)))
        return cls(tuple(sessions))

    @classmethod
    def by_rules(cls, first: dt.date, last: dt.date) -> Calendar:
        """The same from exchange-calendars, for any years: half a second of import and a quarter for the rules."""
        import exchange_calendars

        # exchange-calendars wants a session inside its bounds; a week on either side always holds one.
        margin = dt.timedelta(days=10)
        schedule = exchange_calendars.get_calendar(
            "XNYS", start=(first - margin).isoformat(), end=(last + margin).isoformat()
        ).schedule
        opens, closes = (
            schedule[column].dt.tz_convert(None).to_numpy("datetime64[ns]").astype("int64").tolist()
            for column in ("open", "close")
        )
        dates = [stamp.date() for stamp in schedule.index]
        return cls(
            tuple(
                Session(day, open_ns, close_ns)
                for day, open_ns, close_ns in zip(dates, opens, closes, strict=True)
                if first <= day <= last
            )
        )

    @classmethod
    def around(cls, *times_ns: int, days_before: int = 40, days_after: int = 800) -> Calendar:
        """The calendar a program needs that works on data of these times: back for history, forward for expiries."""
        first, last = ny_date(min(times_ns)), ny_date(max(times_ns))
        return cls.load(first - dt.timedelta(days=days_before), last + dt.timedelta(days=days_after))

    def session_on(self, day: dt.date) -> Session | None:
        """The session of that date, or None on a weekend or holiday."""
        return self._by_date.get(day)

    def session_after(self, day: dt.date) -> Session | None:
        """The first session of a later date, or None beyond the loaded range."""
        at = bisect.bisect_right(self.sessions, day, key=lambda session: session.date)
        return self.sessions[at] if at < len(self.sessions) else None

    def next_after(self, time_ns: int) -> Session:
        """The first session that opens after `time_ns`. Raises LookupError beyond the loaded range."""
        at = bisect.bisect_right(self._opens, time_ns)
        if at == len(self.sessions):
            raise LookupError(f"the calendar ends on {self.sessions[-1].date if self.sessions else 'no day at all'}")
        return self.sessions[at]
