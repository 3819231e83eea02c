"""The quotes that stand: each print is joined with the last quote of its contract that came before it in the stream.

All channels of a socket share one ordered stream, so order of arrival is the order of events. A quote stamped later
than the print (a late report) did not stand when the print was made; the join then says unknown. At an equal
millisecond stream order decides, and the age of 0 tells the reader that it was a tie.

The book keeps the decoded quote itself, one dictionary store a quote: quotes outnumber prints tenfold, and only those
that stand before a print are ever turned into columns.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from schemas.frames import Float64, Int32, Int64
from services.gateway.massive import Event, Quote, Trade

__all__ = ["QUOTES_MAX", "QuoteBook", "QuoteColumns"]

# Twice the vendor's limit of 1,000 quoted contracts a connection: room for the ones just given up.
QUOTES_MAX = 2_000
MS = 1_000_000


class QuoteColumns(NamedTuple):
    """The quote before each print, each `(n,)`; NaN and -1 where none was known."""

    bid_usd: Float64
    ask_usd: Float64
    bid_size: Int32
    ask_size: Int32
    age_ns: Int64


class QuoteBook:
    """Best bid and offer by ticker."""

    def __init__(self, quotes_max: int = QUOTES_MAX) -> None:
        self._quotes: dict[str, Quote] = {}
        self._quotes_max = quotes_max

    def __len__(self) -> int:
        return len(self._quotes)

    def walk(self, events: Iterable[Event]) -> tuple[list[Trade], list[Quote | None]]:
        """One pass in stream order: the prints, and for each the quote before it. Quotes are taken in on the way."""
        quotes = self._quotes
        standing = quotes.get
        trades: list[Trade] = []
        before: list[Quote | None] = []
        for event in events:
            if type(event) is Quote:
                quotes[event.sym] = event
            elif type(event) is Trade:
                trades.append(event)
                before.append(standing(event.sym))
        self._trim()
        return trades, before

    def before(self, tickers: Iterable[str]) -> list[Quote | None]:
        """The standing quote of the contract of each print, for a frame that holds prints only."""
        return list(map(self._quotes.get, tickers))

    def forget(self, tickers: Iterable[str]) -> None:
        """Drop contracts whose quotes no longer come: what stands still would grow stale."""
        for ticker in tickers:
            self._quotes.pop(ticker, None)

    def clear(self) -> None:
        """Drop everything: the stream broke, and what changed meanwhile nobody knows."""
        self._quotes.clear()

    def _trim(self) -> None:
        while len(self._quotes) > self._quotes_max:
            del self._quotes[next(iter(self._quotes))]


_NO_PRICE, _NO_SIZE, _NO_AGE = np.full(4096, np.nan), np.full(4096, -1, np.int32), np.full(4096, -1, np.int64)


def unknown_quotes(count: int) -> QuoteColumns:
    """Columns for prints none of which has a quote. They may be views of one another: not to be written to."""
    if count <= len(_NO_AGE):
        price, size, age = _NO_PRICE[:count], _NO_SIZE[:count], _NO_AGE[:count]
    else:
        price, size, age = np.full(count, np.nan), np.full(count, -1, np.int32), np.full(count, -1, np.int64)
    return QuoteColumns(price, price, size, size, age)


def quote_columns(before: list[Quote | None], print_ns: Int64) -> QuoteColumns:
    """Columns of the quotes before prints made at `print_ns` `(n,)`."""
    columns = unknown_quotes(len(before))
    known = [(row, quote) for row, quote in enumerate(before) if quote is not None]
    if not known:
        return columns
    at = np.array([row for row, _ in known])
    age_ns = print_ns[at] - np.array([quote.t for _, quote in known], np.int64) * MS
    stood = age_ns >= 0

    def filled(nothing: npt.NDArray[Any], value: list[float] | list[int] | Int64) -> npt.NDArray[Any]:
        column = nothing.copy()
        column[at[stood]] = np.asarray(value, column.dtype)[stood]
        return column

    return QuoteColumns(
        filled(columns.bid_usd, [quote.bp for _, quote in known]),
        filled(columns.ask_usd, [quote.ap for _, quote in known]),
        filled(columns.bid_size, [quote.bs for _, quote in known]),
        filled(columns.ask_size, [quote.as_ for _, quote in known]),
        filled(columns.age_ns, age_ns),
    )
