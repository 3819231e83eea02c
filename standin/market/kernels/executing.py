# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (compiled functions state their types in the decorator, where numba checks them)
"""Orders into executions in the order of time: how many each makes, where, when, and of how much."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import types
from numpy.typing import NDArray

from services.quant.jit import inner, kernel, prefetch
from standin.market.kernels.ordering import ORDER_RECORDS, SWEEP_MS
from standin.market.kernels.rng import RNG, bits, lower, upper, word
from standin.market.kernels.tables import AHEAD, TABLE, VENUE_BITS, Layout, OrderKind, records_of

__all__ = ["EXECUTION", "EXECUTION_RECORDS", "LEGS_MAX", "VENUES_MAX", "Structures", "execute_orders"]

VENUES_MIN, VENUES_MAX = 3, 8
LEGS_MAX = 4
# Up to this an order is nobody's business, whatever the open interest.
ORDINARY_SIZE = 20
# A sweep's largest part is at most three and a half times its smallest, and it moves the quote by two ticks at most: by
# choice, for what venues hold is displayed only in part.
EVEN_SHARE, VENUES_A_TICK = 0.4, 3
SWEEP, SPREAD = int(OrderKind.SWEEP), int(OrderKind.SPREAD)

# An execution, half a cache line, because it is written where its time says. order counts orders of the span; leg is
# -1 outside spreads, else the leg's number; eaten: ticks by which a sweep has moved the quote it meets.
EXECUTION = np.dtype(
    [
        ("row", "i4"), ("size", "i4"), ("ms", "i4"), ("order", "i4"), ("burst", "i4"), ("venue", "i2"),
        ("condition", "i2"), ("kind", "i1"), ("side", "i1"), ("leg", "i1"), ("eaten", "i1"),
    ],
    align=True,
)  # fmt: skip
EXECUTION_RECORDS: Any = records_of(EXECUTION)


class Structures(NamedTuple):
    """Multi-leg orders: cumulative share and legs of each structure; by structure and leg, flat, strikes away, whether
    the other right, sign and ratio."""

    cumulative: NDArray[np.float64]
    legs: NDArray[np.int64]
    away: NDArray[np.int64]
    other: NDArray[np.int64]
    sign: NDArray[np.int64]
    ratio: NDArray[np.int64]


STRUCTURES = Layout(Structures, "f8 i8 i8 i8 i8 i8")
STARTS = types.Array(types.int32, 1, "C")


@inner
def _plan(rng, table, order, structures):
    """Where an order begins, and into how many prints it falls."""
    if order.burst < 0:
        # Who is not informed does not take a multiple of a contract's open interest at once.
        most = ORDINARY_SIZE + table.contracts[order.row].open_interest // 2
        order.size = min(np.int64(order.size), most)
    how = word(rng)
    order.venue = table.venue_draws[bits(how, 0, VENUE_BITS)]
    order.prints, order.gap_ms, order.structure = 1, 0.0, 0
    if order.kind == SWEEP:
        venues = VENUES_MIN + ((VENUES_MAX + 1 - VENUES_MIN) * bits(how, 16, 16) >> 16)
        order.prints = min(venues, np.int64(order.size))
        order.gap_ms = upper(how) * (SWEEP_MS / VENUES_MAX)
    elif order.kind == SPREAD:
        structure, u = 0, upper(how)
        for which in range(structures.cumulative.shape[0] - 1):
            structure += structures.cumulative[which] <= u
        order.structure = structure
        order.prints = structures.legs[structure]


@inner
def _on_grid(table, row, away):
    """Whether there is a contract some strikes away in the same ladder: rows of one root, expiry and right are adjacent
    and in order of strike."""
    target = row + away
    if target < 0 or target >= table.contracts.shape[0]:
        return False
    here, there = table.contracts[row], table.contracts[target]
    return here.slot == there.slot and here.right == there.right


@inner
def _base(table, row, structures, structure):
    """The contract nearest to `row` from which all legs of a structure are on its ladder, so that no two are one."""
    for leg in range(structures.legs[structure]):
        away = structures.away[structure * LEGS_MAX + leg] * table.contracts[row].right
        back = 1 if away < 0 else -1
        for _ in range(abs(away)):
            if not _on_grid(table, row, away):
                row += back
    return row


@inner
def _begun(starts, order, child, index, out):
    """The next place of its millisecond, with what all executions of an order have in common."""
    ms = order.ms + np.int64(order.gap_ms * child)
    position = starts[ms]
    starts[ms] += 1
    execution = out[position]
    execution.row = order.row
    execution.size = order.size
    execution.ms = ms
    execution.order = index
    execution.burst = order.burst
    execution.condition = order.condition
    execution.kind = order.kind
    execution.side = order.side
    execution.leg = -1
    execution.eaten = 0
    return execution


@inner
def _sweep(rng, table, order, index, starts, out):
    """Cut unevenly, a contract at least each. Seven is coprime to the number of venues: a sweep never comes to the same
    one twice. However much is displayed, it eats a tick with every third venue."""
    shares = word(rng), word(rng), word(rng), word(rng)
    total = 0.0
    for child in range(order.prints):
        total += _share(shares, child)
    rest = np.int64(order.size) - order.prints
    share, cut = 0.0, np.int64(0)
    for child in range(order.prints):
        share += _share(shares, child)
        until = rest if child == order.prints - 1 else np.int64(rest * share / total)
        execution = _begun(starts, order, child, index, out)
        execution.size = 1 + until - cut
        execution.venue = table.venues[(order.venue + 7 * child) % table.venues.shape[0]]
        execution.eaten = child // VENUES_A_TICK
        cut = until


@inner
def _share(words, child):
    half = words[child >> 1]
    return EVEN_SHARE + (upper(half) if child & 1 else lower(half))


@kernel(
    RNG,
    TABLE,
    ORDER_RECORDS,
    types.int64,
    STRUCTURES.type,
    STARTS,
    EXECUTION_RECORDS,
    returns=types.int64,
    trusting=True,
)
def execute_orders(rng, table, orders, count, structures, starts, out):
    """Turn the first `count` orders into executions, in the order of time; returns how many they are. `starts` is
    room for a place a millisecond and one more."""
    starts[:] = 0
    for index in range(count):
        prefetch(table.contracts, orders[min(index + AHEAD, count - 1)].row, 0)
        order = orders[index]
        _plan(rng, table, order, structures)
        for child in range(order.prints):
            starts[order.ms + np.int64(order.gap_ms * child) + 1] += 1
    for ms in range(1, starts.shape[0]):
        starts[ms] += starts[ms - 1]
    total = np.int64(starts[starts.shape[0] - 1])
    for index in range(count):
        order = orders[index]
        if order.kind == SWEEP:
            _sweep(rng, table, order, index, starts, out)
            continue
        home = table.members[table.contracts[order.row].underlying].home
        venue = home if home > 0 else table.venues[order.venue]
        row = np.int64(order.row)
        if order.kind == SPREAD:
            row = _base(table, row, structures, order.structure)
        for child in range(order.prints):
            execution = _begun(starts, order, child, index, out)
            execution.venue = venue
            if order.kind == SPREAD:
                which = order.structure * LEGS_MAX + child
                base = table.contracts[row].mirror if structures.other[which] == 1 else row
                execution.row = base + structures.away[which] * table.contracts[row].right
                execution.side = order.side * structures.sign[which]
                execution.size = order.size * structures.ratio[which]
                execution.leg = child
    return total
