# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (compiled functions state their types in the decorator, where numba checks them)
"""What prints leave behind: open interest that each opens or closes, the truth, and the day's statistics of its
contract."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from services.quant.jit import kernel, prefetch
from standin.market.kernels.executing import EXECUTION_RECORDS
from standin.market.kernels.printing import PRINTS
from standin.market.kernels.rng import RNG, lower, upper, word
from standin.market.kernels.tables import AHEAD, BOOL_IN, F64_IN, records_of

__all__ = ["TOTALS", "TOTALS_RECORDS", "TRUTH", "TRUTH_RECORDS", "count_prints", "open_positions"]

I64 = types.Array(types.int64, 1, "C")
NS_PER_MS = 1_000_000

# What the truth knows of a print (`truth.py`), and what it did to positions: +1 opened one, -1 closed one.
TRUTH = np.dtype(
    [
        ("q", "i8"), ("parent", "i8"), ("cancels", "i8"), ("contract", "i4"), ("burst", "i4"), ("side", "i1"),
        ("kind", "i1"), ("leg", "i1"), ("buyer", "i1"), ("seller", "i1"),
    ],
    align=True,
)  # fmt: skip
TRUTH_RECORDS: Any = records_of(TRUTH)

# A contract's trades of the day so far; NaN and 0 where there are none.
TOTALS = np.dtype(
    [
        ("last", "f8"), ("last_ns", "i8"), ("day_open", "f8"), ("day_high", "f8"), ("day_low", "f8"), ("volume", "i8"),
        ("notional", "f8"), ("first_q", "i8"), ("last_q", "i8"), ("last_size", "i8"), ("last_exchange", "i4"),
        ("last_condition", "i4"),
    ],
    align=True,
)  # fmt: skip
TOTALS_RECORDS: Any = records_of(TOTALS)


@kernel(
    RNG,
    I64,
    BOOL_IN,
    F64_IN,
    types.float64,
    types.float64,
    EXECUTION_RECORDS,
    PRINTS.type,
    types.int64,
    types.int64,
    TRUTH_RECORDS,
    trusting=True,
)
def open_positions(
    rng, open_interest, last_day, opens, opens_last_day, maker_opens, executions, prints, count, parents, truth
):
    """Decide and book what the first `count` executions open and close, and tell the truth about each. Where less is
    open than an execution is for, both sides open. `parents`: orders of the day before these."""
    for index in range(count):
        prefetch(open_interest, executions[min(index + AHEAD, count - 1)].row, 0)
        execution, record = executions[index], truth[index]
        row = execution.row
        share = opens_last_day if last_day[row] else opens[execution.kind]
        chances = word(rng)
        # +1 opens, -1 closes.
        taker = 2 * np.int64((upper(chances) < share) | (execution.burst >= 0)) - 1
        maker = 2 * np.int64(lower(chances) < maker_opens) - 1
        if open_interest[row] < execution.size:
            taker, maker = np.int64(1), np.int64(1)
        buys = taker if execution.side > 0 else maker
        sells = taker + maker - buys
        open_interest[row] += np.int64(execution.size) * ((taker + maker) >> 1)
        record.q = prints.q[index]
        record.parent = parents + execution.order
        record.cancels = 0
        record.contract = row
        record.burst = execution.burst
        record.side = execution.side
        record.kind = execution.kind
        record.leg = execution.leg
        record.buyer = buys
        record.seller = sells


@kernel(PRINTS.type, types.int64, BOOL_IN, BOOL_IN, TOTALS_RECORDS, trusting=True)
def count_prints(prints, count, updates_volume, updates_prices, totals):
    """Count the first `count` prints, given in time order, as their conditions' update rules say."""
    for index in range(count):
        ahead = prints.contract[min(index + AHEAD, count - 1)]
        prefetch(totals, ahead, 0)
        prefetch(totals, ahead, 1)
        condition, price = prints.condition[index], prints.price[index]
        total = totals[prints.contract[index]]
        if updates_volume[condition]:
            total.volume += prints.size[index]
            total.notional += prints.size[index] * price
        if not updates_prices[condition]:
            continue
        if np.isnan(total.day_open):
            total.day_open = price
            total.day_high = price
            total.day_low = price
            total.first_q = prints.q[index]
        total.day_high = max(total.day_high, price)
        total.day_low = min(total.day_low, price)
        total.last = price
        total.last_size = prints.size[index]
        total.last_exchange = prints.exchange[index]
        total.last_condition = condition
        total.last_ns = prints.t_ms[index] * NS_PER_MS
        total.last_q = prints.q[index]
