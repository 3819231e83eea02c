# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (compiled functions state their types in the decorator, where numba checks them)
"""Quotes as the feed tells them: those that contracts have of their own, and those just before prints, in one order."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import types
from numpy.typing import NDArray

from services.quant.jit import inlined, inner, kernel, prefetch
from standin.feed.source import Quotes
from standin.market.kernels.printing import PRINTS, Q_PER_MS
from standin.market.kernels.quoting import (
    QUOTE,
    QUOTE_RECORDS,
    lay_out_quote,
    quote_sheet,
    take_quote,
)
from standin.market.kernels.rng import hashed
from standin.market.kernels.tables import AHEAD, I32_IN, SHEET, TABLE, Layout, records_of

__all__ = ["QUOTES", "Desk", "merge_quotes", "new_desk", "publish_quotes", "time_quotes"]

QUOTES = Layout(Quotes, "i4 i4 f8 i8 i4 f8 i8 i8 i8")
# When in a span a contract has a quote of its own.
MOMENT = np.dtype([("row", "i4"), ("ms", "i4")], align=True)
MOMENTS: Any = records_of(MOMENT)
_S11, _EIGHT = np.uint64(11), 8
_TO_UNIT = 2.0**-53
_DIGIT = 255


class Desk(NamedTuple):
    """Where quotes of their own are made, a record a quoted contract: two of instants, one put in order from the other,
    and the quotes; wanted: by contract, all false between spans."""

    moments: NDArray[Any]
    ordered: NDArray[Any]
    quotes: NDArray[Any]
    wanted: NDArray[np.bool_]


def new_desk(quoted: int, contracts: int) -> Desk:
    """Room for so many contracts that have quotes of their own, among all those there are."""
    return Desk(np.zeros(quoted, MOMENT), np.zeros(quoted, MOMENT), np.zeros(quoted, QUOTE), np.zeros(contracts, bool))


DESK: Any = types.NamedTuple((MOMENTS, MOMENTS, QUOTE_RECORDS, types.Array(types.boolean, 1, "C")), Desk)


@inner
def _in_order(moments, scratch, count, digit):
    """One pass of a sort by eight binary digits of the time, from `moments` into `scratch`, equal ones as they were."""
    starts = np.zeros(_DIGIT + 2, np.int32)
    for index in range(count):
        starts[((moments[index].ms >> digit) & _DIGIT) + 1] += 1
    for value in range(_DIGIT):
        starts[value + 1] += starts[value]
    for index in range(count):
        value = (moments[index].ms >> digit) & _DIGIT
        into = scratch[starts[value]]
        into.row = moments[index].row
        into.ms = moments[index].ms
        starts[value] += 1


@inlined
def time_quotes(quoted, key, second, span_ms, moments, scratch):
    """When in the span from `second` on each of these contracts has a quote of its own, in the order of time; a
    contract's instant follows from the second alone."""
    count = quoted.shape[0]
    for index in range(count):
        u = np.float64(np.int64(hashed(key, np.int64(quoted[index]) * 86_400 + second) >> _S11)) * _TO_UNIT
        moments[index].row = quoted[index]
        moments[index].ms = np.int64(u * span_ms)
    # A minute has less than 2^16 milliseconds.
    _in_order(moments, scratch, count, 0)
    _in_order(scratch, moments, count, _EIGHT)


@inner
def _publish_quote(out, index, row, quote, t_ms, q):
    out.contract[index] = row
    out.bid_exchange[index] = quote.bid_venue
    out.bid[index] = quote.bid_cents / 100.0
    out.bid_size[index] = quote.bid_size
    out.ask_exchange[index] = quote.ask_venue
    out.ask[index] = quote.ask_cents / 100.0
    out.ask_size[index] = quote.ask_size
    out.t_ms[index] = t_ms
    out.q[index] = q


@inlined
def merge_quotes(desk, count, prints, printed, leading, base_ms, day_ms, out):
    """Contracts' own quotes and those just before prints of wanted contracts, in the order of their numbers; returns
    how many. Own ones come before any print of their millisecond: those begin at 1 (quotes) and 2 (prints)."""
    published, printed_index = 0, 0
    for index in range(count + 1):
        number = (day_ms + desk.moments[index].ms) * Q_PER_MS if index < count else np.int64(1 << 62)
        while printed_index < printed and prints.q[printed_index] - 1 < number:
            if desk.wanted[prints.contract[printed_index]]:
                _publish_quote(
                    out,
                    published,
                    prints.contract[printed_index],
                    leading[printed_index],
                    prints.t_ms[printed_index],
                    prints.q[printed_index] - 1,
                )
                published += 1
            printed_index += 1
        if index < count:
            moment = desk.moments[index]
            _publish_quote(out, published, moment.row, desk.quotes[index], base_ms + moment.ms, number)
            published += 1
    return published


@kernel(
    TABLE, I32_IN, types.uint64, types.int64, types.int64, types.int64, types.int64, DESK, PRINTS.type, types.int64,
    QUOTE_RECORDS, QUOTES.type, returns=types.int64, trusting=True,
)  # fmt: skip
def publish_quotes(table, quoted, key, second, span_ms, base_ms, day_ms, desk, prints, printed, leading, out):
    """Quotes of the `quoted` contracts in the span from `second` on: one of their own each, and one before each of the
    first `printed` prints; returns how many."""
    count = quoted.shape[0]
    time_quotes(quoted, key, second, span_ms, desk.moments, desk.ordered)
    for first in range(0, count, SHEET):
        rows = min(SHEET, count - first)
        for index in range(rows):
            prefetch(table.contracts, desk.moments[min(first + index + AHEAD, count - 1)].row, 0)
            moment = desk.moments[first + index]
            lay_out_quote(table, moment.row, moment.ms / span_ms, table.sheet, index, desk.quotes[first + index])
        quote_sheet(table.sheet, rows)
        for index in range(rows):
            take_quote(table.sheet, index, desk.quotes[first + index])
    for index in range(count):
        desk.wanted[quoted[index]] = True
    published = merge_quotes(desk, count, prints, printed, leading, base_ms, day_ms, out)
    for index in range(count):
        desk.wanted[quoted[index]] = False
    return published
