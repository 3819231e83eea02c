"""Dealer gamma re-priced along a grid of spots, and the spots where it is zero.

A contract's dollar gamma at spot S' is  weight * S' * 2**-(intercept + slope ln(S'/S))**2,  which is the normal
density of d1 in base two: its three numbers are computed once (a `Cells` row), each grid cell then costs one power.
The vol sticks to the strike. When one contract ticks, its old row is taken out and its new one put in; callers
rebuild now and then to shed rounding drift.
"""

from typing import NamedTuple

import numpy as np
from numba import types
from numpy.typing import ArrayLike

from services.quant.arrays import Floats, rows_of
from services.quant.exposure import MULTIPLIER
from services.quant.jit import F64_IN, F64_OUT, inlined, kernel
from services.quant.special import INVERSE_SQRT_2PI, exp2_negative, log_ratio

# Gamma below this share of the profile's peak is rounding and underflow, not a side of zero.
_SIGNIFICANT = 1e-12
# Halvings of one grid step: 2**-40 of it is far below a cent.
_REFINEMENTS_MAX = 60
_ROOT_TOLERANCE = 1e-10


# exp(-d**2 / 2) is 2**-(d * this)**2.
_BASE_TWO = 0.8493218002880191
_NO_RIGHT = np.int8(1)


class Cells(NamedTuple):
    """One row a contract; see the module's formula. `weight` carries sign, open interest and the 1 % scaling."""

    intercept: Floats
    slope: Floats
    weight: Floats


def spot_grid(spot: float, reach: float = 0.15, points: int = 121) -> Floats:
    """(points,) spots from -reach to +reach; 0.15 and 121 suit an index, 0.25 a single stock."""
    return spot * np.linspace(1.0 - reach, 1.0 + reach, points)


def cells(
    spot: float,
    forward: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    discount: ArrayLike,
    vol: ArrayLike,
    signed_contracts: ArrayLike,
    multiplier: float = MULTIPLIER,
) -> Cells:
    """Rows for `profile`; a contract without a usable vol, time or forward gets weight zero."""
    rows = rows_of(forward, strike, years, discount, vol, signed_contracts, right=_NO_RIGHT)
    made = Cells(*(np.empty(rows.right.size) for _ in Cells._fields))
    _cells(*rows.floats, spot, multiplier, *made)
    return made


def profile(rows: Cells, spot: float, grid: Floats, out: Floats | None = None) -> Floats:
    """(grid,) net dealer gamma in dollars per 1 % at each spot of the grid."""
    if out is None:
        out = np.empty(grid.shape)
    _profile(*rows, spot, grid, out)
    return out


def change(old: Cells, new: Cells, spot: float, grid: Floats, total: Floats) -> None:
    """Replace rows `old` by rows `new` in the profile `total`, in place: the cost of the ticking contracts only."""
    _change(*old, *new, spot, grid, total)


def zero_gamma(grid: Floats, gamma_usd: Floats) -> list[float]:
    """Every spot where the profile changes sign, ascending, by linear interpolation; empty when there is none.

    >>> zero_gamma(np.array([90.0, 100.0, 110.0]), np.array([-2.0, 2.0, 1.0]))
    [95.0]
    """
    size = np.abs(gamma_usd)
    kept = np.flatnonzero(size > _SIGNIFICANT * size.max(initial=0.0))
    left, right = kept[:-1], kept[1:]
    turns = np.flatnonzero(np.sign(gamma_usd[left]) != np.sign(gamma_usd[right]))
    a, b = left[turns], right[turns]
    share = size[a] / (size[a] + size[b])
    return [float(root) for root in grid[a] + share * (grid[b] - grid[a])]


def nearest(roots: list[float], spot: float) -> float | None:
    """The root to report when one is asked for: nearest spot, the lower of two equally near; None is none."""
    return min(roots, key=lambda root: (abs(root - spot), root)) if roots else None


def refine(rows: Cells, spot: float, roots: list[float], step: float) -> list[float]:
    """The same roots by re-pricing inside one grid step (bisection), for levels wanted finer than the grid."""
    return [_bisect(rows, spot, root, step) for root in roots]


def _bisect(rows: Cells, spot: float, root: float, step: float) -> float:
    ends = np.array([root - step, root + step])
    at_low, at_high = profile(rows, spot, ends)
    if not at_low * at_high < 0.0:
        return root  # two roots share the step; the interpolated one stands
    low, high = float(ends[0]), float(ends[1])
    for _ in range(_REFINEMENTS_MAX):
        middle = 0.5 * (low + high)
        if high - low < _ROOT_TOLERANCE * spot:
            break
        if profile(rows, spot, np.array([middle]))[0] * at_low > 0.0:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


@inlined
def cell_gamma(intercept: float, slope: float, weight: float, log_move: float) -> float:
    """Dollar gamma over S' of one contract at one spot; the three as in `Cells`, log_move = ln(S'/S)."""
    d = intercept + slope * log_move
    return weight * exp2_negative(d * d)


@kernel(F64_IN, F64_IN, F64_IN, F64_IN, F64_IN, F64_IN, types.float64, types.float64, F64_OUT, F64_OUT, F64_OUT)
def _cells(
    forward: Floats,
    strike: Floats,
    years: Floats,
    discount: Floats,
    vol: Floats,
    signed_contracts: Floats,
    spot: float,
    multiplier: float,
    intercept: Floats,
    slope: Floats,
    weight: Floats,
) -> None:
    # The forward moves with spot, so D F/S stays; 0.01 is the 1 % move.
    scale = multiplier * 0.01 * INVERSE_SQRT_2PI / spot
    for j in range(weight.shape[0]):
        f = forward[j]
        k = strike[j]
        s = vol[j] * np.sqrt(years[j])
        size = signed_contracts[j] * discount[j] * f * scale
        usable = (s > 0.0) & (s < np.inf) & (f > 0.0) & (k > 0.0) & (k < np.inf) & (abs(size) < np.inf)
        inverse = 1.0 / s
        d1 = log_ratio(f, k) * inverse + 0.5 * s
        intercept[j] = d1 * _BASE_TWO if usable else 0.0
        slope[j] = inverse * _BASE_TWO if usable else 0.0
        weight[j] = size * inverse if usable else 0.0


@kernel(F64_IN, F64_IN, F64_IN, types.float64, F64_IN, F64_OUT)
def _profile(intercept: Floats, slope: Floats, weight: Floats, spot: float, grid: Floats, out: Floats) -> None:
    points = grid.shape[0]
    log_move = np.empty(points)
    for j in range(points):
        log_move[j] = log_ratio(grid[j], spot)
        out[j] = 0.0
    # Two contracts a pass: half the traffic with `out`, and two chains for the processor to overlap.
    pairs = intercept.shape[0] // 2
    for i in range(pairs):
        a, b, c = intercept[2 * i], slope[2 * i], weight[2 * i]
        a2, b2, c2 = intercept[2 * i + 1], slope[2 * i + 1], weight[2 * i + 1]
        for j in range(points):
            out[j] += cell_gamma(a, b, c, log_move[j]) + cell_gamma(a2, b2, c2, log_move[j])
    for i in range(2 * pairs, intercept.shape[0]):
        for j in range(points):
            out[j] += cell_gamma(intercept[i], slope[i], weight[i], log_move[j])
    for j in range(points):
        out[j] *= grid[j]


@kernel(F64_IN, F64_IN, F64_IN, F64_IN, F64_IN, F64_IN, types.float64, F64_IN, F64_OUT)
def _change(
    intercept: Floats,
    slope: Floats,
    weight: Floats,
    intercept_new: Floats,
    slope_new: Floats,
    weight_new: Floats,
    spot: float,
    grid: Floats,
    total: Floats,
) -> None:
    for i in range(intercept.shape[0]):
        for j in range(total.shape[0]):
            log_move = log_ratio(grid[j], spot)
            gone = cell_gamma(intercept[i], slope[i], weight[i], log_move)
            come = cell_gamma(intercept_new[i], slope_new[i], weight_new[i], log_move)
            total[j] += (come - gone) * grid[j]
