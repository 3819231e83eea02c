# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (compiled functions state their types in the decorator, where numba checks them)
"""Executions into prints: what each costs by the quote it meets, when it was, and which number it has."""

from __future__ import annotations

import numpy as np
from numba import types

from services.quant.jit import inner, kernel, prefetch
from services.quant.special import floor
from standin.feed.source import Prints
from standin.market.kernels.executing import EXECUTION_RECORDS
from standin.market.kernels.quoting import QUOTE_RECORDS, lay_out_quote, quote_sheet, take_quote
from standin.market.kernels.rng import RNG, lower, upper, word
from standin.market.kernels.tables import AHEAD, SHEET, TABLE, Layout, OrderKind

__all__ = ["PRINTS", "Q_PER_MS", "print_executions"]

PRINTS = Layout(Prints, "i4 i4 f8 i8 i4 i8 i8")
# Sequence numbers: 2^13 a millisecond of the day, prints two apart so that each quote can come just before its print.
Q_PER_MS = 8192
LATE = int(OrderKind.LATE)
# How orders of a kind are priced, on the way from the middle of the quote (0) to the touch on the aggressor's side (1).
# So many are at the touch; so many more lie evenly between two places, and the rest at the middle. Those that are free
# of ticks are in cents.
_PRICING = {
    OrderKind.PLAIN: (0.80, 0.12, 0.0, 1.0, 0.0),
    OrderKind.SWEEP: (1.0, 0.0, 0.0, 0.0, 0.0),
    OrderKind.AUCTION: (0.35, 0.65, 0.2, 1.0, 1.0),
    OrderKind.CROSS: (0.0, 1.0, 0.0, 0.5, 1.0),
    OrderKind.FLOOR: (0.0, 1.0, 0.0, 0.5, 1.0),
    OrderKind.SPREAD: (0.0, 1.0, -1.0, 1.0, 1.0),
    OrderKind.STOCK_TIED: (0.0, 1.0, 0.0, 0.5, 1.0),
    OrderKind.BLOCK: (1.0, 0.0, 0.0, 0.0, 0.0),
    # Late prints come from another quote than the present one.
    OrderKind.LATE: (0.0, 1.0, -3.0, 3.0, 0.0),
}
_AT_TOUCH, _BETWEEN, _FROM, _TO, _FREE = (np.array([_PRICING[kind][field] for kind in OrderKind]) for field in range(5))


@inner
def _eat(quote, execution):
    """A sweep's quote moves away from it as it eats."""
    eaten = execution.eaten * quote.tick_cents
    if execution.side < 0:
        quote.bid_cents = max(quote.bid_cents - eaten, 0)
        if quote.bid_cents == 0:
            quote.bid_size = 0
    else:
        quote.ask_cents += eaten


@inner
def _price_cents(rng, execution, quote):
    """Takers at the touch, some improved, auctions inside, negotiated about the middle; who is informed pays."""
    chances = word(rng)
    u, inside = upper(chances), lower(chances)
    kind = execution.kind
    of_quote = np.float64(quote.tick_cents)
    tick = 1.0 if _FREE[kind] > 0.0 else of_quote
    bid, ask = np.float64(quote.bid_cents), np.float64(quote.ask_cents)
    at_touch, between = _AT_TOUCH[kind], _BETWEEN[kind]
    improved = _FROM[kind] + inside * (_TO[kind] - _FROM[kind])
    reach = improved if u < at_touch + between else 0.0
    reach = 1.0 if (u < at_touch) | (execution.burst >= 0) else reach
    half = 0.5 * (ask - bid)
    price = floor((bid + half + execution.side * reach * half) / tick + 0.5) * tick
    within = min(max(price, bid), ask)
    return max(price if kind == LATE else within, tick)


@kernel(
    RNG,
    TABLE,
    EXECUTION_RECORDS,
    types.int64,
    types.int64,
    types.int64,
    types.int64,
    QUOTE_RECORDS,
    PRINTS.type,
    trusting=True,
)
def print_executions(rng, table, executions, count, span_ms, base_ms, day_ms, quotes, prints):
    """Price the first `count` executions of a span, which begins at `base_ms` since 1970 and `day_ms` since midnight;
    `quotes` become those they met, each moved on by what a sweep ate of it."""
    rank, last = 0, np.int64(-1)
    for first in range(0, count, SHEET):
        rows = min(SHEET, count - first)
        for index in range(rows):
            prefetch(table.contracts, executions[min(first + index + AHEAD, count - 1)].row, 0)
            execution = executions[first + index]
            lay_out_quote(table, execution.row, execution.ms / span_ms, table.sheet, index, quotes[first + index])
        quote_sheet(table.sheet, rows)
        for index in range(rows):
            position = first + index
            execution, quote = executions[position], quotes[position]
            take_quote(table.sheet, index, quote)
            _eat(quote, execution)
            ms = np.int64(execution.ms)
            rank = rank + 1 if ms == last else 0
            last = ms
            prints.contract[position] = execution.row
            prints.exchange[position] = execution.venue
            prints.price[position] = _price_cents(rng, execution, quote) / 100.0
            prints.size[position] = execution.size
            prints.condition[position] = execution.condition
            prints.t_ms[position] = base_ms + ms
            prints.q[position] = (day_ms + ms) * Q_PER_MS + 2 * rank + 2
