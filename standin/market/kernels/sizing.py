# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (compiled functions state their types in the decorator, where numba checks them)
"""How large orders are: the chances of every size, worked out once, by which one is then drawn in a step or two."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.quant.jit import inlined, inner, kernel
from services.quant.special import log_ratio, norm_cdf
from standin.market.kernels.choosing import guided, write_guide
from standin.market.kernels.tables import F64_IN, Layout

__all__ = ["PARTS", "SIZES", "SIZE_MAX", "Sizes", "sized", "tabulate_sizes"]

SIZE_MAX = 20_000
# Of the guide to a kind's sizes: all but a few parts are of one size.
PARTS = 2048
# People like round numbers: half the orders above ten are for a multiple of five, above fifty of ten.
ROUNDED_ABOVE, ROUNDED_SHARE, TENS_ABOVE = 10, 0.5, 50


class Sizes(NamedTuple):
    """Cumulative chances of the sizes 1, 2 ... SIZE_MAX of every kind of order, one kind after the other, and the guide
    to them."""

    cumulative: NDArray[np.float64]
    guide: NDArray[np.int32]


SIZES = Layout(Sizes, "f8 i4")


@inner
def _rounded(size):
    nearest = 10 if size > TENS_ABOVE else 5
    return (2 * size + nearest) // (2 * nearest) * nearest


@kernel(F64_IN, F64_IN, SIZES.type)
def tabulate_sizes(median, sigma, sizes):
    """Chances of sizes by kind: log-normal numbers of this median and log deviation, cut to whole ones, from 1 to
    SIZE_MAX, half of the larger ones rounded."""
    for kind in range(median.shape[0]):
        first = kind * SIZE_MAX
        chances = sizes.cumulative[first : first + SIZE_MAX]
        chances[:] = 0.0
        below = 0.0
        for size in range(1, SIZE_MAX + 1):
            reached = norm_cdf(log_ratio(size + 1.0, median[kind]) / sigma[kind]) if size < SIZE_MAX else 1.0
            share = reached - below
            below = reached
            if size > ROUNDED_ABOVE:
                chances[min(_rounded(size), SIZE_MAX) - 1] += ROUNDED_SHARE * share
                share *= 1.0 - ROUNDED_SHARE
            chances[size - 1] += share
        total = 0.0
        for index in range(SIZE_MAX):
            total += chances[index]
            chances[index] = total
        # Whatever rounding left of one.
        chances[SIZE_MAX - 1] = 1.0
        write_guide(sizes.cumulative, first, first + SIZE_MAX, 0.0, sizes.guide, kind * (PARTS + 1), PARTS)


@inlined
def sized(sizes, kind, u):
    """The size of an order of a kind by the chance `u`."""
    first = np.int64(kind) * SIZE_MAX
    begins = np.int64(kind) * (PARTS + 1)
    return guided(sizes.cumulative, sizes.guide, begins, PARTS, u, u) - first + 1
