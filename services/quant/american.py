"""American options by QD+: price and implied volatility for single names, where early exercise matters.

The exercise boundary is the QD+ approximation of Li, "Analytical approximations for the critical stock prices of
American options: a performance comparison" (2010). The early-exercise premium is then Kim's integral over that
boundary ("The analytic valuation of American options", 1990), by twelve Gauss-Legendre nodes in the angle that makes
both square-root ends smooth. Calls are puts by symmetry, C(S, K, r, q) = P(K, S, q, r) (McDonald & Schroder, 1998).
Against exact values out-of-the-money vols are good to about 0.01 points at a year; in-the-money contracts near their
exercise value have no well-posed vol under any method, so they take their pair's.

Spot, strike and prices in dollars, rates continuous per year, `right` +1 call, -1 put. Discrete dividends enter as a
lower spot: `escrowed_spot`.
"""

import numpy as np
from numpy.typing import ArrayLike

from services.quant.arrays import Floats, Signs, Statuses, rows_of
from services.quant.black import ABOVE_MAXIMUM, BAD_INPUT, BAD_TIME, BELOW_INTRINSIC, OK
from services.quant.black_kernels import otm_price_scaled
from services.quant.implied_vol import finish as european_vol
from services.quant.jit import F64_IN, F64_OUT, I8_IN, U8_OUT, called, kernel
from services.quant.special import INVERSE_SQRT_2PI, exp, log_ratio, norm_cdf

# Newton steps on the boundary; 3 to 5 are taken from a neighbour's boundary, halvings keep the rest in the bracket.
_BOUNDARY_STEPS_MAX = 60
_BOUNDARY_TOLERANCE = 1e-9
_VOL_STEPS_MAX = 80
_VOL_MIN, _VOL_MAX = 1e-4, 10.0
_VOL_TOLERANCE = 1e-10
_PRICE_TOLERANCE = 1e-13
# Early exercise moves the European yield by less than this even at two years; 2**-22 of it is 1e-8.
_YIELD_REACH = 0.05
_YIELD_HALVINGS = 22
# Below this rate (continuous, per year) early exercise of a put gains nothing that can be priced.
_RATE_MIN = 1e-9
# Share of time passed, share left, and weight of each quadrature node: sin**2, cos**2 and 2 sin cos times Gauss's.
_NODES = (
    (0.0002097207286159579, 0.999790279271384, 0.0010730254348021307),
    (0.005660301300117085, 0.9943396986998829, 0.012602145332097414),
    (0.03230500949427717, 0.9676949905057227, 0.04445868376550052),
    (0.10142598485609562, 0.8985740151439043, 0.0963441837136268),
    (0.22691367497797715, 0.7730863250220228, 0.15361626816916674),
    (0.4022750493516924, 0.5977249506483077, 0.1919056935848062),
    (0.5977249506483076, 0.40227504935169256, 0.1919056935848062),
    (0.7730863250220229, 0.2269136749779771, 0.15361626816916674),
    (0.8985740151439043, 0.10142598485609573, 0.09634418371362682),
    (0.9676949905057227, 0.03230500949427721, 0.04445868376550055),
    (0.9943396986998829, 0.005660301300117069, 0.012602145332097395),
    (0.999790279271384, 0.00020972072861596272, 0.001073025434802143),
)


def price(
    spot: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    rate: ArrayLike,
    dividend_yield: ArrayLike,
    vol: ArrayLike,
    right: ArrayLike,
    out: Floats | None = None,
) -> Floats:
    """American value; NaN for a bad row.

    >>> price(100.0, 100.0, 1.0, 0.05, 0.0, 0.2, [1, -1]).round(3)
    array([10.451,  6.101])
    """
    rows = rows_of(spot, strike, years, rate, dividend_yield, vol, right=right)
    if out is None:
        out = np.empty(rows.shape)
    _price_rows(*rows.floats, rows.right, out.reshape(-1))
    return out


def implied_vol(
    price: ArrayLike,
    spot: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    rate: ArrayLike,
    dividend_yield: ArrayLike,
    right: ArrayLike,
) -> tuple[Floats, Statuses]:
    """(vol, status) as `black.implied_vol`; at or below the value of exercising now there is no time value."""
    rows = rows_of(price, spot, strike, years, rate, dividend_yield, right=right)
    vol, status = np.empty(rows.shape), np.empty(rows.shape, dtype=np.uint8)
    _implied_vol_rows(*rows.floats, rows.right, vol.reshape(-1), status.reshape(-1))
    return vol, status


def escrowed_spot(spot: float, dividends_usd: Floats, ex_years: Floats, rate: float, expiry_years: float) -> float:
    """Spot without the dividends that go ex before expiry: what an option on it really is about.

    The escrowed-dividend model: exact for Europeans whose vol is that of the escrowed spot, and for Americans it
    misses only the timing of exercise around an ex-date.

    >>> round(escrowed_spot(100.0, np.array([1.0, 1.0]), np.array([0.1, 0.6]), 0.05, 0.5), 4)
    99.005
    """
    due = (ex_years > 0.0) & (ex_years < expiry_years)
    return float(spot - (dividends_usd[due] * np.exp(-rate * ex_years[due])).sum())


def implied_dividend_yield(
    strike: Floats, call: Floats, put: Floats, spot: float, years: float, rate: float, guess: float
) -> float:
    """The yield at which calls and puts of the same strikes (near the money) have the same American vol.

    What put-call parity is for European options. `guess` is the European answer; NaN where no strike tells.
    """
    low, high = guess - _YIELD_REACH, guess + _YIELD_REACH
    for _ in range(_YIELD_HALVINGS):
        middle = 0.5 * (low + high)
        calls, _ = implied_vol(call, spot, strike, years, rate, middle, 1)
        puts, _ = implied_vol(put, spot, strike, years, rate, middle, -1)
        gap = (calls - puts)[np.isfinite(calls - puts)]
        if gap.size == 0:
            return float("nan")
        # A higher yield makes calls cheaper and so their vols higher, and the other way round for puts.
        if float(np.median(gap)) > 0.0:
            high = middle
        else:
            low = middle
    return 0.5 * (low + high)


@called
def _exercise_boundary(k: float, t: float, r: float, q: float, vol: float, guess: float) -> float:
    """QD+ critical spot of a put with `t` years left, for r > 0; between 0 and min(1, r/q) of the strike."""
    v: float = vol * np.sqrt(t)
    dr = exp(-r * t)
    dq = exp(-q * t)
    variance = vol * vol
    omega = 2.0 * (r - q) / variance
    # r / (1 - e**-rt), which is r/h of the paper, by its series where rt is small.
    rt = r * t
    rate_over_h = r / (1.0 - dr) if rt > 1e-5 else 1.0 / (t * (1.0 - 0.5 * rt * (1.0 - rt / 3.0)))
    root: float = np.sqrt((omega - 1.0) * (omega - 1.0) + 8.0 * rate_over_h / variance)
    exponent = -0.5 * (omega - 1.0 + root)
    exponent_slope = 2.0 * rate_over_h * rate_over_h / (variance * root)
    alpha = -2.0 * dr / (variance * root)
    beta = alpha * (rate_over_h - exponent_slope / root) - exponent
    low = 0.0
    high = k * min(1.0, r / q) if q > 0.0 else k
    s = min(max(guess, 1e-6 * high), high)
    for _ in range(_BOUNDARY_STEPS_MAX):
        d1 = log_ratio(s * dq, k * dr) / v + 0.5 * v
        d2 = d1 - v
        n1 = norm_cdf(-d1)
        n2 = norm_cdf(-d2)
        bell = INVERSE_SQRT_2PI * exp(-0.5 * d1 * d1)
        gap = k - s - (dr * k * n2 - dq * s * n1)
        theta = r * k * dr * n2 - q * s * dq * n1 - v * s * dq * bell / (2.0 * t)
        charm = -dq * (bell * ((r - q) / v - d2 / (2.0 * t)) + q * n1)
        # Value matching with the corrected exponent; rises through zero once.
        f = (1.0 - dq * n1) * s - beta * gap + alpha * theta / dr
        slope = (1.0 - dq * n1) * (1.0 + beta) + dq * bell / v + alpha * charm / dr
        if f > 0.0:
            high = s
        else:
            low = s
        following = s - f / slope
        if not (low < following < high):
            following = 0.5 * (low + high)
        if abs(following - s) < _BOUNDARY_TOLERANCE * k:
            return following
        s = following
    return s


@called
def _american_put(s: float, k: float, t: float, r: float, q: float, vol: float) -> float:
    """Value of the American put; the European one where exercising early never pays (r <= 0)."""
    forward = s * exp((r - q) * t)
    total: float = vol * np.sqrt(t)
    time_value: float = np.sqrt(forward * k) * otm_price_scaled(abs(log_ratio(forward, k)), total)
    european: float = exp(-r * t) * (time_value + max(k - forward, 0.0))
    if r < _RATE_MIN:
        return european
    boundary = _exercise_boundary(k, t, r, q, vol, 0.8 * k)
    if s <= boundary:
        return k - s
    premium = 0.0
    for passed, left, weight in _NODES:
        gone = passed * t
        boundary = _exercise_boundary(k, left * t, r, q, vol, boundary)
        v = vol * np.sqrt(gone)
        dr = exp(-r * gone)
        dq = exp(-q * gone)
        d1 = log_ratio(s * dq, boundary * dr) / v + 0.5 * v
        premium += weight * (r * k * dr * norm_cdf(v - d1) - q * s * dq * norm_cdf(-d1))
    return max(european + max(premium * t, 0.0), k - s)


@called
def american_value(s: float, k: float, t: float, r: float, q: float, vol: float, right: int) -> float:
    """American call or put, for use inside other kernels."""
    return _american_put(k, s, t, q, r, vol) if right > 0 else _american_put(s, k, t, r, q, vol)


@kernel(F64_IN, F64_IN, F64_IN, F64_IN, F64_IN, F64_IN, I8_IN, F64_OUT)
def _price_rows(
    spot: Floats,
    strike: Floats,
    years: Floats,
    rate: Floats,
    dividend_yield: Floats,
    vol: Floats,
    right: Signs,
    out: Floats,
) -> None:
    for j in range(out.shape[0]):
        ok = (0.0 < spot[j] < np.inf) & (0.0 < strike[j] < np.inf) & (0.0 < years[j] < np.inf) & (right[j] != 0)
        ok &= (0.0 < vol[j] < np.inf) & (abs(rate[j]) < 1.0) & (abs(dividend_yield[j]) < 1.0)
        out[j] = np.nan
        if ok:
            out[j] = american_value(spot[j], strike[j], years[j], rate[j], dividend_yield[j], vol[j], right[j])


@kernel(F64_IN, F64_IN, F64_IN, F64_IN, F64_IN, F64_IN, I8_IN, F64_OUT, U8_OUT)
def _implied_vol_rows(
    price: Floats,
    spot: Floats,
    strike: Floats,
    years: Floats,
    rate: Floats,
    dividend_yield: Floats,
    right: Signs,
    vol: Floats,
    status: Statuses,
) -> None:
    for j in range(vol.shape[0]):
        vol[j] = np.nan
        p, s, k, t, r, q = price[j], spot[j], strike[j], years[j], rate[j], dividend_yield[j]
        finite = (abs(p) < np.inf) & (0.0 < s < np.inf) & (0.0 < k < np.inf) & (abs(r) < 1.0) & (abs(q) < 1.0)
        if not (finite & (right[j] != 0)):
            status[j] = BAD_INPUT
            continue
        if not (0.0 < t < np.inf):
            status[j] = BAD_TIME
            continue
        # An American option is worth more than the European, so its vol is below the one that prices the European.
        discount = exp(-r * t)
        european, european_status = european_vol(p, s * exp((r - q) * t), k, t, discount, right[j])
        low = _VOL_MIN
        high = _VOL_MAX
        if european_status == OK:
            high = min(european * 1.000001, _VOL_MAX)
            if american_value(s, k, t, r, q, 0.8 * european, right[j]) < p:
                low = 0.8 * european
        f_low = american_value(s, k, t, r, q, low, right[j]) - p
        f_high = american_value(s, k, t, r, q, high, right[j]) - p
        if f_low >= 0.0:
            status[j] = BELOW_INTRINSIC
            continue
        if f_high <= 0.0:
            status[j] = ABOVE_MAXIMUM
            continue
        status[j] = OK
        middle = high
        side = 0
        for _ in range(_VOL_STEPS_MAX):
            # Price against vol is nearly straight once vol is known to a factor of two: halve first, then Illinois.
            wide = high > 2.0 * low
            middle = np.sqrt(low * high) if wide else (low * f_high - high * f_low) / (f_high - f_low)
            f = american_value(s, k, t, r, q, middle, right[j]) - p
            if f > 0.0:
                f_low = 0.5 * f_low if side == 1 and not wide else f_low
                high = middle
                f_high = f
                side = 1
            else:
                f_high = 0.5 * f_high if side == -1 and not wide else f_high
                low = middle
                f_low = f
                side = -1
            if high - low < _VOL_TOLERANCE or abs(f) < _PRICE_TOLERANCE * p:
                break
        vol[j] = middle
