"""What arrives at the exchanges in one span of the book, a second as a rule, with the truth beside it. Pure.

An order is one decision of one trader; a print is one execution. A sweep is one order with a print on each of three to
eight venues within 200 ms; a spread is one order with a print a leg. Shares by print follow spec/vendor.md 11.4: about
45 % plain, 30 % multi-leg, 8 % sweeps, 12 % auctions, 2 % crosses, 2 % floor, a few tenths of a percent late.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from standin.market.book import Book
from standin.market.kernels.executing import (
    EXECUTION,
    LEGS_MAX,
    VENUES_MAX,
    Structures,
    execute_orders,
)
from standin.market.kernels.ordering import ORDER, Choice, Rules, draw_orders
from standin.market.kernels.sizing import PARTS, SIZE_MAX, Sizes, tabulate_sizes
from standin.market.kernels.tables import OrderKind
from standin.market.venues import MULTIPLE

__all__ = ["PRINTS_AN_ORDER", "OrderKind", "Pit"]

Records = NDArray[Any]


class _Flavour(NamedTuple):
    kind: OrderKind
    condition: int
    print_share: float
    prints: float  # an order of this kind makes so many prints on average


# Half of sweeps are for less than eighteen contracts and some for fewer than the venues they would take: 5.17, where
# the venues alone make 5.5. Spreads by the shares of their structures: 0.8 x 2 + 0.13 x 3 + 0.07 x 4.
SWEEP_PRINTS, SPREAD_PRINTS = 5.17, 2.27
_FLAVOURS = (
    _Flavour(OrderKind.PLAIN, 209, 0.447, 1.0),
    _Flavour(OrderKind.BLOCK, 209, 0.002, 1.0),
    _Flavour(OrderKind.SWEEP, 219, 0.080, SWEEP_PRINTS),
    _Flavour(OrderKind.AUCTION, 227, 0.104, 1.0),
    _Flavour(OrderKind.AUCTION, 228, 0.016, 1.0),
    _Flavour(OrderKind.CROSS, 229, 0.018, 1.0),
    _Flavour(OrderKind.CROSS, 230, 0.002, 1.0),
    _Flavour(OrderKind.FLOOR, 231, 0.015, 1.0),
    _Flavour(OrderKind.SPREAD, 232, 0.140, SPREAD_PRINTS),
    _Flavour(OrderKind.SPREAD, 233, 0.050, SPREAD_PRINTS),
    _Flavour(OrderKind.SPREAD, 234, 0.008, SPREAD_PRINTS),
    _Flavour(OrderKind.SPREAD, 235, 0.015, SPREAD_PRINTS),
    _Flavour(OrderKind.SPREAD, 236, 0.042, SPREAD_PRINTS),
    _Flavour(OrderKind.SPREAD, 238, 0.030, SPREAD_PRINTS),
    _Flavour(OrderKind.SPREAD, 239, 0.012, SPREAD_PRINTS),
    _Flavour(OrderKind.STOCK_TIED, 240, 0.008, 1.0),
    _Flavour(OrderKind.STOCK_TIED, 241, 0.004, 1.0),
    _Flavour(OrderKind.STOCK_TIED, 237, 0.004, 1.0),
    _Flavour(OrderKind.LATE, 202, 0.0018, 1.0),
    _Flavour(OrderKind.LATE, 204, 0.0012, 1.0),
)
_ORDER_SHARE = np.array([flavour.print_share / flavour.prints for flavour in _FLAVOURS])
PRINTS_AN_ORDER = float(sum(flavour.print_share for flavour in _FLAVOURS) / _ORDER_SHARE.sum())

# Parts of the guide to the flavours.
FLAVOUR_PARTS = 256
_CUMULATIVE = np.cumsum(_ORDER_SHARE) / _ORDER_SHARE.sum()
_RULES = Rules(
    cumulative=_CUMULATIVE,
    guide=np.searchsorted(_CUMULATIVE[:-1], np.arange(FLAVOUR_PARTS + 1) / FLAVOUR_PARTS, side="right").astype(
        np.int32
    ),
    kind=np.array([flavour.kind for flavour in _FLAVOURS], np.int8),
    condition=np.array([flavour.condition for flavour in _FLAVOURS], np.int16),
)

# Median and log deviation of an order's size by kind: most are for one to ten, negotiated ones for hundreds. The mean
# print is then for eight or nine contracts, as 67 million contracts in 7 to 8 million prints are (spec/vendor.md 9).
SIZE_MEDIAN = np.array([2.2, 18.0, 2.2, 70.0, 50.0, 2.8, 25.0, 300.0, 4.0])
SIZE_SIGMA = np.array([1.1, 1.0, 1.1, 1.1, 1.1, 1.1, 1.1, 0.8, 1.2])

# Legs of each structure: strikes away (up for a call, down for a put), other right (1) or same (0), sign, ratio.
# Vertical, straddle, butterfly, iron condor.
_LEGS = (
    ((0, 0, 1, 1), (1, 0, -1, 1)),
    ((0, 0, 1, 1), (0, 1, 1, 1)),
    ((-1, 0, 1, 1), (0, 0, -1, 2), (1, 0, 1, 1)),
    ((0, 0, -1, 1), (1, 0, 1, 1), (-2, 1, -1, 1), (-3, 1, 1, 1)),
)
_LEG = np.zeros((len(_LEGS), LEGS_MAX, 4), np.int64)
for _structure, _legs in enumerate(_LEGS):
    _LEG[_structure, : len(_legs)] = _legs
_STRUCTURES = Structures(
    np.cumsum([0.62, 0.18, 0.13, 0.07]),
    np.array([len(legs) for legs in _LEGS]),
    *(np.ascontiguousarray(_LEG[:, :, field].ravel()) for field in range(4)),
)


@functools.cache
def _sizes() -> Sizes:
    kinds = len(SIZE_MEDIAN)
    sizes = Sizes(np.empty(kinds * SIZE_MAX), np.empty(kinds * (PARTS + 1), np.int32))
    tabulate_sizes(SIZE_MEDIAN, SIZE_SIGMA, sizes)
    return sizes


class Pit:
    """Turns a span's orders into executions, in buffers of its own that the next span is written over."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._span_ms = 1000 * book.span_s
        self._starts = np.empty(self._span_ms + 1, np.int32)
        self._orders, self._executions = np.empty(0, ORDER), np.empty(0, EXECUTION)

    def executed(
        self, rng_state: NDArray[np.uint64], choice: Choice, counts: NDArray[np.int64], informed: Records | None
    ) -> tuple[Records, int]:
        """Executions of the span, in the order of time, and of how many orders: `counts` of each underlying,
        (members,), drawn as contracts trade, and behind them those of who is `informed`."""
        book, drawn = self._book, int(counts.sum())
        count = drawn if informed is None else drawn + len(informed)
        if count > len(self._orders):
            self._orders = np.zeros(2 * count, ORDER)
            self._executions = np.zeros(2 * count * VENUES_MAX, EXECUTION)
        draw_orders(rng_state, _RULES, _sizes(), choice, MULTIPLE, counts, self._span_ms, self._orders)
        if informed is not None:
            self._orders[drawn:count] = informed
        made = execute_orders(rng_state, book.table, self._orders, count, _STRUCTURES, self._starts, self._executions)
        return self._executions[:made], count
