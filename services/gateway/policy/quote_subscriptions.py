"""Which pairs the options socket is to hold: all trades, and the quotes of the contracts that matter most. Pure."""

from __future__ import annotations

from schemas.symbols import EPOCH_ORDINAL
from services.core.calendar import ny_date
from services.gateway.decoding.tabulate import Tabulator
from services.gateway.policy.contract_ranking import ContractRanking

__all__ = ["TRADES", "QuoteSubscriptions"]

TRADES = "T.*"


class QuoteSubscriptions:
    """Chooses anew when asked, and forgets what no longer trades."""

    def __init__(self, table: Tabulator, interest: ContractRanking, contracts_max: int) -> None:
        self._table = table
        self._interest = interest
        self._contracts_max = contracts_max
        self._today = 0

    def choose(self, pairs: tuple[str, ...], now_ns: int) -> tuple[str, ...]:
        """The pairs to hold instead of `pairs`, the most important first; quotes given up stand no longer."""
        if not self._contracts_max:
            return pairs
        held = frozenset(pair[2:] for pair in pairs if pair.startswith("Q."))
        chosen = self._interest.best(self._contracts_max, held, now_ns)
        self._table.quotes.forget(held.difference(chosen))
        return (TRADES, *(f"Q.{ticker}" for ticker in chosen))

    def retire(self, now_ns: int) -> None:
        """Once a day forget what expired before yesterday, whose late reports may still come."""
        today = ny_date(now_ns).toordinal() - EPOCH_ORDINAL
        if today == self._today:
            return
        self._today = today
        contracts = self._table.contracts
        generation = contracts.generation
        self._interest.keep(contracts.retire(today - 1))
        if contracts.generation != generation:
            self._table.repeats.clear()  # they are remembered by ids that mean something else now
