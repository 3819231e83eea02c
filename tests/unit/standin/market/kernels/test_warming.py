"""A market that is open compiles nothing more."""

from __future__ import annotations

import numpy as np

from standin.market.kernels.warming import kernels
from standin.market.seeded import SECOND_NS, SeededMarket


def test_an_open_market_has_all_its_loops() -> None:
    market = SeededMarket(3)
    found = kernels()
    assert {"draw_orders", "quote_rows", "publish_quotes"} <= found.keys()
    assert [name for name, one in found.items() if one._compiled is None] == []
    assert len(market.advance(SECOND_NS, np.empty(0, np.int32)).prints.q) > 0
