"""One pass over a chain: each contract's dollar gamma and what it weighs. Sums in row order."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import types

from services.quant.arrays import Floats, Signs
from services.quant.exposure import gex_usd
from services.quant.jit import F64_IN, F64_OUT, I8_IN, kernel

__all__ = ["GROSS", "HELD", "PRICED", "TODAY", "TOTALS", "size_rows"]

# Sums over the chain: gross gamma, open interest, that of contracts with a gamma, gross gamma expiring today.
GROSS, HELD, PRICED, TODAY, TOTALS = range(5)
BOOL_IN = types.Array(types.boolean, 1, "C", readonly=True)
_ONE_PERCENT = 0.01


@kernel(F64_IN, I8_IN, F64_IN, F64_IN, F64_IN, F64_IN, F64_IN, BOOL_IN, types.float64, F64_OUT, F64_OUT)
def size_rows(
    strike: Floats,
    right: Signs,
    years: Floats,
    vol: Floats,
    gamma: Floats,
    interest: Floats,
    multiplier: Floats,
    today: npt.NDArray[np.bool_],
    spot: float,
    gex: Floats,
    totals: Floats,
) -> None:
    """Fill `gex` (n,) with dollars per 1 % under the naive sign, and `totals` (TOTALS,).

    Gamma is the vendor's where it is given, else Black's at zero carry from the volatility; a contract with neither
    weighs nothing.
    """
    totals[:] = 0.0
    for row in range(strike.shape[0]):
        size = np.nan
        if gamma[row] >= 0.0 and gamma[row] < np.inf:
            size = interest[row] * multiplier[row] * spot * gamma[row] * (spot * _ONE_PERCENT)
        elif vol[row] > 0.0 and years[row] > 0.0:
            size = gex_usd(spot, spot, strike[row], years[row], 1.0, vol[row], interest[row], multiplier[row])
        totals[HELD] += interest[row]
        known = size == size
        if known:
            totals[GROSS] += size
            totals[PRICED] += interest[row]
            if today[row]:
                totals[TODAY] += size
        gex[row] = (size if right[row] > 0 else -size) if known else 0.0
