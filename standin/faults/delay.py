"""The delayed host: the same events, a quarter of an hour later, with their original times. Pure."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from standin.feed.source import Batch

__all__ = ["DELAY_NS", "Delay", "Ripe"]

DELAY_NS = 900 * 1_000_000_000


class Ripe(NamedTuple):
    """A batch that is old enough, and the market's clock when it happened."""

    clock_ns: int
    batch: Batch


class Delay:
    """Holds batches until their time has come. What it holds is bounded by the delay: 900 seconds of market."""

    def __init__(self, delay_ns: int = DELAY_NS) -> None:
        self._delay_ns = delay_ns
        self._waiting: deque[Ripe] = deque()
        self._full = 0

    @property
    def waiting(self) -> bool:
        """Whether anything is held that happened."""
        return self._full > 0

    def passed(self, batch: Batch, clock_ns: int) -> list[Ripe]:
        """Take what happened up to `clock_ns`; return what is old enough to be told now. A batch in which nothing
        happened is held too: time passed in it, which lets a bar be due.
        """
        self._waiting.append(Ripe(clock_ns, batch))
        self._full += _happened(batch)
        ripe = []
        while self._waiting and self._waiting[0].clock_ns + self._delay_ns <= clock_ns:
            ripe.append(self._waiting.popleft())
            self._full -= _happened(ripe[-1].batch)
        return ripe


def _happened(batch: Batch) -> bool:
    return any(len(columns[0]) for columns in (batch.prints, batch.quotes, batch.values, batch.bars))
