"""Black-76: price, implied volatility and greeks for batches of options.

    price = D * (F N(d1) - K N(d2)) for a call,  d1 = ln(F/K) / s + s / 2,  d2 = d1 - s,  s = vol * sqrt(years)

Everything is float64, C-contiguous, one row an option; `right` is int8, +1 call and -1 put. Scalars broadcast (they
are expanded to arrays; give arrays of the same shape and `out` to allocate nothing). A bad row gives NaN, and from
`implied_vol` a status; it never raises and never disturbs its neighbours.

Raw units: volatility per year as a fraction, years as the caller's clock counts them, vega per 1.00 of vol, theta
and charm per year at fixed forward, rho per 1.00 of rate at fixed forward, delta dV/dF (discounted). `spot_view` and
`trader_view` convert.

Sources: Black, "The pricing of commodity contracts" (1976). Implied volatility: one vector pass that inverts the
normal (Bachelier) model for a seed and takes one Householder step of third order on ln(price), the objective of
Jaeckel, "Let's Be Rational" (2016); the rows that this does not settle are finished by a bracketed scalar loop.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from services.quant.jit import F64_IN, F64_OUT, I8_IN, U8_OUT, inlined, kernel
from services.quant.special import ERFCX_FROM, INVERSE_SQRT_2PI, SQRT_2_OVER_PI, SQRT_HALF, erfcx, erfcx_scaled, exp, log_ratio

Floats = NDArray[np.float64]

CALL = 1
PUT = -1

OK = 0
BELOW_INTRINSIC = 1  # at or below the discounted intrinsic value: no time value to invert
ABOVE_MAXIMUM = 2  # at or above the value at infinite volatility: D F for a call, D K for a put
BAD_TIME = 3  # years not positive and finite
BAD_INPUT = 4  # anything else that is NaN, infinite or of the wrong sign
STATUS_NAMES = ("ok", "below_intrinsic", "above_maximum", "bad_time", "bad_input")

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


class Greeks(NamedTuple):
    """Partial derivatives of the Black-76 price, one array each; raw units of the module docstring."""

    delta: Floats  # dV/dF
    gamma: Floats  # d2V/dF2
    vega: Floats  # dV/dvol, per 1.00
    theta: Floats  # dV/dt at fixed F, per year (negative of dV/dT)
    rho: Floats  # dV/dr at fixed F, per 1.00
    vanna: Floats  # d2V/(dF dvol)
    charm: Floats  # d2V/(dF dt) at fixed F, per year
    vomma: Floats  # d2V/dvol2


def price(
    forward: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    discount: ArrayLike,
    vol: ArrayLike,
    right: ArrayLike,
    out: Floats | None = None,
) -> Floats:
    """Discounted Black-76 value; the discounted intrinsic value where vol or years is zero.

    >>> price(100.0, 100.0, 1.0, 1.0, 0.2, 1).round(6)
    array([7.965567])
    """
    rows = _rows(forward, strike, years, discount, vol, right=right)
    value = _result(out, rows.shape)
    _price_rows(*rows.floats, rows.right, value.reshape(-1))
    return value


def implied_vol(
    price: ArrayLike,
    forward: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    discount: ArrayLike,
    right: ArrayLike,
    out: tuple[Floats, NDArray[np.uint8]] | None = None,
) -> tuple[Floats, NDArray[np.uint8]]:
    """(vol, status): the volatility per year that gives the price, NaN with a status where there is none.

    >>> vol, status = implied_vol([7.965567455405804, 0.0], 100.0, 100.0, 1.0, 1.0, 1)
    >>> vol.round(12), status
    (array([0.2, nan]), array([0, 1], dtype=uint8))
    """
    rows = _rows(price, forward, strike, years, discount, right=right)
    if out is None:
        out = np.empty(rows.shape), np.empty(rows.shape, dtype=np.uint8)
    vol, status = _result(out[0], rows.shape), out[1]
    _implied_vol_rows(*rows.floats, rows.right, vol.reshape(-1), status.reshape(-1))
    return vol, status


def greeks(
    forward: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    discount: ArrayLike,
    rate: ArrayLike,
    right: ArrayLike,
    vol: ArrayLike,
    out: Greeks | None = None,
) -> Greeks:
    """Eight greeks in raw units; `rate` is the continuous rate behind `discount` and enters theta and charm only.

    >>> greeks(100.0, 100.0, 1.0, 1.0, 0.0, 1, 0.2).delta.round(6)
    array([0.539828])
    """
    rows = _rows(forward, strike, years, discount, rate, vol, right=right)
    if out is None:
        out = Greeks(*(np.empty(rows.shape) for _ in Greeks._fields))
    _greeks_rows(*rows.floats, rows.right, *(_result(greek, rows.shape).reshape(-1) for greek in out))
    return out


def iv_greeks(
    price: ArrayLike,
    forward: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    discount: ArrayLike,
    rate: ArrayLike,
    right: ArrayLike,
    out: tuple[Floats, NDArray[np.uint8], Greeks] | None = None,
) -> tuple[Floats, NDArray[np.uint8], Greeks]:
    """(vol, status, greeks at that vol) in one call; greeks are NaN where the status is not 0."""
    rows = _rows(price, forward, strike, years, discount, rate, right=right)
    if out is None:
        vol, status = np.empty(rows.shape), np.empty(rows.shape, dtype=np.uint8)
        out = vol, status, Greeks(*(np.empty(rows.shape) for _ in Greeks._fields))
    vol, status, sensitivities = out
    value, f, k, t, d, r = rows.floats
    _implied_vol_rows(value, f, k, t, d, rows.right, vol.reshape(-1), status.reshape(-1))
    _greeks_rows(f, k, t, d, r, vol.reshape(-1), rows.right, *(greek.reshape(-1) for greek in sensitivities))
    return out


def spot_view(greeks: Greeks, spot: ArrayLike, forward: ArrayLike, years: ArrayLike) -> Greeks:
    """The same greeks with respect to spot, at a fixed carry ln(F/S)/years: what vendors and desks call delta.

    theta and charm are at fixed spot (the forward rolls down to it), rho moves the forward with the rate.
    """
    ratio = np.asarray(forward) / np.asarray(spot)
    carry = np.log(ratio) / years
    return Greeks(
        delta=greeks.delta * ratio,
        gamma=greeks.gamma * ratio * ratio,
        vega=greeks.vega,
        theta=greeks.theta - carry * forward * greeks.delta,
        rho=greeks.rho + years * forward * greeks.delta,
        vanna=greeks.vanna * ratio,
        charm=(greeks.charm - carry * (greeks.delta + forward * greeks.gamma)) * ratio,
        vomma=greeks.vomma,
    )


def trader_view(greeks: Greeks, days_per_year: float = 365.0) -> Greeks:
    """Vega, rho, vanna and vomma per point (0.01; vomma per point of vega's point), theta and charm per day."""
    return Greeks(
        delta=greeks.delta,
        gamma=greeks.gamma,
        vega=greeks.vega / 100.0,
        theta=greeks.theta / days_per_year,
        rho=greeks.rho / 100.0,
        vanna=greeks.vanna / 100.0,
        charm=greeks.charm / days_per_year,
        vomma=greeks.vomma / 10_000.0,
    )


class _Rows(NamedTuple):
    floats: tuple[Floats, ...]
    right: NDArray[np.int8]
    shape: tuple[int, ...]


def _rows(*columns: ArrayLike, right: ArrayLike) -> _Rows:
    """The columns as flat contiguous arrays of one shape; arrays that already are so are passed on untouched."""
    floats = [np.atleast_1d(np.asarray(column, dtype=np.float64)) for column in columns]
    sign = np.atleast_1d(np.asarray(right, dtype=np.int8))
    shape = np.broadcast_shapes(sign.shape, *(column.shape for column in floats))
    return _Rows(tuple(_flat(column, shape) for column in floats), _flat(sign, shape), shape)


def _flat(column: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    if column.shape != shape:
        column = np.broadcast_to(column, shape)
    return np.ascontiguousarray(column).reshape(-1)


def _result(out: Floats | None, shape: tuple[int, ...]) -> Floats:
    if out is None:
        return np.empty(shape)
    if out.shape != shape or not out.flags.c_contiguous:
        raise ValueError(f"out has shape {out.shape}; a contiguous array of shape {shape} is needed")
    return out


@inlined
def otm_price_scaled(x_abs, s):
    """Undiscounted out-of-the-money price over sqrt(F K), for x_abs = |ln(F/K)| and total volatility s > 0."""
    a = x_abs / s
    t = 0.5 * s
    near = (a - t) * SQRT_HALF
    far = (a + t) * SQRT_HALF
    inside = near >= -1.0
    bell = 0.5 * exp(-0.5 * (a * a + t * t))
    near_tail = erfcx(near if inside else -near)
    far_tail = erfcx(far)
    # Beyond near = -1 the price is close to its ceiling exp(-x/2), and what is missing from that is computed instead.
    from_zero = bell * (near_tail - far_tail)
    from_ceiling = exp(-0.5 * x_abs) - bell * (near_tail + far_tail)
    return from_zero if inside else from_ceiling


@kernel(F64_IN, F64_IN, F64_IN, F64_IN, F64_IN, I8_IN, F64_OUT)
def _price_rows(forward, strike, years, discount, vol, right, out):
    for j in range(out.shape[0]):
        f = forward[j]
        k = strike[j]
        s = vol[j] * np.sqrt(years[j])
        intrinsic = max(f - k, 0.0) if right[j] > 0 else max(k - f, 0.0)
        time_value = np.sqrt(f * k) * otm_price_scaled(abs(log_ratio(f, k)), s)
        ok = (f > 0.0) & (k > 0.0) & (f < np.inf) & (k < np.inf) & (s >= 0.0) & (s < np.inf) & (right[j] != 0)
        value = discount[j] * (intrinsic + (time_value if s > 0.0 else 0.0))
        out[j] = value if ok else np.nan


@inlined
def _seed(x_abs, unit, time_value):
    """Total volatility to about 1e-5 relative near the money, 2e-3 in the wings; unit = D sqrt(F K).

    The normal model's price over moneyness depends on one number only; its inverse is a rational function of the
    square root of ln(1 + moneyness/price), fitted to 8e-5. A series then turns normal into lognormal volatility.
    """
    x2 = x_abs * x_abs
    moneyness = x_abs * (1.0 + x2 * (0.041666666666666664 + x2 * 0.0005208333333333333)) * unit
    spread = max(log_ratio(time_value + moneyness, time_value), 1e-14)
    w = np.sqrt(spread)
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
def _step(s, x_abs, unit, time_value):
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
def _erfcx_anywhere(y):
    """erfcx for any y; infinity below -26, where it would overflow."""
    if y >= ERFCX_FROM:
        return erfcx(y)
    if y < -26.0:
        return np.inf
    return 2.0 * exp(y * y) - erfcx(-y)


@inlined
def _log(x):
    """ln(x) for positive x, subnormal numbers included."""
    if x < _PRICE_MIN:
        return log_ratio(x * 2.0**256, 1.0) - 256.0 * 0.6931471805599453
    return log_ratio(x, 1.0)


@inlined
def _total_vol_bracketed(x_abs, beta, ceiling_gap):
    """Total volatility with beta = time value / sqrt(F K) and ceiling_gap = exp(-x/2) - beta, both positive.

    Householder steps kept inside a shrinking bracket. The upper half of the price range is solved in the logarithm
    of the gap to the ceiling, whose derivatives have the same form with the opposite sign.
    """
    upper = ceiling_gap < beta
    target = _log(ceiling_gap if upper else beta)
    low = _TOTAL_VOL_MIN
    high = _TOTAL_VOL_MAX
    s = _seed(x_abs, 1.0, max(beta, _PRICE_MIN))
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
def _implied_vol_rows(price, forward, strike, years, discount, right, vol, status):
    rows = vol.shape[0]
    for start in range(0, rows, _CHUNK_ROWS):
        end = min(start + _CHUNK_ROWS, rows)
        part = slice(start, end)
        _implied_vol_vector(
            price[part], forward[part], strike[part], years[part], discount[part], right[part], vol[part]
        )
        for j in range(start, end):
            status[j] = OK
            if not vol[j] > 0.0:
                vol[j], status[j] = _implied_vol_finish(
                    vol[j], price[j], forward[j], strike[j], years[j], discount[j], right[j]
                )


@inlined
def _implied_vol_vector(price, forward, strike, years, discount, right, vol):
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


@inlined
def _implied_vol_finish(vol, price, forward, strike, years, discount, right):
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
    return _total_vol_bracketed(x_abs, time_value / unit, (ceiling - time_value) / unit) / np.sqrt(years), OK


@kernel(F64_IN, F64_IN, F64_IN, F64_IN, F64_IN, F64_IN, I8_IN, *(F64_OUT,) * 8)
def _greeks_rows(
    forward, strike, years, discount, rate, vol, right, delta, gamma, vega, theta, rho, vanna, charm, vomma
):
    for j in range(delta.shape[0]):
        f = forward[j]
        k = strike[j]
        t = years[j]
        v = vol[j]
        r = rate[j]
        ok = (f > 0.0) & (k > 0.0) & (t > 0.0) & (v > 0.0) & (f * k * t * v < np.inf) & (right[j] != 0)
        d = discount[j] if ok else np.nan
        root_t = np.sqrt(t)
        s = v * root_t
        fk = f * k
        # One division serves 1/s, 1/F and F/K.
        w = 1.0 / (fk * s)
        inverse_s = fk * w
        d1 = log_ratio(f, k) * inverse_s + 0.5 * s
        d2 = d1 - s
        bell1 = exp(-0.5 * d1 * d1)
        bell2 = bell1 * (f * f * s * w)
        z1 = abs(d1) * SQRT_HALF
        z2 = abs(d2) * SQRT_HALF
        high1 = z1 + 3.5
        high2 = z2 + 3.5
        both = 1.0 / (high1 * high2)
        inverse1 = both * high2
        inverse2 = both * high1
        tail1 = 0.5 * bell1 * (erfcx_scaled((z1 - 1.5) * inverse1) * inverse1)
        tail2 = 0.5 * bell2 * (erfcx_scaled((z2 - 1.5) * inverse2) * inverse2)
        # cp * N(cp * d) for a call and for a put, each from its own tail so that deep strikes keep their digits.
        call = right[j] > 0
        n1 = (1.0 - tail1 if d1 > 0.0 else tail1) if call else (-tail1 if d1 > 0.0 else tail1 - 1.0)
        n2 = (1.0 - tail2 if d2 > 0.0 else tail2) if call else (-tail2 if d2 > 0.0 else tail2 - 1.0)
        density = d * bell1 * INVERSE_SQRT_2PI
        value = d * (f * n1 - k * n2)
        unit_delta = d * n1
        unit_vega = f * density * root_t
        half_rate_of_s = 0.5 * v * v * inverse_s * inverse_s
        delta[j] = unit_delta
        gamma[j] = density * (k * s * w) * inverse_s
        vega[j] = unit_vega
        theta[j] = r * value - 0.5 * f * density * v * v * inverse_s
        rho[j] = -t * value
        vanna[j] = -density * d2 * (root_t * inverse_s)
        charm[j] = r * unit_delta + density * d2 * half_rate_of_s
        vomma[j] = unit_vega * d1 * d2 * (root_t * inverse_s)
