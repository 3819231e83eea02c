"""A day's statistics of a contract against a plain loop over its prints."""

from __future__ import annotations

import numpy as np
import pytest

from standin.feed.reference import CONDITIONS
from standin.feed.source import joined
from standin.market.seeded import SECOND_NS, SeededMarket

NOBODY = np.empty(0, np.int32)
VOLUME = {condition.id for condition in CONDITIONS if condition.updates_volume}
PRICES = {condition.id for condition in CONDITIONS if condition.updates_prices}


def test_the_snapshot_shows_what_was_printed() -> None:
    market = SeededMarket(3)
    prints = joined([market.advance(SECOND_NS, NOBODY).prints for _ in range(20)])
    busiest = np.argsort(-np.bincount(prints.contract))[:50]
    state = market.snapshot(busiest)
    for at, row in enumerate(busiest.tolist()):
        own = np.flatnonzero(prints.contract == row)
        condition = prints.condition[own]
        counted = own[np.isin(condition, list(VOLUME))]
        priced = own[np.isin(condition, list(PRICES))]
        assert state.day_volume[at] == prints.size[counted].sum()
        price = prints.price[priced]
        shown = state.day_open[at], state.day_high[at], state.day_low[at], state.last[at]
        assert shown == (price[0], price.max(), price.min(), price[-1])
        assert state.last_size[at] == prints.size[priced[-1]]
        assert state.last_ns[at] == prints.t_ms[priced[-1]] * 1_000_000
        dollars = (prints.size[counted] * prints.price[counted]).sum()
        assert state.day_vwap[at] == pytest.approx(dollars / prints.size[counted].sum())
