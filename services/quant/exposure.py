"""Dealer exposure in dollars: gamma, vanna, charm and delta per contract; by strike in `strike_levels`.

Who is short is not published, so every figure carries a convention for the dealers' sign:

    naive      +1 calls, -1 puts: customers overwrite calls and buy puts (the market's usual charts)
    all_short  -1 both: dealers are short everything; the bound for names whose customers buy both sides
    flow       minus the customers' signed position over open interest, where it has been captured

Scaling: GEX is dollars of delta per 1 % move of spot (Perfiliev, "How to calculate gamma exposure", 2022), VEX
dollars of delta per vol point, CEX dollars of delta per calendar day, DEX dollars of delta. Greeks here are the spot
view in raw units (`black.spot_view`). Arrays are float64, one row a contract; `multiplier` is shares per contract.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.quant.arrays import Floats, Signs
from services.quant.black import Greeks
from services.quant.jit import inlined
from services.quant.special import INVERSE_SQRT_2PI, exp, log_ratio

NAIVE = "naive"
ALL_SHORT = "all_short"
FLOW = "flow"

# Shares per standard listed contract.
MULTIPLIER = 100.0
_ONE_PERCENT = 0.01
_DAYS_PER_YEAR = 365.0


class Exposure(NamedTuple):
    """Dollars per contract row (or per strike, after `strike_levels.sum_by_strike`)."""

    gex_usd: Floats  # delta dollars gained per +1 % spot
    vex_usd: Floats  # delta dollars gained per +1 vol point
    cex_usd: Floats  # delta dollars gained per calendar day
    dex_usd: Floats  # delta dollars held


def dealer_sign(right: Signs, convention: str) -> Floats:
    """(n,) +1 or -1: what a dealer holds of each open contract under `naive` or `all_short`.

    >>> dealer_sign(np.array([1, -1], dtype=np.int8), NAIVE)
    array([ 1., -1.])
    """
    if convention == NAIVE:
        return right.astype(np.float64)
    if convention == ALL_SHORT:
        return np.full(right.shape, -1.0)
    raise ValueError(f"convention {convention!r}: this takes {NAIVE!r} or {ALL_SHORT!r}; {FLOW!r} has flow_sign")


def flow_sign(right: Signs, open_interest: Floats, customer_position: Floats, captured_volume: Floats) -> Floats:
    """(n,) in [-1, 1]: minus customer position over open interest, eased in from `naive` as flow is captured.

    The blend weight of the flow is min(1, captured volume / open interest): a sign learnt from a tenth of the
    open contracts moves the naive guess by a tenth.
    """
    held = np.maximum(open_interest, 1.0)
    learnt = np.minimum(captured_volume / held, 1.0)
    seen = -np.clip(customer_position / held, -1.0, 1.0)
    return (1.0 - learnt) * dealer_sign(right, NAIVE) + learnt * seen


def exposure(
    spot_greeks: Greeks, spot: float, open_interest: Floats, sign: Floats, multiplier: float = MULTIPLIER
) -> Exposure:
    """Dollar exposures of each contract; NaN greeks (no usable quote) count as zero exposure."""
    shares = sign * open_interest * multiplier
    dollars = shares * spot
    return Exposure(
        gex_usd=np.nan_to_num(dollars * spot_greeks.gamma * (spot * _ONE_PERCENT)),
        vex_usd=np.nan_to_num(dollars * spot_greeks.vanna * _ONE_PERCENT),
        cex_usd=np.nan_to_num(dollars * spot_greeks.charm / _DAYS_PER_YEAR),
        dex_usd=np.nan_to_num(dollars * spot_greeks.delta),
    )


@inlined
def gex_usd(
    spot: float,
    forward: float,
    strike: float,
    years: float,
    discount: float,
    vol: float,
    signed_contracts: float,
    multiplier: float,
) -> float:
    """GEX of one contract in dollars per 1 %, for use inside other kernels; zero where it is not defined."""
    s = vol * np.sqrt(years)
    defined = (s > 0.0) & (spot > 0.0) & (forward > 0.0) & (strike > 0.0)
    d1 = log_ratio(forward, strike) / s + 0.5 * s
    # Spot gamma is D (F/S) phi(d1) / (S s); times S squared and one per cent.
    value = signed_contracts * multiplier * _ONE_PERCENT * discount * forward
    value = value * INVERSE_SQRT_2PI * exp(-0.5 * d1 * d1) / s
    return value if defined else 0.0


def expiring_share(gex: Floats, expiry_ns: NDArray[np.int64], until_ns: int) -> float:
    """Share of gross gamma in contracts that expire at or before `until_ns`: what disappears by then."""
    sizes = np.abs(gex)
    total = sizes.sum()
    return float(sizes[expiry_ns <= until_ns].sum() / total) if total > 0.0 else 0.0
