# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (compiled functions state their types in the decorator, where numba checks them)
"""Model values and the quotes around them, row by row."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.quant.black_kernels import otm_price_scaled
from services.quant.jit import inlined, kernel
from services.quant.special import log_ratio
from services.standin.market.kernels.dice import exponent_of, hashed
from services.standin.market.kernels.tables import F64_IN, F64_OUT, I32_IN, TABLE, Layout

__all__ = ["TWO_SIDED", "TwoSided", "quote_rows", "value_rows"]


class TwoSided(NamedTuple):
    """Quotes of some rows, (n,) each: prices in cents, so that ticks are exact."""

    bid_cents: NDArray[np.int64]
    ask_cents: NDArray[np.int64]
    tick_cents: NDArray[np.int64]
    bid_size: NDArray[np.int64]
    ask_size: NDArray[np.int64]
    bid_venue: NDArray[np.int32]
    ask_venue: NDArray[np.int32]


TWO_SIDED = Layout(TwoSided, "i8 i8 i8 i8 i8 i4 i4")
PENNY_BELOW_CENTS = 300.0
# A day of quotes' moments by row.
MOMENTS = 86_400
_LOW = np.uint64(0xFFFF)
_S16, _S32, _S48 = np.uint64(16), np.uint64(32), np.uint64(48)
_TO_UNIT = 2.0**-16


@inlined
def _valued(table, contract, spot):
    """(model value in USD, square root of total variance) at a level of the underlying."""
    member = table.members[contract.underlying]
    slot = table.slots[contract.slot]
    strike = contract.strike_usd
    forward = spot * slot.growth
    k = log_ratio(strike, forward)
    # SSVI, as `surface.total_variance_at` has it.
    phi_k = slot.phi * k
    tilted = phi_k + member.rho
    root = np.sqrt(tilted * tilted + (1.0 - member.rho * member.rho))
    deviation = np.sqrt(0.5 * slot.theta * (1.0 + member.rho * phi_k + root))
    right = np.float64(contract.right)
    intrinsic = max(right * (forward - strike), 0.0)
    time_value = np.sqrt(forward * strike) * otm_price_scaled(abs(k), deviation)
    value = slot.discount * (intrinsic + time_value)
    # Early exercise puts a floor under American options; the rest of its premium is left out.
    if member.american:
        value = max(value, right * (spot - strike))
    return value, deviation


@kernel(TABLE, I32_IN, F64_IN, F64_OUT, F64_OUT)
def value_rows(table, rows, fraction, value_usd, deviation):
    """Model value and square root of total variance of contracts, each at its fraction of the span."""
    for at in range(rows.shape[0]):
        contract = table.contracts[rows[at]]
        member = table.members[contract.underlying]
        spot = member.level_usd + member.move_usd * fraction[at]
        value_usd[at], deviation[at] = _valued(table, contract, spot)


@kernel(TABLE, I32_IN, F64_IN, TWO_SIDED.type)
def quote_rows(table, rows, fraction, out):
    """Bid and ask around the model value of contracts, each at its fraction of the span."""
    now = table.now[0]
    for at in range(rows.shape[0]):
        row = rows[at]
        contract = table.contracts[row]
        member = table.members[contract.underlying]
        spot = member.level_usd + member.move_usd * fraction[at]
        value, _ = _valued(table, contract, spot)
        cents = value * 100.0
        tick = member.tick_low if cents < PENNY_BELOW_CENTS else member.tick_high
        # Width grows with price, slower than price does; far from the money makers are few.
        wide = 0.9 * exponent_of(0.7, max(value, 0.01))
        width = tick + member.width * now.opening * table.slots[contract.slot].away * wide
        # One hash cut into four numbers of sixteen bits.
        z = hashed(now.key, np.int64(row) * MOMENTS + now.moment)
        place = np.float64(np.int64(z & _LOW)) * _TO_UNIT
        bids = np.float64(np.int64((z >> _S16) & _LOW)) * _TO_UNIT
        asks = np.float64(np.int64((z >> _S32) & _LOW)) * _TO_UNIT
        venues = np.int64(z >> _S48)
        shift = (place - 0.5) * 0.3 * width
        bid = max(np.floor((cents + shift - 0.5 * width) / tick), 0.0) * tick
        ask = bid + max(np.ceil(width / tick), 1.0) * tick
        ask_size = 1 + np.int64(member.depth * asks * asks * asks)
        bid_size = 1 + np.int64(member.depth * bids * bids * bids)
        if member.halted:
            # Nobody quotes while the underlying does not trade.
            bid, ask, ask_size = 0.0, 0.0, np.int64(0)
        out.bid_cents[at] = np.int64(bid)
        out.ask_cents[at] = np.int64(ask)
        out.tick_cents[at] = np.int64(tick)
        out.bid_size[at] = bid_size if bid > 0.0 else 0
        out.ask_size[at] = ask_size
        home = member.home
        out.bid_venue[at] = home if home > 0 else table.venues[table.places[venues]]
        out.ask_venue[at] = home if home > 0 else table.venues[table.places[(venues * 256) & 0xFFFF]]
