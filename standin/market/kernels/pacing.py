# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (compiled functions state their types in the decorator, where numba checks them)
"""How many orders come, and into which contracts: a minute of the Hawkes process, and the contracts' weights."""

from __future__ import annotations

import numpy as np
from numba import types

from services.quant.jit import inner, kernel
from services.quant.special import exp, log_ratio
from standin.market.kernels.choosing import write_guide
from standin.market.kernels.ordering import CHOICE, PARTS
from standin.market.kernels.rng import RNG, poisson
from standin.market.kernels.tables import F64_IN, SHEET, TABLE

__all__ = ["excite", "weigh"]

F64_2D = types.Array(types.float64, 2, "C")
I64_2D = types.Array(types.int64, 2, "C")
# How near the money trading is, in deviations, and what is left far from it; out of the money trades more than in it.
NEAR_SIGMA, FAR_SHARE = 1.05, 0.004
OUT_OF_MONEY, IN_THE_MONEY = 1.35, 0.75
# Where a sheet's columns begin.
STRIKE, FORWARD, PER_DEVIATION, RIGHT, SOON, WEIGHT = range(0, 6 * SHEET, SHEET)


@inner
def _mean(excited, who, decays):
    total = 0.0
    for decay in range(decays):
        total += excited[decay, who]
    return total / decays


@kernel(RNG, F64_2D, F64_IN, types.float64, types.float64, F64_2D, I64_2D)
def excite(rng, base, keep, own, everybodys, excited, made):
    """Counts of orders by second and underlying, `made`, under mean rates `base`; `excited` (one row a decay, of which
    `keep` is left a second later) is what came before, and becomes what came by the end."""
    members = base.shape[1]
    decays = keep.shape[0]
    for second in range(base.shape[0]):
        answered, mean = 0.0, 0.0
        for u in range(members):
            answered += _mean(excited, u, decays)
            mean += base[second, u]
        of_all = 1.0 - own - everybodys + everybodys * answered / max(mean, 1e-12)
        for u in range(members):
            rate = 0.0
            if base[second, u] > 0.0:
                rate = base[second, u] * of_all + own * _mean(excited, u, decays)
            count = poisson(rng, rate)
            made[second, u] = count
            for decay in range(decays):
                excited[decay, u] = keep[decay] * excited[decay, u] + (1.0 - keep[decay]) * count


@inner
def _weigh_sheet(sheet, count):
    for j in range(count):
        deviation = log_ratio(sheet[STRIKE + j], sheet[FORWARD + j]) * sheet[PER_DEVIATION + j]
        scaled = deviation / NEAR_SIGMA
        near = exp(-0.5 * scaled * scaled) + FAR_SHARE
        out_of_money = deviation * sheet[RIGHT + j] > 0.0
        sheet[WEIGHT + j] = near * (OUT_OF_MONEY if out_of_money else IN_THE_MONEY) * sheet[SOON + j]


@inner
def _weigh_alone(table, soon, out):
    """Weights of all contracts, whatever else their underlyings have."""
    sheet = table.sheet
    for first in range(0, out.shape[0], SHEET):
        count = min(SHEET, out.shape[0] - first)
        for index in range(count):
            contract = table.contracts[first + index]
            slot = table.slots[contract.slot]
            sheet[STRIKE + index] = contract.strike_usd
            sheet[FORWARD + index] = table.members[contract.underlying].level_usd * slot.growth
            sheet[PER_DEVIATION + index] = 1.0 / np.sqrt(slot.theta)
            sheet[RIGHT + index] = np.float64(contract.right)
            sheet[SOON + index] = soon[contract.slot]
        _weigh_sheet(sheet, count)
        for index in range(count):
            out[first + index] = sheet[WEIGHT + index]


@kernel(TABLE, F64_IN, F64_IN, F64_IN, types.float64, CHOICE.type, trusting=True)
def weigh(table, soon, turns, share, small, choice):
    """How often contracts trade: by nearness to the money, and to their expiry (`soon`, by slot), held to so many
    `turns` (by slot) of what is open and `small`; `share`: contracts an underlying trades a day."""
    out = choice.cumulative
    _weigh_alone(table, soon, out)
    first, total = 0, 0.0
    for member in range(choice.last_row.shape[0]):
        end, before, sum_ = choice.last_row[member] + 1, total, 0.0
        for row in range(first, end):
            sum_ += out[row]
        # Trading goes where the interest is: what a contract would trade a day is held to some turns of what is open.
        wanted = share[member] / max(sum_, 1e-300)
        for row in range(first, end):
            contract = table.contracts[row]
            most = turns[contract.slot] * (contract.open_interest + small)
            total += out[row] * most / (most + out[row] * wanted)
            out[row] = total
        if end > first:
            write_guide(out, first, end, before, choice.guide, PARTS * first, PARTS * (end - first))
        first = end
