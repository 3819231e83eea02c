# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (compiled functions state their types in the decorator, where numba checks them)
"""Which side began a trade, and how likely that is right: tiers of spec/contexts.md C.4."""

from __future__ import annotations

import numpy as np

from services.market.hash_table import inlined

__all__ = ["PRICE_MAX_USD", "side_of"]

# The least price step: a nickel from three dollars up, a penny below. Penny-pilot classes are finer; this is cautious.
TICK_HIGH_USD, TICK_LOW_USD, TICK_FROM_USD = 0.05, 0.01, 3.0
# Prices a US option cannot have; a feed that says so is wrong.
PRICE_MAX_USD = 1e7


@inlined
def _beside(price, bid, ask, dead_zone):
    """+1 above, -1 below, 0 within `dead_zone` spreads of the middle of the quote."""
    middle = 0.5 * (bid + ask)
    dead = dead_zone * (ask - bid)
    return np.int64(price > middle + dead) - np.int64(price < middle - dead)


@inlined
def _tick_side(scalars, traded, price, now):
    """The tick rule: above the last price a buy, below it a sell, equal as the last move was."""
    if traded.last_price_ns == 0 or now - traded.last_price_ns > scalars.tick_age_ns:
        return 0
    if price > traded.last_price_usd:
        return 1
    if price < traded.last_price_usd:
        return -1
    return traded.tick


@inlined
def side_of(scalars, contract, traded, spot, price, bid, ask, quote_age, now, negotiated):
    """(side, p): +1 bought, -1 sold, 0 unknown, and how likely that is right. Tiers of spec/contexts.md C.4."""
    if ask > bid and bid >= 0.0 and 0 <= quote_age <= scalars.quote_age_ns:
        tick = TICK_HIGH_USD if price >= TICK_FROM_USD else TICK_LOW_USD
        if negotiated and abs(price - 0.5 * (bid + ask)) < tick - 1e-9:
            scalars.tier_u += 1
            return 0, 0.5
        side = _beside(price, bid, ask, scalars.quote_dead_zone)
        if side != 0:
            scalars.tier_a += 1
            return side, scalars.p_outside if price > ask or price < bid else scalars.p_quote
    elif contract.ask_usd > contract.bid_usd and now - contract.chain_ns <= scalars.chain_old_ns:
        moved = (spot - contract.spot_usd) * contract.delta
        if not abs(moved) < PRICE_MAX_USD:
            moved = 0.0
        side = _beside(price - moved, contract.bid_usd, contract.ask_usd, scalars.chain_dead_zone)
        if side != 0 and not negotiated:
            scalars.tier_c += 1
            return side, scalars.p_chain if now - contract.chain_ns <= scalars.chain_age_ns else scalars.p_chain_old
    side = 0 if negotiated else _tick_side(scalars, traded, price, now)
    if side != 0:
        scalars.tier_d += 1
        return side, scalars.p_tick
    scalars.tier_u += 1
    return 0, 0.5
