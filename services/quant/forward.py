"""The forward and the discount factor of one expiry, from the options themselves.

Put-call parity says  call - put = D (F - K)  at every strike: a straight line whose slope is the discount factor and
whose zero is the forward. Quotes near the money are fitted by weights (tight spreads count more) with stale ones
talked down. Exact for European options; for American ones it carries their early-exercise premium, a few hundredths
of a per cent of the forward at 30 days (see docs/quant.md).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.quant.arrays import Floats

OK = 0
CURVE_DISCOUNT = 1  # the quotes do not pin the slope down; the given discount was used
TOO_FEW = 2  # fewer than three usable strikes; NaN

STRIKES_MIN = 3
# The line is fitted within this distance of the money: far in the money both legs have wide, lazy quotes.
_NEAR_LOG_MONEYNESS = 0.10
# A discount factor whose standard error, as a rate, exceeds this says less than any curve.
_RATE_ERROR_MAX = 0.005
# Rates outside this are a sign of bad quotes rather than of money.
_RATE_MIN, _RATE_MAX = -0.02, 0.15
# Tukey's biweight: residuals beyond 4.685 scales are ignored; 95 % efficient for normal noise.
_TUKEY = 4.685
_SCALE_OF_MAD = 1.4826
_REWEIGHTINGS = 8


class Forward(NamedTuple):
    """One expiry's forward in dollars, its discount factor and how well the quotes agree with both."""

    forward: float
    discount: float
    strikes: int  # that took part
    residual_usd: float  # robust scale of call - put - D (F - K)
    status: int


def usable_quotes(bid: Floats, ask: Floats) -> NDArray[np.bool_]:
    """Bid above zero, not crossed, spread at most 25 % of the mid or ten cents."""
    mid = 0.5 * (bid + ask)
    kept: NDArray[np.bool_] = (bid > 0.0) & (ask >= bid) & (ask - bid <= np.maximum(0.10, 0.25 * mid))
    return kept


def implied_forward(
    strike: Floats,
    call_bid: Floats,
    call_ask: Floats,
    put_bid: Floats,
    put_ask: Floats,
    years: float,
    curve_discount: float,
    near: float = _NEAR_LOG_MONEYNESS,
) -> Forward:
    """Robust parity line over the strikes of one expiry; arrays are (strikes,) in dollars, one entry a strike.

    `curve_discount` is used where the quotes cannot tell the slope (wide spreads, few strikes, little time).
    """
    usable = usable_quotes(call_bid, call_ask) & usable_quotes(put_bid, put_ask)
    gap = 0.5 * (call_bid + call_ask) - 0.5 * (put_bid + put_ask)
    noise = 0.25 * ((call_ask - call_bid) ** 2 + (put_ask - put_bid) ** 2)
    k, y, variance = strike[usable], gap[usable], noise[usable]
    if k.size < STRIKES_MIN:
        return Forward(np.nan, curve_discount, int(k.size), np.nan, TOO_FEW)
    centre = _median_forward(k, y, curve_discount)
    close = np.abs(k / centre - 1.0) <= near
    if close.sum() < STRIKES_MIN:  # a sparse chain: take its nearest strikes
        close = np.abs(k - centre) <= np.sort(np.abs(k - centre))[STRIKES_MIN - 1]
    k, y, variance = k[close], y[close], variance[close]
    # A locked quote is luck, not knowledge: no spread counts as less than a tenth of the typical one.
    variance = np.maximum(variance, max(0.01 * float(np.median(variance)), 1e-8))
    fixed = _fixed_slope(k, y, variance, curve_discount)
    discount, rate_error = _fitted_slope(k, y, variance, fixed, years)
    if not (rate_error <= _RATE_ERROR_MAX and np.exp(-_RATE_MAX * years) <= discount <= np.exp(-_RATE_MIN * years)):
        return fixed
    return _fixed_slope(k, y, variance, discount)._replace(status=OK)


def _median_forward(k: Floats, y: Floats, discount: float) -> float:
    """Median of K + (C - P) / D over the three strikes nearest the money: cannot be moved by one bad quote."""
    order = np.argsort(np.abs(y), kind="stable")[:3]
    return float(np.median(k[order] + y[order] / discount))


def _fixed_slope(k: Floats, y: Floats, variance: Floats, discount: float) -> Forward:
    forwards = k + y / discount
    centre = float(np.median(forwards))
    scale = _scale(forwards - centre)
    for _ in range(_REWEIGHTINGS):
        weight = _biweight((forwards - centre) / (_TUKEY * scale)) / variance
        centre = float((weight * forwards).sum() / weight.sum())
    return Forward(centre, discount, int(k.size), scale * discount, CURVE_DISCOUNT)


def _fitted_slope(k: Floats, y: Floats, variance: Floats, start: Forward, years: float) -> tuple[float, float]:
    """(discount factor, its standard error as a rate) by the same weights with a free slope."""
    discount, offset = start.discount, start.discount * start.forward
    error = np.inf
    for _ in range(_REWEIGHTINGS):
        residual = y - (offset - discount * k)
        scale = _scale(residual)
        weight = _biweight(residual / (_TUKEY * scale)) / variance
        total = weight.sum()
        if not total > 0.0:
            return np.nan, np.inf
        k_mean, y_mean = (weight * k).sum() / total, (weight * y).sum() / total
        spread = (weight * (k - k_mean) ** 2).sum()
        if not spread > 0.0:
            return np.nan, np.inf
        discount = float(-(weight * (k - k_mean) * (y - y_mean)).sum() / spread)
        offset = float(y_mean + discount * k_mean)
        error = float(np.sqrt((weight * residual**2).sum() / max(k.size - 2, 1) / spread))
    return discount, error / (years * discount) if discount > 0.0 else np.inf


def _biweight(u: Floats) -> Floats:
    kept: Floats = np.maximum(1.0 - u * u, 0.0) ** 2
    return kept


def _scale(residual: Floats) -> float:
    """Robust standard deviation, never below a hundredth of a cent."""
    return max(_SCALE_OF_MAD * float(np.median(np.abs(residual))), 1e-4)
