"""How far a gap has been asked for over REST, and when to give up. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from services.gateway.gaps.ledger import Refill

__all__ = ["FAILURES_MAX", "GAPS_WAITING_MAX", "REFUSALS_MAX", "RefillCourse", "RefillOrder", "RefillQueue"]

# A feed that breaks more often than it is mended has nothing to gain from REST.
GAPS_WAITING_MAX = 32
# Refusals in a row after which nobody asks on: a plan without prints, or a server that does not know them.
REFUSALS_MAX = 3
FAILURES_MAX = 10


class RefillOrder(NamedTuple):
    """A gap to be asked for: its number, from when to when (exchange time), in which contracts."""

    number: int
    from_ns: int
    to_ns: int
    tickers: list[str]


class RefillQueue:
    """The gaps in line, the oldest first."""

    def __init__(self) -> None:
        self._orders: deque[RefillOrder] = deque()

    def __len__(self) -> int:
        return len(self._orders)

    def put(self, order: RefillOrder) -> bool:
        """Put a gap in line; False when too many wait already."""
        if len(self._orders) >= GAPS_WAITING_MAX:
            return False
        self._orders.append(order)
        return True

    def take(self) -> RefillOrder:
        """The gap whose turn it is."""
        return self._orders.popleft()


class RefillCourse:
    """The contracts of one gap, one after the other, until none is left or it is hopeless."""

    def __init__(self, tickers: Sequence[str]) -> None:
        self._left = deque(tickers)
        self._asked = 0
        self._failed = 0
        self._refused = 0  # refusals in a row
        self._note = ""

    def next_ticker(self) -> str | None:
        """The contract to ask for now."""
        if not self._left or self._refused >= REFUSALS_MAX or self._failed >= FAILURES_MAX:
            return None
        self._asked += 1
        return self._left.popleft()

    def answered(self) -> None:
        """A contract's answer is whole."""
        self._refused = 0

    def failed(self, sentence: str, *, refused: bool) -> None:
        """A contract's answer did not come, or not whole; `refused`: it will not, however often it is asked for."""
        self._failed += 1
        self._note = sentence
        self._refused += refused

    @property
    def result(self) -> Refill:
        """What came of it so far."""
        return Refill(self._asked, self._failed, self._note)
