"""What a request for the past asks for: trades and quotes by time, aggregates by window. Pure.

?timestamp.gte=2025-12-17&timestamp.lt=1766001600000000000&order=asc&limit=50000
/v2/aggs/ticker/O:SPY251219C00650000/range/5/minute/2025-12-17/1765981860000?sort=desc
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import get_args

import msgspec

from services.core.calendar import NEW_YORK, ny_ns
from standin.feed.aggregates import Timespan
from standin.protocol.rest_query import RANGES, BadQueryError, Order, cursor_of, decoded, limit_of, order_of

__all__ = ["NS_PER_MS", "TICKS_MAX", "AggregatesQuery", "TicksQuery"]

NS_PER_MS = 1_000_000
TIME_MAX_NS = 2**63 - 1
TICKS_DEFAULT, TICKS_MAX = 1000, 50_000
BARS_DEFAULT, BARS_MAX = 5000, 50_000
MULTIPLIER_MAX = 10_000


class TicksQuery(msgspec.Struct, frozen=True, omit_defaults=True):
    """Trades or quotes between two instants, both inclusive, ns."""

    first_ns: int
    last_ns: int
    order: Order = "desc"
    limit: int = TICKS_DEFAULT
    offset: int = 0

    @classmethod
    def parse(cls, parameters: Mapping[str, str], now_ns: int, limit_max: int = TICKS_MAX) -> TicksQuery:
        """Read query parameters, or go on from their cursor. Raises BadQueryError.

        The end is never later than now, so that pages stay where they are while the market goes on.
        """
        if "cursor" in parameters:
            return decoded(parameters["cursor"], cls)
        first, last = 0, now_ns
        for suffix in RANGES:
            text = parameters.get(f"timestamp{suffix}")
            if text is None:
                continue
            begin, end = _instant("timestamp", text)
            if suffix in ("", ".gte"):
                first = max(first, begin)
            if suffix in ("", ".lte"):
                last = min(last, end)
            if suffix == ".gt":
                first = max(first, end + 1)
            if suffix == ".lt":
                last = min(last, begin - 1)
        sort, _, direction = parameters.get("sort", "timestamp").partition(".")
        if sort not in ("timestamp", "sip_timestamp"):
            raise BadQueryError(f"sort must be timestamp, not {parameters['sort']!r}")
        order = order_of(parameters.get("order") or direction or "desc")
        return cls(first, last, order, limit_of(parameters, limit_max, TICKS_DEFAULT))

    def cursor(self, offset: int) -> str:
        """The cursor of the page that begins `offset` rows in."""
        return cursor_of(msgspec.structs.replace(self, offset=offset))

    def beyond(self, time_ns: int) -> str:
        """The cursor of what lies beyond an instant, in the order asked for."""
        change = {"first_ns": time_ns + 1} if self.order == "asc" else {"last_ns": time_ns - 1}
        return cursor_of(msgspec.structs.replace(self, **change))


class AggregatesQuery(msgspec.Struct, frozen=True, omit_defaults=True):
    """Bars of `multiplier` times `timespan` between two instants, both inclusive, ms."""

    multiplier: int
    timespan: Timespan
    first_ms: int
    last_ms: int
    order: Order = "asc"
    limit: int = BARS_DEFAULT

    @classmethod
    def parse(cls, path: Mapping[str, str], parameters: Mapping[str, str]) -> AggregatesQuery:
        """Read the path and the query parameters, or go on from their cursor. Raises BadQueryError."""
        if "cursor" in parameters:
            return decoded(parameters["cursor"], cls)
        multiplier = path["multiplier"]
        if not multiplier.isdecimal() or not 1 <= int(multiplier) <= MULTIPLIER_MAX:
            raise BadQueryError(f"multiplier must be between 1 and {MULTIPLIER_MAX}, not {multiplier!r}")
        timespan: Timespan | None = next((span for span in get_args(Timespan) if span == path["timespan"]), None)
        if timespan is None:
            raise BadQueryError(f"timespan must be one of {', '.join(get_args(Timespan))}, not {path['timespan']!r}")
        first, _ = _range_ms("from", path["from"])
        _, last = _range_ms("to", path["to"])
        if last < first:
            raise BadQueryError(f"to must not be before from, as {path['to']} is before {path['from']}")
        order = order_of(parameters.get("sort", "asc"), "sort")
        return cls(int(multiplier), timespan, first, last, order, limit_of(parameters, BARS_MAX, BARS_DEFAULT))

    def beyond(self, at_ms: int) -> str:
        """The cursor of what a page left over: from `at_ms` on, or up to it when the order is descending."""
        change = {"first_ms": at_ms} if self.order == "asc" else {"last_ms": at_ms}
        return cursor_of(msgspec.structs.replace(self, **change))


def _instant(name: str, text: str) -> tuple[int, int]:
    """First and last nanosecond of a date, an RFC 3339 time or a number of nanoseconds."""
    if text.isdecimal():
        return min(int(text), TIME_MAX_NS), min(int(text), TIME_MAX_NS)
    try:
        if len(text) == len("2025-12-17"):
            day = dt.date.fromisoformat(text)
            return ny_ns(day, 0), ny_ns(day + dt.timedelta(days=1), 0) - 1
        moment = dt.datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise BadQueryError(f"{name} must be a date, a time or nanoseconds, not {text!r}") from None
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=NEW_YORK)
    time_ns = int(aware.timestamp() * 1_000_000) * 1000
    return time_ns, time_ns


def _range_ms(name: str, text: str) -> tuple[int, int]:
    """First and last millisecond of a date or of a number of milliseconds."""
    if text.isdecimal():
        return min(int(text), TIME_MAX_NS // NS_PER_MS), min(int(text), TIME_MAX_NS // NS_PER_MS)
    try:
        day = dt.date.fromisoformat(text)
        return ny_ns(day, 0) // NS_PER_MS, ny_ns(day + dt.timedelta(days=1), 0) // NS_PER_MS - 1
    except (ValueError, OverflowError):
        raise BadQueryError(f"{name} must be a date or milliseconds, not {text!r}") from None
