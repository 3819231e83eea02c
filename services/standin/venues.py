"""Where prints happen: shares of the venues for multiply listed options, and the home of each index product. Pure.

Shares are rounded from OCC's and Cboe's monthly market statistics of 2025; they only need to look right.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.standin.universe import CAST

__all__ = ["MULTIPLE", "VENUES", "venue_of"]

_SHARES = {
    302: 8, 323: 10, 316: 5, 308: 7, 307: 3, 309: 4, 319: 2, 313: 11, 300: 7, 325: 5, 304: 7, 322: 3, 312: 7, 315: 5,
    303: 4, 318: 3, 301: 7, 320: 5,
}  # fmt: skip
VENUES = np.array(list(_SHARES), np.int32)
_CUMULATIVE = np.cumsum(list(_SHARES.values())) / sum(_SHARES.values())
# NDX trades on Nasdaq PHLX, the other index products on Cboe.
_HOME = np.array([0 if not m.is_index else 323 if m.ticker == "NDX" else 302 for m in CAST], np.int32)
# Which underlyings trade on every venue, so that sweeps exist, (members,) bool.
MULTIPLE: NDArray[np.bool_] = _HOME == 0


def venue_of(underlying: NDArray[np.intp], chance: NDArray[np.float64]) -> NDArray[np.int32]:
    """A venue by market share, (n,); an index product's home whatever the chance."""
    drawn = VENUES[np.searchsorted(_CUMULATIVE, chance, side="right").clip(max=len(VENUES) - 1)]
    home = _HOME[underlying]
    venues: NDArray[np.int32] = np.where(home > 0, home, drawn)
    return venues
