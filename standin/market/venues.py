"""Where prints happen: shares of the venues for multiply listed options, and the home of each index product. Pure.

Shares are rounded from OCC's and Cboe's monthly market statistics of 2025; they only need to look right.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from standin.market.universe import CAST

__all__ = ["HOME", "MULTIPLE", "SORTED_VENUES", "venue_draw_table"]

_SHARES = {
    302: 8, 323: 10, 316: 5, 308: 7, 307: 3, 309: 4, 319: 2, 313: 11, 300: 7, 325: 5, 304: 7, 322: 3, 312: 7, 315: 5,
    303: 4, 318: 3, 301: 7, 320: 5,
}  # fmt: skip
SORTED_VENUES = np.array(sorted(_SHARES), np.int32)
# NDX trades on Nasdaq PHLX, the other index products on Cboe; 0 for what trades everywhere, (members,).
HOME = np.array([0 if not m.is_index else 323 if m.ticker == "NDX" else 302 for m in CAST], np.int32)
# Which underlyings trade on every venue, so that sweeps exist, (members,) bool.
MULTIPLE: NDArray[np.bool_] = HOME == 0


def venue_draw_table(draws: int) -> NDArray[np.int8]:
    """Which venue, by its place in SORTED_VENUES, each of so many equally likely chances draws, (places,)."""
    cumulative = np.cumsum([_SHARES[venue] for venue in SORTED_VENUES.tolist()]) / sum(_SHARES.values())
    chance = (np.arange(draws) + 0.5) / draws
    return np.searchsorted(cumulative, chance, side="right").astype(np.int8)
