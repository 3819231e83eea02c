"""Who comes to know something on a day, when, and what comes of it: drawn from the date alone. Pure.

What they trade is another question (`bursts.py`), for it needs prices. Drawing the moves first makes a day's path
complete before anything is traded, so that tomorrow opens where today closed without anybody having traded today.
"""

from __future__ import annotations

import datetime as dt
import functools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.quant import exact
from standin.market.random_streams import BURSTS, stream
from standin.market.scenario import BurstRules
from standin.market.universe import CAST, position_of
from standin.market.variance import SESSION_SHARE
from standin.market.venues import MULTIPLE

__all__ = ["Informed", "diffusive_share", "informed_of", "intensity"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FIRST_AT_S = 20
# The last ten minutes belong to closing trades; a burst begun there could not finish.
QUIET_BEFORE_CLOSE_S = 600
OPENING_SHARE = 0.5
SESSION_SECONDS = 23_400
# Drifts begin two to seven minutes after the burst does and last twenty to forty.
WAIT_S, LASTS_S = (120, 420), (1200, 2400)
_WEIGHTS = np.where(MULTIPLE, np.sqrt([member.weight for member in CAST]), 0.0)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()
# Whose path a drift moves: an ETF's is its index's.
MOVES = np.array([position_of[member.follows or member.ticker] for member in CAST])


class Informed(NamedTuple):
    """The informed traders of a day in the order of their coming, (n,) each.

    direction: +1 buys calls, -1 buys puts. moves: whose level drifts. deviations: by how many daily standard deviations
    of it, signed, evenly from drift_start_s to drift_end_s; 0 where they knew nothing.
    """

    underlying: Ints
    direction: Ints
    start_s: Ints
    opening: NDArray[np.bool_]
    moves: Ints
    drift_start_s: Ints
    drift_end_s: Ints
    deviations: Floats


def intensity(seconds: int) -> Floats:
    """Orders of each second relative to the mean: most at the open, fewest at noon, many into the close.

    14 % of a session's in its first half hour, 12 in its last and 6 in each around noon, as AAPL's options had on
    2014-06-06 (13, 12, and 5 to 9) and SPXW's on three days of January 2021 (8 to 12, 9, and 4 to 8).
    """
    x = (np.arange(seconds + 1) + 0.5) / seconds
    rate = 0.70 + 1.3 * exact.power(1 - x, 14) + 0.75 * exact.power(x, 9) + 0.25 * (2 * x - 1) ** 2
    shape: Floats = rate / rate.mean()
    return shape


@functools.cache  # of a full and of a half day: a market is walked to through hundreds of sessions
def _orders_so_far(seconds: int) -> Floats:
    crowd: Floats = np.cumsum(intensity(seconds))
    crowd.flags.writeable = False
    return crowd


def informed_of(seed: int, date: dt.date, seconds: int, rules: BurstRules, *, focused: bool) -> Informed:
    """Draw a day's informed traders; `focused` when the rules' favourite is in force."""
    rng = stream(seed, BURSTS, date.toordinal())
    # Who hides, hides in the crowd: gaps are even in orders, not in seconds (Admati and Pfleiderer 1988).
    crowd = _orders_so_far(seconds)
    gaps = np.cumsum(rng.exponential(rules.mean_gap_s, int(3 * seconds / rules.mean_gap_s) + 8))
    start = FIRST_AT_S + np.searchsorted(crowd, gaps[gaps < crowd[-1]])
    start = np.concatenate(([FIRST_AT_S], start[start < seconds - QUIET_BEFORE_CLOSE_S])).astype(np.int64)
    count = len(start)
    chance = rng.random((6, count))
    underlying = np.searchsorted(np.cumsum(_WEIGHTS), chance[0], side="right").clip(max=len(CAST) - 1)
    direction = np.where(chance[1] < 0.5, 1, -1)
    favourite = np.zeros(count, bool)
    if focused and rules.focus:
        favourite = chance[2] < rules.focus_share
        underlying = np.where(favourite, position_of[rules.focus], underlying)
        direction = np.where(favourite, rules.focus_direction, direction)
    opening = chance[3] < OPENING_SHARE
    # The first sweeps: that is seen soonest, and who starts a market to look at it sees something.
    opening[0] = False
    # What follows the favourite's buyers is in the script already.
    informed = ~favourite & (chance[4] < np.where(opening, rules.opening_informed, rules.sweeping_informed))
    far = rules.drift_low + (rules.drift_high - rules.drift_low) * chance[5]
    begins = np.minimum(start + rng.integers(*WAIT_S, count), seconds)
    ends = np.minimum(begins + rng.integers(*LASTS_S, count), seconds)
    scale = _scale(rules)[underlying]
    moves = MOVES[underlying]
    return Informed(underlying, direction, start, opening, moves, begins, ends, informed * direction * far * scale)


def diffusive_share(rules: BurstRules) -> Floats:
    """The part of a session's variance that drifts leave to the rest of the path, (members,)."""
    if rules.variance_share is None:
        return np.ones(len(CAST))
    drifting = np.bincount(MOVES, _expected_variance(rules) * _scale(rules) ** 2, minlength=len(CAST))
    share: Floats = np.maximum(1.0 - drifting / SESSION_SHARE, 1.0 - rules.variance_share)[MOVES]
    return share


def _scale(rules: BurstRules) -> Floats:
    """By how much drifts are scaled down so that they keep within their share of variance, (members,)."""
    if rules.variance_share is None:
        return np.ones(len(CAST))
    expected = np.bincount(MOVES, _expected_variance(rules), minlength=len(CAST))[MOVES]
    scale: Floats = np.sqrt(np.minimum(1.0, rules.variance_share * SESSION_SHARE / np.maximum(expected, 1e-12)))
    return scale


def _expected_variance(rules: BurstRules) -> Floats:
    """Variance of a full day's unscaled drifts in daily variances, by who is bought, (members,)."""
    knowing = OPENING_SHARE * rules.opening_informed + (1.0 - OPENING_SHARE) * rules.sweeping_informed
    low, high = rules.drift_low, rules.drift_high
    mean_square = (high**2 + high * low + low**2) / 3.0
    variance: Floats = _WEIGHTS * (SESSION_SECONDS / rules.mean_gap_s) * knowing * mean_square
    return variance
