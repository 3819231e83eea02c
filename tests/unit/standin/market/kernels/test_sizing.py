"""Sizes of orders: log-normal numbers cut to whole ones, half of the larger ones round."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from standin.market.kernels.sizing import SIZE_MAX, sized
from standin.market.kernels.tables import OrderKind
from standin.market.orders import SIZE_MEDIAN, SIZE_SIGMA, _sizes


def chances(kind: int) -> np.ndarray:
    """Of the sizes 1, 2, ..."""
    cumulative = _sizes().cumulative[kind * SIZE_MAX : (kind + 1) * SIZE_MAX]
    return np.diff(cumulative, prepend=0.0)


@pytest.mark.parametrize("kind", list(OrderKind))
def test_sizes_have_the_chances_of_their_law(kind: int) -> None:
    """As they were drawn before they were tabulated: floor(median exp(sigma z)), at least one, and half of those above
    ten to the nearest five, above fifty to the nearest ten."""
    law = stats.lognorm(SIZE_SIGMA[kind], scale=SIZE_MEDIAN[kind])
    size = np.arange(SIZE_MAX + 1)
    share = law.cdf(size + 1) - law.cdf(size)
    share[1] += share[0]
    share[SIZE_MAX] += law.sf(SIZE_MAX + 1)
    nearest = np.where(size > 50, 10, 5)
    rounded = np.where(size > 10, np.floor(size / nearest + 0.5) * nearest, size).astype(np.int64)
    expected = np.bincount(size, 0.5 * share, SIZE_MAX + 1) + np.bincount(rounded, 0.5 * share, SIZE_MAX + 1)
    assert chances(kind) == pytest.approx(expected[1:], abs=1e-9)


def test_sizes_are_drawn_by_their_chances() -> None:
    cumulative = np.cumsum(chances(OrderKind.PLAIN))
    for u in (0.0, 0.1, 0.5, 0.9, 0.999, 1.0 - 2.0**-32):
        assert sized(_sizes(), OrderKind.PLAIN, u) == np.searchsorted(cumulative, u, side="right") + 1
