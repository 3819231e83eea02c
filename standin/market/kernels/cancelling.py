# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (compiled functions state their types in the decorator, where numba checks them)
"""Prints that are taken back: which, and what their cancels are."""

from __future__ import annotations

import numpy as np
from numba import types

from services.quant.jit import kernel
from services.quant.special import log_ratio
from standin.market.kernels.counting import TOTALS_RECORDS, TRUTH_RECORDS
from standin.market.kernels.printing import PRINTS
from standin.market.kernels.rng import RNG, chance

__all__ = ["cancel_prints", "choose_cancels"]

I32 = types.Array(types.int32, 1, "C", readonly=True)
I64 = types.Array(types.int64, 1, "C")
# From here on conditions are of prints that stand; late ones and cancels are below.
STANDING = 209
# OPRA's codes for a cancel of the only, the last, the opening, or any other trade of its contract.
ONLY, LAST, OPENING, OTHER = 207, 203, 205, 201


@kernel(RNG, types.float64, I32, I64, returns=types.int64, trusting=True)
def choose_cancels(rng, share, condition, chosen):
    """Which prints, of these conditions, will be taken back, each with this chance; returns their number. From one to
    the next it is a geometric number of prints."""
    count, index = 0, np.int64(-1)
    while True:
        index += 1
        if share < 1.0:
            index += np.int64(log_ratio(1.0 - chance(rng), 1.0) / log_ratio(1.0 - share, 1.0))
        if index >= condition.shape[0]:
            return count
        if condition[index] >= STANDING:
            chosen[count] = index
            count += 1


@kernel(
    I64, types.int64, PRINTS.type, TRUTH_RECORDS, TOTALS_RECORDS, I64, types.int64, PRINTS.type, TRUTH_RECORDS,
    returns=types.int64, trusting=True,
)  # fmt: skip
def cancel_prints(gone, count, before, before_truth, totals, open_interest, after, prints, truth):
    """Take back the first `count` prints `gone` of the span before, each unless that left less than nothing open, and
    write their cancels behind the `after` prints of this one, of which there is at least one; returns how many."""
    made = 0
    t_ms, q = prints.t_ms[after - 1], prints.q[after - 1]
    for which in range(count):
        of = gone[which]
        undone, contract = before_truth[of], before.contract[of]
        change = before.size[of] * (undone.buyer + undone.seller) // 2
        if open_interest[contract] < change:
            continue
        open_interest[contract] -= change
        made += 1
        index = after + made - 1
        total = totals[contract]
        first, last = total.first_q == before.q[of], total.last_q == before.q[of]
        prints.contract[index] = contract
        prints.exchange[index] = before.exchange[of]
        prints.price[index] = before.price[of]
        prints.size[index] = before.size[of]
        prints.condition[index] = (ONLY if last else OPENING) if first else (LAST if last else OTHER)
        prints.t_ms[index] = t_ms
        prints.q[index] = q + 2 * made
        record = truth[index]
        record.q = q + 2 * made
        record.parent = -1
        record.cancels = before.q[of]
        record.contract = contract
        record.burst = -1
        record.side = 0
        record.kind = -1
        record.leg = -1
        record.buyer = -undone.buyer
        record.seller = -undone.seller
    return made
