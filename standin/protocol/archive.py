"""What the feed has told so far, for REST to tell again: prints, quotes, index values and stock bars. Pure.

It remembers what was handed out since the stand-in started, up to a number of rows of each kind; the oldest go first.
Nothing in it is later than the market's clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast

import numpy as np

from standin.feed.listing import Listing
from standin.feed.source import Batch, Prints, Quotes, SecondBars, Values, joined, taken

__all__ = ["PRINTS_MAX", "Archive"]

# Three hours of the busiest market the seeded one makes, 200 MB; a tape's whole day is a fraction of it.
PRINTS_MAX, QUOTES_MAX, VALUES_MAX, BARS_MAX = 4_000_000, 1_000_000, 500_000, 1_000_000
# Rows of a closed block: small enough to be joined at once, large enough that a day is a hundred of them.
BLOCK_ROWS = 50_000

Columns = TypeVar("Columns", Prints, Quotes, Values, SecondBars)


class Archive:
    """Add every batch; ask for one ticker's rows. What is not remembered is empty, never an error."""

    def __init__(
        self, index_tickers: tuple[str, ...], stock_tickers: tuple[str, ...], prints_max: int = PRINTS_MAX
    ) -> None:
        self._index_slot = {ticker: index for index, ticker in enumerate(index_tickers)}
        self._stock_slot = {ticker: index for index, ticker in enumerate(stock_tickers)}
        self._prints: _Shelf[Prints] = _Shelf(Prints.empty(), prints_max)
        self._quotes: _Shelf[Quotes] = _Shelf(Quotes.empty(), QUOTES_MAX)
        self._values: _Shelf[Values] = _Shelf(Values.empty(), VALUES_MAX)
        self._bars: _Shelf[SecondBars] = _Shelf(SecondBars.empty(), BARS_MAX)

    def add(self, batch: Batch) -> None:
        """Remember a batch; batches come in the order of time."""
        self._prints.add(batch.prints, batch.listing)
        self._quotes.add(batch.quotes, batch.listing)
        self._values.add(batch.values, batch.listing)
        self._bars.add(batch.bars, batch.listing)

    def trades(self, ticker: str) -> Prints:
        """The contract's prints in the order of time; `contract` is a row of the day they were printed on."""
        return self._prints.of(lambda listing: listing.row_of.get(ticker))

    def quotes(self, ticker: str) -> Quotes:
        """The contract's quotes, as far as somebody had subscribed to them."""
        return self._quotes.of(lambda listing: listing.row_of.get(ticker))

    def values(self, ticker: str) -> Values:
        """The index's levels."""
        return self._values.of(lambda _: self._index_slot.get(ticker))

    def bars(self, ticker: str) -> SecondBars:
        """The stock's bars."""
        return self._bars.of(lambda _: self._stock_slot.get(ticker))


class _Block(Generic[Columns]):
    """Rows of one day in time order, and where each symbol's are."""

    def __init__(self, listing: Listing, columns: Columns) -> None:
        self.listing = listing
        self.columns: Columns = columns
        self._order = np.argsort(columns[0], kind="stable")
        self._symbols = columns[0][self._order]

    def of(self, symbol: int) -> Columns:
        """The symbol's rows in time order."""
        begin, end = np.searchsorted(self._symbols, [symbol, symbol + 1])
        return cast(Columns, taken(cast(Any, self.columns), self._order[begin:end]))


class _Shelf(Generic[Columns]):
    """Columns of one kind in blocks. The first column says whose a row is."""

    def __init__(self, empty: Columns, rows_max: int) -> None:
        self._empty: Columns = empty
        self._rows_max = rows_max
        self._blocks: deque[_Block[Columns]] = deque()
        self._open: list[Columns] = []
        self._open_listing: Listing | None = None
        self._open_rows = self._rows = 0

    def add(self, columns: Columns, listing: Listing) -> None:
        count = len(columns[0])
        if not count:
            return
        if self._open and (listing is not self._open_listing or self._open_rows >= BLOCK_ROWS):
            self._close()
        self._open_listing = listing
        self._open.append(columns)
        self._open_rows += count
        self._rows += count
        while self._rows > self._rows_max and self._blocks:
            self._rows -= len(self._blocks.popleft().columns[0])

    def of(self, symbol_on: Callable[[Listing], int | None]) -> Columns:
        """Rows of whom `symbol_on` names on each day; none of a day on which it is None."""
        parts: list[Columns] = []
        for block in self._blocks:
            symbol = symbol_on(block.listing)
            if symbol is not None:
                parts.append(block.of(symbol))
        if self._open_listing is not None and (symbol := symbol_on(self._open_listing)) is not None:
            latest = self._latest()
            parts.append(cast(Columns, taken(cast(Any, latest), latest[0] == symbol)))
        return joined(parts) if parts else self._empty

    def _latest(self) -> Columns:
        """The rows of the block that is still open; there must be some."""
        self._open = [joined(self._open)]
        return self._open[0]

    def _close(self) -> None:
        assert self._open_listing is not None
        self._blocks.append(_Block(self._open_listing, self._latest()))
        self._open, self._open_rows = [], 0
