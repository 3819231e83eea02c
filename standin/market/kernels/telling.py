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

__all__ = ["QUOTES", "Desk", "merge_quotes", "new_desk", "tell_quotes", "time_quotes"]

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
    for at in range(count):
        starts[((moments[at].ms >> digit) & _DIGIT) + 1] += 1
    for value in range(_DIGIT):
        starts[value + 1] += starts[value]
    for at in range(count):
        value = (moments[at].ms >> digit) & _DIGIT
        into = scratch[starts[value]]
        into.row = moments[at].row
        into.ms = moments[at].ms
        starts[value] += 1


@inlined
def time_quotes(quoted, key, second, span_ms, moments, scratch):
    """When in the span from `second` on each of these contracts has a quote of its own, in the order of time; a
    contract's instant follows from the second alone."""
    count = quoted.shape[0]
    for at in range(count):
        u = np.float64(np.int64(hashed(key, np.int64(quoted[at]) * 86_400 + second) >> _S11)) * _TO_UNIT
        moments[at].row = quoted[at]
        moments[at].ms = np.int64(u * span_ms)
    # A minute has less than 2^16 milliseconds.
    _in_order(moments, scratch, count, 0)
    _in_order(scratch, moments, count, _EIGHT)


@inner
def _tell_quote(out, at, row, quote, t_ms, q):
    out.contract[at] = row
    out.bid_exchange[at] = quote.bid_venue
    out.bid[at] = quote.bid_cents / 100.0
    out.bid_size[at] = quote.bid_size
    out.ask_exchange[at] = quote.ask_venue
    out.ask[at] = quote.ask_cents / 100.0
    out.ask_size[at] = quote.ask_size
    out.t_ms[at] = t_ms
    out.q[at] = q


@inlined
def merge_quotes(desk, count, prints, printed, leading, base_ms, day_ms, out):
    """Contracts' own quotes and those just before prints of wanted contracts, in the order of their numbers; returns
    how many. Own ones come before any print of their millisecond: those begin at 1 (quotes) and 2 (prints)."""
    told, at = 0, 0
    for place in range(count + 1):
        number = (day_ms + desk.moments[place].ms) * Q_PER_MS if place < count else np.int64(1 << 62)
        while at < printed and prints.q[at] - 1 < number:
            if desk.wanted[prints.contract[at]]:
                _tell_quote(out, told, prints.contract[at], leading[at], prints.t_ms[at], prints.q[at] - 1)
                told += 1
            at += 1
        if place < count:
            moment = desk.moments[place]
            _tell_quote(out, told, moment.row, desk.quotes[place], base_ms + moment.ms, number)
            told += 1
    return told


@kernel(
    TABLE, I32_IN, types.uint64, types.int64, types.int64, types.int64, types.int64, DESK, PRINTS.type, types.int64,
    QUOTE_RECORDS, QUOTES.type, returns=types.int64, trusting=True,
)  # fmt: skip
def tell_quotes(table, quoted, key, second, span_ms, base_ms, day_ms, desk, prints, printed, leading, out):
    """Quotes of the `quoted` contracts in the span from `second` on: one of their own each, and one before each of the
    first `printed` prints; returns how many."""
    count = quoted.shape[0]
    time_quotes(quoted, key, second, span_ms, desk.moments, desk.ordered)
    for first in range(0, count, SHEET):
        rows = min(SHEET, count - first)
        for at in range(rows):
            prefetch(table.contracts, desk.moments[min(first + at + AHEAD, count - 1)].row, 0)
            moment = desk.moments[first + at]
            lay_out_quote(table, moment.row, moment.ms / span_ms, table.sheet, at, desk.quotes[first + at])
        quote_sheet(table.sheet, rows)
        for at in range(rows):
            take_quote(table.sheet, at, desk.quotes[first + at])
    for at in range(count):
        desk.wanted[quoted[at]] = True
    told = merge_quotes(desk, count, prints, printed, leading, base_ms, day_ms, out)
    for at in range(count):
        desk.wanted[quoted[at]] = False
    return told
