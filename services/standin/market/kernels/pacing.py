# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (compiled functions state their types in the decorator, where numba checks them)
"""How many orders come, and into which contracts: a minute of the Hawkes process, and the contracts' weights."""

from __future__ import annotations

import numpy as np
from numba import types

from services.quant.jit import kernel
from services.quant.special import exp, log_ratio
from services.standin.market.kernels.dice import DICE, poisson
from services.standin.market.kernels.tables import F64_IN, F64_OUT, I64_IN, TABLE

__all__ = ["excite", "weigh"]

F64_2D = types.Array(types.float64, 2, "C")
I64_2D = types.Array(types.int64, 2, "C")
# How near the money trading is, in deviations, and what is left far from it; out of the money trades more than in it.
NEAR_SIGMA, FAR_SHARE = 1.05, 0.004
OUT_OF_MONEY, IN_THE_MONEY = 1.35, 0.75


@kernel(DICE, F64_2D, F64_IN, types.float64, types.float64, F64_2D, I64_2D)
def excite(dice, base, keep, own, everybodys, excited, made):
    """Counts of orders by second and underlying, `made`, under mean rates `base`; `excited` (one row a decay, of which
    `keep` is left a second later) is what came before, and becomes what came by the end."""
    members = base.shape[1]
    for second in range(base.shape[0]):
        answered, mean = 0.0, 0.0
        for u in range(members):
            answered += 0.5 * (excited[0, u] + excited[1, u])
            mean += base[second, u]
        of_all = 1.0 - own - everybodys + everybodys * answered / max(mean, 1e-12)
        for u in range(members):
            rate = 0.0
            if base[second, u] > 0.0:
                rate = base[second, u] * of_all + own * 0.5 * (excited[0, u] + excited[1, u])
            count = poisson(dice, rate)
            made[second, u] = count
            for decay in range(keep.shape[0]):
                excited[decay, u] = keep[decay] * excited[decay, u] + (1.0 - keep[decay]) * count


@kernel(TABLE, F64_IN, F64_IN, F64_IN, I64_IN, types.float64, F64_OUT)
def weigh(table, soon, turns, share, last_row, small, out):
    """Cumulative weights of the contracts: near the money, near their expiry (`soon`, by slot), and held to so many
    `turns` (by slot) of what is open and `small`; `share`: contracts an underlying trades a day."""
    first, total = 0, 0.0
    for member in range(last_row.shape[0]):
        end, sum_ = last_row[member] + 1, 0.0
        level = table.members[member].level_usd
        for row in range(first, end):
            contract = table.contracts[row]
            slot = table.slots[contract.slot]
            deviation = log_ratio(contract.strike_usd, level * slot.growth) / np.sqrt(slot.theta)
            near = exp(-0.5 * (deviation / NEAR_SIGMA) * (deviation / NEAR_SIGMA)) + FAR_SHARE
            near *= OUT_OF_MONEY if deviation * contract.right > 0.0 else IN_THE_MONEY
            out[row] = near * soon[contract.slot]
            sum_ += out[row]
        # Trading goes where the interest is: what a contract would trade a day is held to some turns of what is open.
        wanted = share[member] / max(sum_, 1e-300)
        for row in range(first, end):
            contract = table.contracts[row]
            most = turns[contract.slot] * (contract.open_interest + small)
            total += out[row] / (1.0 + out[row] * wanted / most)
            out[row] = total
        first = end
