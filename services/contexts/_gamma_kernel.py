# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (compiled functions state their types in the decorator, where numba checks them)
"""One pass over a chain: dealer gamma and open interest by strike, and what follows from them. Sums in row order."""

from __future__ import annotations

import numpy as np
from numba import types

from services.quant.exposure import gex_usd
from services.quant.jit import F64_IN, F64_OUT, F64_OUT_2D, I8_IN, I64_IN, kernel

__all__ = ["CALL_GEX", "FIGURES", "PUT_GEX", "measure"]

# Rows of the table by strike.
CALL_GEX, PUT_GEX, CALL_INTEREST, PUT_INTEREST = range(4)
# Where each figure stands in `figures`; -1 as a strike's number means none.
FIGURES = (
    "gross", "held", "priced", "today", "net", "squares", "call_wall", "call_total", "call_second", "put_wall",
    "put_total", "put_second", "largest", "pain",
)  # fmt: skip
BOOL_IN = types.Array(types.boolean, 1, "C", readonly=True)
_ONE_PERCENT = 0.01


@kernel(
    F64_IN, I64_IN, I8_IN, F64_IN, F64_IN, F64_IN, F64_IN, F64_IN, BOOL_IN, types.float64, F64_OUT_2D, F64_OUT
)  # fmt: skip
def measure(strikes, place, right, years, vol, gamma, interest, multiplier, today, spot, table, figures):
    """Fill `table` (4, n_strikes) and `figures` (as `FIGURES`) from a chain of (n,) contracts.

    `place` is each contract's number in `strikes` (ascending, dollars). Gamma is the vendor's where it is given, else
    Black's at zero carry from the volatility; a contract with neither weighs nothing.
    """
    table[:] = 0.0
    figures[:] = 0.0
    for row in range(place.shape[0]):
        at = place[row]
        size = np.nan
        if gamma[row] >= 0.0 and gamma[row] < np.inf:
            size = interest[row] * multiplier[row] * spot * gamma[row] * (spot * _ONE_PERCENT)
        elif vol[row] > 0.0 and years[row] > 0.0:
            strike = strikes[at]
            size = gex_usd(spot, spot, strike, years[row], 1.0, vol[row], interest[row], multiplier[row])
        figures[1] += interest[row]
        call = right[row] > 0
        table[CALL_INTEREST if call else PUT_INTEREST, at] += interest[row]
        if size == size:
            table[CALL_GEX if call else PUT_GEX, at] += size
            figures[0] += size
            figures[2] += interest[row]
            if today[row]:
                figures[3] += size

    figures[6] = figures[9] = figures[12] = figures[13] = -1.0
    best_call = best_put = best = 0.0
    for at in range(strikes.shape[0]):
        call, put = table[CALL_GEX, at], table[PUT_GEX, at]
        figures[4] += call - put
        figures[7] += call
        figures[10] += put
        if abs(call - put) > best:
            best, figures[12] = abs(call - put), at
        if strikes[at] >= spot:
            if call > best_call:
                figures[8], best_call, figures[6] = best_call, call, at
            elif call > figures[8]:
                figures[8] = call
        if strikes[at] <= spot:
            if put > best_put:
                figures[11], best_put, figures[9] = best_put, put, at
            elif put > figures[11]:
                figures[11] = put
    absolute = 0.0
    for at in range(strikes.shape[0]):
        absolute += abs(table[CALL_GEX, at] - table[PUT_GEX, at])
    if absolute > 0.0:
        for at in range(strikes.shape[0]):
            share = (table[CALL_GEX, at] - table[PUT_GEX, at]) / absolute
            figures[5] += share * share
    # What all open contracts pay if spot settles at a strike: upwards each call struck below pays the step more, and
    # each put struck above the step less.
    held_calls = held_puts = pay = 0.0
    for at in range(strikes.shape[0]):
        pay += table[PUT_INTEREST, at] * (strikes[at] - strikes[0])
        held_puts += table[PUT_INTEREST, at]
    least = np.inf
    for at in range(strikes.shape[0]):
        if at > 0:
            step = strikes[at] - strikes[at - 1]
            pay += (held_calls - held_puts) * step
        held_calls += table[CALL_INTEREST, at]
        held_puts -= table[PUT_INTEREST, at]
        if pay < least and figures[1] > 0.0:
            least, figures[13] = pay, at
