"""Bars of prints, index levels and stock bars, as the vendor's aggregates make them (spec/vendor.md 4, 7.5). Pure.

A print counts as far as its condition says: cancels and late reports update nothing, some floor and compression trades
volume only. A window in which nothing counts has no bar. Days are New York's, smaller windows the clock's.
"""

from __future__ import annotations

import datetime as dt
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.core.calendar import NEW_YORK
from standin.feed.reference import CONDITIONS
from standin.feed.source import Prints, SecondBars, Values, taken

__all__ = [
    "Candles",
    "Ticks",
    "Timespan",
    "base_of",
    "candles",
    "ticks_of_bars",
    "ticks_of_prints",
    "ticks_of_values",
    "window_ms",
]

Timespan = Literal["second", "minute", "hour", "day", "week", "month", "quarter", "year"]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

UNIT_MS: dict[str, int] = {"second": 1000, "minute": 60_000, "hour": 3_600_000}
MONTHS: dict[str, int] = {"month": 1, "quarter": 3, "year": 12}
_CONDITION_MAX = 1024
_VOLUME, _PRICES = np.ones(_CONDITION_MAX, bool), np.ones(_CONDITION_MAX, bool)
for _condition in CONDITIONS:
    _VOLUME[_condition.id], _PRICES[_condition.id] = _condition.updates_volume, _condition.updates_prices


class Ticks(NamedTuple):
    """What bars are made of, in time order, (n,) each. A price that does not count is NaN; a size that does not, 0."""

    t_ms: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    size: Ints
    notional: Floats


class Candles(NamedTuple):
    """Bars in time order, (n,) each: window start in ms, prices, volume, volume-weighted price
    (NaN without volume), prints.
    """

    t_ms: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Ints
    vwap: Floats
    trades: Ints


def ticks_of_prints(prints: Prints) -> Ticks:
    """Option prints as far as their conditions count."""
    condition = np.clip(prints.condition, 0, _CONDITION_MAX - 1)
    price = np.where(_PRICES[condition], prints.price, np.nan)
    size = np.where(_VOLUME[condition], prints.size, 0)
    return Ticks(prints.t_ms, price, price, price, price, size, size * prints.price)


def ticks_of_values(values: Values) -> Ticks:
    """Index levels; they have no volume."""
    level, count = values.value, len(values.value)
    return Ticks(values.t_ms, level, level, level, level, np.zeros(count, np.int64), np.zeros(count))


def ticks_of_bars(bars: SecondBars) -> Ticks:
    """Stock bars, whose volume-weighted price is taken as the typical one."""
    typical: Floats = (bars.high + bars.low + bars.close) / 3
    return Ticks(bars.start_ms, bars.open, bars.high, bars.low, bars.close, bars.volume, bars.volume * typical)


def candles(ticks: Ticks, start_ms: Ints) -> Candles:
    """One bar for each run of equal window starts (`start_ms`, (n,) ascending) that has a price."""
    priced_rows = ~np.isnan(ticks.close)
    if not priced_rows.any():
        ints, floats = start_ms[:0], ticks.close[:0]
        return Candles(ints, floats, floats, floats, floats, ints, floats, ints)
    begins = np.flatnonzero(np.diff(start_ms, prepend=start_ms[0] - 1))
    volume = np.add.reduceat(ticks.size, begins)
    notional = np.add.reduceat(ticks.notional, begins)
    counted = np.add.reduceat(((ticks.size > 0) | priced_rows).astype(np.int64), begins)
    high, low = np.fmax.reduceat(ticks.high, begins), np.fmin.reduceat(ticks.low, begins)
    has = ~np.isnan(high)
    priced = np.flatnonzero(priced_rows)
    # Where a window has no price these point into a neighbour; such windows are dropped below.
    first = priced[np.minimum(np.searchsorted(priced, begins), len(priced) - 1)]
    last = priced[np.searchsorted(priced, np.append(begins[1:], len(priced_rows))) - 1]
    with np.errstate(invalid="ignore", divide="ignore"):
        vwap = np.where(volume > 0, notional / volume, np.nan)
    return taken(Candles(start_ms[begins], ticks.open[first], high, low, ticks.close[last], volume, vwap, counted), has)


def window_ms(t_ms: Ints, multiplier: int, timespan: Timespan) -> Ints:
    """The beginning of the window each instant lies in, (n,), ms."""
    if timespan in UNIT_MS:
        width = UNIT_MS[timespan] * multiplier
        return t_ms // width * width
    hours = t_ms // UNIT_MS["hour"]
    distinct, inverse = np.unique(hours, return_inverse=True)
    starts = np.array([_day_window_ms(int(hour), multiplier, timespan) for hour in distinct.tolist()], np.int64)
    return starts[inverse]


def _day_window_ms(hour: int, multiplier: int, timespan: Timespan) -> int:
    """Midnight in New York that begins the window of days or months around an hour since 1970."""
    date = dt.datetime.fromtimestamp(hour * 3600, NEW_YORK).date()
    if timespan in MONTHS:
        width = MONTHS[timespan] * multiplier
        # As of days: a window that would begin before our era begins with it.
        month = max((date.year * 12 + date.month - 1) // width * width, 12)
        begin = dt.date(month // 12, month % 12 + 1, 1)
    else:
        width = multiplier * (7 if timespan == "week" else 1)
        # Weeks begin on Sunday, as the vendor's do; the first day of our era was a Monday.
        shift = 1 if timespan == "week" else 0
        begin = dt.date.fromordinal(max((date.toordinal() - 1 + shift) // width * width + 1 - shift, 1))
    return int(dt.datetime(begin.year, begin.month, begin.day, tzinfo=NEW_YORK).timestamp()) * 1000


def base_of(timespan: Timespan) -> Timespan:
    """The bars that bars of a timespan are made of, which is what a request's limit counts."""
    if timespan == "second":
        return "second"
    return "minute" if timespan in UNIT_MS else "day"
