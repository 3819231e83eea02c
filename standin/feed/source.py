"""The seam between a market and the wire: whatever has a clock and hands out columns of events can be served.

Two sources exist: the seeded market (`standin/market`) and recorded tapes (`standin/files`). Once open, neither reads a
clock or a socket, and both say everything in columns, so that the wire encodes a hundred events as cheaply as one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, TypeVar, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from standin.feed.listing import Listing

__all__ = [
    "Batch",
    "IndexState",
    "Prints",
    "QuoteHistory",
    "Quotes",
    "SecondBars",
    "Snapshot",
    "Source",
    "Values",
    "joined",
    "rows_of",
    "taken",
]


class Prints(NamedTuple):
    """Option trades in the order of `q`, (n,) each; `contract` is a row of the batch's listing, price USD a share."""

    contract: NDArray[np.int32]
    exchange: NDArray[np.int32]
    price: NDArray[np.float64]
    size: NDArray[np.int64]
    condition: NDArray[np.int32]
    t_ms: NDArray[np.int64]
    q: NDArray[np.int64]

    @classmethod
    def empty(cls) -> Prints:
        """No prints."""
        return cls(_i4(), _i4(), _f8(), _i8(), _i4(), _i8(), _i8())


class Quotes(NamedTuple):
    """Best bids and offers in the order of `q`, (n,) each; a side without a quote has price 0 and size 0."""

    contract: NDArray[np.int32]
    bid_exchange: NDArray[np.int32]
    bid: NDArray[np.float64]
    bid_size: NDArray[np.int64]
    ask_exchange: NDArray[np.int32]
    ask: NDArray[np.float64]
    ask_size: NDArray[np.int64]
    t_ms: NDArray[np.int64]
    q: NDArray[np.int64]

    @classmethod
    def empty(cls) -> Quotes:
        """No quotes."""
        return cls(_i4(), _i4(), _f8(), _i8(), _i4(), _f8(), _i8(), _i8(), _i8())


class Values(NamedTuple):
    """Index levels in time order, (n,) each; `symbol` is a position in the source's `index_tickers`."""

    symbol: NDArray[np.int32]
    value: NDArray[np.float64]
    t_ms: NDArray[np.int64]

    @classmethod
    def empty(cls) -> Values:
        """No values."""
        return cls(_i4(), _f8(), _i8())


class SecondBars(NamedTuple):
    """Stock bars in the order of their end, (n,) each; `symbol` is a position in the source's `stock_tickers`."""

    symbol: NDArray[np.int32]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.int64]
    day_open: NDArray[np.float64]
    day_volume: NDArray[np.int64]
    day_vwap: NDArray[np.float64]
    start_ms: NDArray[np.int64]
    end_ms: NDArray[np.int64]

    @classmethod
    def empty(cls) -> SecondBars:
        """No bars."""
        return cls(_i4(), _f8(), _f8(), _f8(), _f8(), _i8(), _f8(), _i8(), _f8(), _i8(), _i8())


# Any NamedTuple of equally long columns.
Columns = TypeVar("Columns", bound=tuple[Any, ...])


def taken(columns: Columns, rows: slice | NDArray[np.bool_] | NDArray[np.intp]) -> Columns:
    """The chosen rows of every column of a NamedTuple of columns."""
    chosen: Columns = cast(Any, columns)._make(column[rows] for column in columns)
    return chosen


def joined(parts: Sequence[Columns]) -> Columns:
    """All rows of the parts, one part after the other; there must be at least one part."""
    whole: Columns = cast(Any, parts[0])._make(np.concatenate(columns) for columns in zip(*parts, strict=True))
    return whole


class Batch(NamedTuple):
    """What happened in one step. All of it lies in one trading day, that of `listing`."""

    listing: Listing
    prints: Prints
    quotes: Quotes
    values: Values
    bars: SecondBars


class Snapshot(NamedTuple):
    """The state of some contracts now, (n,) each; NaN or 0 where nothing is known.

    Prices in USD, sizes in contracts, times in ns. `iv` is a decimal a year; delta per dollar of spot, gamma per
    dollar squared, theta per calendar day, vega per vol point: the vendor's units.
    """

    bid: NDArray[np.float64]
    ask: NDArray[np.float64]
    bid_size: NDArray[np.int64]
    ask_size: NDArray[np.int64]
    bid_exchange: NDArray[np.int32]
    ask_exchange: NDArray[np.int32]
    quote_ns: NDArray[np.int64]
    last: NDArray[np.float64]
    last_size: NDArray[np.int64]
    last_exchange: NDArray[np.int32]
    last_condition: NDArray[np.int32]
    last_ns: NDArray[np.int64]
    day_open: NDArray[np.float64]
    day_high: NDArray[np.float64]
    day_low: NDArray[np.float64]
    day_volume: NDArray[np.int64]
    day_vwap: NDArray[np.float64]
    previous_close: NDArray[np.float64]
    iv: NDArray[np.float64]
    delta: NDArray[np.float64]
    gamma: NDArray[np.float64]
    theta: NDArray[np.float64]
    vega: NDArray[np.float64]
    spot: NDArray[np.float64]
    spot_ns: NDArray[np.int64]


class IndexState(NamedTuple):
    """One index now: level, the day's open, high and low, yesterday's close, when last set. NaN where unknown."""

    value: float
    open: float
    high: float
    low: float
    previous_close: float
    updated_ns: int


class Source(Protocol):
    """A market that can be served."""

    index_tickers: tuple[str, ...]
    stock_tickers: tuple[str, ...]
    quantum_ns: int

    @property
    def clock_ns(self) -> int:
        """Market time up to which events have been handed out."""
        ...

    @property
    def ended(self) -> bool:
        """True when no event will ever come again."""
        ...

    @property
    def listing(self) -> Listing:
        """What is listed on the trading day of the clock."""
        ...

    @property
    def is_open(self) -> bool:
        """True during the regular session of the clock's day."""
        ...

    def advance(self, step_ns: int, quoted: NDArray[np.int32]) -> Batch:
        """Move the clock on by at most `step_ns` (> 0) and return what happened.

        `quoted` holds the rows of the present listing (ascending) somebody wants quotes of. The clock stops at the end
        of a trading day and jumps to the next open with the step after it.
        """
        ...

    def snapshot(self, rows: NDArray[np.intp]) -> Snapshot:
        """The state of these rows of the present listing at the clock, from nothing later."""
        ...

    def index_state(self, ticker: str) -> IndexState | None:
        """The state of an index (`I:SPX`), or None when it is not served."""
        ...


@runtime_checkable
class QuoteHistory(Protocol):
    """A source that knows the quotes of its past, whoever had asked for them."""

    def quotes_of(self, ticker: str, first_ns: int, last_ns: int, count: int, *, newest: bool) -> Quotes:
        """At most `count` (> 0) quotes of a contract between two instants, inclusive, none later than the clock: the
        latest or the earliest of them, in the order of time.
        """
        ...


def rows_of(listing: Listing, tickers: dict[str, None]) -> NDArray[np.int32]:
    """Rows of the tickers that are listed, ascending; unknown ones have no row, as on the vendor's wire."""
    found = [row for row in map(listing.row_of.get, tickers) if row is not None]
    return np.array(sorted(found), np.int32)


def _i4() -> NDArray[np.int32]:
    return np.empty(0, np.int32)


def _i8() -> NDArray[np.int64]:
    return np.empty(0, np.int64)


def _f8() -> NDArray[np.float64]:
    return np.empty(0, np.float64)
