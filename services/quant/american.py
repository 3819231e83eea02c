"""American options: price and implied volatility for single names, where early exercise matters.

The exercise boundary is the refined one of `exercise_boundary`; the early-exercise premium is Kim's integral over it
("The analytic valuation of American options", 1990). Calls are puts by symmetry, C(S, K, r, q) = P(K, S, q, r)
(McDonald & Schroder, 1998). Prices are good to 1e-7 of the strike at a year; in-the-money contracts near their
exercise value have no well-posed vol under any method, so they take their pair's.

Spot, strike and prices in dollars, rates continuous per year, `right` +1 call, -1 put. Discrete dividends enter as a
lower spot: `escrowed_spot`.
"""

import numpy as np
from numpy.typing import ArrayLike

from services.quant.arrays import Floats, Signs, Statuses, rows_of
from services.quant.black import ABOVE_MAXIMUM, BAD_INPUT, BAD_TIME, BELOW_INTRINSIC, OK
from services.quant.black_kernels import otm_price_scaled
from services.quant.exercise_boundary import DEGREE, NODES, boundary_at, boundary_limit, fit_boundary
from services.quant.implied_vol import finish as european_vol
from services.quant.jit import F64_IN, F64_OUT, I8_IN, U8_OUT, called, kernel
from services.quant.special import INVERSE_SQRT_2PI, exp, log_ratio, norm_cdf

_VOL_STEPS_MAX = 80
_VOL_MIN, _VOL_MAX = 1e-4, 10.0
# Of the last secant step, which leaves much less: the one before was of its square root.
_VOL_TOLERANCE = 1e-9
# Early exercise moves the European yield by less than this even at two years; 2**-22 of it is 1e-8.
_YIELD_REACH = 0.05
_YIELD_HALVINGS = 22
# Below this rate (continuous, per year) early exercise of a put gains nothing that can be priced.
_RATE_MIN = 1e-9


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
    array([10.451,  6.09 ])
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
def _american_put(s: float, k: float, t: float, r: float, q: float, vol: float, work: Floats) -> float:
    """Value of the American put; the European one where exercising early never pays (r <= 0)."""
    forward = s * exp((r - q) * t)
    total: float = vol * np.sqrt(t)
    time_value: float = np.sqrt(forward * k) * otm_price_scaled(abs(log_ratio(forward, k)), total)
    european: float = exp(-r * t) * (time_value + max(k - forward, 0.0))
    if r < _RATE_MIN:
        return european
    places, coefficients = work[0], work[1]
    fit_boundary(k, t, r, q, vol, places, coefficients)
    if s <= places[DEGREE]:
        return k - s
    limit = boundary_limit(k, r, q)
    premium = 0.0
    for root_passed, root_left, weight in NODES:
        gone = root_passed * root_passed * t
        boundary = boundary_at(root_left, limit, coefficients)
        v = total * root_passed
        dr = exp(-r * gone)
        dq = exp(-q * gone)
        d1 = log_ratio(s * dq, boundary * dr) / v + 0.5 * v
        premium += weight * (r * k * dr * norm_cdf(v - d1) - q * s * dq * norm_cdf(-d1))
    return max(european + max(premium * t, 0.0), k - s)


@called
def _american_value(s: float, k: float, t: float, r: float, q: float, vol: float, right: int, work: Floats) -> float:
    """American call or put; `work` is (2, DEGREE + 1) of scratch."""
    return _american_put(k, s, t, q, r, vol, work) if right > 0 else _american_put(s, k, t, r, q, vol, work)


@called
def _american_vol(
    p: float, s: float, k: float, t: float, r: float, q: float, right: int, work: Floats
) -> tuple[float, int]:
    """(vol, status) by secants inside a bracket, from the vol that makes the European option worth the price."""
    if p <= right * (s - k):
        return np.nan, BELOW_INTRINSIC
    forward = s * exp((r - q) * t)
    discount = exp(-r * t)
    european, european_status = european_vol(p, forward, k, t, discount, right)
    # An American option is worth at least the European, so its vol is at most that; a hair more for the rounding.
    low = _VOL_MIN
    high = min(european * 1.000001, _VOL_MAX) if european_status == OK else _VOL_MAX
    vol = high
    gap = _american_value(s, k, t, r, q, vol, right, work) - p
    if gap < 0.0:
        return np.nan, ABOVE_MAXIMUM
    total: float = vol * np.sqrt(t)
    d1 = log_ratio(forward, k) / total + 0.5 * total
    slope = discount * forward * INVERSE_SQRT_2PI * exp(-0.5 * d1 * d1) * np.sqrt(t)
    for _ in range(_VOL_STEPS_MAX):
        following = vol - gap / slope if slope > 0.0 else low
        if not (low < following < high):
            following = np.sqrt(low * high)
        step = following - vol
        if abs(step) < _VOL_TOLERANCE:
            vol = following
            break
        moved = _american_value(s, k, t, r, q, following, right, work) - p
        slope = (moved - gap) / step
        vol, gap = following, moved
        if gap > 0.0:
            high = vol
        else:
            low = vol
    if low == _VOL_MIN and vol < 2.0 * _VOL_MIN:
        return np.nan, BELOW_INTRINSIC
    return vol, OK


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
    work = np.empty((2, DEGREE + 1))
    for j in range(out.shape[0]):
        ok = (0.0 < spot[j] < np.inf) & (0.0 < strike[j] < np.inf) & (0.0 < years[j] < np.inf) & (right[j] != 0)
        ok &= (0.0 < vol[j] < np.inf) & (abs(rate[j]) < 1.0) & (abs(dividend_yield[j]) < 1.0)
        out[j] = np.nan
        if ok:
            s, k, t, r, q = spot[j], strike[j], years[j], rate[j], dividend_yield[j]
            out[j] = _american_value(s, k, t, r, q, vol[j], right[j], work)


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
    work = np.empty((2, DEGREE + 1))
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
        vol[j], status[j] = _american_vol(p, s, k, t, r, q, right[j], work)
