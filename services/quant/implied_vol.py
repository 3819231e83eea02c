"""The compiled loop behind `black.implied_vol`: one vector pass for nearly every row, a scalar loop for the rest.

The vector pass inverts the normal (Bachelier) model for a seed and takes one Householder step of third order on
ln(price), the objective of Jaeckel, "Let's Be Rational" (2016). A row whose step was long, whose total volatility is
far above its moneyness or whose price is tiny goes on to a bracketed scalar loop with the same step.
"""

import numpy as np

from services.quant.arrays import Floats, Signs, Statuses
from services.quant.jit import F64_IN, F64_OUT, I8_IN, U8_OUT, called, inlined, kernel
from services.quant.special import ERFCX_FROM, SQRT_2_OVER_PI, SQRT_HALF, erfcx, erfcx_scaled, exp, log_ratio

OK = 0
BELOW_INTRINSIC = 1  # at or below the discounted intrinsic value: no time value to invert
ABOVE_MAXIMUM = 2  # at or above the value at infinite volatility: D F for a call, D K for a put
BAD_TIME = 3  # years not positive and finite
BAD_INPUT = 4  # anything else that is NaN, infinite or of the wrong sign

# 4,096 rows of the seven streams are 200 KiB: they stay in the second-level cache between the two passes.
_CHUNK_ROWS = 4096
# The step's error is about the fourth power of the seed's: a row that moved by less than this is exact to 1e-15.
_STEP_MAX = 1e-3
# The same in the scalar loop, tighter because its rows are the badly scaled ones.
_SETTLED = 1e-5
# Below this the undiscounted price in units of sqrt(F K) loses digits; the scalar loop works on its logarithm.
_PRICE_MIN = 1e-290
_ITERATIONS_MAX = 100
# Total volatility (vol * sqrt(years)) the scalar loop searches; prices outside differ from their limits by nothing.
_TOTAL_VOL_MIN = 1e-12
_TOTAL_VOL_MAX = 80.0


@inlined
def _seed(x_abs: float, unit: float, time_value: float) -> float:
    """Total volatility to about 1e-5 relative near the money, 2e-3 in the wings; unit = D sqrt(F K).

    The normal model's price over moneyness depends on one number only; its inverse is a rational function of the
    square root of ln(1 + moneyness/price), fitted to 8e-5. A series then turns normal into lognormal volatility.
    """
    x2 = x_abs * x_abs
    moneyness = x_abs * (1.0 + x2 * (0.041666666666666664 + x2 * 0.0005208333333333333)) * unit
    spread = max(log_ratio(time_value + moneyness, time_value), 1e-14)
    w: float = np.sqrt(spread)
    p = 0.007290078656654042
    p = p * w + 0.011583767524451406
    p = p * w + 0.04034898874098982
    p = p * w + 0.01880118594190702
    p = p * w + 0.3989674025160998
    q = 0.00514163998902232
    q = q * w + 0.009102997022726489
    q = q * w + 0.04348308931137096
    q = q * w + 0.09384683606618342
    q = q * w + 0.04855077201388515
    q = q * w + 1.0
    # With moneyness below 1e-9 of the price the two limits agree, and only this one does not divide zero by zero.
    off_money = moneyness > 1e-9 * time_value
    u = q * (x_abs if off_money else time_value / unit) / (p * (spread if off_money else 1.0))
    u2 = u * u
    series = 0.0003937251984126984 + u2 * 6e-5
    series = 0.0036458333333333334 + u2 * series
    return u * (1.0 + u2 * (0.041666666666666664 + u2 * series))


@inlined
def _step(s: float, x_abs: float, unit: float, time_value: float) -> tuple[float, float]:
    """(numerator, denominator) of one third-order Householder step for ln(price): s + numerator / denominator.

    Written for few divisions: one reciprocal serves 1/s and both arguments of erfcx.
    """
    # near, far = (a -+ t) / sqrt 2 with a = x/s, t = s/2; everything below is times s.
    a_scaled = SQRT_HALF * x_abs
    t_scaled = (0.5 * SQRT_HALF) * s * s
    near_low = a_scaled - t_scaled - 1.5 * s
    near_high = near_low + 5.0 * s
    far_low = a_scaled + t_scaled - 1.5 * s
    far_high = far_low + 5.0 * s
    both = near_high * far_high
    w = 1.0 / (both * s)
    sw = s * w
    near_inverse = far_high * sw
    far_inverse = near_high * sw
    near_tail = erfcx_scaled(near_low * near_inverse) * (near_inverse * s)
    far_tail = erfcx_scaled(far_low * far_inverse) * (far_inverse * s)
    tails = near_tail - far_tail
    inverse_s = both * w
    a = x_abs * inverse_s
    a2 = a * a
    # g = ln(price(s) / price); h = price / price' in s; q = price'' / price'.
    g = log_ratio(0.5 * tails * unit, time_value) - (0.5 * a2 + 0.125 * s * s)
    h = tails * (1.0 / SQRT_2_OVER_PI)
    q = a2 * inverse_s - 0.25 * s
    qh = q * h
    q_slope = -3.0 * a2 * inverse_s * inverse_s - 0.25
    gamma_n = g * (1.0 - qh)
    delta_n2 = g * g * (qh * qh + q_slope * h * h - 3.0 * qh + 2.0)
    return -g * h * (1.0 + 0.5 * gamma_n), 1.0 + gamma_n + delta_n2 * 0.16666666666666666


@inlined
def _erfcx_anywhere(y: float) -> float:
    """erfcx for any y; infinity below -26, where it would overflow."""
    if y >= ERFCX_FROM:
        return erfcx(y)
    if y < -26.0:
        return np.inf
    return 2.0 * exp(y * y) - erfcx(-y)


@inlined
def _log(x: float) -> float:
    """ln(x) for positive x, subnormal numbers included."""
    if x < _PRICE_MIN:
        return log_ratio(x * 2.0**256, 1.0) - 256.0 * 0.6931471805599453
    return log_ratio(x, 1.0)


@called
def _total_vol_bracketed(x_abs: float, unit: float, time_value: float, ceiling_gap: float) -> float:
    """Total volatility; time value and ceiling gap = D min(F, K) - time value are positive, unit = D sqrt(F K).

    Householder steps kept inside a shrinking bracket. The upper half of the price range is solved in the logarithm
    of the gap to the ceiling, whose derivatives have the same form with the opposite sign.
    """
    upper = ceiling_gap < time_value
    # As a difference, because a subnormal price over its unit could vanish.
    target = _log(ceiling_gap if upper else time_value) - _log(unit)
    low = _TOTAL_VOL_MIN
    high = _TOTAL_VOL_MAX
    s = _seed(x_abs, unit, max(time_value, _PRICE_MIN * unit))
    if not (low < s < high):
        s = 1.0
    for _ in range(_ITERATIONS_MAX):
        inverse = 1.0 / s
        a = x_abs * inverse
        t = 0.5 * s
        near = (a - t) * SQRT_HALF
        far_tail = erfcx((a + t) * SQRT_HALF)
        tails = -(_erfcx_anywhere(-near) + far_tail) if upper else _erfcx_anywhere(near) - far_tail
        size = abs(tails)
        # Where a tail overflows, the price (or the gap) is at its ceiling.
        ceiling = not size < np.inf
        g = (-0.5 * x_abs if ceiling else _log(0.5 * size) - 0.5 * (a * a + t * t)) - target
        if (g > 0.0) == upper:
            low = s
        else:
            high = s
        following = np.nan
        if not ceiling:
            h = tails * (1.0 / SQRT_2_OVER_PI)
            q = a * a * inverse - 0.25 * s
            qh = q * h
            gamma_n = g * (1.0 - qh)
            delta_n2 = g * g * (qh * qh - (3.0 * a * a * inverse * inverse + 0.25) * h * h - 3.0 * qh + 2.0)
            following = s - g * h * (1.0 + 0.5 * gamma_n) / (1.0 + gamma_n + delta_n2 * 0.16666666666666666)
        if not (low <= following <= high):
            following = np.sqrt(low * high)
        elif abs(following - s) <= _SETTLED * s:
            return following
        s = following
    return s


@kernel(F64_IN, F64_IN, F64_IN, F64_IN, F64_IN, I8_IN, F64_OUT, U8_OUT)
def implied_vol_rows(
    price: Floats,
    forward: Floats,
    strike: Floats,
    years: Floats,
    discount: Floats,
    right: Signs,
    vol: Floats,
    status: Statuses,
) -> None:
    """`black.implied_vol` over rows, (n,) each: chunks in one vector pass, then what it left by the scalar loop."""
    rows = vol.shape[0]
    for start in range(0, rows, _CHUNK_ROWS):
        end = min(start + _CHUNK_ROWS, rows)
        part = slice(start, end)
        _vector_pass(price[part], forward[part], strike[part], years[part], discount[part], right[part], vol[part])
        for j in range(start, end):
            status[j] = OK
            if not vol[j] > 0.0:
                vol[j], status[j] = finish(price[j], forward[j], strike[j], years[j], discount[j], right[j])


@inlined
def _vector_pass(
    price: Floats,
    forward: Floats,
    strike: Floats,
    years: Floats,
    discount: Floats,
    right: Signs,
    vol: Floats,
) -> None:
    """One seed and one step a row, without branches; -1 asks for the scalar loop, NaN marks a bad row."""
    for j in range(vol.shape[0]):
        f = forward[j]
        k = strike[j]
        d = discount[j]
        t = years[j]
        intrinsic = max(f - k, 0.0) if right[j] > 0 else max(k - f, 0.0)
        time_value = price[j] - d * intrinsic
        unit = d * np.sqrt(f * k)
        x_abs = abs(log_ratio(f, k))
        s = _seed(x_abs, unit, time_value)
        numerator, denominator = _step(s, x_abs, unit, time_value)
        settled = (
            (abs(numerator) < _STEP_MAX * s * denominator)
            & (0.5 * s * s - x_abs < 1.4142135623730951 * s)
            & (time_value > _PRICE_MIN * unit)
        )
        ok = (time_value > 0.0) & (time_value < d * min(f, k)) & (t > 0.0) & (t < np.inf) & (right[j] != 0)
        value = (s * denominator + numerator) / (denominator * np.sqrt(t))
        value = value if settled else -1.0
        vol[j] = value if ok else np.nan


@called
def finish(price: float, forward: float, strike: float, years: float, discount: float, right: int) -> tuple[float, int]:
    """(vol, status) of a row that the vector pass left open."""
    finite = (price < np.inf) & (0.0 < forward < np.inf) & (0.0 < strike < np.inf) & (0.0 < discount < np.inf)
    if not (finite & (right != 0) & (price > -np.inf)):
        return np.nan, BAD_INPUT
    if not (0.0 < years < np.inf):
        return np.nan, BAD_TIME
    time_value = price - discount * (max(forward - strike, 0.0) if right > 0 else max(strike - forward, 0.0))
    ceiling = discount * min(forward, strike)
    if not time_value > 0.0:
        return np.nan, BELOW_INTRINSIC
    if time_value >= ceiling:
        return np.nan, ABOVE_MAXIMUM
    unit = discount * np.sqrt(forward * strike)
    x_abs = abs(log_ratio(forward, strike))
    return _total_vol_bracketed(x_abs, unit, time_value, ceiling - time_value) / np.sqrt(years), OK
