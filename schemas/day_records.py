"""What a session leaves for later days: numbers, one a row, each with the time at which it became known."""

from __future__ import annotations

import datetime as dt

import msgspec

__all__ = ["DayRecord"]


class DayRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One number of a day: who says it (`source`, `version`), of what, in which series and slot.

    `contract` is None where the number is of the underlying. `slot` numbers the values of a series within the day.
    `known_ns` is the log's time when it became known; nothing may use it before.
    """

    day: dt.date
    source: str
    version: str
    underlying: str
    contract: str | None
    series: str
    slot: int
    value: float
    known_ns: int
