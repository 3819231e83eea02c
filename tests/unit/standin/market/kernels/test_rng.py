"""The compiled loops' random numbers: those of SplitMix64, and of the distributions they claim."""

from __future__ import annotations

import numpy as np
import pytest

from standin.market.kernels.rng import bits, chance, hashed, lower, poisson, upper, word
from standin.market.random_streams import ORDERS, key_of, rng_state, rng_state_from, stem, uniform

NUMBERS = 40_000


def test_the_stream_is_splitmix64() -> None:
    """The first numbers of its reference implementation from state 1234567."""
    words = np.array([1234567], np.uint64)
    drawn = [int(chance(words) * 2**53) for _ in range(3)]
    assert drawn == [number >> 11 for number in (6457827717110365317, 3203168211198807973, 9817491932198370423)]


def test_equal_positions_give_equal_streams_and_others_others() -> None:
    assert rng_state(7, ORDERS, 1, 2) == rng_state(7, ORDERS, 1, 2)
    words = {
        int(rng_state(*where)[0])
        for where in ((7, 1, 2), (7, 2, 1), (8, 1, 2), (7, 1), (7, 1, 2, 0), (7 + 2**64, 1, 2))
    }
    assert len(words) == 6


def test_positions_are_hashed_as_numpy_hashes_them() -> None:
    position = np.arange(0, 10**9, 10**7)
    key = key_of(3, 17)
    here = [(int(hashed(key, at)) >> 11) * 2.0**-53 for at in position.tolist()]
    assert here == uniform(key, position).tolist()


def test_a_word_is_two_numbers() -> None:
    words = np.array([word(rng_state(1, ORDERS, at)) for at in range(NUMBERS)], np.uint64)
    halves = np.array([(upper(one), lower(one)) for one in words])
    for half in halves.T:
        assert half.min() >= 0.0
        assert half.max() < 1.0
        assert np.histogram(half, 16, (0, 1))[0] == pytest.approx(np.full(16, NUMBERS / 16), rel=0.1)
    assert abs(np.corrcoef(halves.T)[0, 1]) < 0.02


def test_bits_are_cut_out_of_a_word() -> None:
    assert [bits(np.uint64(0xFEDCBA9876543210), first, 12) for first in (0, 4, 52)] == [0x210, 0x321, 0xFED]


def test_streams_of_a_stem_are_those_of_their_positions() -> None:
    for second in (0, 1, 23_399):
        assert rng_state_from(stem(7, ORDERS, 738_000), second) == rng_state(7, ORDERS, 738_000, second)


@pytest.mark.parametrize("mean", [0.05, 3.0, 15.9, 16.1, 120.0])
def test_poisson_numbers_have_their_mean_for_variance_too(mean: float) -> None:
    words = rng_state(1, ORDERS)
    numbers = np.array([poisson(words, mean) for _ in range(NUMBERS)])
    assert numbers.mean() == pytest.approx(mean, abs=5 * np.sqrt(mean / NUMBERS))
    assert numbers.var() == pytest.approx(mean, rel=0.05)
    assert numbers.min() >= 0


def test_nobody_comes_where_nobody_is_expected() -> None:
    words = rng_state(1, ORDERS)
    assert [poisson(words, mean) for mean in (0.0, -1.0)] == [0, 0]
