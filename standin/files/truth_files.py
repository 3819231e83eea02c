"""Writes ground truth beside a market while it runs: archives of columns, and the planted edges as lines of JSON."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from standin.errors import StandInError
from standin.market.truth import Truth, TruthLog

__all__ = ["TruthFiles"]


class TruthFiles:
    """A directory of `truth-0000.npz`, `truth-0001.npz` ... and `edges.jsonl`. `log` is what the market fills."""

    def __init__(self, directory: Path) -> None:
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StandInError(f"{directory}: {error.strerror or error}") from None
        self.log = TruthLog(self._write)
        self._directory = directory
        self._parts = 0

    def close(self) -> None:
        """Write what is left."""
        self.log.flush()
        lines = [json.dumps(edge._asdict()) + "\n" for edge in self.log.edges]
        (self._directory / "edges.jsonl").write_text("".join(lines))

    def _write(self, part: Truth) -> None:
        np.savez_compressed(self._directory / f"truth-{self._parts:04d}.npz", **part._asdict())
        self._parts += 1
