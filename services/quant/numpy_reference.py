"""Black-76 once more in numpy and scipy: the oracle of the compiled kernels, and what to use without a compiler.

Same conventions, statuses and algorithm as `black` (seed from the normal model, one Householder step, a bracketed
loop for the rows left over), but with the library's log, exp and erfcx, so the two agree to rounding and not to the
bit. `services.quant.black` is what decisions use.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import erfcx, ndtr

from services.quant.arrays import Floats, Statuses
from services.quant.black import ABOVE_MAXIMUM, BAD_INPUT, BAD_TIME, BELOW_INTRINSIC, OK, Greeks

_SQRT_HALF = float(np.sqrt(0.5))
_SQRT_2_OVER_PI = float(np.sqrt(2.0 / np.pi))
# Rows per pass: a dozen temporaries of 16 KiB stay in the first and second-level cache.
_CHUNK_ROWS = 2048
_STEP_MAX = 1e-3
_ITERATIONS_MAX = 100
_FROM_BASE_TWO = float(np.sqrt(2.0 * np.log(2.0)))
_TOTAL_VOL_RANGE = (1e-12, 80.0)

# The same rational function as in implied_vol.py, highest power first.
_SEED_P = (0.007290078656654042, 0.011583767524451406, 0.04034898874098982, 0.01880118594190702, 0.3989674025160998)
_SEED_Q = (
    0.00514163998902232,
    0.009102997022726489,
    0.04348308931137096,
    0.09384683606618342,
    0.04855077201388515,
    1.0,
)


def price(
    forward: ArrayLike, strike: ArrayLike, years: ArrayLike, discount: ArrayLike, vol: ArrayLike, right: ArrayLike
) -> Floats:
    """Discounted Black-76 value; see `black.price`."""
    f, k, t, d, v, sign = _columns(forward, strike, years, discount, vol, right)
    with np.errstate(all="ignore"):
        s = v * np.sqrt(t)
        x = np.abs(np.log(f / k))
        time_value = np.where(s > 0.0, np.sqrt(f * k) * _otm_price(x, s), 0.0)
        intrinsic = np.maximum(sign * (f - k), 0.0)
        ok = (f > 0.0) & (k > 0.0) & (s >= 0.0) & np.isfinite(f * k * s) & (sign != 0.0)
        value: Floats = np.where(ok, d * (intrinsic + time_value), np.nan)
        return value


def implied_vol(
    price: ArrayLike, forward: ArrayLike, strike: ArrayLike, years: ArrayLike, discount: ArrayLike, right: ArrayLike
) -> tuple[Floats, Statuses]:
    """(vol, status); see `black.implied_vol`."""
    columns = _columns(price, forward, strike, years, discount, right)
    vol = np.empty(columns[0].shape)
    status = np.empty(vol.shape, dtype=np.uint8)
    for start in range(0, vol.size, _CHUNK_ROWS):
        part = slice(start, start + _CHUNK_ROWS)
        vol[part], status[part] = _implied_vol_chunk(*(column[part] for column in columns))
    return vol, status


def greeks(
    forward: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    discount: ArrayLike,
    rate: ArrayLike,
    right: ArrayLike,
    vol: ArrayLike,
) -> Greeks:
    """Eight greeks in raw units; see `black.greeks`."""
    f, k, t, d, r, sign, v = _columns(forward, strike, years, discount, rate, right, vol)
    with np.errstate(all="ignore"):
        ok = (f > 0.0) & (k > 0.0) & (t > 0.0) & (v > 0.0) & np.isfinite(f * k * t * v) & (sign != 0.0)
        d = np.where(ok, d, np.nan)
        s = v * np.sqrt(t)
        d1 = np.log(f / k) / s + 0.5 * s
        d2 = d1 - s
        n1, n2 = sign * ndtr(sign * d1), sign * ndtr(sign * d2)
        density = d * np.exp(-0.5 * d1 * d1) / np.sqrt(2.0 * np.pi)
        value = d * (f * n1 - k * n2)
        vega = f * density * np.sqrt(t)
        return Greeks(
            delta=d * n1,
            gamma=density / (f * s),
            vega=vega,
            theta=r * value - 0.5 * vega * v / t,
            rho=-t * value,
            vanna=-density * d2 / v,
            charm=r * d * n1 + density * d2 / (2.0 * t),
            vomma=vega * d1 * d2 / v,
        )


def _columns(*columns: ArrayLike) -> tuple[Floats, ...]:
    wide = np.broadcast_arrays(*(np.atleast_1d(np.asarray(column, dtype=np.float64)) for column in columns))
    return tuple(wide)


def _otm_price(x: Floats, s: Floats) -> Floats:
    """Out-of-the-money price over sqrt(F K); beyond near = -1 as ceiling minus gap."""
    a, t = x / s, 0.5 * s
    near, far = (a - t) * _SQRT_HALF, (a + t) * _SQRT_HALF
    bell = 0.5 * np.exp(-0.5 * (a * a + t * t))
    inside = near >= -1.0
    near_tail, far_tail = erfcx(np.where(inside, near, -near)), erfcx(far)
    value: Floats = np.where(inside, bell * (near_tail - far_tail), np.exp(-0.5 * x) - bell * (near_tail + far_tail))
    return value


def _implied_vol_chunk(
    value: Floats, f: Floats, k: Floats, t: Floats, d: Floats, sign: Floats
) -> tuple[Floats, Statuses]:
    with np.errstate(all="ignore"):
        time_value = value - d * np.maximum(sign * (f - k), 0.0)
        ceiling = d * np.minimum(f, k)
        status = _status(value, f, k, t, d, sign, time_value, ceiling)
        unit = d * np.sqrt(f * k)
        beta = time_value / unit
        x = np.abs(np.log(f / k))
        log_beta = np.log(beta)
        s = _seed(x, beta, log_beta)
        a = x / s
        near, far = (a - 0.5 * s) * _SQRT_HALF, (a + 0.5 * s) * _SQRT_HALF
        moved = _step(s, a, erfcx(near) - erfcx(far), log_beta)
        settled = (np.abs(moved) < _STEP_MAX * s) & (near > -1.0) & (beta > 1e-290)
        s = s + moved
        (open_rows,) = np.nonzero((status == OK) & ~settled)
        if open_rows.size:
            s[open_rows] = _bracketed(x[open_rows], unit[open_rows], time_value[open_rows], ceiling[open_rows])
        return np.where(status == OK, s / np.sqrt(t), np.nan), status


def _status(
    value: Floats, f: Floats, k: Floats, t: Floats, d: Floats, sign: Floats, time_value: Floats, ceiling: Floats
) -> Statuses:
    status = np.full(value.shape, OK, dtype=np.uint8)
    status[time_value >= ceiling] = ABOVE_MAXIMUM
    status[~(time_value > 0.0)] = BELOW_INTRINSIC
    status[~((t > 0.0) & (t < np.inf))] = BAD_TIME
    status[~((f > 0.0) & (k > 0.0) & (d > 0.0) & np.isfinite(f + k + d + value) & (sign != 0.0))] = BAD_INPUT
    return status


def _seed(x: Floats, beta: Floats, log_beta: Floats) -> Floats:
    x2 = x * x
    moneyness = x * (1.0 + x2 * (1.0 / 24.0 + x2 / 1920.0))
    spread = np.maximum(np.log(beta + moneyness) - log_beta, 1e-14)
    w = np.sqrt(spread)
    off_money = moneyness > 1e-9 * beta
    top = np.polyval(_SEED_Q, w) * np.where(off_money, x, beta)
    u = top / (np.polyval(_SEED_P, w) * np.where(off_money, spread, 1.0))
    u2 = u * u
    return u * (1.0 + u2 * (1.0 / 24.0 + u2 * (7.0 / 1920.0 + u2 * (127.0 / 322560.0 + u2 * 6e-5))))


def _step(s: Floats, a: Floats, tails: Floats, target: Floats) -> Floats:
    """The Householder move; negative `tails` solve for the gap to the ceiling instead of the price."""
    g = np.log(0.5 * np.abs(tails)) - 0.5 * (a * a + 0.25 * s * s) - target
    h = tails / _SQRT_2_OVER_PI
    qh = (a * a / s - 0.25 * s) * h
    gamma_n = g * (1.0 - qh)
    slope = 3.0 * (a / s) ** 2 + 0.25
    delta_n2 = g * g * (qh * qh - slope * h * h - 3.0 * qh + 2.0)
    return -g * h * (1.0 + 0.5 * gamma_n) / (1.0 + gamma_n + delta_n2 / 6.0)


def _bracketed(x: Floats, unit: Floats, time_value: Floats, ceiling: Floats) -> Floats:
    gap = ceiling - time_value
    upper = gap < time_value
    target = np.log(np.where(upper, gap, time_value)) - np.log(unit)
    beta = time_value / unit
    low = np.full(x.shape, _TOTAL_VOL_RANGE[0])
    high = np.full(x.shape, _TOTAL_VOL_RANGE[1])
    s = _seed(x, np.maximum(beta, 1e-290), np.log(np.maximum(beta, 1e-290)))
    s = np.where((s > low) & (s < high), s, 1.0)
    running: NDArray[np.bool_] = np.ones(x.shape, dtype=bool)
    for _ in range(_ITERATIONS_MAX):
        a = x / s
        near, far = (a - 0.5 * s) * _SQRT_HALF, erfcx((a + 0.5 * s) * _SQRT_HALF)
        tails = np.where(upper, -(erfcx(-near) + far), erfcx(near) - far)
        price_log = np.log(0.5 * np.abs(tails)) - 0.5 * (a * a + 0.25 * s * s)
        above = np.where(np.isfinite(tails), price_log, -0.5 * x) > target
        low = np.where(running & (above == upper), s, low)
        high = np.where(running & (above != upper), s, high)
        following = s + _step(s, a, tails, target)
        inside = (following >= low) & (following <= high)
        following = np.where(inside, following, np.sqrt(low * high))
        done = inside & (np.abs(following - s) <= 1e-5 * s)
        s = np.where(running, following, s)
        running &= ~done
        if not running.any():
            break
    return s


def profile(intercept: Floats, slope: Floats, weight: Floats, spot: float, grid: Floats) -> Floats:
    """Dealer gamma on a spot grid in one expression over contracts x grid; see `gamma_profile.profile`."""
    # Cells are in base two; numpy's exp is faster than its exp2.
    d1 = (intercept * _FROM_BASE_TWO)[:, None] + (slope * _FROM_BASE_TWO)[:, None] * np.log(grid / spot)
    total: Floats = weight @ np.exp(-0.5 * d1 * d1) * grid
    return total
