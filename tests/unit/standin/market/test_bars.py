"""Bars of the stocks: a day's volume so far never falls, and is never less than a bar's."""

from __future__ import annotations

import numpy as np
import pytest

from standin.feed.source import joined
from standin.market.seeded import SECOND_NS, SeededMarket

NOBODY = np.empty(0, np.int32)


@pytest.mark.parametrize("span_s", [1, 60])
def test_the_days_volume_never_falls_and_holds_the_bars(span_s: int) -> None:
    market = SeededMarket(3, span_s=span_s, intensity=0.01)
    bars = joined([market.advance(span_s * SECOND_NS, NOBODY).bars for _ in range(30)])
    assert np.all(bars.day_volume >= bars.volume)
    for symbol in np.unique(bars.symbol).tolist():
        assert np.all(np.diff(bars.day_volume[bars.symbol == symbol]) >= 0)


def test_a_bar_does_not_depend_on_when_a_run_began() -> None:
    early = SeededMarket(3, intensity=0.01)
    open_ns = early.clock_ns
    early.advance(20 * SECOND_NS, NOBODY)
    late = SeededMarket(3, open_ns + 20 * SECOND_NS, intensity=0.01)
    for one, other in zip(early.advance(SECOND_NS, NOBODY).bars, late.advance(SECOND_NS, NOBODY).bars, strict=True):
        assert one.tolist() == other.tolist()
