# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (compiled functions state their types in the decorator, where numba checks them)
"""Orders into prints, in the order of time, and what each print costs by the quote it meets."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import types
from numpy.typing import NDArray

from services.quant.jit import inlined, kernel
from services.standin.market.kernels.dice import DICE, chance
from services.standin.market.kernels.ordering import ORDERS, SWEEP_MS
from services.standin.market.kernels.quoting import TWO_SIDED
from services.standin.market.kernels.tables import PLACES, TABLE, Layout, OrderKind

__all__ = [
    "EXECUTIONS",
    "LEGS_MAX",
    "PLAN",
    "Executions",
    "Plan",
    "Structures",
    "execute_orders",
    "plan_orders",
    "price_prints",
]

VENUES_MIN, VENUES_MAX = 3, 8
LEGS_MAX = 4
PLAIN, SWEEP, AUCTION, CROSS = (int(k) for k in (OrderKind.PLAIN, OrderKind.SWEEP, OrderKind.AUCTION, OrderKind.CROSS))
FLOOR, SPREAD, STOCK_TIED = int(OrderKind.FLOOR), int(OrderKind.SPREAD), int(OrderKind.STOCK_TIED)
BLOCK, LATE = int(OrderKind.BLOCK), int(OrderKind.LATE)


class Structures(NamedTuple):
    """Multi-leg orders: cumulative share and legs of each structure; by structure and leg, flat, strikes away, whether
    the other right, sign and ratio."""

    cumulative: NDArray[np.float64]
    legs: NDArray[np.int64]
    away: NDArray[np.int64]
    other: NDArray[np.int64]
    sign: NDArray[np.int64]
    ratio: NDArray[np.int64]


class Plan(NamedTuple):
    """By order, (n,): its structure, how many prints it makes, and how many ms lie between a sweep's."""

    structure: NDArray[np.int64]
    prints: NDArray[np.int64]
    gap_ms: NDArray[np.float64]


class Executions(NamedTuple):
    """Prints of one span in time order, (n,) each, without price and quote.

    order counts orders of the span; leg is -1 outside spreads, else the leg's number; eaten: ticks by which a sweep has
    moved the quote it meets; eager: at the touch whatever the kind.
    """

    row: NDArray[np.int32]
    venue: NDArray[np.int32]
    size: NDArray[np.int64]
    condition: NDArray[np.int32]
    ms: NDArray[np.int64]
    side: NDArray[np.int8]
    kind: NDArray[np.int8]
    order: NDArray[np.int64]
    leg: NDArray[np.int8]
    burst: NDArray[np.int32]
    eaten: NDArray[np.int8]
    fraction: NDArray[np.float64]


STRUCTURES = Layout(Structures, "f8 i8 i8 i8 i8 i8")
PLAN = Layout(Plan, "i8 i8 f8")
EXECUTIONS = Layout(Executions, "i4 i4 i8 i4 i8 i1 i1 i8 i1 i4 i1 f8")
I64 = types.Array(types.int64, 1, "C")


@kernel(DICE, ORDERS.type, STRUCTURES.type, PLAN.type, I64, returns=types.int64)
def plan_orders(dice, orders, structures, plan, starts):
    """Decide how many prints each order makes and when; returns their number. `starts`, a place a millisecond and one
    more, zero at first, becomes where the prints of each millisecond begin."""
    total = 0
    for at in range(orders.row.shape[0]):
        kind = orders.kind[at]
        prints, gap, structure = 1, 0.0, 0
        if kind == SWEEP:
            venues = VENUES_MIN + np.int64(chance(dice) * (VENUES_MAX + 1 - VENUES_MIN))
            prints = min(venues, orders.size[at])
            gap = chance(dice) * (SWEEP_MS / VENUES_MAX)
        elif kind == SPREAD:
            u = chance(dice)
            while structure < structures.cumulative.shape[0] - 1 and structures.cumulative[structure] <= u:
                structure += 1
            prints = structures.legs[structure]
        plan.structure[at], plan.prints[at], plan.gap_ms[at] = structure, prints, gap
        for child in range(prints):
            starts[orders.ms[at] + np.int64(gap * child) + 1] += 1
        total += prints
    for ms in range(1, starts.shape[0]):
        starts[ms] += starts[ms - 1]
    return total


@inlined
def _leg_row(table, base, away):
    """The contract some strikes away in the same ladder: rows of one root, expiry and right are adjacent and in order
    of strike. The ladder's end stops it."""
    target = min(max(base + away, 0), table.contracts.shape[0] - 1)
    here, there = table.contracts[base], table.contracts[target]
    return target if here.slot == there.slot and here.right == there.right else base


@kernel(DICE, TABLE, ORDERS.type, STRUCTURES.type, PLAN.type, types.int64, I64, EXECUTIONS.type)
def execute_orders(dice, table, orders, structures, plan, span_ms, starts, out):
    """Turn orders into prints, each at its place in the order of time; `starts` as `plan_orders` left it."""
    share = np.empty(VENUES_MAX)
    count = table.venues.shape[0]
    for at in range(orders.row.shape[0]):
        kind, prints, structure = orders.kind[at], plan.prints[at], plan.structure[at]
        home = table.members[table.contracts[orders.row[at]].underlying].home
        begins = np.int64(table.places[np.int64(chance(dice) * PLACES)])
        total = 0.0
        if kind == SWEEP:
            for child in range(prints):
                share[child] = 0.4 + chance(dice)
                total += share[child]
        for child in range(prints):
            ms = orders.ms[at] + np.int64(plan.gap_ms[at] * child)
            place = starts[ms]
            starts[ms] += 1
            row, side, size, leg, eaten = np.int64(orders.row[at]), np.int64(orders.side[at]), orders.size[at], -1, 0
            venue = home if home > 0 else table.venues[begins]
            if kind == SWEEP:
                # Cut unevenly, at least a contract each. Seven is coprime to the number of venues: a sweep never comes
                # to the same one twice. One that is larger than the first quotes eats through them.
                size = max(np.int64(size * share[child] / total), 1)
                venue = table.venues[(begins + 7 * child) % count]
                eaten = child // 3
            elif kind == SPREAD:
                which = structure * LEGS_MAX + child
                base = np.int64(table.contracts[row].mirror) if structures.other[which] == 1 else row
                row = _leg_row(table, base, structures.away[which])
                side *= structures.sign[which]
                size *= structures.ratio[which]
                leg = child
            out.row[place] = row
            out.venue[place] = venue
            out.size[place] = size
            out.condition[place] = orders.condition[at]
            out.ms[place] = ms
            out.side[place] = side
            out.kind[place] = kind
            out.order[place] = at
            out.leg[place] = leg
            out.burst[place] = orders.burst[at]
            out.eaten[place] = eaten
            out.fraction[place] = ms / span_ms


@kernel(DICE, EXECUTIONS.type, TWO_SIDED.type, I64)
def price_prints(dice, prints, quote, cents):
    """Prices in cents: takers at the touch, some improved, auctions inside, negotiated about the middle. A sweep's
    quote moves away from it as it eats."""
    for at in range(cents.shape[0]):
        kind, side, tick = prints.kind[at], prints.side[at], quote.tick_cents[at]
        eaten = prints.eaten[at] * tick
        if side < 0:
            quote.bid_cents[at] = max(quote.bid_cents[at] - eaten, 0)
        else:
            quote.ask_cents[at] += eaten
        bid, ask = quote.bid_cents[at], quote.ask_cents[at]
        u, inside = chance(dice), chance(dice)
        # How far from the middle (0) to the touch (1) on the aggressor's side.
        reach = 1.0 if u < 0.80 else (inside if u < 0.92 else 0.0)
        free = False
        if kind in (SWEEP, BLOCK) or prints.burst[at] >= 0:
            reach = 1.0
        elif kind == AUCTION:
            reach, free = 1.0 if u < 0.35 else 0.2 + 0.8 * inside, True
        elif kind in (CROSS, FLOOR, STOCK_TIED):
            reach, free = 0.5 * inside, True
        elif kind == SPREAD:
            reach, free = 2.0 * inside - 1.0, True
        elif kind == LATE:
            # Late prints come from another quote than the present one.
            reach = 6.0 * inside - 3.0
        if free:
            tick = 1
        half = 0.5 * (ask - bid)
        price = np.floor((bid + half + side * reach * half) / tick + 0.5) * tick
        if kind != LATE:
            price = min(max(price, np.float64(bid)), np.float64(ask))
        cents[at] = max(np.int64(price), tick)
