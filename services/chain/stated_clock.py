"""The moment a chain's own stated vols were worked out for: a file that gives only a date still tells its hour.

A quote fixes the total deviation `vol * sqrt(years)`; divided by the vol the exchange states for it, that is the time
to expiry the exchange had in mind, and hence its clock. Vols of four decimals give it to a few minutes.
"""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.chain.table import ChainTable, Expiry
from services.core.calendar import NS, Calendar
from services.quant import black, clock
from services.quant.arrays import Floats

__all__ = ["stated_time"]

# Cboe counts a p.m. expiry half an hour past the 16:00 at which it settles. Over the 25 daily SPX files of spring
# 2019, p.m. and a.m. expiries of one day lie 7:00 apart, not 6:30 (32.5 +- 1.3 minutes, and the a.m. end is 9:30:
# a minute less would date the file of 25 April 2019 before that day's opening).
_PM_EXTRA_NS = 30 * 60 * NS
# The nearest expiries tell the hour best: a vol's last digit is a minute at one day and ten at ten.
_EXPIRIES = 3
_PAIRS_MIN = 3
# Pairs within half a deviation of the forward: further out a tick of the price is many digits of the vol.
_NEAR_DEVIATIONS = 0.5
# Two expiries that agree to this are a clock; four-decimal vols scatter by about ten minutes.
_AGREE_MINUTES = 20.0
# Stated call and put vols imply a forward. One that misses the quotes' own by more than two hundredths of a per cent
# (twice the half spread at the money) shows vols and quotes are of different moments, as in files from after the close.
_FORWARD_GAP_MAX = 2e-4


class _Pairs(NamedTuple):
    """Both sides of the strikes near the money of one expiry, all (strikes,)."""

    strike: Floats
    call: Floats  # mid, dollars
    put: Floats
    call_vol: Floats  # as stated
    put_vol: Floats


def stated_time(table: ChainTable, calendar: Calendar) -> int | None:
    """Nanoseconds since 1970 UTC at which the stated vols fit the quotes; None where they name no one moment."""
    moments: list[int] = []
    afternoon = [place for place, expiry in enumerate(table.expiries) if _tells_time(expiry, table.quote_date)]
    for place in sorted(afternoon, key=lambda at: table.expiries[at].date)[:_EXPIRIES]:
        session = calendar.session_on(table.expiries[place].date)
        years = _stated_years(_pairs(table, np.flatnonzero(table.expiry == place)))
        if session is None or years is None:
            return None
        moments.append(session.close_ns + _PM_EXTRA_NS - int(years * clock.SECONDS_PER_YEAR) * NS)
    if len(moments) < _EXPIRIES:
        return None
    early, middle, late = sorted(moments)
    return middle if min(middle - early, late - middle) <= _AGREE_MINUTES * 60 * NS else None


def _tells_time(expiry: Expiry, quote_date: dt.date) -> bool:
    """A p.m. expiry of a later day: on the last day itself a tick of the price is hours."""
    return not expiry.am_settled and not expiry.settle_ns and expiry.date > quote_date


def _pairs(table: ChainTable, rows: NDArray[np.int64]) -> _Pairs:
    """Strikes where both sides are quoted and stated."""
    kept = rows[(table.bid[rows] > 0.0) & (table.ask[rows] >= table.bid[rows]) & (table.stated_iv[rows] > 0.0)]
    calls, puts = kept[table.right[kept] > 0], kept[table.right[kept] < 0]
    strike, of_call, of_put = np.intersect1d(table.strike[calls], table.strike[puts], return_indices=True)
    mid = 0.5 * (table.bid + table.ask)
    calls, puts = calls[of_call], puts[of_put]
    return _Pairs(strike, mid[calls], mid[puts], table.stated_iv[calls], table.stated_iv[puts])


def _stated_years(pairs: _Pairs) -> float | None:
    """Time to expiry in the stated vols; a few days of interest are nothing to prices at the money."""
    if pairs.strike.size < _PAIRS_MIN:
        return None
    gap = pairs.call - pairs.put
    forward = float(np.median((pairs.strike + gap)[np.argsort(np.abs(gap), kind="stable")[:_PAIRS_MIN]]))
    call_total, _ = black.implied_vol(pairs.call, forward, pairs.strike, 1.0, 1.0, black.CALL)
    put_total, _ = black.implied_vol(pairs.put, forward, pairs.strike, 1.0, 1.0, black.PUT)
    total, stated = 0.5 * (call_total + put_total), 0.5 * (pairs.call_vol + pairs.put_vol)
    near = np.abs(black.log_moneyness(pairs.strike, forward)) < _NEAR_DEVIATIONS * total  # NaN is not near
    if near.sum() < _PAIRS_MIN:
        return None
    # A forward too high by one dollar moves call and put vol apart by one over vega, as their deltas differ by one.
    vega = black.greeks(forward, pairs.strike, 1.0, 1.0, 0.0, black.CALL, total).vega
    forward_gap = float(np.median((vega * total * (pairs.put_vol - pairs.call_vol) / stated)[near]))
    if abs(forward_gap) > _FORWARD_GAP_MAX * forward:
        return None
    return float(np.median((total / stated)[near] ** 2))
