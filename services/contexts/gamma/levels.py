"""Dealer-gamma levels of one chain: pure arrays in, one record out. The arithmetic is `services.quant`'s."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from services.contexts.gamma.kernel import GROSS, HELD, PRICED, TODAY, TOTALS, size_rows
from services.quant import strike_levels
from services.quant.exposure import NAIVE, dealer_sign
from services.quant.gamma_profile import cells, nearest, profile, spot_grid, zero_gamma

__all__ = ["ChainArrays", "Flip", "Levels", "at_the_money", "flip", "levels"]

Floats = npt.NDArray[np.float64]
# Strike, share of its right's gamma, lead over the runner-up.
_NO_WALL = (None, 0.0, 0.0)


class ChainArrays(NamedTuple):
    """A chain, one row a contract, all (n,): strikes in dollars, years to settlement, NaN where unknown."""

    strike: Floats
    right: npt.NDArray[np.int8]
    years: Floats
    iv_annual: Floats
    gamma: Floats  # the vendor's, per dollar
    open_interest: Floats
    multiplier: Floats
    expires_today: npt.NDArray[np.bool_]


class Levels(NamedTuple):
    """Dollars of delta per 1 % move, and strikes in dollars; None where there is none."""

    net_naive_usd: float
    net_all_short_usd: float
    gross_usd: float
    call_wall_usd: float | None
    put_wall_usd: float | None  # of the most put gamma at or below spot, whatever its share
    put_wall_share: float  # of all put gamma
    put_wall_lead: float  # over the runner-up at or below spot; infinity without one
    call_wall_share: float
    call_wall_lead: float
    largest_usd: float | None
    concentration: float
    expiring_today_share: float
    max_pain_usd: float | None
    priced_share: float  # of open interest that has a gamma


class Flip(NamedTuple):
    """Where naive dealer gamma is zero: the root nearest spot, and how many there are."""

    zero_gamma_usd: float | None
    roots: int


def levels(chain: ChainArrays, spot_usd: float) -> Levels:
    """GEX under both conventions, walls, concentration and max pain.

    Gamma is the vendor's where given, else Black's from the implied volatility at zero carry: with spot for forward
    the error in gamma is of the order of (r - q) T, some tenths of a per cent within 45 days.
    """
    gex, totals = np.empty(chain.strike.size), np.empty(TOTALS)
    size_rows(
        chain.strike, chain.right, chain.years, chain.iv_annual, chain.gamma, chain.open_interest, chain.multiplier,
        chain.expires_today, spot_usd, gex, totals,
    )  # fmt: skip
    gross, held = float(totals[GROSS]), float(totals[HELD])
    at = strike_levels.listed(chain.strike)
    found = strike_levels.levels(at, chain.right, gex, chain.open_interest, spot_usd)
    call_wall, call_share, call_lead = found.call_wall or _NO_WALL
    put_wall, put_share, put_lead = found.put_wall or _NO_WALL
    return Levels(
        net_naive_usd=found.net_usd,
        net_all_short_usd=-gross,
        gross_usd=gross,
        call_wall_usd=call_wall,
        put_wall_usd=put_wall,
        put_wall_share=put_share,
        put_wall_lead=put_lead,
        call_wall_share=call_share,
        call_wall_lead=call_lead,
        largest_usd=found.largest,
        concentration=found.concentration,
        expiring_today_share=float(totals[TODAY]) / gross if gross > 0 else 0.0,
        max_pain_usd=found.max_pain,
        priced_share=float(totals[PRICED]) / held if held > 0 else 0.0,
    )


def flip(chain: ChainArrays, spot_usd: float, reach: float) -> Flip:
    """Zero-gamma by re-pricing on 121 spots within `reach` of spot, the volatility sticking to the strike."""
    usable = np.flatnonzero(np.isfinite(chain.iv_annual) & (chain.iv_annual > 0.0) & (chain.years > 0.0))
    if not usable.size:
        return Flip(None, 0)
    strike, years, vol = chain.strike[usable], chain.years[usable], chain.iv_annual[usable]
    signed = (dealer_sign(chain.right, NAIVE) * chain.open_interest * chain.multiplier)[usable]
    grid = spot_grid(spot_usd, reach)
    roots = zero_gamma(grid, profile(cells(spot_usd, spot_usd, strike, years, 1.0, vol, signed, 1.0), spot_usd, grid))
    return Flip(nearest(roots, spot_usd), len(roots))


def at_the_money(chain: ChainArrays, spot_usd: float) -> float | None:
    """Implied volatility at the money of the nearest expiry: the mean at each strike, between strikes linear."""
    known = np.isfinite(chain.iv_annual) & (chain.iv_annual > 0.0) & (chain.years > 0.0)
    if not known.any():
        return None
    front = known & (chain.years == chain.years[known].min())
    at = strike_levels.listed(chain.strike[front])
    total = strike_levels.sum_by_strike(at, chain.iv_annual[front])
    return float(np.interp(spot_usd, at.strikes, total / np.bincount(at.place)))
