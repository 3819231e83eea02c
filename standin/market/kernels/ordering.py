# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (compiled functions state their types in the decorator, where numba checks them)
"""Background orders of a span: what kind, in which contract, how large, which side, when."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import types
from numpy.typing import NDArray

from services.quant.jit import inner, kernel, prefetch
from standin.market.kernels.choosing import guided, searched
from standin.market.kernels.rng import RNG, bits, lower, upper, word
from standin.market.kernels.sizing import SIZES, sized
from standin.market.kernels.tables import AHEAD, BOOL_IN, I64_IN, Layout, OrderKind, records_of

__all__ = ["CHOICE", "ORDER", "ORDER_RECORDS", "PARTS", "RULES", "SWEEP_MS", "Choice", "Rules", "draw_orders"]

# Sweeps are over within this; they begin early enough in their second to end in it.
SWEEP_MS = 200
# Parts of the guide to the contracts, by row.
PARTS = 2
# Conditions of auctions and crosses that sweeps go into; without are those one less.
SWEPT_INTO = (228, 230)
PLAIN, SWEEP = int(OrderKind.PLAIN), int(OrderKind.SWEEP)

# An order: side +1 buys, -1 sells; ms in the span; burst -1 or an informed one's; wanted: the cumulative weight that
# its contract is drawn by; and, once it is planned (`executing.py`), its first venue, its structure, how many prints it
# makes, and how many ms lie between a sweep's.
ORDER = np.dtype(
    [
        ("wanted", "f8"), ("gap_ms", "f8"), ("row", "i4"), ("size", "i4"), ("ms", "i4"), ("burst", "i4"),
        ("condition", "i2"), ("kind", "i1"), ("side", "i1"), ("venue", "i1"), ("structure", "i1"), ("prints", "i1"),
    ],
    align=True,
)  # fmt: skip
ORDER_RECORDS: Any = records_of(ORDER)


class Rules(NamedTuple):
    """The mix of orders by flavour: its cumulative share and the guide to it, its kind and its condition."""

    cumulative: NDArray[np.float64]
    guide: NDArray[np.int32]
    kind: NDArray[np.int8]
    condition: NDArray[np.int16]


class Choice(NamedTuple):
    """How often contracts trade: cumulative weights by row, the guide to them with PARTS a row and one more, and each
    underlying's last row."""

    cumulative: NDArray[np.float64]
    guide: NDArray[np.int32]
    last_row: NDArray[np.int64]


RULES = Layout(Rules, "f8 i4 i1 i2")
CHOICE = Layout(Choice, "f8 i4 i8")


@inner
def _draw(rng, rules, sizes, everywhere, span_ms, order):
    """Everything of an order but its contract."""
    what, when = word(rng), word(rng)
    u = upper(what)
    flavour = guided(rules.cumulative, rules.guide, 0, rules.guide.shape[0] - 1, u, u)
    kind, condition = rules.kind[flavour], rules.condition[flavour]
    if not everywhere:
        # Index products have one venue: what would have been a sweep is a plain order, and neither an auction nor a
        # cross there is swept into.
        if kind == SWEEP:
            kind, condition = np.int8(PLAIN), np.int16(209)
        elif condition in SWEPT_INTO:
            condition = np.int16(condition - 1)
    ms = np.int64(upper(when) * (span_ms - SWEEP_MS))
    if kind != SWEEP:
        ms += np.int64(lower(when) * SWEEP_MS)
    order.kind = kind
    order.condition = condition
    order.size = sized(sizes, kind, lower(what))
    order.ms = ms
    order.burst = -1


@inner
def _find_contracts(choice, out, count):
    """The contract of each of the first `count` orders, whose row is its part of the guide so far. What one looks up is
    far from what the last one did, so that memory is asked ahead: for guides, weights, and then contracts."""
    for index in range(min(AHEAD, count)):
        prefetch(choice.cumulative, choice.guide[out[index].row], 0)
    for index in range(count):
        if index + AHEAD < count:
            prefetch(choice.cumulative, choice.guide[out[index + AHEAD].row], 0)
        order = out[index]
        low, high = np.int64(choice.guide[order.row]), np.int64(choice.guide[order.row + 1])
        order.row = searched(choice.cumulative, low, high, order.wanted)


@kernel(RNG, RULES.type, SIZES.type, CHOICE.type, BOOL_IN, I64_IN, types.int64, ORDER_RECORDS, trusting=True)
def draw_orders(rng, rules, sizes, choice, everywhere, counts, span_ms, out):
    """`counts` orders of each underlying, in contracts of its own; `everywhere`: whose trade on all venues."""
    index = 0
    first, before = 0, 0.0
    for member in range(counts.shape[0]):
        end = choice.last_row[member] + 1
        parts = PARTS * (end - first)
        above = choice.cumulative[end - 1] if end > first else before
        for _ in range(counts[member] if end > first else 0):
            order, how = out[index], word(rng)
            share = upper(how)
            part = PARTS * first + np.int64(share * parts)
            prefetch(choice.guide, part, 0)
            order.row = part
            order.wanted = before + share * (above - before)
            order.side = 2 * bits(how, 0, 1) - 1
            _draw(rng, rules, sizes, everywhere[member], span_ms, order)
            index += 1
        first, before = end, above
    _find_contracts(choice, out, index)
