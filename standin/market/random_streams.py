"""Randomness for the seeded market, of three kinds, all a pure function of the seed. Pure.

* `stream` gives a generator for a purpose, a day, a second: whoever starts in the middle of a day draws what a run
  through the whole day would have drawn there.
* `rng_state` does so for the compiled loops, a word a stream.
* `uniform` hashes positions into numbers: a quote's size must not depend on who subscribed to which other quotes, so
  quotes draw nothing from a stream.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ARRIVALS",
    "BAR_RANGES",
    "BAR_VOLUMES",
    "BURSTS",
    "CANCELS",
    "DAY",
    "EVENTS",
    "ORDERS",
    "PATH",
    "QUOTES",
    "QUOTE_TIMES",
    "STOCK_TICKS",
    "TRADED",
    "key_of",
    "rng_state",
    "rng_state_from",
    "stem",
    "stream",
    "uniform",
]  # fmt: skip

# Purposes of streams; equal purposes with equal positions give equal numbers.
DAY, PATH, ORDERS, BURSTS, ARRIVALS, EVENTS, CANCELS = range(0x10, 0x17)
# Purposes of hashed numbers. What is hashed by the second of a session has the date in its key: no day repeats another.
QUOTES, QUOTE_TIMES, TRADED, BAR_RANGES, BAR_VOLUMES, STOCK_TICKS = range(0x17, 0x1D)


def stream(seed: int, purpose: int, *position: int) -> np.random.Generator:
    """A generator of its own for (seed, purpose, position...)."""
    return np.random.Generator(np.random.PCG64((seed, purpose, *position)))


def uniform(key: np.uint64, position: NDArray[np.int64]) -> NDArray[np.float64]:
    """Numbers in [0, 1), one a position, (n,)."""
    numbers: NDArray[np.float64] = (_hashed(key, position) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return numbers


def key_of(seed: int, purpose: int, *position: int) -> np.uint64:
    """What positions are hashed under, of its own for (seed, purpose, position...)."""
    return np.uint64(stem(seed, purpose, *position))


def rng_state(seed: int, purpose: int, *position: int) -> NDArray[np.uint64]:
    """The state of a stream for the compiled loops (`rng.py`), of its own for (seed, purpose, position...)."""
    return np.array([stem(seed, purpose, *position)], np.uint64)


def stem(seed: int, purpose: int, *position: int) -> int:
    """The word of such a stream, from which those of one more position are quickly made by `dice_from`."""
    word = seed
    for part in (seed >> 64, purpose, *position):
        word = _finished((word + (part + 1) * _GOLDEN) % _WORD)
    return word


def rng_state_from(word: int, position: int) -> NDArray[np.uint64]:
    """The stream of a stem and one more position."""
    return np.array([_finished((word + (position + 1) * _GOLDEN) % _WORD)], np.uint64)


def _hashed(key: np.uint64, position: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Sixty-four bits a position: the finaliser of SplitMix64 (Steele, Lea and Flood, 2014)."""
    z = position.astype(np.uint64) * np.uint64(_GOLDEN)
    z += key
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return z


_WORD, _GOLDEN = 2**64, 0x9E3779B97F4A7C15


def _finished(z: int) -> int:
    """The same finaliser for one word."""
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % _WORD
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % _WORD
    return z ^ (z >> 31)
