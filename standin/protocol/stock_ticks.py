"""A stock's trades and quotes on the wire, made of its bars (spec/vendor.md 3.7): no source has them. Pure.

A bar becomes a handful of trades that add up to it exactly: the first at its open, the last at its close, one at its
high and one at its low, its volume among them; each has the quote it met before it. They fall into the last second of
the bar's window, so that a recorded minute is not told a minute late. All follows from ticker, time and bar.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from standin.feed.source import SecondBars
from standin.market.random_streams import STOCK_TICKS, key_of, uniform
from standin.market.universe import CAST
from standin.protocol.wire import StockQuote, StockTrade

__all__ = ["ROUND_LOT", "TICKS_MAX", "stock_ticks"]

# A bar of a busy second holds a hundred trades and more; so many of them are told.
TICKS_MAX = 8
SHARES_A_TRADE = 120
WINDOW_MS = 1000
# The vendor's ids of NYSE, Arca, Nasdaq, Cboe BZX and EDGX, IEX, MEMX, and FINRA's facility for trades off exchange.
VENUES = (10, 11, 12, 19, 8, 15, 21, 4)
ODD_LOT, ROUND_LOT = 37, 100
# A cent or two basis points, whichever is more.
SPREAD_SHARE = 0.0002
# Numbers a tick draws: when, how large, where between low and high, which venue, which side, sizes of both sides.
_DRAWS = 7
_KEY = key_of(0, STOCK_TICKS)
_ETFS = frozenset(member.ticker for member in CAST if member.kind == "etf")


class _Bar(NamedTuple):
    open: float
    high: float
    low: float
    close: float
    volume: int
    end_ms: int


def stock_ticks(tickers: Sequence[str], bars: SecondBars, quote_unit: int = 1) -> list[StockTrade | StockQuote]:
    """Trades and quotes of the bars, each ticker's in the order of time. quote_unit: shares that a quote's size counts
    as one, ROUND_LOT or 1."""
    count = len(bars.symbol)
    position = bars.symbol.astype(np.int64) * 2**40 + bars.end_ms // WINDOW_MS
    numbers = np.arange(TICKS_MAX * _DRAWS)
    chance = uniform(_KEY, position[:, None] * len(numbers) + numbers).reshape(count, TICKS_MAX, _DRAWS)
    columns = bars.symbol, bars.open, bars.high, bars.low, bars.close, bars.volume, bars.end_ms
    events: list[StockTrade | StockQuote] = []
    rows = zip(*(column.tolist() for column in columns), strict=True)
    for (symbol, *bar), draws in zip(rows, chance.tolist(), strict=True):
        events += _ticks(tickers[symbol], _Bar(*bar), draws, quote_unit)
    return events


def _ticks(ticker: str, bar: _Bar, draws: list[list[float]], quote_unit: int) -> list[StockTrade | StockQuote]:
    prices = _prices(bar, draws)
    times = sorted(bar.end_ms - WINDOW_MS + int(WINDOW_MS * drawn[0]) for drawn in draws[: len(prices)])
    sizes = _sizes(bar.volume, [0.2 + drawn[1] for drawn in draws[: len(prices)]])
    tape = 2 if ticker in _ETFS else 3 if len(ticker) > 3 else 1
    events: list[StockTrade | StockQuote] = []
    for number, (price, t_ms, size, drawn) in enumerate(zip(prices, times, sizes, draws, strict=False)):
        # Numbers rise with time; a quote's comes just before its trade's.
        q = t_ms % 86_400_000 * 2 * TICKS_MAX + 2 * number + 1
        spread = max(round(SPREAD_SHARE * price, 2), 0.01)
        bid = round(price - (spread if drawn[4] < 0.5 else 0.0), 2)
        bid_size, ask_size = (ROUND_LOT * (1 + int(12 * chance**3)) // quote_unit for chance in drawn[5:7])
        venue = VENUES[int(drawn[3] * len(VENUES))]
        events.append(
            StockQuote(
                sym=ticker, bx=venue, bp=bid, bs=bid_size, ax=venue, ap=round(bid + spread, 2), as_=ask_size, c=1,
                t=t_ms, q=q, z=tape,
            )
        )  # fmt: skip
        events.append(
            StockTrade(
                sym=ticker, x=venue, i=str(q + 1), z=tape, p=price, s=size, c=[ODD_LOT] if size < ROUND_LOT else [],
                t=t_ms, q=q + 1, ds=str(size),
            )
        )  # fmt: skip
    return events


def _prices(bar: _Bar, draws: list[list[float]]) -> list[float]:
    """Open first, close last, high and low between them in either order, and others anywhere between those."""
    ends = [bar.high, bar.low] if draws[0][2] < 0.5 else [bar.low, bar.high]
    between = [price for price in ends if price not in (bar.open, bar.close)]
    wanted = min(max(bar.volume // SHARES_A_TRADE, 1), TICKS_MAX)
    others = draws[: max(wanted - len(between) - 2, 0)]
    between += [round(bar.low + (bar.high - bar.low) * drawn[2], 2) for drawn in others]
    last = [bar.close] if between or bar.close != bar.open or wanted > 1 else []
    return [bar.open, *between, *last]


def _sizes(volume: int, weights: list[float]) -> list[int]:
    """The volume cut by weight, at least a share each where there are as many; the last has what is left."""
    whole = sum(weights)
    sizes = [max(int(volume * weight / whole), 1) for weight in weights[:-1]]
    return [*sizes, max(volume - sum(sizes), 1)]
