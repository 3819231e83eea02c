"""A day's trade statistics of every contract, kept as prints come: what the snapshot's `day` and `last_trade` show."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.standin.market.kernels.counting import TOTALS, count_prints
from services.standin.reference import CONDITIONS
from services.standin.source import Prints

__all__ = ["DayStatistics"]

_UPDATES_VOLUME = np.zeros(256, bool)
_UPDATES_PRICES = np.zeros(256, bool)
for _condition in CONDITIONS:
    _UPDATES_VOLUME[_condition.id] = _condition.updates_volume
    _UPDATES_PRICES[_condition.id] = _condition.updates_prices


_SHOWN = ("last", "last_size", "last_exchange", "last_condition", "last_ns", "day_open", "day_high", "day_low")


class DayStatistics:
    """Columns of (contracts,) for one trading day; prints count as their conditions' update rules say."""

    def __init__(self, contracts: int) -> None:
        self._totals = np.zeros(contracts, TOTALS)
        for column in ("last", "day_open", "day_high", "day_low"):
            self._totals[column] = np.nan

    def add(self, prints: Prints) -> None:
        """Count prints, given in time order."""
        count_prints(prints, _UPDATES_VOLUME, _UPDATES_PRICES, self._totals)

    def cancel_codes(self, gone: Prints) -> NDArray[np.int32]:
        """The OPRA cancel condition of each print: of the only, the last, the opening, or any other of its contract."""
        totals = self._totals[gone.contract]
        first, last = totals["first_q"] == gone.q, totals["last_q"] == gone.q
        return np.where(first & last, 207, np.where(last, 203, np.where(first, 205, 201))).astype(np.int32)

    def columns(self, rows: NDArray[np.intp]) -> dict[str, NDArray[Any]]:
        """The snapshot's columns about trades."""
        totals = self._totals[rows]
        shown = {name: totals[name].copy() for name in _SHOWN}
        shown["day_volume"] = totals["volume"].copy()
        shown["day_vwap"] = totals["notional"] / np.maximum(totals["volume"], 1)
        return shown
