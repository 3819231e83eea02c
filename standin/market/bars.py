"""Bars of the stocks beside the options: what their path did in a span of seconds, and how much traded. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from standin.feed.source import SecondBars, taken
from standin.market.kernels.barring import BARS, Stocks, bar_stocks
from standin.market.paths import Day
from standin.market.random_streams import BAR_RANGES, BAR_VOLUMES, TRADED, key_of
from standin.market.universe import CAST, WEIGHTS

__all__ = ["StockBarMaker"]

NS_PER_MS = 1_000_000
# Busy names trade every second, quiet ones every few.
_TRADED_SHARE: NDArray[np.float64] = np.clip(0.2 + WEIGHTS / 10.0, 0.0, 1.0)
_SHARES_A_SECOND = 40.0 + 40.0 * WEIGHTS


class StockBarMaker:
    """Bars of the stocks (positions in CAST) through one day, a span of seconds long."""

    def __init__(self, seed: int, day: Day, stocks: NDArray[np.intp], span_s: int) -> None:
        self._day, self._span_s = day, span_s
        date = day.session.date.toordinal()
        self._keys = key_of(seed, TRADED, date), key_of(seed, BAR_RANGES, date), key_of(seed, BAR_VOLUMES, date)
        traded, shares = _TRADED_SHARE[stocks], _SHARES_A_SECOND[stocks]
        self._stocks = Stocks(
            stocks.astype(np.int64),
            day.open_usd[stocks],
            1.0 - (1.0 - traded) ** span_s,
            shares * (1.0 if span_s == 1 else traded),
            shares * traded,
        )
        self._nobody = np.zeros(len(CAST), bool)

    def made(self, second: int) -> SecondBars:
        """Bars of the stocks that traded in the span from a second on, at its end."""
        day, bars = self._day, BARS.room(len(self._stocks.position))
        path = day.log_return[second : second + self._span_s + 1]
        halted = day.halted(second)
        start_ms = day.session.open_ns // NS_PER_MS + second * 1000
        still = self._nobody if halted is None else halted
        count = bar_stocks(*self._keys, self._stocks, path, still, second, len(path) - 1, start_ms, bars)
        return taken(bars, slice(0, count))
