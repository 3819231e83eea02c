# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (compiled functions state their types in the decorator, where numba checks them)
"""Random numbers inside compiled loops: SplitMix64, one word of state, a nanosecond a number.

Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014). A stream is an array of one word, so
that a kernel leaves it where the next one goes on.
"""

from __future__ import annotations

import numpy as np
from numba import types

from services.quant.jit import inlined
from services.quant.special import exp, log_ratio

__all__ = ["DICE", "chance", "exponent_of", "hashed", "normal", "poisson"]

DICE = types.Array(types.uint64, 1, "C")
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_S11, _S27, _S30, _S31 = np.uint64(11), np.uint64(27), np.uint64(30), np.uint64(31)
_TO_UNIT = 2.0**-53
# Beyond this a Poisson number is a sum: exp(-16) still leaves a uniform number's 53 bits to find the tail with.
_POISSON_STEP = 16.0


@inlined
def _mixed(z):
    z = (z ^ (z >> _S30)) * _MIX_1
    z = (z ^ (z >> _S27)) * _MIX_2
    return z ^ (z >> _S31)


@inlined
def hashed(key, position):
    """Sixty-four bits of a position (>= 0) under a key: what `noise.uniform` hashes as well."""
    return _mixed(np.uint64(position) * _GOLDEN + key)


@inlined
def chance(dice):
    """The next number in [0, 1)."""
    dice[0] += _GOLDEN
    return np.float64(np.int64(_mixed(dice[0]) >> _S11)) * _TO_UNIT


@inlined
def normal(dice):
    """The next standard normal number (Marsaglia's polar method; of its pair one is used)."""
    while True:
        x = 2.0 * chance(dice) - 1.0
        y = 2.0 * chance(dice) - 1.0
        s = x * x + y * y
        if 0.0 < s < 1.0:
            return x * np.sqrt(-2.0 * log_ratio(s, 1.0) / s)


@inlined
def poisson(dice, mean):
    """The next Poisson number of this mean, by inversion; none where the mean is not positive."""
    count = 0
    left = mean
    while left > 0.0:
        step = min(left, _POISSON_STEP)
        left -= step
        term = exp(-step)
        below = term
        u = chance(dice)
        k = 0
        # The bound ends the search should rounding leave the sum short of one.
        while u >= below and k < 200:
            k += 1
            term *= step / k
            below += term
        count += k
    return count


@inlined
def exponent_of(power, base):
    """base**power for a positive base."""
    return exp(power * log_ratio(base, 1.0))
