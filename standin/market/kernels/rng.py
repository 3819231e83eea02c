# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (compiled functions state their types in the decorator, where numba checks them)
"""Random numbers inside compiled loops: SplitMix64 (`services.quant.splitmix`), one word of state, a nanosecond a word.

A stream is an array of one word, so that a kernel leaves it where the next one goes on. A word has sixty-four bits of
chance and serves two choices, by its upper and by its lower half: no choice here is finer than one in four thousand
million.
"""

from __future__ import annotations

import numpy as np
from numba import types

from services.quant.jit import inlined
from services.quant.special import exp
from services.quant.splitmix import GOLDEN, mixed

__all__ = ["RNG", "bits", "chance", "hashed", "lower", "poisson", "upper", "word"]

RNG = types.Array(types.uint64, 1, "C")
_S11, _S32 = np.uint64(11), np.uint64(32)
_LOWER = np.uint64(0xFFFFFFFF)
_TO_UNIT = 2.0**-53
_HALF_TO_UNIT = 2.0**-32
# Beyond this a Poisson number is a sum: exp(-16) still leaves a uniform number's 53 bits to find the tail with.
_POISSON_STEP = 16.0


@inlined
def hashed(key, position):
    """Sixty-four bits of a position (>= 0) under a key: what `noise.uniform` hashes as well."""
    return mixed(np.uint64(position) * GOLDEN + key)


@inlined
def word(rng):
    """The next sixty-four bits."""
    rng[0] += GOLDEN
    return mixed(rng[0])


@inlined
def upper(word_):
    """A number in [0, 1) from the upper half of a word."""
    return np.float64(np.int64(word_ >> _S32)) * _HALF_TO_UNIT


@inlined
def lower(word_):
    """A number in [0, 1) from the lower half of a word."""
    return np.float64(np.int64(word_ & _LOWER)) * _HALF_TO_UNIT


@inlined
def bits(word_, first, count):
    """An integer of so many bits of a word from `first` on."""
    return np.int64((word_ >> np.uint64(first)) & np.uint64((1 << count) - 1))


@inlined
def chance(rng):
    """The next number in [0, 1), of all the bits a float has."""
    return np.float64(np.int64(word(rng) >> _S11)) * _TO_UNIT


@inlined
def poisson(rng, mean):
    """The next Poisson number of this mean, by inversion; none where the mean is not positive."""
    count = 0
    left = mean
    while left > 0.0:
        step = min(left, _POISSON_STEP)
        left -= step
        term = exp(-step)
        below = term
        u = chance(rng)
        k = 0
        # The bound ends the search should rounding leave the sum short of one.
        while u >= below and k < 200:
            k += 1
            term *= step / k
            below += term
        count += k
    return count
