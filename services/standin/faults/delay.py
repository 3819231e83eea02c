"""The delayed host: the same events, a quarter of an hour later, with their original times. Pure."""

from __future__ import annotations

from collections import deque

from services.standin.source import Batch

__all__ = ["DELAY_NS", "Delay"]

DELAY_NS = 900 * 1_000_000_000


class Delay:
    """Holds batches until their time has come. What it holds is bounded by the delay: 900 seconds of market."""

    def __init__(self, delay_ns: int = DELAY_NS) -> None:
        self._delay_ns = delay_ns
        self._held: deque[tuple[int, Batch]] = deque()

    def passed(self, batch: Batch, clock_ns: int) -> list[Batch]:
        """Take what happened up to `clock_ns`; return what is old enough to be told now."""
        self._held.append((clock_ns + self._delay_ns, batch))
        ripe = []
        while self._held and self._held[0][0] <= clock_ns:
            ripe.append(self._held.popleft()[1])
        return ripe
