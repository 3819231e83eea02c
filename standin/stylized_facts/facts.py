"""Stylised facts: what a market looks like in a dozen figures and curves, whoever made it. Pure.

Every function takes plain arrays, so that the made-up market and recorded data are measured by the same code. A curve
is (x, y), a share a fraction of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from standin.feed.source import taken

__all__ = [
    "CONDITION_GROUPS", "DELTAS", "LAGS", "SIZES", "TEN", "TENORS", "ChainFacts", "Curve", "autocorrelation",
    "condition_shares", "fan", "half_hours", "kurtosis", "leverage", "size_shares", "skewness", "smile", "spreads",
    "term_ratio",
]  # fmt: skip

Floats = NDArray[np.float64]
Curve = tuple[Floats, Floats]

# Upper ends of the buckets of print sizes, in contracts.
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500)
TEN = SIZES.index(10) + 1
# Days to expiry at which term structures are read, and the one they are told relative to.
TENORS = np.array([5.0, 7.0, 10.0, 14.0, 21.0, 30.0, 45.0, 60.0, 91.0, 120.0, 182.0, 270.0])
LAGS = 30
# Call deltas at which smiles are read, and edges of absolute deltas between which spreads are.
DELTAS = np.array([0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95])
SPREAD_EDGES = np.array([0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5])
SPREAD_DAYS = (7, 60)
MID_USD_MIN = 0.05
# Vendor condition ids by what they say (spec/contexts.md C.4).
CONDITION_GROUPS: dict[str, tuple[int, ...]] = {
    "ordinary": (209, 210),
    "sweep": (219,),
    "auction": (227, 228),
    "cross": (229, 230),
    "floor": (231,),
    "multi-leg": (232, 233, 234, 235, 236, 238, 239),
    "stock-tied": (237, 240, 241, 242, 243, 244, 245),
    "late or cancelled": (201, 202, 203, 204, 205, 206, 207, 208),
}


class ChainFacts(NamedTuple):
    """One underlying's contracts at an instant, (n,) each: calendar days to expiry, +1 call or -1 put, the usual signed
    delta, quotes in USD, volatility a decimal a year."""

    days: Floats
    right: NDArray[np.int8]
    delta: Floats
    bid: Floats
    ask: Floats
    iv: Floats

    def out_of_money(self) -> ChainFacts:
        """Those with a bid and known greeks that would not be exercised now."""
        kept = (self.bid > 0) & (self.ask > self.bid) & np.isfinite(self.iv) & (self.iv > 0.01)
        kept &= (np.abs(self.delta) <= 0.5) & (np.abs(self.delta) > 0.001)
        return taken(self, kept)


def fan(curves: Sequence[Curve]) -> tuple[Curve, tuple[Floats, Floats]]:
    """The middle curve of several over one x, and between which two all of them lie; NaN where one is not known, for
    the middle of fewer would be another's."""
    heights = np.array([y for _, y in curves])
    known = np.isfinite(heights).all(axis=0)
    middle, low, high = (np.full(heights.shape[1], np.nan) for _ in range(3))
    for into, read in ((middle, np.median), (low, np.min), (high, np.max)):
        into[known] = read(heights[:, known], axis=0)
    return (curves[0][0], middle), (low, high)


def half_hours(seconds_after_open: Floats, weight: Floats) -> Curve:
    """Share of `weight` (prints, contracts) in each half hour of a session, by the hours since the open."""
    edges = np.arange(0, 23_401, 1800)
    counts, _ = np.histogram(seconds_after_open, edges, weights=weight)
    return (edges[:-1] + 900) / 3600.0, counts / max(counts.sum(), 1e-12)


def size_shares(sizes: NDArray[np.int64]) -> Floats:
    """Share of prints up to each of SIZES and beyond the last, (len(SIZES) + 1,)."""
    bucket = np.searchsorted(SIZES, sizes, side="left")
    shares: Floats = np.bincount(bucket, minlength=len(SIZES) + 1) / max(len(sizes), 1)
    return shares


def condition_shares(conditions: NDArray[np.int32]) -> dict[str, float]:
    """Share of prints in each of CONDITION_GROUPS."""
    counts = np.bincount(conditions, minlength=256)
    total = max(int(counts.sum()), 1)
    return {name: float(counts[list(ids)].sum() / total) for name, ids in CONDITION_GROUPS.items()}


def spreads(chain: ChainFacts) -> Curve:
    """Median spread over mid of out-of-the-money contracts of one to eight weeks, by absolute delta."""
    near = chain.out_of_money()
    near = taken(near, (near.days >= SPREAD_DAYS[0]) & (near.days <= SPREAD_DAYS[1]))
    mid = 0.5 * (near.bid + near.ask)
    relative, delta = (near.ask - near.bid) / mid, np.abs(near.delta)
    bucket = np.searchsorted(SPREAD_EDGES, delta, side="right") - 1
    chosen = [relative[(bucket == index) & (mid >= MID_USD_MIN)] for index in range(len(SPREAD_EDGES) - 1)]
    medians = [float(np.median(each)) if len(each) else np.nan for each in chosen]
    return 0.5 * (SPREAD_EDGES[1:] + SPREAD_EDGES[:-1]), np.array(medians)


def smile(chain: ChainFacts, days: float = 30.0) -> Curve:
    """Volatility over that at the money by call delta, of the expiry nearest to `days`."""
    otm = chain.out_of_money()
    if not len(otm.days):
        return DELTAS, np.full(len(DELTAS), np.nan)
    nearest = otm.days[np.argmin(np.abs(otm.days - days))]
    index = otm.days == nearest
    volatility = _by_call_delta(otm.right[index], otm.delta[index], otm.iv[index], DELTAS)
    return DELTAS, volatility / volatility[DELTAS == 0.5]


def term_ratio(chain: ChainFacts) -> Curve:
    """At-the-money volatility at TENORS over that at thirty days, by straight lines between expiries."""
    otm = chain.out_of_money()
    days = np.unique(otm.days[(otm.days >= 2) & (otm.days <= 370)])
    middle = np.array([0.5])
    atm = [
        float(_by_call_delta(otm.right[index], otm.delta[index], otm.iv[index], middle)[0])
        for index in (otm.days == each for each in days)
    ]
    known = np.isfinite(atm)
    if np.count_nonzero(known) < 2:
        return TENORS, np.full(len(TENORS), np.nan)
    read = np.interp([*TENORS, 30.0], days[known], np.array(atm)[known], left=np.nan, right=np.nan)
    return TENORS, read[:-1] / read[-1]


def _by_call_delta(right: NDArray[np.int8], delta: Floats, iv: Floats, wanted: Floats) -> Floats:
    """Volatility at call deltas, by straight lines; NaN outside what there is."""
    call_delta = np.where(right > 0, delta, 1.0 + delta)
    order = np.argsort(call_delta, kind="stable")
    read: Floats = np.interp(wanted, call_delta[order], iv[order], left=np.nan, right=np.nan)
    return read


def autocorrelation(values: Floats, lags: int = LAGS) -> Curve:
    """Correlation of a series with itself 1 to `lags` steps before; no more lags than a quarter of the series."""
    lags = max(min(lags, len(values) // 4), 1)
    centred = values - values.mean()
    scale = float(centred @ centred) or 1.0
    acf = [float(centred[lag:] @ centred[:-lag]) / scale for lag in range(1, lags + 1)]
    return np.arange(1.0, lags + 1), np.array(acf)


def kurtosis(values: Floats) -> float:
    """Fourth standardised moment: 3 for a normal."""
    centred = values - values.mean()
    return float(np.mean(centred**4) / max(np.mean(centred**2) ** 2, 1e-300))


def skewness(values: Floats) -> float:
    """Third standardised moment: 0 for a normal."""
    centred = values - values.mean()
    return float(np.mean(centred**3) / max(np.mean(centred**2) ** 1.5, 1e-300))


def leverage(returns: Floats, vix: Floats) -> tuple[float, float]:
    """(correlation, slope) of the change of VIX's logarithm and the index's return: a day's each; vix has one more."""
    change = np.diff(np.log(vix))
    slope = float(np.polyfit(returns, change, 1)[0])
    return float(np.corrcoef(returns, change)[0, 1]), slope
