"""Moments in a chain file: stamps of any unit, the one most rows agree on, dates and clocks in words. Pure."""

from __future__ import annotations

import datetime as dt
import re

import numpy as np
from numpy.typing import NDArray

from services.core.calendar import NEW_YORK, NS

__all__ = ["instant_ns", "newest_together", "written_moment"]

# Listed options began in 1973, but no electronic chain is older than 1990; nor is one from after 2100.
_FIRST_S, _LAST_S = 631_152_000, 4_102_444_800
# Seconds, milliseconds, microseconds, nanoseconds: the ranges of any two are years 1990 to 2100 apart.
_UNITS = (1, 1_000, 1_000_000, 1_000_000_000)
# A newest stamp that stands further than this ahead of nearly all others is a broken one: chains are polled in minutes,
# while quotes of far strikes may well be hours old.
_AHEAD_MAX_NS = 3_600 * NS
# One row in twenty may carry it; a twentieth of a chain cannot date the rest.
_STRAY_SHARE = 0.05


def instant_ns(stamp: object) -> int | None:
    """Nanoseconds since 1970 of a stamp in s, ms, us or ns, also one that went through a double; None if it is no time.

    >>> instant_ns(1756927800000), instant_ns(1.7569278e18), instant_ns(42)
    (1756927800000000000, 1756927800000000000, None)
    """
    if isinstance(stamp, bool) or not isinstance(stamp, int | float) or stamp != stamp or abs(stamp) == float("inf"):
        return None
    for unit in _UNITS:
        if _FIRST_S * unit <= stamp <= _LAST_S * unit:
            return int(stamp) * (NS // unit) if isinstance(stamp, int) or stamp >= 2**53 else int(stamp * (NS // unit))
    return None


def newest_together(times_ns: NDArray[np.int64]) -> tuple[int, int]:
    """(newest moment the rows agree on, rows whose stamp is ahead of it and cannot be true); (0, 0) without a stamp.

    The newest stamp dates a chain, since far strikes are quoted seldom; but a few rows an hour ahead of all others date
    nothing.
    """
    if times_ns.size == 0:
        return 0, 0
    ordered = np.sort(times_ns)
    strays_max = int(_STRAY_SHARE * ordered.size)
    for strays in range(strays_max, 0, -1):
        if ordered[-strays] - ordered[-strays - 1] > _AHEAD_MAX_NS:
            return int(ordered[-strays - 1]), strays
    return int(ordered[-1]), 0


_MONTHS = {
    prefix: month
    for month, names in enumerate(
        (
            "jan ene gen janv",
            "feb fév fev",
            "mar mär maa mrz",
            "apr abr avr",
            "may mai mei mag",
            "jun juin giu",
            "jul juil lug",
            "aug ago août aou",
            "sep set",
            "oct okt ott out",
            "nov",
            "dec dez dic déc des",
        ),
        start=1,
    )
    for prefix in names.split()
}
_ZONES = {
    "UTC": 0, "GMT": 0, "Z": 0, "EDT": -4, "EST": -5, "CDT": -5, "CST": -6, "MDT": -6, "MST": -7, "PDT": -7, "PST": -8,
    "BST": 1, "CET": 1, "MEZ": 1, "CEST": 2, "MESZ": 2,
}  # fmt: skip
_CLOCK = re.compile(r"(\d{1,2})[:.h](\d{2})(?:[:.]\d{2})?\s*(?:([AaPp])\.?\s*[Mm]\b\.?)?\s*(.*)$")
_OFFSET = re.compile(r"^(?:GMT|UTC)?\s*([+-])(\d{1,2})(?::?(\d{2}))?$")
_YEAR = re.compile(r"\b((?:19|20)\d{2})\b")


def written_moment(text: str) -> tuple[dt.date, int, str] | None:
    """(date in New York, nanoseconds since 1970 or 0 without a clock, zone that could not be read) of a date in words.

    Months by name in the languages of Europe, clocks of 12 and 24 hours, zones by name or as GMT+1; None where no date
    can be read. Where the zone is not known the caller says that New York's was assumed.

    >>> written_moment("27 de agosto de 2023, 13:35 GMT-4")
    (datetime.date(2023, 8, 27), 1693157700000000000, '')
    """
    year = _YEAR.search(text)
    clock = _CLOCK.search(text[year.end() :]) if year else None
    head = text if year is None else text[: year.end()]
    names = [_month(word) for word in re.findall(r"[^\W\d_]{3,}", head)]
    months = [month for month in names if month is not None]
    days = [int(one) for one in re.findall(r"\b(\d{1,2})\b", head)]
    if year is None or len(months) != 1 or len(days) != 1:
        return None
    try:
        date = dt.date(int(year[1]), months[0], days[0])
    except ValueError:
        return None
    if clock is None:
        return date, 0, ""
    hour, minute = int(clock[1]), int(clock[2])
    if clock[3]:
        hour = hour % 12 + (12 if clock[3] in "Pp" else 0)
    if hour > 23 or minute > 59:
        return None
    zone = clock[4].strip()
    offset = _offset(zone)
    moment = dt.datetime.combine(date, dt.time(hour, minute), NEW_YORK if offset is None else dt.timezone(offset))
    unread = zone if offset is None and zone and zone.upper() not in ("ET", "NEW YORK") else ""
    return moment.astimezone(NEW_YORK).date(), int(moment.timestamp()) * NS, unread


def _month(word: str) -> int | None:
    low = word.lower()
    return next((_MONTHS[low[:length]] for length in (4, 3) if low[:length] in _MONTHS), None)


def _offset(zone: str) -> dt.timedelta | None:
    if zone.upper() in _ZONES:
        return dt.timedelta(hours=_ZONES[zone.upper()])
    match = _OFFSET.match(zone.upper())
    if match is None:
        return None
    size = dt.timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
    return -size if match[1] == "-" else size
