"""When variance happens: the clock on which the seeded market's prices move and its options decay. Pure.

A trading year has 252 sessions; four fifths of a day's variance falls into the session, more of it near the open and
the close, and the rest into the night before. Weekends count as one night. Options are priced by the variance left on
this clock and quoted, as everybody quotes them, in volatility a calendar year; implied and realised agree by
construction, and the implied volatility of the last hours behaves as it does on real screens.

Shares after French and Roll, "Stock return variances" (1986); index products have 15 to 25 % overnight.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.quant import exact

__all__ = ["RATE", "SESSIONS_A_YEAR", "SESSION_SHARE", "intraday_shape", "remaining_share", "years_of_variance"]

# The money market's, continuously compounded, the same for every term.
RATE = 0.04
SESSIONS_A_YEAR = 252.0
SESSION_SHARE = 0.8


def intraday_shape(seconds: int) -> NDArray[np.float64]:
    """Variance rate of each second of a session relative to its mean, (seconds,): U-shaped, averaging 1."""
    x = (np.arange(seconds) + 0.5) / seconds
    # Twice the mean at the open, half again at the close, about two thirds around noon (Wood, McInish and Ord 1985).
    rate = 0.70 + 1.6 * exact.power(1 - x, 12) + 0.9 * exact.power(x, 10) + 0.4 * (2 * x - 1) ** 2
    shape: NDArray[np.float64] = rate / rate.mean()
    return shape


def remaining_share(shape: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of a session's variance still to come after each second, (seconds + 1,): 1 at the open, 0 at the close."""
    return np.concatenate((np.cumsum(shape[::-1])[::-1] / shape.sum(), [0.0]))


def years_of_variance(
    sessions_after: NDArray[np.int64], settles_at_open: NDArray[np.bool_], remaining: float
) -> NDArray[np.float64]:
    """Variance left until settlement, in trading years, (n,).

    sessions_after: how many sessions follow today's, up to and with that of the settlement. settles_at_open: a.m.
    settled, so the last session itself does not count, only the night before it. remaining: share of today's session.
    """
    nights = sessions_after.astype(np.float64)
    later = np.where(settles_at_open, np.maximum(nights - 1, 0), nights)
    # Something a.m. settled today is over by the time the session begins.
    today = np.where(settles_at_open & (sessions_after == 0), 0.0, remaining)
    years: NDArray[np.float64] = (SESSION_SHARE * (today + later) + (1 - SESSION_SHARE) * nights) / SESSIONS_A_YEAR
    return years
