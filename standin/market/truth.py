"""The market's ground truth: who was the aggressor, which prints were one order, what was informed. Never on the wire.

One row a print, keyed like the wire's by (contract, q), and one an informed trader, with what their underlying then
does. Kept only on request: an hour of market is a million rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from standin.feed.source import joined

__all__ = ["PART_ROWS", "Edge", "Truth", "TruthLog"]

# With a sink, this many rows wait at most (forty megabytes): eight to ten parts make a day of the whole tape.
PART_ROWS = 1_000_000


class Truth(NamedTuple):
    """Ground truth of prints in the order of `q`, (n,) each.

    day: days since 1970 of the session; ticker: the contract's, in ASCII; side: +1 the buyer was the aggressor, -1 the
    seller; kind: an OrderKind; parent: number of the order, unique within the day; leg: number within a spread, else
    -1; burst: the informed trader's number within the day, else -1; buyer, seller: +1 opened a position, -1 closed one
    (a cancel has both turned around); cancels: q of the print this one cancels, else 0. A cancel is nobody's order: its
    kind, parent, leg and burst are -1, its side 0.
    """

    day: NDArray[np.int32]
    ticker: NDArray[np.bytes_]
    q: NDArray[np.int64]
    side: NDArray[np.int8]
    kind: NDArray[np.int8]
    parent: NDArray[np.int64]
    leg: NDArray[np.int8]
    burst: NDArray[np.int32]
    buyer: NDArray[np.int8]
    seller: NDArray[np.int8]
    cancels: NDArray[np.int64]


class Edge(NamedTuple):
    """One informed trader: what they bought, and how far the underlying follows, evenly between two seconds of the
    session; log_return is 0 where they knew nothing."""

    date: str
    burst: int
    underlying: str
    ticker: str
    direction: int
    opening: bool
    start_s: int
    drift_start_s: int
    drift_end_s: int
    log_return: float


class TruthLog:
    """Collects truth batch by batch; `table` gives it as one. A `sink` takes it away in parts as it comes."""

    def __init__(self, sink: Callable[[Truth], None] | None = None) -> None:
        self.edges: list[Edge] = []
        self._sink = sink
        self._batches: list[_PlantedTruth] = []
        self._rows = 0

    def add(self, day: int, tickers: NDArray[np.bytes_], truth: NDArray[Any]) -> None:
        """Take what is true of some prints of a day, as `kernels.counting` tells it, by rows of these tickers."""
        self._batches.append(_PlantedTruth(day, tickers, truth))
        self._rows += len(truth)
        if self._sink is not None and self._rows >= PART_ROWS:
            self.flush()

    def add_edges(self, edges: Sequence[Edge]) -> None:
        """Take a day's informed traders."""
        self.edges += edges

    def flush(self) -> None:
        """Hand what is kept to the sink."""
        if self._sink is not None and self._batches:
            self._sink(self.table())
            self._batches, self._rows = [], 0

    def table(self) -> Truth:
        """Everything that is kept."""
        return joined([_spelt(batch) for batch in self._batches])


class _PlantedTruth(NamedTuple):
    """Some prints of a day and its contracts' tickers, which are looked up when somebody reads them."""

    day: int
    tickers: NDArray[np.bytes_]
    truth: NDArray[Any]


def _spelt(batch: _PlantedTruth) -> Truth:
    truth = batch.truth
    day, ticker = np.full(len(truth), batch.day, np.int32), batch.tickers[truth["contract"]]
    return Truth(day, ticker, *(np.ascontiguousarray(truth[name]) for name in Truth._fields[2:]))
