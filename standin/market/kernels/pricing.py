# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (compiled functions state their types in the decorator, where numba checks them)
"""Model values off the surface, a sheet of rows at a time: what each row looks up is laid out in columns, and the
arithmetic then goes down the columns, which the compiler does four rows at once. Row by row it took five times as long.

A sheet is one flat array: columns of SHEET rows, one after the other, at offsets that are constants. So the compiler
sees that no two of them overlap.
"""

from __future__ import annotations

import numpy as np

from services.quant.jit import inner, kernel
from services.quant.special import SQRT_HALF, erfcx_scaled, exp, log_ratio
from standin.market.kernels.tables import F64_IN, F64_OUT, I32_IN, SHEET, TABLE

__all__ = ["DEEP", "FORWARD", "TIME_VALUE", "VALUE", "lay_out", "value_rows", "value_sheet"]

# Where a sheet's columns begin; those of quotes (`quoting.py`) follow.
(
    FORWARD, STRIKE, THETA, PHI, RHO, DISCOUNT, RIGHT, LEAST, VALUE, DEVIATION, TIME_VALUE, DEEP,
) = range(0, 12 * SHEET, SHEET)  # fmt: skip


@inner
def lay_out(table, contract, fraction, sheet, index):
    """What the value of a contract follows from, at a fraction of the span, into row `at`."""
    member = table.members[contract.underlying]
    slot = table.slots[contract.slot]
    spot = member.level_usd + member.move_usd * fraction
    right = np.float64(contract.right)
    strike = contract.strike_usd
    sheet[FORWARD + index] = spot * slot.growth
    sheet[STRIKE + index] = strike
    sheet[THETA + index] = slot.theta
    sheet[PHI + index] = slot.phi
    sheet[DISCOUNT + index] = slot.discount
    sheet[RHO + index] = member.rho
    sheet[RIGHT + index] = right
    # Early exercise puts a floor under American options; the rest of its premium is left out.
    sheet[LEAST + index] = right * (spot - strike) if member.american else 0.0


@inner
def _time_value(forward, strike, x_abs, s):
    """`black_kernels.otm_price_scaled`, unscaled: one division serves both tails, and the ceiling exp(-x/2) sqrt(FK) is
    the lesser of forward and strike."""
    a = x_abs / s
    t = 0.5 * s
    near, far = (a - t) * SQRT_HALF, (a + t) * SQRT_HALF
    inside = near >= -1.0
    near_abs = near if inside else -near
    near_high, far_high = near_abs + 3.5, far + 3.5
    both = 1.0 / (near_high * far_high)
    near_inverse, far_inverse = both * far_high, both * near_high
    near_tail = erfcx_scaled((near_abs - 1.5) * near_inverse) * near_inverse
    far_tail = erfcx_scaled((far - 1.5) * far_inverse) * far_inverse
    bell = 0.5 * exp(-0.5 * (a * a + t * t)) * np.sqrt(forward * strike)
    from_zero = bell * (near_tail - far_tail)
    from_ceiling = min(forward, strike) - bell * (near_tail + far_tail)
    return from_zero if inside else from_ceiling


@inner
def value_sheet(sheet, count):
    """Of the first `count` rows: model value in USD, square root of total variance, time value in USD (undiscounted, of
    the European option) and how deep in the money they are, in deviations, negative out of it."""
    for j in range(count):
        forward, strike, rho, theta = sheet[FORWARD + j], sheet[STRIKE + j], sheet[RHO + j], sheet[THETA + j]
        k = log_ratio(strike, forward)
        # SSVI, as `surface.total_variance_at` has it.
        phi_k = sheet[PHI + j] * k
        tilted = phi_k + rho
        root = np.sqrt(tilted * tilted + (1.0 - rho * rho))
        deviation = np.sqrt(0.5 * theta * (1.0 + rho * phi_k + root))
        intrinsic = max(sheet[RIGHT + j] * (forward - strike), 0.0)
        time_value = _time_value(forward, strike, abs(k), deviation)
        sheet[DEVIATION + j] = deviation
        sheet[TIME_VALUE + j] = time_value
        sheet[DEEP + j] = -sheet[RIGHT + j] * k / deviation
        sheet[VALUE + j] = max(sheet[DISCOUNT + j] * (intrinsic + time_value), sheet[LEAST + j])


@kernel(TABLE, I32_IN, F64_IN, F64_OUT, F64_OUT)
def value_rows(table, rows, fraction, value_usd, deviation):
    """Model value and square root of total variance of contracts, each at its fraction of the span."""
    sheet = table.sheet
    for first in range(0, rows.shape[0], SHEET):
        count = min(SHEET, rows.shape[0] - first)
        for index in range(count):
            lay_out(table, table.contracts[rows[first + index]], fraction[first + index], sheet, index)
        value_sheet(sheet, count)
        for index in range(count):
            value_usd[first + index] = sheet[VALUE + index]
            deviation[first + index] = sheet[DEVIATION + index]
