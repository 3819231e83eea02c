"""The market's ground truth: who was the aggressor, which prints were one order, what was informed. Never on the wire.

One row a print, keyed like the wire's by (contract, q). Kept only on request: an hour of market is a million rows.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.standin.source import joined

__all__ = ["Truth", "TruthLog"]


class Truth(NamedTuple):
    """Ground truth of prints in the order of `q`, (n,) each.

    day: days since 1970 of the session; ticker: the contract's; side: +1 the buyer was the aggressor, -1 the seller;
    kind: an OrderKind; parent: number of the order, unique within the day; leg: number within a spread, else -1;
    burst: the informed trader's number within the day, else -1; cancels: q of the print this one cancels, else 0.
    """

    day: NDArray[np.int32]
    ticker: NDArray[np.str_]
    q: NDArray[np.int64]
    side: NDArray[np.int8]
    kind: NDArray[np.int8]
    parent: NDArray[np.int64]
    leg: NDArray[np.int8]
    burst: NDArray[np.int32]
    cancels: NDArray[np.int64]


class TruthLog:
    """Collects truth batch by batch; `table` gives it as one."""

    def __init__(self) -> None:
        self._batches: list[Truth] = []

    def add(self, batch: Truth) -> None:
        """Take one batch."""
        self._batches.append(batch)

    def table(self) -> Truth:
        """Everything so far."""
        return joined(self._batches)

    def write(self, path: Path) -> None:
        """Write the table as an `.npz` archive of its columns."""
        np.savez_compressed(path, **self.table()._asdict())
