"""What arrives at the exchanges in one span of the book, a second as a rule, with the truth beside it. Pure.

An order is one decision of one trader; a print is one execution. A sweep is one order with a print on each of three to
eight venues within 200 ms; a spread is one order with a print a leg. Shares by print follow massive.md 11.4: about 45 %
plain, 30 % multi-leg, 8 % sweeps, 12 % auctions, 2 % crosses, 2 % floor, a few tenths of a percent late.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.standin.market.book import Book
from services.standin.market.kernels.executing import (
    EXECUTIONS,
    LEGS_MAX,
    PLAN,
    Executions,
    Structures,
    execute_orders,
    plan_orders,
    price_prints,
)
from services.standin.market.kernels.ordering import ORDERS, Orders, Rules, draw_orders
from services.standin.market.kernels.quoting import TwoSided
from services.standin.market.kernels.tables import OrderKind

__all__ = ["PRINTS_AN_ORDER", "Executions", "Met", "OrderKind", "Orders", "draw", "execute"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class _Flavour(NamedTuple):
    kind: OrderKind
    condition: int
    print_share: float
    prints: float  # an order of this kind makes so many prints on average


_FLAVOURS = (
    _Flavour(OrderKind.PLAIN, 209, 0.447, 1.0),
    _Flavour(OrderKind.BLOCK, 209, 0.002, 1.0),
    _Flavour(OrderKind.SWEEP, 219, 0.080, 5.5),
    _Flavour(OrderKind.AUCTION, 227, 0.104, 1.0),
    _Flavour(OrderKind.AUCTION, 228, 0.016, 1.0),
    _Flavour(OrderKind.CROSS, 229, 0.018, 1.0),
    _Flavour(OrderKind.CROSS, 230, 0.002, 1.0),
    _Flavour(OrderKind.FLOOR, 231, 0.015, 1.0),
    _Flavour(OrderKind.SPREAD, 232, 0.140, 2.35),
    _Flavour(OrderKind.SPREAD, 233, 0.050, 2.35),
    _Flavour(OrderKind.SPREAD, 234, 0.008, 2.35),
    _Flavour(OrderKind.SPREAD, 235, 0.015, 2.35),
    _Flavour(OrderKind.SPREAD, 236, 0.042, 2.35),
    _Flavour(OrderKind.SPREAD, 238, 0.030, 2.35),
    _Flavour(OrderKind.SPREAD, 239, 0.012, 2.35),
    _Flavour(OrderKind.STOCK_TIED, 240, 0.008, 1.0),
    _Flavour(OrderKind.STOCK_TIED, 241, 0.004, 1.0),
    _Flavour(OrderKind.STOCK_TIED, 237, 0.004, 1.0),
    _Flavour(OrderKind.LATE, 202, 0.0018, 1.0),
    _Flavour(OrderKind.LATE, 204, 0.0012, 1.0),
)
_ORDER_SHARE = np.array([flavour.print_share / flavour.prints for flavour in _FLAVOURS])
PRINTS_AN_ORDER = float(sum(flavour.print_share for flavour in _FLAVOURS) / _ORDER_SHARE.sum())

# Median and log deviation of an order's size by kind: most are for one to ten, negotiated ones for hundreds. The mean
# print is then for eight or nine contracts, as 67 million contracts in 7 to 8 million prints a day are (massive.md 9).
_RULES = Rules(
    cumulative=np.cumsum(_ORDER_SHARE) / _ORDER_SHARE.sum(),
    kind=np.array([flavour.kind for flavour in _FLAVOURS], np.int8),
    condition=np.array([flavour.condition for flavour in _FLAVOURS], np.int32),
    size_median=np.array([2.2, 18.0, 2.2, 70.0, 50.0, 2.8, 25.0, 300.0, 4.0]),
    size_sigma=np.array([1.1, 1.0, 1.1, 1.1, 1.1, 1.1, 1.1, 0.8, 1.2]),
)

# Legs of each structure: strikes away, other right (1) or same (0), sign, ratio. Vertical, straddle, butterfly, condor.
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


class Met(NamedTuple):
    """Executions with the quote each met, moved on by what a sweep ate of it, and its price in cents, (n,)."""

    prints: Executions
    quote: TwoSided
    cents: Ints


def draw(dice: NDArray[np.uint64], book: Book, cumulative: Floats, counts: Ints) -> Orders:
    """Background orders of one span: `counts` of each underlying, (members,); rows by cumulative weights, (rows,)."""
    orders = ORDERS.room(int(counts.sum()))
    draw_orders(dice, book.table, _RULES, cumulative, book.last_row, counts, 1000 * book.span_s, orders)
    return orders


def execute(dice: NDArray[np.uint64], book: Book, orders: Orders) -> Met:
    """Turn orders into prints in the order of time, at the quotes they meet."""
    count, span_ms = len(orders.row), 1000 * book.span_s
    plan = PLAN.room(count)
    starts = np.zeros(span_ms + 1, np.int64)
    total = plan_orders(dice, orders, _STRUCTURES, plan, starts)
    prints = EXECUTIONS.room(total)
    execute_orders(dice, book.table, orders, _STRUCTURES, plan, span_ms, starts, prints)
    quote = book.quote(prints.row, prints.fraction)
    cents = np.empty(total, np.int64)
    price_prints(dice, prints, quote, cents)
    return Met(prints, quote, cents)
