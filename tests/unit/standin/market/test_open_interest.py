"""Open interest is conserved: what the truth says was opened and closed is what the next morning publishes."""

from __future__ import annotations

import numpy as np
import pytest

from services.standin.market.noise import ORDERS, dice
from services.standin.market.open_interest import Ledger, Positions
from services.standin.market.seeded import SECOND_NS, SeededMarket
from services.standin.source import joined

NOBODY = np.empty(0, np.int32)


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
    net = Positions(truth.buyer, truth.seller).change(prints.size)
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


def test_a_print_that_would_close_more_than_is_open_passes_positions_on() -> None:
    listing = SeededMarket(3).listing
    bare = listing.with_open_interest(np.zeros(len(listing), np.int64))
    ledger = Ledger(bare, np.ones(len(listing), bool))
    row, ones = np.zeros(500, np.int32), np.ones(500, np.int8)
    positions = ledger.trade(
        dice(1, ORDERS), row, np.full(500, 3), ones, np.zeros(500, np.int8), np.full(500, -1, np.int32)
    )
    change = positions.change(np.full(500, 3))
    open_after = np.cumsum(change)
    assert open_after.min() == 0
    assert change[0] == 0
    assert ledger.now[0] == open_after[-1]


def test_informed_traders_open() -> None:
    listing = SeededMarket(3).listing
    ledger = Ledger(listing, np.zeros(len(listing), bool))
    row, ones = np.arange(200, dtype=np.int32), np.ones(200, np.int8)
    positions = ledger.trade(dice(1, ORDERS), row, np.ones(200, np.int64), ones, np.zeros(200, np.int8), row)
    assert np.all(positions.buyer == 1)


def test_a_cancel_takes_back_what_its_print_did() -> None:
    listing = SeededMarket(3).listing
    ledger = Ledger(listing.with_open_interest(np.full(len(listing), 10)), np.zeros(len(listing), bool))
    opened = Positions(np.ones(1, np.int8), np.ones(1, np.int8))
    row, size = np.array([7], np.int32), np.array([4])
    assert ledger.cancelled(row, size, opened).all()
    assert ledger.now[7] == 6
    assert not ledger.cancelled(row, np.array([7]), opened).any()
    assert ledger.now[7] == 6
