"""Which gaps are asked for over REST, from when on, in which contracts, and what of the answers is new. Pure."""

from __future__ import annotations

from schemas.gaps import OPTIONS, Gap
from services.core.calendar import NS
from services.gateway.decoding.tabulate import Tabulator, TradeTable
from services.gateway.gaps.ledger import GapLedger, Refill
from services.gateway.gaps.refill_course import RefillOrder
from services.gateway.massive.messages import Trade
from services.gateway.policy.contract_ranking import ContractRanking

__all__ = ["EDGE_NS", "RefillPlanner"]

# Prints of one moment come in no strict order of their times; what REST repeats of this second is known and dropped.
EDGE_NS = NS
MS = 1_000_000
FORGOTTEN = "too much was heard since; what REST returns could not be told from it"


class RefillPlanner:
    """Follows the ledger's entries of one epoch; at most `contracts_max` contracts are asked for."""

    def __init__(
        self, epoch: int, ledger: GapLedger, table: Tabulator, ranking: ContractRanking, contracts_max: int
    ) -> None:
        self._epoch = epoch
        self._ledger = ledger
        self._table = table
        self._ranking = ranking
        self._contracts_max = contracts_max
        self._marks: dict[int, int] = {}  # gap -> where in the memory of prints it begins
        self._forgotten: set[int] = set()

    def follow(self, gap: Gap, *, refills: bool) -> RefillOrder | None:
        """Note where an options gap begins; what to ask for once it is over, if anything is to be asked.

        `refills`: whether somebody asks at all.
        """
        if gap.channel != OPTIONS or gap.epoch != self._epoch:
            return None
        from_ns = gap.from_ns + MS if gap.cause == "restart" else gap.from_ns - EDGE_NS
        if gap.state in ("open", "restored") and gap.number not in self._marks:
            self._marks[gap.number] = self._table.repeats.mark(from_ns)
        if gap.state != "restored":
            return None
        if not refills or gap.to_ns is None or not self._ledger.matters(gap, gap.to_ns):
            self._marks.pop(gap.number)
            return None
        tickers = self._ranking.ranked(self._contracts_max, frozenset(), gap.to_ns)
        self._ledger.fill(gap)
        return RefillOrder(gap.number, from_ns, gap.to_ns + EDGE_NS, tickers)

    def found(self, number: int, prints: list[Trade]) -> TradeTable | None:
        """The prints of a page that are new; None when that can no longer be known."""
        mark = self._marks.get(number)
        if mark is None or not self._table.repeats.reaches(mark):
            self._forgotten.add(number)
            return None
        trades, known = self._table.refilled(prints)
        self._ledger.found(number, len(trades.contracts), known)
        return trades

    def ended(self, number: int, refill: Refill) -> list[Gap]:
        """A gap was asked for to the end: the entries that have changed."""
        self._marks.pop(number, None)
        if number in self._forgotten:
            self._forgotten.discard(number)
            refill = refill._replace(note=FORGOTTEN)
        return self._ledger.filled(number, refill)
