"""Randomness for the seeded market, of two kinds, both a pure function of the seed. Pure.

* `stream` gives a generator for a purpose, a day, a second: whoever starts in the middle of a day draws what a run
  through the whole day would have drawn there.
* `uniform` hashes positions into numbers: a quote's size must not depend on who subscribed to which other quotes, so
  quotes draw nothing from a stream.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["ARRIVALS", "BURSTS", "DAY", "EVENTS", "ORDERS", "PATH", "stream", "uniform", "uniforms"]

# Purposes of streams; equal purposes with equal positions give equal numbers.
DAY, PATH, ORDERS, BURSTS, ARRIVALS, EVENTS = range(0x10, 0x16)


def stream(seed: int, purpose: int, *position: int) -> np.random.Generator:
    """A generator of its own for (seed, purpose, position...)."""
    return np.random.Generator(np.random.PCG64((seed, purpose, *position)))


def uniform(seed: int, salt: int, position: NDArray[np.int64]) -> NDArray[np.float64]:
    """Numbers in [0, 1), one a position, (n,)."""
    numbers: NDArray[np.float64] = (_hashed(seed, salt, position) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return numbers


def uniforms(seed: int, salt: int, position: NDArray[np.int64]) -> tuple[NDArray[np.float64], ...]:
    """Four numbers in [0, 1) a position, (n,) each, to sixteen bits: one hash cut into four."""
    z = _hashed(seed, salt, position)
    mask = np.uint64(0xFFFF)
    return tuple(((z >> np.uint64(shift)) & mask).astype(np.float64) * 2.0**-16 for shift in (0, 16, 32, 48))


def _hashed(seed: int, salt: int, position: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Sixty-four bits a position: the finaliser of SplitMix64 (Steele, Lea and Flood, 2014)."""
    z = position.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z += np.uint64((seed * 0xD1342543DE82EF95 + salt * 0xA0761D6478BD642F) % 2**64)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return z
