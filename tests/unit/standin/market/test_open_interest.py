"""Open interest is conserved: what the truth says was opened and closed is what the next morning publishes."""

from __future__ import annotations

import numpy as np
import pytest

from standin.feed.source import joined
from standin.market.kernels.executing import EXECUTION
from standin.market.kernels.printing import PRINTS
from standin.market.kernels.tables import OrderKind
from standin.market.open_interest import Ledger
from standin.market.random_streams import ORDERS, rng_state
from standin.market.seeded import SECOND_NS, SeededMarket

NOBODY = np.empty(0, np.int32)


def changed(buyer: np.ndarray, seller: np.ndarray, size: np.ndarray) -> np.ndarray:
    """By how much each print changes open interest."""
    return size * (buyer.astype(np.int64) + seller) // 2


def executed(row: np.ndarray, size: int) -> np.ndarray:
    """Plain purchases of these contracts, by nobody informed."""
    executions = np.zeros(len(row), EXECUTION)
    executions["row"], executions["size"], executions["side"], executions["burst"] = row, size, 1, -1
    return executions


@pytest.fixture(scope="module")
def overnight() -> tuple[SeededMarket, dict[str, int], dict[str, int]]:
    """A market played over a close: its listing's open interest before, the truth's changes by ticker."""
    close_ns = SeededMarket(3)._today.day.session.close_ns
    market = SeededMarket(3, close_ns - 40 * SECOND_NS, keep_truth=True)
    listing = market.listing
    evening = dict(zip(listing.tickers, listing.open_interest.tolist(), strict=True))
    prints = joined([market.advance(SECOND_NS, NOBODY).prints for _ in range(40)])
    assert market.truth is not None
    truth = market.truth.table()
    net = changed(truth.buyer, truth.seller, prints.size)
    changes: dict[str, int] = {}
    for ticker, change in zip(truth.ticker.tolist(), net.tolist(), strict=True):
        changes[ticker.decode()] = changes.get(ticker.decode(), 0) + change
    market.advance(SECOND_NS, NOBODY)
    return market, evening, changes


def test_the_morning_publishes_what_the_day_opened_and_closed(
    overnight: tuple[SeededMarket, dict[str, int], dict[str, int]],
) -> None:
    market, evening, changes = overnight
    morning = dict(zip(market.listing.tickers, market.listing.open_interest.tolist(), strict=True))
    both = evening.keys() & morning.keys()
    assert len(both) > 30_000
    assert sum(changes.get(ticker, 0) != 0 for ticker in both) > 2_000
    for ticker in both:
        assert morning[ticker] == evening[ticker] + changes.get(ticker, 0)


def test_nothing_is_ever_less_than_nothing(overnight: tuple[SeededMarket, dict[str, int], dict[str, int]]) -> None:
    market, evening, changes = overnight
    assert market.listing.open_interest.min() >= 0
    assert all(evening[ticker] + change >= 0 for ticker, change in changes.items())


def test_nobody_closes_more_than_is_open() -> None:
    """Neither side: a print for more than there is opens on both."""
    listing = SeededMarket(3).listing
    bare = listing.with_open_interest(np.zeros(len(listing), np.int64))
    ledger = Ledger(bare, np.ones(len(listing), bool))
    told = ledger.trade(rng_state(1, ORDERS), executed(np.zeros(500, np.int32), 3), PRINTS.room(500), 0)
    open_after = np.cumsum(changed(told["buyer"], told["seller"], np.full(500, 3)))
    open_before = np.concatenate(([0], open_after[:-1]))
    closes = (told["buyer"] < 0) | (told["seller"] < 0)
    assert closes.any()
    assert np.all(open_before[closes] >= 3)
    assert np.all(~closes[open_before < 3])
    assert ledger.now[0] == open_after[-1]


def test_informed_traders_open() -> None:
    listing = SeededMarket(3).listing
    ledger = Ledger(listing, np.zeros(len(listing), bool))
    executions = executed(np.arange(200, dtype=np.int32), 1)
    executions["burst"] = np.arange(200)
    told = ledger.trade(rng_state(1, ORDERS), executions, PRINTS.room(200), 0)
    assert np.all(told["buyer"] == 1)


def test_shares_of_what_opens_are_those_of_the_kinds() -> None:
    listing = SeededMarket(3).listing
    ledger = Ledger(listing.with_open_interest(np.full(len(listing), 10**6)), np.zeros(len(listing), bool))
    for kind, share in ((OrderKind.PLAIN, 0.55), (OrderKind.SWEEP, 0.7)):
        for side in (1, -1):
            executions = executed(np.zeros(20_000, np.int32), 1)
            executions["kind"], executions["side"] = kind, side
            told = ledger.trade(rng_state(1, ORDERS), executions, PRINTS.room(20_000), 0)
            taker, maker = (told["buyer"], told["seller"])[::side]
            assert np.mean(taker == 1) == pytest.approx(share, abs=0.02)
            assert np.mean(maker == 1) == pytest.approx(0.5, abs=0.02)
