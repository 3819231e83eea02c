"""What the archive remembers, of whom, and how much."""

from __future__ import annotations

import numpy as np
import pytest

from standin.files.tape import Tape
from standin.protocol import archive as archive_module
from standin.protocol.archive import PRINTS_MAX, Archive
from tests.unit.standin.conftest import CALL, PUT

MINUTE_NS = 60_000_000_000


def filled(tape: Tape, prints_max: int = PRINTS_MAX) -> Archive:
    archive = Archive(tape.index_tickers, tape.stock_tickers, prints_max)
    while not tape.ended:
        archive.add(tape.advance(MINUTE_NS, np.arange(len(tape.listing), dtype=np.int32)))
    return archive


def test_a_ticker_gets_its_own_rows_in_time_order(tape: Tape) -> None:
    archive = filled(tape)
    assert archive.trades(CALL).q.tolist() == [2, 6]
    assert archive.trades(PUT).q.tolist() == [4]
    assert archive.quotes(CALL).q.tolist() == [1, 5]
    assert archive.bars("XYZ").close.tolist() == [100.0, 100.1, 100.2]


def test_who_is_not_known_gets_nothing(tape: Tape) -> None:
    archive = filled(tape)
    assert len(archive.trades("O:NOPE").q) == 0
    assert len(archive.values("I:SPX").t_ms) == 0
    assert len(Archive((), ()).trades(CALL).q) == 0


def test_blocks_change_nothing_but_the_oldest_go_first(tape: Tape, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_module, "BLOCK_ROWS", 1)
    archive = filled(tape, prints_max=2)
    assert archive.trades(CALL).q.tolist() == [6]
    assert archive.trades(PUT).q.tolist() == [4]
    assert archive.quotes(CALL).q.tolist() == [1, 5], "each kind has a limit of its own"
