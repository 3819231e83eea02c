# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (compiled functions state their types in the decorator, where numba checks them)
"""Background orders of a span: what kind, in which contract, how large, which side, when."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import types
from numpy.typing import NDArray

from services.quant.jit import inlined, kernel
from services.quant.special import exp
from services.standin.market.kernels.dice import DICE, chance, normal
from services.standin.market.kernels.tables import F64_IN, I64_IN, TABLE, Layout, OrderKind

__all__ = ["ORDERS", "SWEEP_MS", "Orders", "Rules", "draw_orders"]

# Sweeps are over within this; they begin early enough in their second to end in it.
SWEEP_MS = 200
SIZE_MAX = 20_000
# Up to this an order is nobody's business, whatever the open interest.
ORDINARY_SIZE = 20
PLAIN, SWEEP = int(OrderKind.PLAIN), int(OrderKind.SWEEP)


class Orders(NamedTuple):
    """Orders of one span, (n,) each. side: +1 buys, -1 sells. ms: in the span. burst: -1 or an informed one's."""

    kind: NDArray[np.int8]
    condition: NDArray[np.int32]
    row: NDArray[np.int32]
    side: NDArray[np.int8]
    size: NDArray[np.int64]
    ms: NDArray[np.int64]
    burst: NDArray[np.int32]


class Rules(NamedTuple):
    """The mix of orders: by flavour its cumulative share, kind and condition; by kind the median and the log deviation
    of sizes."""

    cumulative: NDArray[np.float64]
    kind: NDArray[np.int8]
    condition: NDArray[np.int32]
    size_median: NDArray[np.float64]
    size_sigma: NDArray[np.float64]


ORDERS = Layout(Orders, "i1 i4 i4 i1 i8 i8 i4")
RULES = Layout(Rules, "f8 i1 i4 f8 f8")


@inlined
def _place(cumulative, low, high, wanted):
    """The first place in [low, high) whose cumulative weight is above what is wanted; the last one where none is."""
    last = high - 1
    while low < high:
        middle = (low + high) >> 1
        if cumulative[middle] <= wanted:
            low = middle + 1
        else:
            high = middle
    return min(low, last)


@kernel(DICE, TABLE, RULES.type, F64_IN, I64_IN, I64_IN, types.int64, ORDERS.type)
def draw_orders(dice, table, rules, weight, last_row, counts, span_ms, out):
    """`counts` orders of each underlying; rows by the cumulative `weight`, an underlying's up to its `last_row`."""
    at = 0
    first, before = 0, 0.0
    for member in range(counts.shape[0]):
        end = last_row[member] + 1
        above = weight[end - 1] if end > first else before
        everywhere = table.members[member].home == 0
        for _ in range(counts[member] if end > first else 0):
            flavour = _place(rules.cumulative, 0, rules.cumulative.shape[0], chance(dice))
            row = _place(weight, first, end, before + chance(dice) * (above - before))
            kind, condition = rules.kind[flavour], rules.condition[flavour]
            if not everywhere:
                # Index products have one venue: what would have been a sweep is a plain order, and neither an auction
                # nor a cross there is swept into.
                if kind == SWEEP:
                    kind, condition = np.int8(PLAIN), np.int32(209)
                elif condition == 228 or condition == 230:
                    condition = np.int32(condition - 1)
            size = np.floor(rules.size_median[kind] * exp(rules.size_sigma[kind] * normal(dice)))
            # People like round numbers: half the orders above ten are for a multiple of five or ten.
            rounded, buys = chance(dice) < 0.5, chance(dice) < 0.5
            if size > 10.0 and rounded:
                nearest = 10.0 if size > 50.0 else 5.0
                size = np.floor(size / nearest + 0.5) * nearest
            # Who is not informed does not take a multiple of a contract's open interest at once.
            most = min(ORDINARY_SIZE + table.contracts[row].open_interest // 2, SIZE_MAX)
            early, late = chance(dice), chance(dice)
            ms = np.int64(early * (span_ms - SWEEP_MS))
            if kind != SWEEP:
                ms += np.int64(late * SWEEP_MS)
            out.kind[at] = kind
            out.condition[at] = condition
            out.row[at] = row
            out.side[at] = 1 if buys else -1
            out.size[at] = max(min(np.int64(size), most), 1)
            out.ms[at] = ms
            out.burst[at] = -1
            at += 1
        first, before = end, above
