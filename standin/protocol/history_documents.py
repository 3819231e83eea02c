"""The vendor's documents of the past: trades, quotes and aggregates, columns in, JSON-ready rows out. Pure."""

from __future__ import annotations

from math import isnan
from typing import Any, NamedTuple, TypeVar

import numpy as np

from standin.feed.aggregates import Candles, Ticks, base_of, candles, window_ms
from standin.feed.source import Prints, Quotes, SecondBars, joined, taken
from standin.protocol.history_query import NS_PER_MS, AggregatesQuery, TicksQuery

__all__ = [
    "AggregatesPage",
    "aggregate_rows",
    "aggregates_page",
    "between",
    "last_trade",
    "quote_rows",
    "quotes_page",
    "stock_row",
    "ticks_page",
    "trade_rows",
    "with_received",
]

Row = dict[str, Any]
TickColumns = TypeVar("TickColumns", Prints, Quotes)


class AggregatesPage(NamedTuple):
    """Bars in the order asked for, how many base bars were looked at, and the next page's cursor or None."""

    bars: Candles
    base_bars: int
    cursor: str | None


def ticks_page(columns: TickColumns, query: TicksQuery) -> tuple[TickColumns, str | None]:
    """The prints or quotes of a page and the cursor of the next."""
    wanted = between(columns, query)
    if query.order == "desc":
        wanted = taken(wanted, slice(None, None, -1))
    end = query.offset + query.limit
    return taken(wanted, slice(query.offset, end)), query.cursor(end) if end < len(wanted.q) else None


def between(columns: TickColumns, query: TicksQuery) -> TickColumns:
    """What lies between the query's instants, in the order of time."""
    first = int(np.searchsorted(columns.t_ms, -(-query.first_ns // NS_PER_MS), side="left"))
    last = int(np.searchsorted(columns.t_ms, query.last_ns // NS_PER_MS, side="right"))
    return taken(columns, slice(first, last))


def quotes_page(quotes: Quotes, query: TicksQuery, limit: int) -> tuple[Quotes, str | None]:
    """The page of quotes that were asked for with one to spare; the next one begins beyond the last instant given."""
    ordered = taken(quotes, slice(None, None, -1)) if query.order == "desc" else quotes
    page = taken(ordered, slice(0, limit))
    if len(ordered.q) <= limit:
        return page, None
    # Quotes of one instant stay together, or the next page, which begins beyond it, would miss some.
    apart = page.t_ms != ordered.t_ms[limit]
    page = taken(page, apart) if apart.any() else page
    return page, query.beyond(int(page.t_ms[-1]) * NS_PER_MS)


def with_received(quotes: Quotes, received: Quotes, count: int, *, newest: bool) -> Quotes:
    """What a source knows by itself and what was told to somebody, each once, at most `count` of them.

    Where the source gave `count`, it may know more beyond the last of them; what was heard there is left to a later
    page.
    """
    if not len(received.q):
        return quotes
    if len(quotes.q) == count:
        near = received.t_ms >= quotes.t_ms[0] if newest else received.t_ms <= quotes.t_ms[-1]
        received = taken(received, near)
    both = joined([quotes, received])
    _, first = np.unique(both.q, return_index=True)
    return taken(both, first[-count:] if newest else first[:count])


def trade_rows(prints: Prints, ticker: str | None = None) -> list[Row]:
    """Rows of `/v3/trades`; the newer path repeats the ticker in each."""
    named = {} if ticker is None else {"ticker": ticker}
    return [
        {
            "conditions": [condition],
            "exchange": exchange,
            "price": price,
            "sequence_number": q,
            "sip_timestamp": t_ms * NS_PER_MS,
            "size": size,
        }
        | named
        for _, exchange, price, size, condition, t_ms, q in zip(*(column.tolist() for column in prints), strict=True)
    ]


def quote_rows(quotes: Quotes, ticker: str | None = None) -> list[Row]:
    """Rows of `/v3/quotes`."""
    named = {} if ticker is None else {"ticker": ticker}
    return [
        {
            "ask_exchange": ask_exchange,
            "ask_price": ask,
            "ask_size": ask_size,
            "bid_exchange": bid_exchange,
            "bid_price": bid,
            "bid_size": bid_size,
            "sequence_number": q,
            "sip_timestamp": t_ms * NS_PER_MS,
        }
        | named
        for _, bid_exchange, bid, bid_size, ask_exchange, ask, ask_size, t_ms, q in zip(
            *(column.tolist() for column in quotes), strict=True
        )
    ]


def last_trade(ticker: str, prints: Prints) -> Row:
    """`/v2/last/trade`: the last print, its keys one letter each. There must be a print."""
    _, exchange, price, size, condition, t_ms, q = (column[-1].item() for column in prints)
    time_ns = t_ms * NS_PER_MS
    return {"T": ticker, "c": [condition], "p": price, "q": q, "s": size, "t": time_ns, "x": exchange, "y": time_ns}


def aggregates_page(ticks: Ticks, query: AggregatesQuery) -> AggregatesPage:
    """The bars of a page. `limit` counts base bars; a window is never split between two pages."""
    ticks = taken(ticks, (ticks.t_ms >= query.first_ms) & (ticks.t_ms <= query.last_ms))
    windows = window_ms(ticks.t_ms, query.multiplier, query.timespan)
    base = window_ms(ticks.t_ms, 1, base_of(query.timespan))
    distinct = np.unique(base)
    descending = query.order == "desc"
    keep = np.ones(len(base), bool)
    if len(distinct) > query.limit:
        keep = base >= distinct[-query.limit] if descending else base <= distinct[query.limit - 1]
        split = windows[keep][0 if descending else -1]
        if (windows[~keep] == split).any():
            whole = windows > split if descending else windows < split
            keep = whole if whole.any() else windows == split
    left = ticks.t_ms[~keep]
    bars = candles(taken(ticks, keep), windows[keep])
    cursor = None if not len(left) else query.beyond(int(left[-1] if descending else windows[~keep][0]))
    ordered = taken(bars, slice(None, None, -1)) if descending else bars
    return AggregatesPage(ordered, len(np.unique(base[keep])), cursor)


def aggregate_rows(bars: Candles) -> list[Row]:
    """Rows of `/v2/aggs`; an index has no volume, and none of the keys that follow from it."""
    return [
        {"o": open_, "h": high, "l": low, "c": close, "t": t_ms}
        | ({} if isnan(vwap) else {"v": volume, "vw": round(vwap, 4), "n": trades})
        for t_ms, open_, high, low, close, volume, vwap, trades in zip(*(c.tolist() for c in bars), strict=True)
    ]


def stock_row(ticker: str, bars: SecondBars, *, is_open: bool) -> Row:
    """A stock's row of the universal snapshot; without a bar yet it has no session."""
    row: Row = {"ticker": ticker, "type": "stocks", "name": ticker, "market_status": "open" if is_open else "closed"}
    if not len(bars.end_ms):
        return row
    close, opened = float(bars.close[-1]), float(bars.day_open[-1])
    days = window_ms(bars.start_ms, 1, "day")
    today = days == days[-1]
    session = {
        "close": close,
        "high": float(bars.high[today].max()),
        "low": float(bars.low[today].min()),
        "open": opened,
        "price": close,
        "volume": int(bars.day_volume[-1]),
    }
    return row | {"session": session}
