"""When a chain file's quotes are really from: what the file itself gives away about holidays and early scrapes."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

import numpy as np

from services.chain.stated_clock import stated_time
from services.chain.table import ChainTable
from services.core.calendar import NEW_YORK, NS, Calendar

__all__ = ["CLOSE", "FILE", "GIVEN", "STATED_VOLS", "QuoteTime", "quote_time"]

# How the quote time was found.
FILE, STATED_VOLS, CLOSE, GIVEN = "file", "stated_vols", "close", "given"

# An index chain trades some 5 to 10 % of its open interest a day; less than this was scraped early or is yesterday's.
_TURNOVER_MIN = 0.01
# At the close a contract that expires there holds a tick or two. Three hundredths of a per cent of spot is about a
# quarter of an hour at 15 % vol.
_TIME_VALUE_MAX = 3e-4
_NEAR_LOG_MONEYNESS = 0.005
# Index options trade a quarter of an hour past the close; a clock later than twice that is no clock of these quotes.
_AFTER_CLOSE_MAX_NS = 30 * 60 * NS
# The stated vols' clock is good to some ten minutes; more than this before the close is early.
_EARLY_MIN_NS = 20 * 60 * NS


class QuoteTime(NamedTuple):
    """When a chain's quotes are from, how that is known, and every sign that it is not the close."""

    as_of_ns: int
    method: str
    notes: tuple[str, ...]


def quote_time(table: ChainTable, calendar: Calendar) -> QuoteTime:
    """The file's own time, else the clock of its stated vols, else the close of its date."""
    if table.as_of_ns:
        return QuoteTime(table.as_of_ns, FILE, ())
    session = calendar.session_on(table.quote_date)
    if session is None:
        return _no_session(table, calendar)
    stated_ns = stated_time(table, calendar)
    if stated_ns is None or not session.open_ns <= stated_ns <= session.close_ns + _AFTER_CLOSE_MAX_NS:
        return QuoteTime(session.close_ns, CLOSE, (*_turnover(table), *_time_value_at_expiry(table)))
    return QuoteTime(stated_ns, STATED_VOLS, (*_turnover(table), *_early(stated_ns, session.close_ns)))


def _no_session(table: ChainTable, calendar: Calendar) -> QuoteTime:
    before = [session for session in calendar.sessions if session.date < table.quote_date]
    if not before:
        evening = dt.datetime.combine(table.quote_date, dt.time(16), NEW_YORK)
        return QuoteTime(int(evening.timestamp()) * NS, CLOSE, ())
    note = f"{table.quote_date} is no trading day: the quotes are those of {before[-1].date} at best"
    return QuoteTime(before[-1].close_ns, CLOSE, (note,))


def _early(stated_ns: int, close_ns: int) -> tuple[str, ...]:
    """Said of quotes from well before the close: an end-of-day figure from them is an intraday one."""
    if close_ns - stated_ns <= _EARLY_MIN_NS:
        return ()
    minutes = round((close_ns - stated_ns) / (60 * NS))
    clock = dt.datetime.fromtimestamp(stated_ns // NS, NEW_YORK)
    return (f"quotes from about {clock:%H:%M}, {minutes} minutes before the close, by their stated vols",)


def _turnover(table: ChainTable) -> tuple[str, ...]:
    traded, open_contracts = float(table.volume.sum()), float(table.open_interest.sum())
    if not open_contracts > 0.0 or traded >= _TURNOVER_MIN * open_contracts:
        return ()
    share = 100.0 * traded / open_contracts
    return (f"stale or early quotes: {traded:,.0f} contracts traded is {share:.2f} % of open interest",)


def _time_value_at_expiry(table: ChainTable) -> tuple[str, ...]:
    """Contracts that expire at this very close but still hold time value were quoted before it."""
    if not np.isfinite(table.spot):
        return ()
    today = [i for i, expiry in enumerate(table.expiries) if expiry.date == table.quote_date and not expiry.am_settled]
    rows = np.isin(table.expiry, today) & (table.ask > 0.0)
    rows &= np.abs(table.strike / table.spot - 1.0) < _NEAR_LOG_MONEYNESS
    if rows.sum() < 2:
        return ()
    mid = 0.5 * (table.bid + table.ask)[rows]
    held = float(np.median(mid - np.maximum(table.right[rows] * (table.spot - table.strike[rows]), 0.0)))
    if held <= _TIME_VALUE_MAX * table.spot:
        return ()
    return (f"quotes from before the close: contracts expiring that day still hold {held:.2f} of time value",)
