"""When a chain file's quotes are really from: what the file itself gives away about holidays and early scrapes."""

from __future__ import annotations

import datetime as dt

import numpy as np

from services.chain.table import ChainTable
from services.core.calendar import NEW_YORK, NS, Calendar

__all__ = ["quote_time"]

# An index chain trades some 5 to 10 % of its open interest a day; less than this was scraped early or is yesterday's.
_TURNOVER_MIN = 0.01
# At the close a contract that expires there holds a tick or two. Three hundredths of a per cent of spot is about a
# quarter of an hour at 15 % vol.
_TIME_VALUE_MAX = 3e-4
_NEAR_LOG_MONEYNESS = 0.005


def quote_time(table: ChainTable, calendar: Calendar) -> tuple[int, tuple[str, ...]]:
    """(as_of_ns, notes): the file's own time, else the close of its date, with every sign that this is not so."""
    if table.as_of_ns:
        return table.as_of_ns, ()
    session = calendar.session_on(table.quote_date)
    if session is not None:
        return session.close_ns, (*_turnover(table), *_time_value_at_expiry(table))
    before = [session for session in calendar.sessions if session.date < table.quote_date]
    if not before:
        return int(dt.datetime.combine(table.quote_date, dt.time(16), NEW_YORK).timestamp()) * NS, ()
    return before[-1].close_ns, (
        f"{table.quote_date} is no trading day: the quotes are those of {before[-1].date} at best",
    )


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
