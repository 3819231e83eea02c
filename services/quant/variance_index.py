"""A VIX-style index: the model-free variance of a strip of options, at any horizon.

Cboe, "Volatility Index Methodology" (VIX mathematics, 2022); the 2014 white paper's worked example is a test. Per
expiry: forward from the strike where call and put differ least, K0 the strike at or below it, out-of-the-money mids
with bids outward from K0 until two zero bids in a row, then

    variance = 2/T sum(dK / K**2 * e**(rT) * Q(K)) - 1/T (F / K0 - 1)**2

and the index is 100 times the root of the 30-day (or other) variance interpolated linearly in total variance.
"""

from typing import NamedTuple

import numpy as np

from services.quant.arrays import Floats

MINUTES_PER_YEAR = 525_600.0
# Horizons in days of Cboe's family.
VIX9D, VIX, VIX3M, VIX6M = 9.0, 30.0, 93.0, 184.0
_EXTENSION_MAX = 0.25


class Strip(NamedTuple):
    """One expiry's model-free variance, and the strip it came from."""

    variance: float  # per year; NaN when there is no strip
    forward: float
    k0: float
    strikes: Floats  # (n,) included, ascending, dollars
    contribution: Floats  # (n,) dK / K**2 e**(rT) Q, before the 2/T


def strip(
    strike: Floats, call_bid: Floats, call_ask: Floats, put_bid: Floats, put_ask: Floats, years: float, rate: float
) -> Strip:
    """Variance of one expiry; arrays are (strikes,) in dollars, ascending, one entry a strike.

    `years` is minutes to settlement over 525,600; `rate` the continuous rate to that date. A missing quote is a
    bid and an ask of zero; a strike where no side is quoted at all is not there: it ends no strip and widens no step.
    """
    there = (call_ask > 0.0) | (put_ask > 0.0)
    if not there.all():
        strike, call_bid, call_ask = strike[there], call_bid[there], call_ask[there]
        put_bid, put_ask = put_bid[there], put_ask[there]
    call_mid, put_mid = 0.5 * (call_bid + call_ask), 0.5 * (put_bid + put_ask)
    quoted = (call_bid > 0.0) & (put_bid > 0.0)
    if not quoted.any() or not years > 0.0:
        return Strip(np.nan, np.nan, np.nan, np.empty(0), np.empty(0))
    growth = float(np.exp(rate * years))
    gap = np.where(quoted, np.abs(call_mid - put_mid), np.inf)
    nearest = int(gap.argmin())
    forward = float(strike[nearest] + growth * (call_mid[nearest] - put_mid[nearest]))
    below = np.flatnonzero(strike <= forward)
    if below.size == 0:
        return Strip(np.nan, forward, np.nan, np.empty(0), np.empty(0))
    centre = int(below[-1])
    puts = centre - 1 - _until_two_zero_bids(put_bid[:centre][::-1])
    calls = centre + 1 + _until_two_zero_bids(call_bid[centre + 1 :])
    chosen = np.sort(np.concatenate([puts, [centre], calls]))
    if chosen.size < 2:
        return Strip(np.nan, forward, float(strike[centre]), np.empty(0), np.empty(0))
    value = np.where(chosen < centre, put_mid[chosen], call_mid[chosen])
    value[chosen == centre] = 0.5 * (call_mid[centre] + put_mid[centre])
    k = strike[chosen]
    contribution = _widths(k) / (k * k) * growth * value
    k0 = float(strike[centre])
    variance = 2.0 / years * float(contribution.sum()) - (forward / k0 - 1.0) ** 2 / years
    return Strip(variance, forward, k0, k, contribution)


def _until_two_zero_bids(bids: Floats) -> np.typing.NDArray[np.int64]:
    """Positions with a bid, walking outward until two zero bids in a row."""
    zero = ~(bids > 0.0)
    ends = np.flatnonzero(zero[:-1] & zero[1:])
    end = int(ends[0]) if ends.size else bids.size
    return np.flatnonzero(~zero[:end])


def _widths(k: Floats) -> Floats:
    """Half the distance between the neighbours; the whole one at the two ends."""
    widths = np.empty(k.size)
    widths[1:-1] = 0.5 * (k[2:] - k[:-2])
    widths[0], widths[-1] = k[1] - k[0], k[-1] - k[-2]
    return widths


def index(years: Floats, variance: Floats, horizon_days: float) -> float:
    """Index points: 100 sqrt of the horizon's variance, from the two expiries around it (NaN when none are).

    When all expiries lie on one side, the line through the nearest two is extended, but only if one of them is
    within a quarter of the horizon: an index about months nobody quotes would be invented.
    """
    kept = np.isfinite(variance) & (variance > 0.0) & (years > 0.0)
    order = np.argsort(years[kept], kind="stable")
    t, v = years[kept][order], variance[kept][order]
    target = horizon_days / 365.0
    if t.size < 2:
        return float("nan")
    after = int(np.clip(np.searchsorted(t, target), 1, t.size - 1))
    near, far = after - 1, after
    outside = t[near] > target or t[far] < target
    if outside and min(abs(t[near] / target - 1.0), abs(t[far] / target - 1.0)) > _EXTENSION_MAX:
        return float("nan")
    share = (target - t[near]) / (t[far] - t[near])
    total = t[near] * v[near] * (1.0 - share) + t[far] * v[far] * share
    return float(100.0 * np.sqrt(total / target)) if total > 0.0 else float("nan")
