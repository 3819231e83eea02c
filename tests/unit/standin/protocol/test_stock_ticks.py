"""A stock's trades and quotes: they add up to their bars and look like the vendor's (spec/vendor.md 3.7)."""

from __future__ import annotations

import json

import numpy as np

from standin.feed.source import SecondBars
from standin.market.seeded import SECOND_NS, SeededMarket
from standin.protocol.stock_ticks import TICKS_MAX, stock_ticks
from standin.protocol.wire import StockQuote, StockTrade, encode

NOBODY = np.empty(0, np.int32)


def made(seconds: int = 20) -> tuple[tuple[str, ...], list[SecondBars]]:
    market = SeededMarket(3)
    return market.stock_tickers, [market.advance(SECOND_NS, NOBODY).bars for _ in range(seconds)]


def bar(opened: float, high: float, low: float, closed: float, volume: int) -> SecondBars:
    one = np.ones(1)
    end = np.array([1_765_809_001_000])
    return SecondBars(
        np.zeros(1, np.int32), opened * one, high * one, low * one, closed * one, np.array([volume]), opened * one,
        np.array([volume]), opened * one, end - 1000, end,
    )  # fmt: skip


def test_trades_add_up_to_their_bar() -> None:
    tickers, seconds = made()
    checked = 0
    for bars in seconds:
        trades: dict[str, list[StockTrade]] = {}
        for tick in stock_ticks(tickers, bars):
            if isinstance(tick, StockTrade):
                trades.setdefault(tick.sym, []).append(tick)
        assert sorted(trades) == sorted(tickers[symbol] for symbol in bars.symbol.tolist())
        for at, symbol in enumerate(bars.symbol.tolist()):
            own = trades[tickers[symbol]]
            prices = [trade.p for trade in own]
            assert len(own) <= TICKS_MAX
            assert (prices[0], prices[-1]) == (bars.open[at], bars.close[at])
            assert (max(prices), min(prices)) == (bars.high[at], bars.low[at])
            assert sum(trade.s for trade in own) == bars.volume[at]
            assert all(bars.start_ms[at] <= trade.t < bars.end_ms[at] for trade in own)
            checked += len(own) > 1
    assert checked > 200


def test_each_trade_is_at_a_side_of_the_quote_just_before_it() -> None:
    tickers, seconds = made(5)
    for bars in seconds:
        ticks = stock_ticks(tickers, bars)
        for quote, trade in zip(ticks[::2], ticks[1::2], strict=True):
            assert isinstance(quote, StockQuote)
            assert isinstance(trade, StockTrade)
            assert (quote.sym, quote.t, quote.q) == (trade.sym, trade.t, trade.q - 1)
            assert trade.p in (quote.bp, quote.ap)
            assert quote.bp < quote.ap
            assert quote.bs % 100 == quote.as_ % 100 == 0 < quote.bs


def test_numbers_and_times_rise_within_a_ticker() -> None:
    tickers, seconds = made(10)
    last: dict[str, tuple[int, int]] = {}
    for bars in seconds:
        for tick in stock_ticks(tickers, bars):
            assert (tick.q, tick.t) > last.get(tick.sym, (0, 0))
            assert tick.t >= last.get(tick.sym, (0, 0))[1]
            last[tick.sym] = tick.q, tick.t


def test_a_bar_that_stood_still_is_one_trade_where_little_was_traded() -> None:
    ticks = stock_ticks(["SPY"], bar(687.44, 687.44, 687.44, 687.44, 60))
    assert json.loads(encode(ticks[1:])) == [
        {
            "ev": "T", "sym": "SPY", "x": ticks[1].x, "i": str(ticks[1].q), "z": 2, "p": 687.44, "s": 60, "c": [37],
            "t": ticks[1].t, "q": ticks[1].q, "ds": "60",
        }
    ]  # fmt: skip
    (quote,) = json.loads(encode(ticks[:1]))
    assert " ".join(quote) == "ev sym bx bp bs ax ap as c t q z"


def test_equal_bars_give_equal_ticks() -> None:
    one = bar(10.0, 10.4, 9.8, 10.1, 900)
    assert stock_ticks(["XYZ"], one) == stock_ticks(["XYZ"], one)
