# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (compiled functions state their types in the decorator, where numba checks them)
"""Moving the book to a second: what forwards, discounts and variances are then, slot by slot."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import types
from numpy.typing import NDArray

from services.quant.jit import kernel
from services.quant.special import exp
from services.standin.market.kernels.tables import F64_IN, F64_OUT, TABLE, Layout

__all__ = ["Terms", "move_slots"]

SECONDS_A_YEAR = 365 * 86_400.0
NS_A_YEAR = SECONDS_A_YEAR * 1e9
# A second is kept on the clock, so that what settles today has a value to the last.
LEAST_NS = 1_000_000_000
# What is a year out is quoted a quarter wider than what is near, and what expires today in its last minutes wider too.
WIDER_A_YEAR, WIDER_YEARS_MAX = 0.25, 2.0
ENDING_SECONDS = 300.0


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


@kernel(
    TERMS.type, types.int64, types.float64, F64_IN, F64_IN, F64_IN, F64_IN, types.float64, types.float64,
    types.float64, TABLE, F64_OUT,
)  # fmt: skip
def move_slots(
    terms, now_ns, remaining, vols, lasting_vols, lumps, carry, rate, kappa_lasting, kappa_passing, table, years
):
    """Years to settlement, and the table's columns by slot, at an instant with `remaining` of the session to come, at
    volatilities by underlying (now, and what lasts of them), announced variance and carry by slot; kappas as in
    `surface.total_variance_atm`."""
    for slot in range(years.shape[0]):
        year = max(terms.settles_ns[slot] - now_ns, LEAST_NS) / NS_A_YEAR
        tau = max(terms.later_years[slot] + terms.today_years[slot] * remaining, 1e-8)
        who, long_variance = terms.underlying[slot], terms.long_variance[slot]
        v_now, v_lasting = vols[who] * vols[who], lasting_vols[who] * lasting_vols[who]
        lasting = (1.0 - exp(-kappa_lasting * tau)) / kappa_lasting
        passing = (1.0 - exp(-kappa_passing * tau)) / kappa_passing
        theta = long_variance * tau + (v_lasting - long_variance) * lasting + (v_now - v_lasting) * passing
        theta += lumps[slot]
        years[slot] = year
        into = table.slots[slot]
        into.theta = theta
        into.phi = terms.eta[slot] / np.sqrt(theta * (1.0 + theta))
        into.discount = exp(-rate * year)
        into.growth = exp(carry[slot] * year)
        wider = 1.0 + WIDER_A_YEAR * min(year, WIDER_YEARS_MAX)
        into.away = wider * (1.0 + exp(-year * SECONDS_A_YEAR / ENDING_SECONDS))
