# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (compiled functions state their types in the decorator, where numba checks them)
"""Moving the book to a second: what levels are then, and slot by slot forwards, discounts and variances."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import types
from numpy.typing import NDArray

from services.quant.jit import inner, kernel
from services.quant.special import exp
from standin.market.kernels.tables import F64_IN, F64_OUT, SHEET, TABLE, Layout

__all__ = ["PATH", "Terms", "move_book"]

PATH = types.Array(types.float32, 2, "C", readonly=True)
SECONDS_A_YEAR = 365 * 86_400.0
NS_A_YEAR = SECONDS_A_YEAR * 1e9
# A second is kept on the clock, so that what settles today has a value to the last.
LEAST_NS = 1_000_000_000
# What is a year out is quoted a quarter wider than what is near, and what expires today in its last minutes wider too.
WIDER_A_YEAR, WIDER_YEARS_MAX = 0.25, 2.0
ENDING_SECONDS = 300.0
# Makers quote about twice as wide in the first minutes, and leave sizes and places as they are for so long.
OPENING_SECONDS, QUOTED_FOR_S = 240.0, 2


class Terms(NamedTuple):
    """What stays the same of each slot through a day, (slots,): when it settles; its underlying; trading years left
    beside today's session, and whether that counts; long-run variance; curvature of the smile."""

    settles_ns: NDArray[np.int64]
    underlying: NDArray[np.int64]
    later_years: NDArray[np.float64]
    today_years: NDArray[np.float64]
    long_variance: NDArray[np.float64]
    eta: NDArray[np.float64]


TERMS = Layout(Terms, "i8 i8 f8 f8 f8 f8")


# Where a sheet's columns begin.
(
    YEARS, TAU, V_LONG, V_LASTING, V_NOW, LUMP, CARRY, ETA, THETA, PHI, DISCOUNT, GROWTH, AWAY,
) = range(0, 13 * SHEET, SHEET)  # fmt: skip


@inner
def _move_sheet(sheet, count, rate, kappa_lasting, kappa_passing):
    for j in range(count):
        year, tau, v_long, v_lasting = sheet[YEARS + j], sheet[TAU + j], sheet[V_LONG + j], sheet[V_LASTING + j]
        lasting = (1.0 - exp(-kappa_lasting * tau)) / kappa_lasting
        passing = (1.0 - exp(-kappa_passing * tau)) / kappa_passing
        theta = v_long * tau + (v_lasting - v_long) * lasting + (sheet[V_NOW + j] - v_lasting) * passing
        theta += sheet[LUMP + j]
        sheet[THETA + j] = theta
        sheet[PHI + j] = sheet[ETA + j] / np.sqrt(theta * (1.0 + theta))
        sheet[DISCOUNT + j] = exp(-rate * year)
        sheet[GROWTH + j] = exp(sheet[CARRY + j] * year)
        wider = 1.0 + WIDER_A_YEAR * min(year, WIDER_YEARS_MAX)
        sheet[AWAY + j] = wider * (1.0 + exp(-year * SECONDS_A_YEAR / ENDING_SECONDS))


@inner
def _move_members(path, open_usd, second, following, vix, vix_level, table):
    """Levels of the underlyings now and by the following second; VIX's, which has no path, is given."""
    for who in range(open_usd.shape[0]):
        level = vix_level if who == vix else open_usd[who] * exp(np.float64(path[second, who]))
        ahead = vix_level if who == vix else open_usd[who] * exp(np.float64(path[following, who]))
        table.members[who].level_usd = level
        table.members[who].move_usd = ahead - level


@inner
def _move_slots(
    terms, now_ns, remaining, vols, lasting_vols, lumps, carry, rate, kappa_lasting, kappa_passing, table, years
):
    sheet = table.sheet
    for first in range(0, years.shape[0], SHEET):
        count = min(SHEET, years.shape[0] - first)
        for index in range(count):
            slot = first + index
            year = max(terms.settles_ns[slot] - now_ns, LEAST_NS) / NS_A_YEAR
            who = terms.underlying[slot]
            years[slot] = year
            sheet[YEARS + index] = year
            sheet[TAU + index] = max(terms.later_years[slot] + terms.today_years[slot] * remaining, 1e-8)
            sheet[V_LONG + index] = terms.long_variance[slot]
            sheet[V_LASTING + index] = lasting_vols[who] * lasting_vols[who]
            sheet[V_NOW + index] = vols[who] * vols[who]
            sheet[LUMP + index] = lumps[slot]
            sheet[CARRY + index] = carry[slot]
            sheet[ETA + index] = terms.eta[slot]
        _move_sheet(sheet, count, rate, kappa_lasting, kappa_passing)
        for index in range(count):
            into = table.slots[first + index]
            into.theta = sheet[THETA + index]
            into.phi = sheet[PHI + index]
            into.discount = sheet[DISCOUNT + index]
            into.growth = sheet[GROWTH + index]
            into.away = sheet[AWAY + index]


@kernel(
    PATH, F64_IN, types.int64, types.int64, types.int64, types.float64, TERMS.type, types.int64, types.float64, F64_IN,
    F64_IN, F64_IN, F64_IN, types.float64, types.float64, types.float64, TABLE, F64_OUT, trusting=True,
)  # fmt: skip
def move_book(
    path, open_usd, second, following, vix, vix_level, terms, now_ns, remaining, vols, lasting_vols, lumps, carry, rate,
    kappa_lasting, kappa_passing, table, years,
):  # fmt: skip
    """Everything of the table that moves, to a second of the session's `path` of log returns, (seconds, members):
    levels and where they are the `following` second, how wide everybody quotes, and by slot forwards, discounts and
    variances, with years to settlement; with `remaining` of the session to come, at volatilities by underlying (now,
    and what lasts of them), announced variance and carry by slot; kappas as in `surface.total_variance_atm`."""
    now = table.now[0]
    now.moment = second // QUOTED_FOR_S
    now.opening = 1.0 + exp(-second / OPENING_SECONDS)
    _move_members(path, open_usd, second, following, vix, vix_level, table)
    _move_slots(
        terms, now_ns, remaining, vols, lasting_vols, lumps, carry, rate, kappa_lasting, kappa_passing, table, years
    )
