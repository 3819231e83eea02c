"""What a history of the VIX family shows, whoever made it. Pure.

A made-up history is three years long and a recorded one decades, so figures of a recorded one come with the range they
have over stretches of the same length: a made-up figure inside it is one that the market itself might have shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from standin.stylized_facts.facts import Curve, autocorrelation, kurtosis, skewness

__all__ = ["FAMILY", "LOG_LAGS", "VixFacts", "VixRange", "ranges_of", "vix_facts"]

Floats = NDArray[np.float64]

# Those of which there are decades of closes, by calendar days ahead.
FAMILY = {"VIX9D": 9, "VIX": 30, "VIX3M": 93, "VIX6M": 182}
LOG_LAGS = 66
# Nine in ten stretches lie in a range.
RANGE = (5.0, 95.0)


class VixFacts(NamedTuple):
    """levels (n,): VIX in points, a session each. move, skew, kurtosis: of its daily log changes, move being their
    standard deviation. acf: of the level over a session; log_acf: of its logarithm. moves: `move` of each member of the
    family there is. over_vix3m: the median ratio, and inverted the share of sessions on which it is above 1."""

    levels: Floats
    median: float
    move: float
    skew: float
    kurtosis: float
    acf: float
    log_acf: Curve
    moves: dict[str, float]
    over_vix3m: float | None
    inverted: float | None


class VixRange(NamedTuple):
    """From the fifth to the ninety-fifth percentile over stretches of a history, (low, high) each; log_acf by lag."""

    sessions: int
    median: tuple[float, float]
    move: tuple[float, float]
    skew: tuple[float, float]
    kurtosis: tuple[float, float]
    acf: tuple[float, float]
    log_acf: tuple[Floats, Floats]


def vix_facts(vix: Floats, family: Mapping[str, Floats]) -> VixFacts:
    """Facts of VIX's closes (n,), and of the family's on sessions that all of its members have."""
    changes = np.diff(np.log(vix))
    ratio = family["VIX"] / family["VIX3M"] if {"VIX", "VIX3M"} <= family.keys() else None
    return VixFacts(
        levels=vix,
        median=float(np.median(vix)),
        move=float(np.std(changes)),
        skew=skewness(changes),
        kurtosis=kurtosis(changes),
        acf=_first(vix),
        log_acf=autocorrelation(np.log(vix), LOG_LAGS),
        moves={name: float(np.std(np.diff(np.log(closes)))) for name, closes in family.items()},
        over_vix3m=None if ratio is None else float(np.median(ratio)),
        inverted=None if ratio is None else float(np.mean(ratio > 1.0)),
    )


def ranges_of(vix: Floats, sessions: int) -> VixRange | None:
    """Ranges over stretches of that many sessions, a sixth of one apart; None where there are not a dozen."""
    stretches = [vix[index : index + sessions] for index in range(0, len(vix) - sessions + 1, max(sessions // 6, 1))]
    if len(stretches) < 12:
        return None
    changes = [np.diff(np.log(levels)) for levels in stretches]
    memories = np.array([autocorrelation(np.log(levels), LOG_LAGS)[1] for levels in stretches])
    low, high = np.percentile(memories, RANGE, axis=0)
    return VixRange(
        sessions,
        median=_range([float(np.median(levels)) for levels in stretches]),
        move=_range([float(np.std(each)) for each in changes]),
        skew=_range([skewness(each) for each in changes]),
        kurtosis=_range([kurtosis(each) for each in changes]),
        acf=_range([_first(levels) for levels in stretches]),
        log_acf=(low, high),
    )


def _first(levels: Floats) -> float:
    return float(np.corrcoef(levels[:-1], levels[1:])[0, 1])


def _range(values: list[float]) -> tuple[float, float]:
    low, high = np.percentile(values, RANGE)
    return float(low), float(high)
