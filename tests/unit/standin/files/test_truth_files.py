"""Ground truth goes to files of its own, in parts, beside the market."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from standin.errors import StandInError
from standin.files.truth_files import TruthFiles
from standin.market import truth
from standin.market.seeded import SECOND_NS, SeededMarket

NOBODY = np.empty(0, np.int32)


def test_parts_hold_every_print_once_and_edges_every_burst(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(truth, "PART_ROWS", 2_000)
    files = TruthFiles(tmp_path / "truth")
    market = SeededMarket(3, truth=files.log)
    q = np.concatenate([market.advance(SECOND_NS, NOBODY).prints.q for _ in range(10)])
    files.close()
    parts = sorted((tmp_path / "truth").glob("truth-*.npz"))
    assert len(parts) > 2
    stored = [np.load(part) for part in parts]
    assert np.concatenate([part["q"] for part in stored]).tolist() == q.tolist()
    assert max(len(part["q"]) for part in stored[:-1]) < 4_000
    assert stored[0]["ticker"][0].startswith(b"O:")
    edges = [json.loads(line) for line in (tmp_path / "truth" / "edges.jsonl").read_text().splitlines()]
    assert len(edges) == len(market._today.plan.bursts)
    assert {edge["ticker"] for edge in edges} <= set(market.listing.tickers)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StandInError, match="file"):
        TruthFiles(tmp_path / "file" / "truth")
