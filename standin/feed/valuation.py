"""Implied volatility and greeks as the vendor shows them, on top of `services.quant.black`. Pure.

The vendor's snapshot gives delta per dollar of spot, gamma per dollar squared, theta per calendar day and vega per vol
point. A row without time, price or volatility is NaN throughout, and the wire leaves its greeks out.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.quant import black, exact

__all__ = ["YEAR_NS", "Shown", "implied", "shown", "years_to"]

Floats = NDArray[np.float64]

YEAR_NS = 365 * 86_400 * 1_000_000_000


class Shown(NamedTuple):
    """Volatility and greeks in the vendor's units, (n,) each."""

    iv: Floats
    delta: Floats
    gamma: Floats
    theta: Floats
    vega: Floats


def years_to(settlement_ns: NDArray[np.int64], now_ns: int | NDArray[np.int64]) -> Floats:
    """Years of 365 days until settlement, (n,); never negative."""
    years: Floats = np.maximum(settlement_ns - now_ns, 0) / YEAR_NS
    return years


def shown(
    spot: Floats | float,
    carry: Floats | float,
    rate: float,
    strike: Floats,
    years: Floats,
    right: NDArray[np.int8],
    iv: Floats,
) -> Shown:
    """Greeks at a given volatility; `carry` is rate less dividend yield: forward = spot x exp(carry x years)."""
    # A row whose time is up has no greeks; NaN keeps zero years out of the divisions below.
    years = np.where(years > 0, years, np.nan)
    forward = spot * exact.exp(carry * years)
    raw = black.greeks(forward, strike, years, exact.exp(-rate * years), rate, right, iv)
    greeks = black.trader_view(black.spot_view(raw, spot, forward, years))
    known = np.where(np.isnan(greeks.delta), np.nan, iv)
    return Shown(known, greeks.delta, greeks.gamma, greeks.theta, greeks.vega)


def implied(
    price: Floats,
    spot: Floats | float,
    carry: float,
    rate: float,
    strike: Floats,
    years: Floats,
    right: NDArray[np.int8],
) -> Floats:
    """Volatility of each price, (n,); NaN where no volatility gives it."""
    forward = spot * exact.exp(carry * years)
    vol, _ = black.implied_vol(price, forward, strike, years, exact.exp(-rate * years), right)
    return vol
