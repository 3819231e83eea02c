"""How much trades, and in which contracts: mean rates of orders by underlying, and weights of the contracts. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.quant import exact
from standin.market.book import Book
from standin.market.informed import intensity
from standin.market.kernels.ordering import PARTS, Choice
from standin.market.kernels.pacing import weigh
from standin.market.orders import PRINTS_AN_ORDER
from standin.market.paths import Day
from standin.market.universe import WEIGHTS

__all__ = ["PRINTS_A_SECOND", "BaseRate", "row_weights"]

# Option prints a second on average: 8 million in 6.5 hours, the low end of what OPRA carries in 2025-26.
PRINTS_A_SECOND = 350.0
# At nine contracts a print. OPRA's 60 to 70 million a day over some 500 million open are an eighth of a turn; contracts
# near their expiry turn over most, on their last day several times.
CONTRACTS_A_DAY = 9 * PRINTS_A_SECOND * 23_400
TURNS, TURNS_LAST_DAY = 0.4, 6.0
# A contract in which nothing is open yet still trades.
OPEN_INTEREST_SMALL = 50.0
_CONTRACTS_A_DAY = WEIGHTS / WEIGHTS.sum() * CONTRACTS_A_DAY


def row_weights(book: Book) -> Choice:
    """How often each contract trades relative to the others of its underlying, cumulative over all rows."""
    days = book.years * 365.0
    # Half of index volume expires today; single names trade the week. What has a second left is not traded any more.
    soon = np.where(days * 86_400 > 1.5, exact.exp(-1.15 * exact.log(days + 0.8)) + 0.004, 0.0)
    turns = TURNS + TURNS_LAST_DAY / (1.0 + days) ** 2
    rows = len(book.listing)
    choice = Choice(np.empty(rows), np.empty(PARTS * rows + 1, np.int32), book.last_row)
    weigh(book.table, soon, turns, _CONTRACTS_A_DAY, OPEN_INTEREST_SMALL, choice)
    return choice


class BaseRate:
    """Mean orders of each underlying in a second, (members,): its share of the tape, the hour, its wandering activity;
    none while it is halted."""

    def __init__(self, day: Day, intensity_factor: float) -> None:
        self._day = day
        self._shape = intensity(day.seconds)
        self._orders = PRINTS_A_SECOND / PRINTS_AN_ORDER * intensity_factor * WEIGHTS / WEIGHTS.sum()

    def __call__(self, second: int) -> NDArray[np.float64]:
        rate: NDArray[np.float64] = self._orders * self._shape[second] * self._day.activity[second // 60]
        halted = self._day.halted(second)
        return rate if halted is None else np.where(halted, 0.0, rate)
