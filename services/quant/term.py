"""Across expiries: constant maturities, forward variance, event variance. Always in total variance, never in vol."""

import numpy as np

from services.quant.arrays import Floats

DAYS_PER_YEAR = 365.0
# Beyond a quarter outside the quoted expiries there is no constant-maturity vol, only a guess.
EXTRAPOLATION_MAX = 0.25
# Days before expiry at which an expiry stops speaking for a month: its smile is about the last days' events.
NEAREST_DAYS = 7.0


def constant_maturity_vol(
    years: Floats, vol: Floats, target_years: float, nearest_years: float = NEAREST_DAYS / DAYS_PER_YEAR
) -> float:
    """Vol at `target_years`, total variance linear in time between the expiries around it; NaN when out of reach.

    `years` and `vol` are (expiries,), any order; NaN entries and expiries nearer than `nearest_years` are left out.

    >>> round(constant_maturity_vol(np.array([25, 32]) / 365, np.array([0.18, 0.20]), 30 / 365), 8)
    0.19542384
    """
    kept = np.isfinite(years) & np.isfinite(vol) & (years >= min(nearest_years, target_years))
    order = np.argsort(years[kept], kind="stable")
    t, w = years[kept][order], (vol[kept] ** 2 * years[kept])[order]
    if t.size == 0:
        return float("nan")
    if t.size == 1 or target_years <= t[0] or target_years >= t[-1]:
        edge = 0 if target_years <= t[0] else -1
        if abs(target_years / t[edge] - 1.0) > EXTRAPOLATION_MAX:
            return float("nan")
        return float(np.sqrt(w[edge] / t[edge]))
    after = int(np.searchsorted(t, target_years, side="right"))
    share = (target_years - t[after - 1]) / (t[after] - t[after - 1])
    total = w[after - 1] + share * (w[after] - w[after - 1])
    return float(np.sqrt(total / target_years)) if total > 0.0 else float("nan")


def forward_vol(near_years: float, near_vol: float, far_years: float, far_vol: float) -> float:
    """Vol between two expiries; NaN where total variance falls (calendar arbitrage) or time does not advance.

    >>> round(forward_vol(0.25, 0.20, 0.50, 0.22), 6)
    0.238328
    """
    gained = far_vol**2 * far_years - near_vol**2 * near_years
    if not (far_years > near_years and gained >= 0.0):
        return float("nan")
    return float(np.sqrt(gained / (far_years - near_years)))


def event_move(years: float, vol: float, base_vol: float) -> float:
    """One standard deviation of the extra move an event adds before expiry: sqrt(T (vol**2 - base**2)).

    `base_vol` is what the expiry would trade at without the event (Dubinsky et al., 2019); zero if it trades lower.

    >>> round(event_move(5 / 252, 0.60, 0.35), 7)
    0.0686462
    """
    return float(np.sqrt(max(vol**2 - base_vol**2, 0.0) * years))
