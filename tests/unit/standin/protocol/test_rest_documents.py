"""Rows of the chain snapshot from a source's columns."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest

from standin.feed.listing import Listing
from standin.feed.source import Snapshot, Source
from standin.files.tape import Tape
from standin.protocol.rest_documents import chain_rows

MINUTE_NS = 60_000_000_000


class Compared:
    """The small tape five minutes into its day, with yesterday's closing values, which no tape knows."""

    def __init__(self, tape: Tape, previous_close: float) -> None:
        tape.advance(5 * MINUTE_NS, np.empty(0, np.int32))
        self._tape, self._previous_close = tape, previous_close
        self.listing: Listing = tape.listing

    def snapshot(self, rows: Any) -> Snapshot:
        return self._tape.snapshot(rows)._replace(previous_close=np.full(len(rows), self._previous_close))


def test_a_traded_day_is_compared_with_yesterdays_close(tape: Tape) -> None:
    traded, listed, _ = chain_rows(cast(Source, Compared(tape, 1.2)), np.arange(3))
    assert (traded.day.close, traded.day.previous_close) == (1.5, 1.2)
    assert (traded.day.change, traded.day.change_percent) == (pytest.approx(0.3), pytest.approx(25.0))
    assert listed.day.previous_close is None, "a contract that did not trade has no day"


@pytest.mark.parametrize("previous_close", [np.nan, 0.0])
def test_without_yesterdays_close_there_is_no_change(tape: Tape, previous_close: float) -> None:
    traded, *_ = chain_rows(cast(Source, Compared(tape, previous_close)), np.arange(3))
    assert traded.day.close == 1.5
    assert (traded.day.previous_close, traded.day.change, traded.day.change_percent) == (None, None, None)
