"""A day's trade statistics of every contract, kept as prints come: what the snapshot's `day` and `last_trade` show."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.standin.reference import CONDITIONS
from services.standin.source import Prints, taken

__all__ = ["DayStatistics"]

NS_PER_MS = 1_000_000

_UPDATES_VOLUME = np.zeros(256, bool)
_UPDATES_PRICES = np.zeros(256, bool)
for _condition in CONDITIONS:
    _UPDATES_VOLUME[_condition.id] = _condition.updates_volume
    _UPDATES_PRICES[_condition.id] = _condition.updates_prices


class DayStatistics:
    """Columns of (contracts,) for one trading day; prints count as their conditions' update rules say."""

    def __init__(self, contracts: int) -> None:
        self._last = np.full(contracts, np.nan)
        self._last_size = np.zeros(contracts, np.int64)
        self._last_exchange = np.zeros(contracts, np.int32)
        self._last_condition = np.zeros(contracts, np.int32)
        self._last_ns = np.zeros(contracts, np.int64)
        self._open = np.full(contracts, np.nan)
        self._high = np.full(contracts, np.nan)
        self._low = np.full(contracts, np.nan)
        self._volume = np.zeros(contracts, np.int64)
        self._notional = np.zeros(contracts)
        self._first_q = np.zeros(contracts, np.int64)
        self._last_q = np.zeros(contracts, np.int64)

    def add(self, prints: Prints) -> None:
        """Count prints, given in time order."""
        counted = taken(prints, _UPDATES_VOLUME[prints.condition])
        np.add.at(self._volume, counted.contract, counted.size)
        np.add.at(self._notional, counted.contract, counted.size * counted.price)
        priced = taken(prints, _UPDATES_PRICES[prints.condition])
        rows = priced.contract
        fresh = np.isnan(self._open[rows])
        # Assigned backwards, a contract's earliest print stays; forwards its latest.
        self._open[rows[fresh][::-1]] = priced.price[fresh][::-1]
        self._first_q[rows[fresh][::-1]] = priced.q[fresh][::-1]
        np.fmax.at(self._high, rows, priced.price)
        np.fmin.at(self._low, rows, priced.price)
        self._last[rows], self._last_size[rows] = priced.price, priced.size
        self._last_exchange[rows], self._last_condition[rows] = priced.exchange, priced.condition
        self._last_ns[rows], self._last_q[rows] = priced.t_ms * NS_PER_MS, priced.q

    def cancel_codes(self, gone: Prints) -> NDArray[np.int32]:
        """The OPRA cancel condition of each print: of the only, the last, the opening, or any other of its contract."""
        first, last = self._first_q[gone.contract] == gone.q, self._last_q[gone.contract] == gone.q
        return np.select([first & last, last, first], [207, 203, 205], 201).astype(np.int32)

    def columns(self, rows: NDArray[np.intp]) -> dict[str, NDArray[Any]]:
        """The snapshot's columns about trades."""
        volume = self._volume[rows]
        return {
            "last": self._last[rows],
            "last_size": self._last_size[rows],
            "last_exchange": self._last_exchange[rows],
            "last_condition": self._last_condition[rows],
            "last_ns": self._last_ns[rows],
            "day_open": self._open[rows],
            "day_high": self._high[rows],
            "day_low": self._low[rows],
            "day_volume": volume,
            "day_vwap": self._notional[rows] / np.maximum(volume, 1),
        }
