"""When a chain file's quotes are really from: what the file itself gives away about holidays and early scrapes."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

import numpy as np

from schemas.instruments import instrument_of
from services.chain.stated_clock import stated_time
from services.chain.table import ChainTable
from services.core.calendar import NEW_YORK, NS, Calendar, ny_date, ny_ns

__all__ = ["CLOSE", "FILE", "GIVEN", "SESSION", "STATED_VOLS", "QuoteTime", "quote_time"]

# How the quote time was found.
FILE, STATED_VOLS, CLOSE, GIVEN, SESSION = "file", "stated_vols", "close", "given", "session_end"

# Index options trade on for a quarter of an hour after the stocks (Cboe Rule 5.1).
INDEX_EXTRA_NS = 15 * 60 * NS
# Those that trade overnight as well, from 20:15 to 9:25, and on to 17:00 (Cboe Rule 5.1, Global Trading Hours).
OVERNIGHT_UNDERLYINGS = frozenset({"SPX", "VIX", "XSP"})
_CURB_NS = 60 * 60 * NS

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
    """The last moment the quotes can be from: the file's own time within the product's sessions, else the clock of its
    stated vols, else the close of its date."""
    if table.as_of_ns:
        return _stamped(table, calendar)
    session = calendar.session_on(table.quote_date)
    if session is None:
        return _no_session(table, calendar)
    stated_ns = stated_time(table, calendar)
    if stated_ns is None or not session.open_ns <= stated_ns <= session.close_ns + _AFTER_CLOSE_MAX_NS:
        return QuoteTime(session.close_ns, CLOSE, (*_turnover(table), *_time_value_at_expiry(table)))
    return QuoteTime(stated_ns, STATED_VOLS, (*_turnover(table), *_early(stated_ns, session.close_ns)))


def _stamped(table: ChainTable, calendar: Calendar) -> QuoteTime:
    """A stamp says when the file was saved; outside the product's sessions its quotes are from the last one's end."""
    stamp_ns = table.as_of_ns
    before = [session for session in calendar.sessions if session.open_ns <= stamp_ns]
    if table.coin_priced or not before:
        return QuoteTime(stamp_ns, FILE, ())
    product = instrument_of(table.underlying)
    end_ns = before[-1].close_ns + (INDEX_EXTRA_NS if product.is_index else 0)
    if stamp_ns <= end_ns:
        return QuoteTime(stamp_ns, FILE, ())
    if product.underlying in OVERNIGHT_UNDERLYINGS and _trades_overnight(stamp_ns, before[-1].close_ns, calendar):
        stated_ns = stated_time(table, calendar)
        if stated_ns is None or stated_ns > end_ns + _AFTER_CLOSE_MAX_NS:
            return QuoteTime(
                stamp_ns, FILE, ("the time of the file lies in the overnight session and is taken for true",)
            )
    note = f"clock set back: the file is of {_told(stamp_ns)}, its quotes of the session's end, {_told(end_ns)}"
    return QuoteTime(end_ns, SESSION, (note,))


def _trades_overnight(stamp_ns: int, close_ns: int, calendar: Calendar) -> bool:
    """Whether an overnight session is open: the evening before a session from 20:15, or the hour after a close."""
    if stamp_ns <= close_ns + _CURB_NS:
        return True
    following = calendar.session_after(ny_date(stamp_ns) - dt.timedelta(days=1))
    if following is not None and following.open_ns <= stamp_ns:  # that day's session is over: the next one's evening
        following = calendar.session_after(following.date)
    return following is not None and stamp_ns >= ny_ns(following.date - dt.timedelta(days=1), 20, 15)


def _told(time_ns: int) -> str:
    return f"{dt.datetime.fromtimestamp(time_ns // NS, NEW_YORK):%Y-%m-%d %H:%M}"


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
    traded, open_contracts = float(table.volume.sum()), float(np.nansum(table.open_interest))
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
