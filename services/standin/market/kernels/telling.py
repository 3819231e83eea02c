# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (compiled functions state their types in the decorator, where numba checks them)
"""Prints and quotes as the feed tells them: their times, their sequence numbers, dollars instead of cents."""

from __future__ import annotations

import numpy as np
from numba import types

from services.quant.jit import inlined, kernel
from services.standin.market.kernels.dice import hashed
from services.standin.market.kernels.quoting import TWO_SIDED
from services.standin.market.kernels.tables import F64_OUT, I32_IN, I64_IN, Layout
from services.standin.source import Quotes

__all__ = ["QUOTES", "Q_PER_MS", "merge_quotes", "tell_prints", "time_quotes"]

# Sequence numbers: 2^13 a millisecond of the day, prints two apart so that each quote can come just before its print.
Q_PER_MS = 8192
I64 = types.Array(types.int64, 1, "C")
I32 = types.Array(types.int32, 1, "C")
QUOTES = Layout(Quotes, "i4 i4 f8 i8 i4 f8 i8 i8 i8")
BOOL_IN = types.Array(types.boolean, 1, "C", readonly=True)
_S11 = np.uint64(11)
_TO_UNIT = 2.0**-53


@kernel(I64_IN, I64_IN, types.int64, types.int64, F64_OUT, I64, I64)
def tell_prints(ms, cents, base_ms, day_ms, price, t_ms, q):
    """Prices in USD, times since 1970 and numbers of prints in the order of time; `base_ms` and `day_ms` are the span's
    beginning since 1970 and since midnight."""
    rank, last = 0, np.int64(-1)
    for at in range(ms.shape[0]):
        rank = rank + 1 if ms[at] == last else 0
        last = ms[at]
        price[at] = cents[at] / 100.0
        t_ms[at] = base_ms + last
        q[at] = (day_ms + last) * Q_PER_MS + 2 * rank + 2


@kernel(I32_IN, types.uint64, types.int64, types.int64, I64, I32, I64, F64_OUT)
def time_quotes(quoted, key, second, span_ms, starts, rows, ms, fraction):
    """When in the span each of these contracts has a quote of its own, in the order of time; a contract's instant
    follows from the second alone. `starts`: a place a millisecond and one more, zero at first."""
    count = quoted.shape[0]
    for at in range(count):
        u = np.float64(np.int64(hashed(key, np.int64(quoted[at]) * 86_400 + second) >> _S11)) * _TO_UNIT
        ms[at] = np.int64(u * span_ms)
        starts[ms[at] + 1] += 1
    for at in range(1, starts.shape[0]):
        starts[at] += starts[at - 1]
    for at in range(count):
        rows[starts[ms[at]]] = quoted[at]
        starts[ms[at]] += 1
    # `starts` now says where each millisecond ends, which gives the times in order.
    begin = 0
    for at in range(starts.shape[0] - 1):
        for place in range(begin, starts[at]):
            ms[place] = at
            fraction[place] = at / span_ms
        begin = max(begin, starts[at])


@inlined
def _tell_quote(out, at, row, quote, of, t_ms, q):
    out.contract[at] = row
    out.bid_exchange[at] = quote.bid_venue[of]
    out.bid[at] = quote.bid_cents[of] / 100.0
    out.bid_size[at] = quote.bid_size[of]
    out.ask_exchange[at] = quote.ask_venue[of]
    out.ask[at] = quote.ask_cents[of] / 100.0
    out.ask_size[at] = quote.ask_size[of]
    out.t_ms[at] = t_ms
    out.q[at] = q


@kernel(
    I32_IN, I64_IN, TWO_SIDED.type, I32_IN, I64_IN, I64_IN, TWO_SIDED.type, BOOL_IN, types.int64, types.int64,
    QUOTES.type, returns=types.int64,
)  # fmt: skip
def merge_quotes(rows, ms, own, printed, print_ms, print_q, leading, wanted, base_ms, day_ms, out):
    """Contracts' own quotes and those just before prints of `wanted` contracts, in the order of their numbers; returns
    how many. Own ones come before any print of their millisecond: those begin at 1 (quotes) and 2 (prints)."""
    told, at = 0, 0
    for place in range(rows.shape[0] + 1):
        number = (day_ms + ms[place]) * Q_PER_MS if place < rows.shape[0] else np.int64(1 << 62)
        while at < printed.shape[0] and print_q[at] - 1 < number:
            if wanted[printed[at]]:
                _tell_quote(out, told, printed[at], leading, at, print_ms[at], print_q[at] - 1)
                told += 1
            at += 1
        if place < rows.shape[0]:
            _tell_quote(out, told, rows[place], own, place, base_ms + ms[place], number)
            told += 1
    return told
