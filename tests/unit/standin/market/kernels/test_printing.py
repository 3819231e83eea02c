"""Executions as prints: their numbers, and their prices by the quotes they meet."""

from __future__ import annotations

import numpy as np
import pytest

from standin.feed.source import Prints
from standin.market.book import Book
from standin.market.kernels.executing import EXECUTION
from standin.market.kernels.printing import PRINTS, Q_PER_MS, print_executions
from standin.market.kernels.quoting import QUOTE
from standin.market.kernels.tables import OrderKind
from standin.market.random_streams import ORDERS, rng_state
from standin.market.seeded import SeededMarket

BASE_MS, DAY_MS, MANY = 1_765_809_000_000, 34_200_000, 40_000


@pytest.fixture(scope="module")
def book() -> Book:
    book = SeededMarket(7)._today.book
    book.move_to(600)
    return book


def executed(count: int, **columns: object) -> np.ndarray:
    """Plain purchases of one SPY contract at the beginning of the span, but for what is said."""
    executions = np.zeros(count, EXECUTION)
    executions["size"], executions["side"], executions["burst"], executions["leg"] = 1, 1, -1, -1
    for name, column in columns.items():
        executions[name] = column
    return executions


def printed(book: Book, executions: np.ndarray) -> tuple[Prints, np.ndarray]:
    prints, quotes = PRINTS.room(len(executions)), np.empty(len(executions), QUOTE)
    where = len(executions), 1000, BASE_MS, DAY_MS
    print_executions(rng_state(1, ORDERS), book.table, executions, *where, quotes, prints)
    return prints, quotes


def wide(book: Book) -> int:
    """A contract quoted ten ticks wide or more."""
    quote = book.quote(np.arange(len(book.listing)), 0.0)
    return int(np.argmax((quote.ask_cents - quote.bid_cents >= 10 * quote.tick_cents) & (quote.bid_cents > 100)))


def test_prints_are_numbered_two_apart_within_their_millisecond(book: Book) -> None:
    prints, _ = printed(book, executed(4, ms=[3, 3, 3, 7]))
    assert (prints.t_ms - BASE_MS).tolist() == [3, 3, 3, 7]
    assert (prints.q - DAY_MS * Q_PER_MS).tolist() == [3 * 8192 + 2, 3 * 8192 + 4, 3 * 8192 + 6, 7 * 8192 + 2]


def test_a_print_meets_the_quote_of_its_moment(book: Book) -> None:
    rows = np.arange(0, len(book.listing), 37, dtype=np.int32)
    ms = np.arange(len(rows)) * 1000 // len(rows)
    _, quotes = printed(book, executed(len(rows), row=rows, ms=ms))
    expected = book.quote(rows, ms / 1000.0)
    for name in ("bid_cents", "ask_cents", "tick_cents", "bid_size", "bid_venue"):
        assert quotes[name].tolist() == getattr(expected, name).tolist()


@pytest.mark.parametrize(
    ("kind", "at_touch", "low", "high"),
    [
        (OrderKind.PLAIN, 0.80, 0.0, 1.0),
        (OrderKind.SWEEP, 1.0, 1.0, 1.0),
        (OrderKind.AUCTION, 0.35, 0.2, 1.0),
        (OrderKind.CROSS, 0.0, 0.0, 0.5),
        (OrderKind.SPREAD, 0.0, -1.0, 1.0),
        (OrderKind.LATE, 0.0, -3.0, 3.0),
    ],
)
def test_prices_lie_where_the_kind_has_them(
    book: Book, kind: OrderKind, at_touch: float, low: float, high: float
) -> None:
    """From the middle (0) to the touch (1), to within a tick."""
    for side in (1, -1):
        prints, quotes = printed(book, executed(MANY, row=wide(book), kind=kind, side=side))
        bid, ask, tick = (float(quotes[name][0]) for name in ("bid_cents", "ask_cents", "tick_cents"))
        half = 0.5 * (ask - bid)
        reach = side * (prints.price * 100.0 - 0.5 * (bid + ask)) / half
        slack = tick / half
        assert reach.min() >= low - slack
        assert reach.max() <= high + slack
        touch = np.mean(np.abs(reach - 1.0) < 0.01 * slack)
        assert touch == pytest.approx(at_touch, abs=0.02 + (kind is not OrderKind.SWEEP) * slack)


def test_a_sweep_moves_the_quote_it_eats_through(book: Book) -> None:
    for side, name, sign in ((1, "ask_cents", 1), (-1, "bid_cents", -1)):
        row = wide(book)
        executions = executed(6, row=row, kind=OrderKind.SWEEP, side=side, eaten=[0, 0, 0, 1, 1, 1])
        prints, quotes = printed(book, executions)
        tick = int(quotes["tick_cents"][0])
        assert (quotes[name] - quotes[name][0]).tolist() == [0, 0, 0, sign * tick, sign * tick, sign * tick]
        assert np.rint(prints.price * 100.0).tolist() == quotes[name].tolist()


def test_a_bid_that_is_eaten_up_has_no_size(book: Book) -> None:
    quote = book.quote(np.arange(len(book.listing)), 0.0)
    row = int(np.argmax((quote.bid_cents == quote.tick_cents) & (quote.bid_size > 0)))
    _, quotes = printed(book, executed(2, row=row, kind=OrderKind.SWEEP, side=-1, eaten=[0, 1]))
    assert quotes["bid_cents"].tolist() == [quotes["tick_cents"][0], 0]
    assert quotes["bid_size"].tolist() == [quote.bid_size[row], 0]


def test_who_is_informed_pays_the_spread(book: Book) -> None:
    prints, quotes = printed(book, executed(1000, row=wide(book), burst=3))
    assert np.rint(prints.price * 100.0).tolist() == quotes["ask_cents"].tolist()
