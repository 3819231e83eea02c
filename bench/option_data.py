"""Options as a chain holds them, for the benchmarks of option arithmetic.

Log-moneyness up to half, a day to two years and a twentieth with minutes left, 5 to 150 % vol. Prices are of the
out-of-the-money side (what anyone inverts), made by the twin in scipy, which shares no arithmetic with the kernels.
Rows worth less than 1e-8 of the forward are left out: no market quotes them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from services.quant import numpy_reference
from services.quant.arrays import Floats, Signs

__all__ = ["RATE", "Options", "options"]

RATE = 0.04


class Options(NamedTuple):
    """One row an option."""

    price: Floats
    forward: Floats
    strike: Floats
    years: Floats
    discount: Floats
    right: Signs
    vol: Floats


def options(rows: int, seed: int) -> Options:
    """Chain-like options, out of the money."""
    rng_state = np.random.default_rng(seed)
    years = np.exp(rng_state.uniform(np.log(1 / 365), np.log(2), rows))
    x = rng_state.uniform(-0.5, 0.5, rows)
    last_day = rows // 20
    years[:last_day] = rng_state.uniform(5, 390, last_day) / (365 * 1440)
    x[:last_day] = rng_state.normal(0, 0.01, last_day)
    vol = np.exp(rng_state.uniform(np.log(0.05), np.log(1.5), rows))
    forward = np.exp(rng_state.uniform(np.log(20), np.log(6000), rows))
    strike = forward * np.exp(x)
    discount = np.exp(-RATE * years)
    right = np.where(strike >= forward, 1, -1).astype(np.int8)
    price = numpy_reference.price(forward, strike, years, discount, vol, right)
    order = rng_state.permutation(np.flatnonzero(price > 1e-8 * forward))
    columns = (price, forward, strike, years, discount, right, vol)
    return Options(*(np.ascontiguousarray(column[order]) for column in columns))
