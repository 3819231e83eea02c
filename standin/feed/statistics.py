"""A day's trade statistics of every contract, kept as prints come: what the snapshot's `day` and `last_trade` show."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from standin.feed.reference import CONDITIONS
from standin.feed.source import Prints
from standin.market.kernels.counting import TOTALS, count_prints

__all__ = ["DayStatistics"]

_UPDATES_VOLUME = np.zeros(256, bool)
_UPDATES_PRICES = np.zeros(256, bool)
for _condition in CONDITIONS:
    _UPDATES_VOLUME[_condition.id] = _condition.updates_volume
    _UPDATES_PRICES[_condition.id] = _condition.updates_prices


_SHOWN = ("last", "last_size", "last_exchange", "last_condition", "last_ns", "day_open", "day_high", "day_low")


class DayStatistics:
    """Records of (contracts,), `totals`, for one trading day; prints count as their conditions' update rules say."""

    def __init__(self, contracts: int) -> None:
        self.totals = np.zeros(contracts, TOTALS)
        for column in ("last", "day_open", "day_high", "day_low"):
            self.totals[column] = np.nan

    def add(self, prints: Prints, count: int) -> None:
        """Count the first `count` prints, given in time order."""
        count_prints(prints, count, _UPDATES_VOLUME, _UPDATES_PRICES, self.totals)

    def columns(self, rows: NDArray[np.intp]) -> dict[str, NDArray[Any]]:
        """The snapshot's columns about trades."""
        totals = self.totals[rows]
        shown = {name: totals[name].copy() for name in _SHOWN}
        shown["day_volume"] = totals["volume"].copy()
        shown["day_vwap"] = totals["notional"] / np.maximum(totals["volume"], 1)
        return shown
