"""Columns: what a decoded frame becomes."""

from __future__ import annotations

import numpy as np

from schemas.frames import COLUMN_DTYPES, KIND_INDEX, KIND_STOCK, Lane, Rows
from schemas.symbols import symbol_code
from services.core.partitioner import EVERY_PARTITION, MARKET_WIDE, Partitioner
from services.gateway.decoding.tabulate import Tabulator
from services.gateway.massive.messages import decode_frame
from tests.support import vendor as v


def assert_dtypes(lane: Lane, rows: Rows) -> None:
    assert {name: column.dtype for name, column in rows._asdict().items() if name != "received_ns"} == COLUMN_DTYPES[
        lane
    ]


def test_a_trade_fills_every_column() -> None:
    trades = Tabulator(Partitioner(4)).trades(decode_frame("options", v.frame(v.trade(v.SPX_PUT))))
    rows = trades.rows
    assert_dtypes(Lane.TRADES, rows)
    assert (rows.event_ns[0], rows.underlying[0], rows.root[0]) == (v.T0_NS, symbol_code("SPX"), symbol_code("SPXW"))
    assert (rows.price_usd[0], rows.size_contracts[0], rows.exchange[0]) == (12.41, 25, 302)
    assert (rows.condition[0], rows.condition_bits[0], rows.vendor_seq[0]) == (219, 1 << 19, 1844730912)
    assert trades.partitions.tolist() == [Partitioner(4).of("SPX")]


def test_a_print_whose_ticker_is_none_is_a_reject_and_the_others_keep_their_quotes() -> None:
    table = Tabulator(Partitioner(4))
    data = v.frame(v.trade("NONSENSE"), v.quote(), v.trade(q=1), v.trade("O:X"), v.trade(q=2))
    trades = table.trades(decode_frame("options", data))
    assert trades.rows.vendor_seq.tolist() == [1, 2]
    assert trades.rows.bid_usd.tolist() == [12.38, 12.38]
    assert [(reject.reason, reject.detail) for reject in trades.rejects] == [
        ("bad_ticker", "'NONSENSE'"), ("bad_ticker", "'O:X'"),
    ]  # fmt: skip
    assert b'"NONSENSE"' in trades.rejects[0].data


def test_a_frame_without_prints_makes_no_rows() -> None:
    trades = Tabulator(Partitioner(4)).trades(decode_frame("options", v.frame(v.quote())))
    assert len(trades.rows.event_ns) == 0
    assert trades.quotes == 1


def test_an_index_value_is_a_tick_without_its_prefix() -> None:
    ticks = Tabulator(Partitioner(4)).ticks(decode_frame("indices", v.frame(v.index_value("I:NDX"))).events)
    rows = ticks.rows
    assert_dtypes(Lane.TICKS, rows)
    assert rows.symbol.tolist() == [symbol_code("NDX")]
    assert rows.kind.tolist() == [KIND_INDEX]
    assert (rows.price_usd[0], rows.high_usd[0], rows.low_usd[0], rows.volume[0]) == (6873.42, 6873.42, 6873.42, 0)
    assert ticks.partitions.tolist() == [Partitioner(4).of("NDX")]


def test_a_stock_bar_is_known_at_its_end() -> None:
    ticks = Tabulator(Partitioner(4)).ticks(decode_frame("stocks", v.frame(v.stock_bar("AAPL"))).events)
    rows = ticks.rows
    assert rows.event_ns.tolist() == [v.T0_NS]
    assert rows.kind.tolist() == [KIND_STOCK]
    assert (rows.price_usd[0], rows.high_usd[0], rows.low_usd[0], rows.volume[0]) == (687.44, 687.46, 687.4, 18250)


def test_market_wide_symbols_go_into_every_partition() -> None:
    table = Tabulator(Partitioner(4))
    values = [v.index_value(f"I:{name}") for name in sorted(MARKET_WIDE - {"SPY"})]
    assert set(table.ticks(decode_frame("indices", v.frame(*values)).events).partitions.tolist()) == {EVERY_PARTITION}
    bars = table.ticks(decode_frame("stocks", v.frame(v.stock_bar("SPY"), v.stock_bar("AAPL"))).events)
    assert bars.partitions.tolist() == [EVERY_PARTITION, Partitioner(4).of("AAPL")]


def test_a_dotted_share_class_meets_its_options() -> None:
    table = Tabulator(Partitioner(4))
    ticks = table.ticks(decode_frame("stocks", v.frame(v.stock_bar("BRK.B"))).events)
    trades = table.trades(decode_frame("options", v.frame(v.trade("O:BRKB251219C00500000"))))
    assert ticks.rows.symbol[0] == trades.rows.underlying[0]
    assert ticks.partitions[0] == trades.partitions[0]
    assert table.vendor_name("BRKB") == "BRK.B"
    assert table.vendor_name("SPY") == "SPY"


def test_tickers_that_cannot_be_are_rejects() -> None:
    table = Tabulator(Partitioner(4))
    ticks = table.ticks(decode_frame("indices", v.frame(v.index_value("SPX"), v.index_value("I:"))).events)
    assert [reject.reason for reject in ticks.rejects] == ["bad_ticker", "bad_ticker"]
    ticks = table.ticks(decode_frame("stocks", v.frame(v.stock_bar("WAYTOOLONGNAME"), v.stock_bar("É"))).events)
    assert len(ticks.rejects) == 2
    assert len(ticks.partitions) == 0


def test_the_order_of_prints_is_the_order_of_the_frame() -> None:
    table = Tabulator(Partitioner(4))
    tickers = [f"O:{root}251219C{strike:08d}" for strike in (1000, 2000) for root in ("A", "B", "C")]
    data = v.frame(*(v.trade(ticker, q=q) for q, ticker in enumerate(tickers * 5)))
    trades = table.trades(decode_frame("options", data))
    assert trades.rows.vendor_seq.tolist() == list(range(30))
    assert [table.contracts.tickers[at] for at in trades.contracts.tolist()] == tickers * 5
    np.testing.assert_array_equal(trades.partitions, table.contracts.partition[trades.contracts])


def test_a_time_further_ahead_than_can_be_believed_is_refused() -> None:
    table = Tabulator(Partitioner(4))
    table.latest_ns = v.T0_NS
    trades = table.trades(decode_frame("options", v.frame(v.trade(q=1), v.trade(q=2, t=v.T0_MS + 1), v.quote())))
    assert trades.rows.vendor_seq.tolist() == [1]
    assert [reject.reason for reject in trades.rejects] == ["time_ahead"]
    ticks = table.ticks(decode_frame("indices", v.frame(v.index_value(t=v.T0_MS + 1), v.index_value())).events)
    assert ticks.rows.event_ns.tolist() == [v.T0_NS]
    assert [reject.reason for reject in ticks.rejects] == ["time_ahead"]
    bars = table.ticks(decode_frame("stocks", v.frame(v.stock_bar(e=v.T0_MS + 1), v.stock_bar())).events)
    assert [reject.reason for reject in bars.rejects] == ["time_ahead"]


def test_a_ticker_without_a_place_is_told_once_and_then_counted() -> None:
    """`V.*` brings every index there is, all day; some have longer names than the log has room for."""
    table = Tabulator(Partitioner(4))
    data = v.frame(v.index_value("I:NYFANGPLUS"), v.index_value("I:NDX"), v.index_value("I:NYFANGPLUS"))
    for expected in (["bad_ticker"], []):
        ticks = table.ticks(decode_frame("indices", data).events)
        assert [reject.reason for reject in ticks.rejects] == expected
        assert len(ticks.partitions) == 1
    assert table.unplaced == 3
