"""A print is joined with the quote that stood strictly before it in the stream."""

from __future__ import annotations

import numpy as np

from services.core.partitioner import Partitioner
from services.gateway.decoding.quotes import QuoteBook
from services.gateway.decoding.tabulate import Tabulator, TradeTable
from services.gateway.massive.messages import decode_frame
from tests.support import vendor as v

OTHER = "O:SPY251219P00650000"


def joined(*frames: bytes) -> list[TradeTable]:
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


def test_the_book_is_bounded_and_drops_the_contract_that_is_longest_there() -> None:
    table = Tabulator(Partitioner(1))
    table.quotes = QuoteBook(table.contracts, quotes_max=2)
    tickers = [f"O:SPY251219C{strike:08d}" for strike in (1000, 2000, 3000, 4000)]

    def quoted(*of: str) -> list[bool]:
        table.trades(decode_frame("options", v.frame(*(v.quote(ticker) for ticker in of))))
        trades = table.trades(decode_frame("options", v.frame(*(v.trade(ticker) for ticker in tickers))))
        table.repeats.clear()
        assert len(table.quotes) == 2
        return (~np.isnan(trades.rows.bid_usd)).tolist()

    assert quoted(*tickers[:3]) == [False, True, True, False]
    assert quoted(tickers[1]) == [False, True, True, False]  # the same again is no newcomer
    assert quoted(tickers[3]) == [False, False, True, True]
    table.quotes.forget([tickers[2], "O:SPY251219C00009000"])
    assert quoted(tickers[0]) == [True, False, False, True]
    assert quoted(tickers[2]) == [True, False, True, False]


def test_many_contracts_stand_beside_each_other() -> None:
    """More than the book had places for at first, none of them by its neighbour's quote."""
    table = Tabulator(Partitioner(1))
    tickers = [f"O:SPY251219C{strike:08d}" for strike in range(1, 1901)]
    table.trades(decode_frame("options", v.frame(*(v.quote(one, bp=float(at)) for at, one in enumerate(tickers)))))
    trades = table.trades(decode_frame("options", v.frame(*(v.trade(ticker) for ticker in reversed(tickers)))))
    assert trades.rows.bid_usd.tolist() == [float(at) for at in reversed(range(len(tickers)))]


def test_a_quote_of_what_is_no_contract_is_counted_and_left() -> None:
    (trades,) = joined(v.frame(v.quote("NONSENSE"), v.trade("NONSENSE"), v.trade()))
    assert (trades.quotes, [reject.reason for reject in trades.rejects]) == (1, ["bad_ticker"])
    assert np.isnan(trades.rows.bid_usd).tolist() == [True]


def test_ids_given_out_anew_carry_no_quote_of_before() -> None:
    table = Tabulator(Partitioner(1))
    table.trades(decode_frame("options", v.frame(v.quote("O:SPY251218C00650000"), v.quote())))
    table.contracts.retire(table.contracts.expiry_day[1])
    table.repeats.clear()
    trades = table.trades(decode_frame("options", v.frame(v.trade())))
    assert np.isnan(trades.rows.bid_usd).tolist() == [True]
