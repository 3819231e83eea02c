"""Which contracts deserve a streaming quote: 950 out of a million. Pure.

The vendor streams quotes for at most 1,000 contracts a connection, and without the quote that stood before it a print
has no side. So the places go to the contracts whose next print matters: where premium has been changing hands, where
much is open, and what lies near the money and near its expiry.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from schemas.frames import Float64, GreekRows
from schemas.symbols import EPOCH_ORDINAL
from services.core.calendar import ny_date
from services.gateway.decoding.contracts import ContractTable

__all__ = ["ContractRanking"]

# One rank-and-swap forgets half of the flow: with one a minute, premium of five minutes ago counts a thirty-second.
FLOW_KEPT = 0.5
# A tenfold flow is worth one point, a tenfold open interest half of one, at the money today three: a contract in which
# nothing trades is quoted only because it is near; a million dollars of premium (6 points) gets any contract in.
OPEN_INTEREST_POINTS, NEARNESS_POINTS = 0.5, 3.0
NEARNESS_LOG_MONEYNESS, NEARNESS_DAYS = 0.05, 7.0
# A contract that is quoted now stays unless another is ahead by this much: each swap costs two requests and a blank.
HELD_POINTS = 0.3
SHARES = 100.0


class ContractRanking:
    """Scores by contract id, fed with prints and chain pages."""

    def __init__(self, contracts: ContractTable) -> None:
        self._contracts = contracts
        self._flow_usd: Float64 = np.zeros(0)
        self._open_interest: Float64 = np.zeros(0)
        self._spot_usd: Float64 = np.zeros(0)

    def prints(self, ids: npt.NDArray[np.intp], price_usd: Float64, size_contracts: npt.NDArray[np.int32]) -> None:
        """Premium changed hands in contracts `ids` `(n,)`."""
        self._grow()
        np.add.at(self._flow_usd, ids, price_usd * size_contracts * SHARES)

    def chain(self, ids: npt.NDArray[np.intp], rows: GreekRows) -> None:
        """A page of a chain snapshot, its rows being contracts `ids` `(n,)`."""
        self._grow()
        self._open_interest[ids] = np.maximum(rows.open_interest, 0)
        self._spot_usd[ids] = rows.spot_usd

    def keep(self, kept: npt.NDArray[np.intp]) -> None:
        """The contract table retired all but the ids `kept`."""
        for column, blank in ((self._flow_usd, 0.0), (self._open_interest, 0.0), (self._spot_usd, np.nan)):
            staying = column[kept]
            column[: len(kept)] = staying
            column[len(kept) :] = blank

    def best(self, count: int, held: frozenset[str], now_ns: int) -> list[str]:
        """The tickers of the `count` contracts to quote from now on; halves the flow seen so far."""
        chosen = self.ranked(count, held, now_ns)
        self._flow_usd *= FLOW_KEPT
        return chosen

    def ranked(self, count: int, held: frozenset[str], now_ns: int) -> list[str]:
        """The tickers of the `count` contracts that matter most, the first first; those `held` are a little ahead."""
        self._grow()
        contracts, known = self._contracts, len(self._contracts)
        if not count or not known:
            return []
        today = ny_date(now_ns).toordinal() - EPOCH_ORDINAL
        days = contracts.expiry_day[:known] - today
        score = np.log10(1.0 + self._flow_usd[:known])
        score += OPEN_INTEREST_POINTS * np.log10(1.0 + self._open_interest[:known])
        score += NEARNESS_POINTS * self._nearness(days)
        for ticker in held:
            at = contracts.ids.get(ticker)
            if at is not None:  # it has not been retired meanwhile
                score[at] += HELD_POINTS
        score[days < 0] = -np.inf
        # A stable sort on the score, ties by id: one and the same history gives one and the same choice.
        wanted = np.flatnonzero(score > 0)
        order = wanted[np.argsort(-score[wanted], kind="stable")[:count]]
        return [contracts.tickers[row] for row in order.tolist()]

    def _nearness(self, days: npt.NDArray[np.int32]) -> Float64:
        """1 at the money on the last day, falling with log moneyness and with days; 0 where no spot is known."""
        known = len(days)
        with np.errstate(divide="ignore", invalid="ignore"):
            distance = np.abs(np.log(self._contracts.strike_mills[:known] / 1000.0 / self._spot_usd[:known]))
        near = np.exp(-distance / NEARNESS_LOG_MONEYNESS) * NEARNESS_DAYS / (NEARNESS_DAYS + np.maximum(days, 0))
        return np.nan_to_num(near, nan=0.0)

    def _grow(self) -> None:
        """As many rows as the contract table has room for; it doubles, so copies are few."""
        capacity = len(self._contracts.root)
        more = capacity - len(self._flow_usd)
        if more > 0:
            self._flow_usd = np.concatenate((self._flow_usd, np.zeros(more)))
            self._open_interest = np.concatenate((self._open_interest, np.zeros(more)))
            self._spot_usd = np.concatenate((self._spot_usd, np.full(more, np.nan)))
