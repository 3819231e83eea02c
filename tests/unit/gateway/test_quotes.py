"""A print is joined with the quote that stood strictly before it in the stream."""

from __future__ import annotations

import numpy as np

from services.gateway.massive import decode_frame
from services.gateway.partition import Partitioner
from services.gateway.quotes import QuoteBook
from services.gateway.tabulate import Tabulator, Trades
from tests.support import vendor as v

OTHER = "O:SPY251219P00650000"


def joined(*frames: bytes) -> list[Trades]:
    table = Tabulator(Partitioner(1))
    return [table.trades(decode_frame("options", data)) for data in frames]


def test_the_quote_before_the_print_counts_and_the_one_after_does_not() -> None:
    (trades,) = joined(v.frame(v.quote(bp=12.38, ap=12.42), v.trade(), v.quote(bp=99.0, ap=99.5)))
    rows = trades.rows
    assert (rows.bid_usd[0], rows.ask_usd[0], rows.bid_size[0], rows.ask_size[0]) == (12.38, 12.42, 41, 17)
    assert rows.quote_age_ns[0] == 4 * v.MS
    assert trades.quotes == 2


def test_a_print_without_a_quote_knows_that_it_has_none() -> None:
    (trades,) = joined(v.frame(v.quote(OTHER), v.trade()))
    rows = trades.rows
    assert np.isnan(rows.bid_usd[0])
    assert np.isnan(rows.ask_usd[0])
    assert (rows.bid_size[0], rows.ask_size[0], rows.quote_age_ns[0]) == (-1, -1, -1)


def test_a_quote_stands_across_frames_until_the_next() -> None:
    first, second = v.quote(bp=1.0, ap=1.1), v.quote(bp=2.0, ap=2.1)
    *_, last = joined(v.frame(first), v.frame(v.trade(q=1)), v.frame(v.trade(q=2), second), v.frame(v.trade(q=3)))
    assert last.rows.bid_usd.tolist() == [2.0]


def test_quoted_and_unquoted_prints_share_a_frame() -> None:
    (trades,) = joined(v.frame(v.trade(OTHER, q=1), v.quote(), v.trade(q=2), v.trade(OTHER, q=3), v.trade(q=4)))
    assert np.isnan(trades.rows.bid_usd).tolist() == [True, False, True, False]


def test_at_the_same_millisecond_the_stream_decides_and_the_age_is_zero() -> None:
    (trades,) = joined(v.frame(v.quote(t=v.T0_MS), v.trade()))
    assert trades.rows.quote_age_ns[0] == 0
    assert trades.rows.bid_usd[0] == 12.38


def test_a_quote_younger_than_a_late_print_did_not_stand() -> None:
    (trades,) = joined(v.frame(v.quote(t=v.T0_MS + 1), v.trade()))
    assert np.isnan(trades.rows.bid_usd[0])
    assert trades.rows.quote_age_ns[0] == -1


def test_locked_crossed_and_zero_bids_are_kept() -> None:
    (trades,) = joined(v.frame(v.quote(bp=0, bs=0, ap=0.05), v.trade(q=1), v.quote(bp=2.0, ap=1.9), v.trade(q=2)))
    assert trades.rows.bid_usd.tolist() == [0.0, 2.0]
    assert trades.rows.ask_usd.tolist() == [0.05, 1.9]


def test_what_is_forgotten_stands_no_more() -> None:
    table = Tabulator(Partitioner(1))
    table.trades(decode_frame("options", v.frame(v.quote(), v.quote(OTHER))))
    table.quotes.forget([v.SPY_CALL])
    trades = table.trades(decode_frame("options", v.frame(v.trade(), v.trade(OTHER))))
    assert np.isnan(trades.rows.bid_usd).tolist() == [True, False]


def test_the_book_is_bounded_and_drops_the_oldest_contract() -> None:
    book = QuoteBook(quotes_max=2)
    tickers = [f"O:SPY251219C{strike:08d}" for strike in (1000, 2000, 3000)]
    events, _, _ = decode_frame("options", v.frame(*(v.quote(ticker) for ticker in tickers)))
    book.walk(events)
    assert len(book) == 2
    trades, _, _ = decode_frame("options", v.frame(*(v.trade(ticker) for ticker in tickers)))
    _, before = book.walk(trades)
    assert [quote is None for quote in before] == [True, False, False]
