"""Orders as executions: a sweep's parts are the order, and a spread's legs are contracts of their own."""

from __future__ import annotations

import numpy as np
import pytest

from standin.market.activity import row_weights
from standin.market.book import Book
from standin.market.kernels.ordering import ORDER
from standin.market.orders import SPREAD_PRINTS, SWEEP_PRINTS, OrderKind, Pit
from standin.market.random_streams import ORDERS, rng_state
from standin.market.seeded import SeededMarket
from standin.market.universe import CAST, position_of

MANY = 20_000
NOBODY = np.zeros(len(CAST), np.int64)


@pytest.fixture(scope="module")
def book() -> Book:
    return SeededMarket(7)._today.book


def executed(book: Book, rows: np.ndarray, kind: OrderKind, size: int) -> np.ndarray:
    """Executions of an order in each of these rows, one after the other."""
    orders = np.zeros(len(rows), ORDER)
    orders["row"], orders["kind"], orders["size"] = rows, kind, size
    orders["side"], orders["burst"] = 1, 1
    made, _ = Pit(book).executed(rng_state(1, ORDERS), row_weights(book), NOBODY, orders)
    return made[np.argsort(made["order"], kind="stable")].copy()


@pytest.mark.parametrize("size", [3, 10, 101, 14_999])
def test_a_sweeps_parts_are_the_order(book: Book, size: int) -> None:
    made = executed(book, np.full(2000, book.listing.slices["SPY"].start + 50), OrderKind.SWEEP, size)
    assert made["size"].min() >= 1
    assert np.all(np.bincount(made["order"], made["size"]) == size)


def test_no_two_legs_of_a_spread_are_one_contract_even_at_a_ladders_end(book: Book) -> None:
    spy = book.listing.slices["SPY"]
    rows = np.arange(spy.start, spy.stop)
    ends = rows[(np.diff(book.slot[rows], append=-1) != 0) | (np.diff(book.right[rows], append=0) != 0)]
    for place in (*ends[:8].tolist(), *(ends[:8] + 1).tolist()):
        made = executed(book, np.full(200, place), OrderKind.SPREAD, 1)
        for order in range(200):
            legs = made[made["order"] == order]
            assert len(set(legs["row"].tolist())) == len(legs) >= 2
            assert len(set(book.slot[legs["row"]].tolist())) == 1


def test_an_iron_condor_is_sold_about_a_middle_from_a_call_or_a_put(book: Book) -> None:
    """Inner strikes are sold, outer ones bought, puts below calls."""
    spy = book.listing.slices["SPY"]
    for right in (1, -1):
        row = spy.start + int(np.flatnonzero(book.right[spy] == right)[20])
        made = executed(book, np.full(500, row), OrderKind.SPREAD, 1)
        condors = [legs for order in range(500) if len(legs := made[made["order"] == order]) == 4]
        assert condors
        for legs in condors:
            by_strike = legs[np.argsort(book.strike[legs["row"]])]
            assert by_strike["side"].tolist() == [1, -1, -1, 1]
            assert book.right[by_strike["row"]].tolist() == [-1, -1, 1, 1]


def test_orders_make_as_many_prints_as_their_shares_are_reckoned_with(book: Book) -> None:
    counts = NOBODY.copy()
    counts[position_of["SPY"]] = MANY * 10
    made, _ = Pit(book).executed(rng_state(2, ORDERS), row_weights(book), counts, None)
    for kind, prints in ((OrderKind.SWEEP, SWEEP_PRINTS), (OrderKind.SPREAD, SPREAD_PRINTS)):
        own = made[made["kind"] == kind]
        assert len(own) / len(np.unique(own["order"])) == pytest.approx(prints, abs=0.05)
