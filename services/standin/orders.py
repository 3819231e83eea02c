"""What arrives at the exchanges in one span of the book, a second as a rule, with the truth beside it. Pure.

An order is one decision of one trader; a print is one execution. A sweep is one order with a print on each of three to
eight venues within 200 ms; a spread is one order with a print a leg. Shares by print follow massive.md 11.4: about 45 %
plain, 30 % multi-leg, 8 % sweeps, 12 % auctions, 2 % crosses, 2 % floor, a few tenths of a percent late.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.standin.book import Book, TwoSided
from services.standin.source import taken
from services.standin.venues import MULTIPLE, VENUES, venue_of

__all__ = ["PRINTS_AN_ORDER", "Executions", "OrderKind", "Orders", "draw", "execute"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class OrderKind(IntEnum):
    """What an order is. The numbers are part of the ground truth's file."""

    PLAIN = 0
    SWEEP = 1
    AUCTION = 2
    CROSS = 3
    FLOOR = 4
    SPREAD = 5
    STOCK_TIED = 6
    BLOCK = 7
    LATE = 8


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
_KIND = np.array([flavour.kind for flavour in _FLAVOURS], np.int8)
_CONDITION = np.array([flavour.condition for flavour in _FLAVOURS], np.int32)
_ORDER_SHARE = np.array([flavour.print_share / flavour.prints for flavour in _FLAVOURS])
_ORDER_CUMULATIVE = np.cumsum(_ORDER_SHARE) / _ORDER_SHARE.sum()
PRINTS_AN_ORDER = float(sum(flavour.print_share for flavour in _FLAVOURS) / _ORDER_SHARE.sum())

# Median and log deviation of an order's size by kind: most are for one to ten, negotiated ones for hundreds. The mean
# print is then for eight or nine contracts, as 67 million contracts in 7 to 8 million prints a day are (massive.md 9).
_SIZE_MEDIAN = np.array([2.2, 18.0, 2.2, 70.0, 50.0, 2.8, 25.0, 300.0, 4.0])
_SIZE_SIGMA = np.array([1.1, 1.0, 1.1, 1.1, 1.1, 1.1, 1.1, 0.8, 1.2])
SIZE_MAX = 20_000
# Up to this an order is nobody's business, whatever the open interest.
ORDINARY_SIZE = 20
# Sweeps are over within this; they begin early enough in their second to end in it.
SWEEP_MS = 200
VENUES_MIN, VENUES_MAX = 3, 8

# Legs of each structure: strikes away, other right (1) or same (0), sign, ratio. Vertical, straddle, butterfly, condor.
_LEGS = (
    ((0, 0, 1, 1), (1, 0, -1, 1)),
    ((0, 0, 1, 1), (0, 1, 1, 1)),
    ((-1, 0, 1, 1), (0, 0, -1, 2), (1, 0, 1, 1)),
    ((0, 0, -1, 1), (1, 0, 1, 1), (-2, 1, -1, 1), (-3, 1, 1, 1)),
)
_LEG_COUNT = np.array([len(legs) for legs in _LEGS])
_LEG = np.zeros((len(_LEGS), 4, 4), np.int64)
for _structure, _legs in enumerate(_LEGS):
    _LEG[_structure, : len(_legs)] = _legs
_STRUCTURE_CUMULATIVE = np.cumsum([0.62, 0.18, 0.13, 0.07])


class Orders(NamedTuple):
    """Orders of one span, (n,) each. side: +1 buys, -1 sells. ms: in the span. burst: -1 or an informed one's."""

    kind: NDArray[np.int8]
    condition: NDArray[np.int32]
    row: NDArray[np.int32]
    side: NDArray[np.int8]
    size: Ints
    ms: Ints
    burst: NDArray[np.int32]


class Executions(NamedTuple):
    """Prints of one span in time order, (n,) each, with quote and truth.

    order counts orders of the span; leg is -1 outside spreads, else the leg's number. Prices in cents.
    """

    row: NDArray[np.int32]
    venue: NDArray[np.int32]
    cents: Ints
    size: Ints
    condition: NDArray[np.int32]
    ms: Ints
    bid_cents: Ints
    ask_cents: Ints
    bid_size: Ints
    ask_size: Ints
    bid_venue: NDArray[np.int32]
    ask_venue: NDArray[np.int32]
    side: NDArray[np.int8]
    kind: NDArray[np.int8]
    order: Ints
    leg: NDArray[np.int8]
    burst: NDArray[np.int32]


def draw(rng: np.random.Generator, book: Book, cumulative: Floats, counts: Ints) -> Orders:
    """Background orders of one span: `counts` of each underlying, (members,); rows by cumulative weights, (rows,)."""
    count = int(counts.sum())
    chance = rng.random((7, count))
    flavour = np.searchsorted(_ORDER_CUMULATIVE, chance[0], side="right").clip(max=len(_FLAVOURS) - 1)
    # An underlying's rows are adjacent: its part of the cumulative weights begins where the one before it ends.
    ends = np.concatenate(([0.0], cumulative[book.last_row]))
    owner = np.repeat(np.arange(len(counts)), counts)
    place = ends[owner] + chance[1] * (ends[owner + 1] - ends[owner])
    row = np.searchsorted(cumulative, place, side="right").clip(max=book.last_row[owner])
    kind, condition = _KIND[flavour], _CONDITION[flavour]
    # Index products have one venue: what would have been a sweep is a plain order.
    homebound = (kind == OrderKind.SWEEP) & ~MULTIPLE[book.underlying[row]]
    kind = np.where(homebound, np.int8(OrderKind.PLAIN), kind)
    condition = np.where(homebound, 209, condition)
    # Nor can an auction or a cross there be swept into.
    condition = np.where(
        ~MULTIPLE[book.underlying[row]] & ((condition == 228) | (condition == 230)), condition - 1, condition
    )
    size = np.floor(_SIZE_MEDIAN[kind] * np.exp(_SIZE_SIGMA[kind] * rng.standard_normal(count)))
    # People like round numbers: half the orders above ten are for a multiple of five or ten.
    nearest = np.where(size > 50, 10, 5)
    size = np.where((size > 10) & (chance[2] < 0.5), np.round(size / nearest) * nearest, size)
    # Who is not informed does not take a multiple of a contract's open interest at once.
    size = np.minimum(size, ORDINARY_SIZE + book.listing.open_interest[row] // 2)
    return Orders(
        kind=kind,
        condition=condition.astype(np.int32),
        row=row.astype(np.int32),
        side=np.where(chance[3] < 0.5, 1, -1).astype(np.int8),
        size=np.clip(size, 1, SIZE_MAX).astype(np.int64),
        ms=np.floor(chance[4] * (1000 * book.span_s - SWEEP_MS)).astype(np.int64)
        + np.floor(chance[5] * SWEEP_MS).astype(np.int64) * (kind != OrderKind.SWEEP),
        burst=np.full(count, -1, np.int32),
    )


def execute(rng: np.random.Generator, book: Book, orders: Orders, mirror: NDArray[np.int32]) -> Executions:
    """Turn orders into prints. `mirror` gives each row's other right at the same strike (or the row itself)."""
    count = len(orders.row)
    is_sweep, is_spread = orders.kind == OrderKind.SWEEP, orders.kind == OrderKind.SPREAD
    structure = np.searchsorted(_STRUCTURE_CUMULATIVE, rng.random(count), side="right").clip(max=len(_LEGS) - 1)
    venues = np.minimum(rng.integers(VENUES_MIN, VENUES_MAX + 1, count), orders.size)
    prints = np.where(is_sweep, venues, np.where(is_spread, _LEG_COUNT[structure], 1))
    order = np.repeat(np.arange(count), prints)
    child = np.arange(len(order)) - np.repeat(np.cumsum(prints) - prints, prints)
    sweeping, spreading = is_sweep[order], is_spread[order]

    leg = _LEG[structure[order], np.where(spreading, child, 0)]
    row = np.where(spreading, _leg_row(book, orders.row[order], leg, mirror), orders.row[order])
    side = np.where(spreading, orders.side[order] * leg[:, 2], orders.side[order]).astype(np.int8)
    size = orders.size[order] * np.where(spreading, leg[:, 3], 1)
    size = np.where(sweeping, _split(rng, orders.size, prints, order), size)

    underlying = book.underlying[row]
    start = venue_of(underlying, rng.random(count)[order])
    start_at = np.searchsorted(_SORTED_VENUES, start)
    # Seven is coprime to the number of venues: a sweep never comes to the same venue twice.
    walked = _SORTED_VENUES[(start_at + 7 * child) % len(VENUES)]
    venue = np.where(sweeping, walked, start)
    gap = rng.random(count) * (SWEEP_MS / VENUES_MAX)
    ms = orders.ms[order] + np.where(sweeping, np.floor(gap[order] * child), 0).astype(np.int64)

    quote = book.quote(row, ms / (1000.0 * book.span_s))
    # A sweep that is larger than the first quotes eats through them: the quote it meets moves away from it.
    eaten = np.where(sweeping, child // 3, 0) * quote.tick_cents
    quote = quote._replace(
        bid_cents=np.maximum(quote.bid_cents - np.where(side < 0, eaten, 0), 0),
        ask_cents=quote.ask_cents + np.where(side > 0, eaten, 0),
    )
    executions = Executions(
        row=row.astype(np.int32),
        venue=venue.astype(np.int32),
        cents=_price(rng, quote, side, orders.kind[order], orders.burst[order] >= 0),
        size=size.astype(np.int64),
        condition=orders.condition[order],
        ms=ms,
        bid_cents=quote.bid_cents,
        ask_cents=quote.ask_cents,
        bid_size=quote.bid_size,
        ask_size=quote.ask_size,
        bid_venue=quote.bid_venue,
        ask_venue=quote.ask_venue,
        side=side,
        kind=orders.kind[order],
        order=order.astype(np.int64),
        leg=np.where(spreading, child, -1).astype(np.int8),
        burst=orders.burst[order],
    )
    by_time = np.argsort(ms, kind="stable")
    return taken(executions, by_time)


_SORTED_VENUES = np.sort(VENUES)


def _leg_row(book: Book, row: NDArray[np.int32], leg: Ints, mirror: NDArray[np.int32]) -> Ints:
    """The contract of a leg: some strikes away in the same ladder, or in the mirror's; the ladder's end stops it."""
    base = np.where(leg[:, 1] == 1, mirror[row], row).astype(np.int64)
    # Rows of one root, expiry and right are adjacent and in order of strike.
    target = np.clip(base + leg[:, 0], 0, len(book.slot) - 1)
    same = (book.slot[target] == book.slot[base]) & (book.right[target] == book.right[base])
    return np.where(same, target, base)


def _split(rng: np.random.Generator, size: Ints, prints: Ints, order: Ints) -> Ints:
    """Cut each order's size into its prints, unevenly, at least one contract each."""
    share = 0.4 + rng.random(len(order))
    total = np.bincount(order, share, minlength=len(size))
    return np.maximum(np.floor(size[order] * share / total[order]), 1).astype(np.int64)


def _price(
    rng: np.random.Generator, quote: TwoSided, side: NDArray[np.int8], kind: NDArray[np.int8], eager: NDArray[np.bool_]
) -> Ints:
    """Execution price in cents: takers at the touch, some improved, auctions inside, negotiated about the middle."""
    chance, inside = rng.random(len(side)), rng.random(len(side))
    # How far from the middle (0) to the touch (1) on the aggressor's side.
    reach = np.where(chance < 0.80, 1.0, np.where(chance < 0.92, inside, 0.0))
    reach = np.where(kind == OrderKind.AUCTION, np.where(chance < 0.35, 1.0, 0.2 + 0.8 * inside), reach)
    negotiated = (kind == OrderKind.CROSS) | (kind == OrderKind.FLOOR) | (kind == OrderKind.STOCK_TIED)
    reach = np.where(negotiated, 0.5 * inside, reach)
    reach = np.where(kind == OrderKind.SPREAD, 2.0 * inside - 1.0, reach)
    reach = np.where((kind == OrderKind.SWEEP) | (kind == OrderKind.BLOCK) | eager, 1.0, reach)
    # Late prints come from another quote than the present one.
    reach = np.where(kind == OrderKind.LATE, 6.0 * inside - 3.0, reach)
    half = 0.5 * (quote.ask_cents - quote.bid_cents)
    middle = quote.bid_cents + half
    free = (kind == OrderKind.AUCTION) | (kind == OrderKind.SPREAD) | negotiated
    tick = np.where(free, 1, quote.tick_cents)
    cents = np.round((middle + side * reach * half) / tick) * tick
    cents = np.where(kind == OrderKind.LATE, cents, np.clip(cents, quote.bid_cents, quote.ask_cents))
    return np.maximum(cents, tick).astype(np.int64)
