"""Open interest as trading makes it: every print opens or closes a position on either side. Pure.

When both sides of a print open, a contract more is open; when both close, one less; when a position changes hands, as
many as before. What is open in the evening is what is published the next morning, and is what the ground truth adds up
to, contract by contract; nobody ever closes what is not open.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from standin.feed.listing import Listing
from standin.feed.source import Prints
from standin.market.kernels.counting import TRUTH, open_positions
from standin.market.kernels.tables import OrderKind

__all__ = ["Ledger"]

Records = NDArray[Any]

# Share of customers' orders that open, by kind; priors of spec/contexts.md C.4: sweeps 0.7, blocks 0.6, auctions 0.5.
_OPENS = np.full(len(OrderKind), 0.55)
_OPENS[[OrderKind.SWEEP, OrderKind.BLOCK, OrderKind.AUCTION]] = 0.7, 0.6, 0.5
# On its last day a contract is mostly closed; a maker on the other side has a position to reduce as often as not.
OPENS_LAST_DAY = 0.42
MAKER_OPENS = 0.5


class Ledger:
    """What is open in each contract of a listing now, (rows,) in `now`; it begins with the morning's."""

    def __init__(self, listing: Listing, last_day: NDArray[np.bool_]) -> None:
        self.now = listing.open_interest.copy()
        self._last_day = last_day

    def trade(
        self, rng_state: NDArray[np.uint64], executions: Records, prints: Prints, parents: int, room: int = 0
    ) -> Records:
        """Decide and book what executions open and close, in the order of time; informed ones, of a burst, open. What
        is true of each, as `kernels.counting` has it, with `room` for so many more behind; their `prints` give the
        numbers, `parents` says how many orders the day had before."""
        truth = np.empty(len(executions) + room, TRUTH)
        shares = self._last_day, _OPENS, OPENS_LAST_DAY, MAKER_OPENS
        open_positions(rng_state, self.now, *shares, executions, prints, len(executions), parents, truth)
        return truth

    def carried(self, tickers: tuple[str, ...], listing: Listing) -> Listing:
        """The next day's listing with what was left open in these rows; what was not listed here keeps its own."""
        open_interest = listing.open_interest.copy()
        rows = [listing.row_of.get(ticker, -1) for ticker in tickers]
        index = np.array(rows)
        open_interest[index[index >= 0]] = self.now[index >= 0]
        return listing.with_open_interest(open_interest)
