# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (compiled functions state their types in the decorator, where numba checks them)
"""What prints leave behind: open interest that each opens or closes, and the day's statistics of its contract."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba import types

from services.quant.jit import kernel
from services.standin.market.kernels.dice import DICE, chance
from services.standin.market.kernels.tables import F64_IN, I8_IN, I32_IN, I64_IN, Layout
from services.standin.source import Prints

__all__ = ["PRINTS", "TOTALS", "cancel_positions", "choose_cancels", "count_prints", "open_positions"]

BOOL_IN = types.Array(types.boolean, 1, "C", readonly=True)
BOOL = types.Array(types.boolean, 1, "C")
I64 = types.Array(types.int64, 1, "C")
I32 = types.Array(types.int32, 1, "C")
I8 = types.Array(types.int8, 1, "C")
PRINTS = Layout(Prints, "i4 i4 f8 i8 i4 i8 i8")
NS_PER_MS = 1_000_000
# From here on conditions are of prints that stand; late ones and cancels are below.
STANDING = 209


# A contract's trades of the day so far; NaN and 0 where there are none. Records, for a print touches all of one.
TOTALS = np.dtype(
    [
        ("last", "f8"), ("last_size", "i8"), ("last_ns", "i8"), ("day_open", "f8"), ("day_high", "f8"),
        ("day_low", "f8"), ("volume", "i8"), ("notional", "f8"), ("first_q", "i8"), ("last_q", "i8"),
        ("last_exchange", "i4"), ("last_condition", "i4"),
    ],
    align=True,
)  # fmt: skip
_TOTALS: Any = types.Array(numba.from_dtype(TOTALS), 1, "C")


@kernel(DICE, I64, BOOL_IN, F64_IN, types.float64, types.float64, I32_IN, I64_IN, I8_IN, I8_IN, I32_IN, I8, I8)
def open_positions(
    dice, interest, last_day, opens, opens_last_day, maker_opens, row, size, side, kind, burst, buyer, seller
):
    """Decide and book what prints open (+1) and close (-1). Who would close more than is open only passes it on."""
    for at in range(row.shape[0]):
        contract = row[at]
        share = opens_last_day if last_day[contract] else opens[kind[at]]
        u, v = chance(dice), chance(dice)
        taker = 1 if u < share or burst[at] >= 0 else -1
        maker = 1 if v < maker_opens else -1
        buys, sells = (taker, maker) if side[at] > 0 else (maker, taker)
        change = size[at] * (buys + sells) // 2
        if interest[contract] + change < 0:
            sells, change = 1, 0
        interest[contract] += change
        buyer[at] = buys
        seller[at] = sells


@kernel(I64, I32_IN, I64_IN, I8_IN, I8_IN, BOOL)
def cancel_positions(interest, row, size, buyer, seller, possible):
    """Take prints back, and say which could be, without leaving less than nothing open."""
    for at in range(row.shape[0]):
        change = size[at] * (buyer[at] + seller[at]) // 2
        possible[at] = interest[row[at]] >= change
        if possible[at]:
            interest[row[at]] -= change


@kernel(DICE, types.float64, I32_IN, I64, returns=types.int64)
def choose_cancels(dice, share, condition, chosen):
    """Which prints will be taken back, each with this chance; returns their number."""
    count = 0
    for at in range(condition.shape[0]):
        if chance(dice) < share and condition[at] >= STANDING:
            chosen[count] = at
            count += 1
    return count


@kernel(PRINTS.type, BOOL_IN, BOOL_IN, _TOTALS)
def count_prints(prints, updates_volume, updates_prices, totals):
    """Count prints, given in time order, as their conditions' update rules say."""
    for at in range(prints.contract.shape[0]):
        condition, price = prints.condition[at], prints.price[at]
        total = totals[prints.contract[at]]
        if updates_volume[condition]:
            total.volume += prints.size[at]
            total.notional += prints.size[at] * price
        if not updates_prices[condition]:
            continue
        if np.isnan(total.day_open):
            total.day_open = price
            total.day_high = price
            total.day_low = price
            total.first_q = prints.q[at]
        total.day_high = max(total.day_high, price)
        total.day_low = min(total.day_low, price)
        total.last = price
        total.last_size = prints.size[at]
        total.last_exchange = prints.exchange[at]
        total.last_condition = condition
        total.last_ns = prints.t_ms[at] * NS_PER_MS
        total.last_q = prints.q[at]
