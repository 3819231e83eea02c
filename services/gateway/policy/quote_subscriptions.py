"""Which pairs the options socket is to hold: all trades, and the quotes of the contracts that matter most. Pure."""

from __future__ import annotations

from schemas.symbols import EPOCH_ORDINAL
from services.core.calendar import NS, ny_date
from services.gateway.decoding.tabulate import Tabulator
from services.gateway.policy.contract_ranking import ContractRanking

__all__ = ["TRADES", "QuoteSubscriptions"]

TRADES = "T.*"
# The first chains take some seconds, and without open interest and spots there is little to choose by.
FIRST_CHOICE_NS = 5 * NS


class QuoteSubscriptions:
    """Chooses anew every `every_ns` of the market, and forgets what no longer trades."""

    def __init__(self, table: Tabulator, interest: ContractRanking, contracts_max: int, every_ns: int) -> None:
        self._table = table
        self._interest = interest
        self._contracts_max = contracts_max
        self._every_ns = every_ns
        self._next_ns = 0
        self._today = 0

    def begin(self, now_ns: int, *, chains_known: bool) -> None:
        """The feed starts: the first choice waits until chains are in."""
        self._next_ns = now_ns if chains_known else now_ns + FIRST_CHOICE_NS

    def due(self, now_ns: int) -> bool:
        """Whether it is time to choose."""
        return now_ns >= self._next_ns

    def turn(self, now_ns: int) -> None:
        """It is chosen now: the next time is `every_ns` later, and what no longer trades is forgotten."""
        self._next_ns = now_ns + self._every_ns
        self._retire(now_ns)

    def choose(self, pairs: tuple[str, ...], now_ns: int) -> tuple[str, ...]:
        """The pairs to hold instead of `pairs`, the most important first; quotes given up stand no longer."""
        if not self._contracts_max:
            return pairs
        held = frozenset(pair[2:] for pair in pairs if pair.startswith("Q."))
        chosen = self._interest.best(self._contracts_max, held, now_ns)
        self._table.quotes.forget(held.difference(chosen))
        return (TRADES, *(f"Q.{ticker}" for ticker in chosen))

    def _retire(self, now_ns: int) -> None:
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
