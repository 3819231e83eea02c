"""Rolling windows over a ring of minutes equal plain sums over the minutes themselves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.core.windows import MINUTES, bucket_of, grouped_sums, window_sums

BUCKET = np.dtype([("minute", "i8"), ("premium", "f8"), ("prints", "f8")])


def filled(adds: list[tuple[int, int]], keys: int = 2) -> np.ndarray:
    """A ring after (minute, dollars) in time order, for key 1."""
    ring = np.zeros(keys * MINUTES, BUCKET)
    for minute, dollars in adds:
        at = bucket_of(1, minute)
        if ring[at]["minute"] != minute:
            ring[at] = (minute, 0.0, 0.0)
        ring["premium"][at] += dollars
        ring["prints"][at] += 1
    return ring


@given(
    adds=st.lists(st.tuples(st.integers(1_000, 1_200), st.integers(-9, 9)), max_size=80),
    minutes=st.integers(1, MINUTES),
    later=st.integers(0, 90),
)
def test_a_window_is_the_sum_of_its_minutes(adds: list[tuple[int, int]], minutes: int, later: int) -> None:
    adds = sorted(adds)
    now = (adds[-1][0] if adds else 1_200) + later
    inside = [dollars for minute, dollars in adds if now - minutes < minute <= now]
    (sums,) = window_sums(filled(adds), 1, now, [minutes])
    assert sums == {"premium": sum(inside), "prints": len(inside)}
    assert (
        sum(grouped_sums(filled(adds), 1, now, 15, "premium", 3))
        == window_sums(filled(adds), 1, now, [15])[0]["premium"]
    )


def test_keys_do_not_mix() -> None:
    assert window_sums(filled([(1_000, 5)]), 0, 1_000, [5])[0]["premium"] == 0.0


def test_groups_are_oldest_first() -> None:
    assert grouped_sums(filled([(1_001, 1), (1_014, 2), (1_015, 4)]), 1, 1_015, 15, "premium", 3) == [1, 0, 0, 0, 6]


def test_a_window_longer_than_the_ring_is_a_mistake() -> None:
    with pytest.raises(AssertionError, match="does not fit"):
        window_sums(filled([]), 1, 1_000, [MINUTES + 1])
