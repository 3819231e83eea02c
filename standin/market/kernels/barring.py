# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (compiled functions state their types in the decorator, where numba checks them)
"""Bars of the stocks: what a path did in a span, and how much traded."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import types
from numpy.typing import NDArray

from services.quant.jit import inner, kernel
from services.quant.special import exp, nearest
from standin.feed.source import SecondBars
from standin.market.kernels.moving import PATH
from standin.market.kernels.rng import hashed
from standin.market.kernels.tables import BOOL_IN, Layout

__all__ = ["BARS", "Stocks", "bar_stocks"]

# A bar that there is has a round lot at least.
SHARES_MIN = 100
BARS = Layout(SecondBars, "i4 f8 f8 f8 f8 i8 f8 i8 f8 i8 i8")
_S11 = np.uint64(11)
_TO_UNIT = 2.0**-53


class Stocks(NamedTuple):
    """The stocks with bars, (n,): position in the cast, level at the open, how likely one trades in a span, its shares
    a second in a span that it trades in and on average."""

    position: NDArray[np.int64]
    open_usd: NDArray[np.float64]
    traded_chance: NDArray[np.float64]
    shares_traded: NDArray[np.float64]
    shares_mean: NDArray[np.float64]


STOCKS = Layout(Stocks, "i8 f8 f8 f8 f8")


@inner
def _unit(key, position):
    return np.float64(np.int64(hashed(key, position) >> _S11)) * _TO_UNIT


@inner
def _cents(usd):
    return nearest(usd * 100.0) / 100.0


@kernel(
    types.uint64, types.uint64, types.uint64, STOCKS.type, PATH, BOOL_IN, types.int64, types.int64, types.int64,
    BARS.type, returns=types.int64, trusting=True,
)  # fmt: skip
def bar_stocks(traded_key, wiggle_key, volume_key, stocks, path, halted, second, span_s, start_ms, out):
    """Bars of what traded in the span from `second` on, over the log returns of `path`, (span_s + 1, members); returns
    how many there are."""
    count = 0
    for index in range(stocks.position.shape[0]):
        member = stocks.position[index]
        position = member * 86_400 + second
        if halted[member] or _unit(traded_key, position) >= stocks.traded_chance[index]:
            continue
        open_usd = stocks.open_usd[index]
        opened = highest = lowest = closed = open_usd * exp(np.float64(path[0, member]))
        for step in range(1, span_s + 1):
            closed = open_usd * exp(np.float64(path[step, member]))
            highest, lowest = max(highest, closed), min(lowest, closed)
        wiggle = 0.0001 * _unit(wiggle_key, position)
        most = span_s * stocks.shares_traded[index] * 2.0
        volume = SHARES_MIN + np.int64(most * _unit(volume_key, position))
        out.symbol[count] = index
        out.open[count] = _cents(opened)
        out.close[count] = _cents(closed)
        out.high[count] = max(_cents(highest * (1.0 + wiggle)), max(out.open[count], out.close[count]))
        out.low[count] = min(_cents(lowest * (1.0 - wiggle)), min(out.open[count], out.close[count]))
        out.volume[count] = volume
        out.day_open[count] = _cents(open_usd)
        # The day's volume and average so far follow from time alone, as a bar must not depend on when a run began. With
        # the most that a bar holds on top, the volume is never less than a bar's, and it never falls.
        out.day_volume[count] = SHARES_MIN + np.int64(most + stocks.shares_mean[index] * (second + span_s))
        out.day_vwap[count] = nearest(0.5 * (open_usd + closed) * 10_000.0) / 10_000.0
        out.start_ms[count] = start_ms
        out.end_ms[count] = start_ms + 1000 * span_s
        count += 1
    return count
