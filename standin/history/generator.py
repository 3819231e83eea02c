"""A made-up market as the rows a gateway would have made of it, without sockets: for history on demand.

What the gateway reads off the wire and over REST is taken here from the market's columns as they are, into the same
rows. Whoever wants a log hands in a `HistoryLog`, which numbers them and says which contracts are quoted. Times are
the exchange's: the log runs on the feed's clock. A stretch of market becomes frames a minute at a time, so memory stays
flat whatever its length.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from schemas.frames import (
    KIND_INDEX,
    KIND_STOCK,
    Frame,
    GreekRows,
    TickRows,
    TradeRows,
)
from schemas.symbols import EPOCH_ORDINAL, symbol_code
from services.core.calendar import NS, ny_date
from standin.feed.listing import Listing
from standin.feed.source import Batch, Prints, Quotes, rows_of, taken
from standin.market.seeded import SeededMarket

__all__ = ["ContractColumns", "HistoryGenerator", "HistoryLog", "SnapshotPace", "chain_rows", "contract_columns"]

NS_PER_MS = 1_000_000
NO_STAMP = np.empty(0, np.int64)
# Chain pages as the vendor serves them are 250 rows; what is taken here has no page to fit.
CHAIN_ROWS = 5_000
SHARES = 100
NOBODY = np.empty(0, np.int32)


class SnapshotPace(NamedTuple):
    """How often chains are taken and quoted contracts chosen, in minutes of the market."""

    chain_min: int = 30
    rank_min: int = 5


class HistoryLog(Protocol):
    """What makes a log of rows: it places and numbers them, and ranks contracts as live.

    Rows come in the order of the market. `received_ns` is left to the log; venues and conditions are the vendor's
    numbers, condition flags are left to the log. `listed` `(n,)` are positions in the day's listing.
    """

    def open_day(self, tickers: Sequence[str], day: int) -> None:
        """The option tickers listed on a day (days since 1970), instead of those before."""

    def write_trades(self, rows: TradeRows, listed: NDArray[np.integer]) -> list[Frame]:
        """Take prints; the frames that are full by now."""

    def write_chains(self, rows: GreekRows, listed: NDArray[np.integer]) -> list[Frame]:
        """Take a part of a chain snapshot; the frames that are full by now."""

    def write_ticks(self, rows: TickRows) -> list[Frame]:
        """Take index values or stock bars; the frames that are full by now."""

    def flush(self) -> list[Frame]:
        """The frames of what is pending."""

    def finish(self) -> list[Frame]:
        """The last frames of a session."""

    def quoted(self, now_ns: int) -> Sequence[str]:
        """Tickers of the contracts whose quotes are seen from now on."""


class ContractColumns(NamedTuple):
    """What rows say of their contract, by position in a listing; units as in `schemas.frames`."""

    underlying: NDArray[np.uint64]
    root: NDArray[np.uint64]
    expiry_day: NDArray[np.int32]
    strike_mills: NDArray[np.int32]
    right: NDArray[np.int8]

    def take(self, listed: NDArray[np.integer]) -> ContractColumns:
        """The same of these positions."""
        return ContractColumns(*(column.take(listed) for column in self))  # type: ignore[arg-type]


def contract_columns(listing: Listing) -> ContractColumns:
    """The columns of every contract listed."""
    roots = {root: symbol_code(root) for root in dict.fromkeys(listing.roots)}
    underlyings = np.array([symbol_code(one.ticker) for one in listing.underlyings], np.uint64)
    return ContractColumns(
        underlyings.take(listing.underlying),
        np.array([roots[root] for root in listing.roots], np.uint64),
        listing.expiry_day.astype(np.int32),
        listing.strike_mills.astype(np.int32),
        listing.right.astype(np.int8),
    )


class HistoryGenerator:
    """Plays a market into a log and gives its frames, a minute of market a time."""

    def __init__(self, market: SeededMarket, log: HistoryLog, pace: SnapshotPace) -> None:
        self._market, self._log, self._pace = market, log, pace
        self._indices = _codes([ticker.removeprefix("I:") for ticker in market.index_tickers])
        self._stocks = _codes(market.stock_tickers)
        self._listing: Listing | None = None
        self._minute = 0

    def session(self) -> Iterator[list[Frame]]:
        """The frames of the session the market stands in or before, minute by minute, up to its close."""
        market = self._market
        if not market.is_open:
            yield self._take(market.advance(1, NOBODY))
        while market.is_open:
            frames: list[Frame] = []
            if self._listing is not market.listing:
                self._open_day()
            if self._minute % self._pace.chain_min == 0:
                frames += self._chains()
            if self._minute % self._pace.rank_min == 0:
                self._quoted = rows_of(market.listing, dict.fromkeys(self._log.quoted(market.clock_ns)))
            self._minute += 1
            step_ns = 60 * NS - market.clock_ns % (60 * NS)
            frames += self._take(market.advance(step_ns, self._quoted))
            yield frames
        yield self._chains() + self._log.finish()

    def _open_day(self) -> None:
        """Learn the day's contracts, forget those before."""
        listing = self._listing = self._market.listing
        self._contracts = contract_columns(listing)
        self._log.open_day(listing.tickers, ny_date(self._market.clock_ns).toordinal() - EPOCH_ORDINAL)
        self._quoted = NOBODY
        self._minute = 0

    def _take(self, batch: Batch) -> list[Frame]:
        """What happened in a minute: index levels as they began, prints, and bars as they ended."""
        if self._listing is not batch.listing:
            self._open_day()
        values, bars = batch.values, batch.bars
        level, none = values.value, np.zeros(len(values.value), np.int64)
        symbol = self._indices[values.symbol]
        frames = self._write_ticks(symbol, values.t_ms, KIND_INDEX, level, level, level, none)
        if len(batch.prints.q):
            rows = self._trade_rows(batch.prints, batch.quotes)
            frames += self._log.write_trades(rows, batch.prints.contract)
        frames += self._write_ticks(
            self._stocks[bars.symbol], bars.end_ms, KIND_STOCK, bars.close, bars.high, bars.low, bars.volume
        )
        return frames + self._log.flush()

    def _trade_rows(self, prints: Prints, quotes: Quotes) -> TradeRows:
        """Prints with the quote that came just before each, where it was seen."""
        count = len(prints.q)
        bid_usd, ask_usd = np.full(count, np.nan), np.full(count, np.nan)
        bid_size, ask_size = np.full(count, -1, np.int32), np.full(count, -1, np.int32)
        age_ns = np.full(count, -1, np.int64)
        if len(quotes.q):
            # A print's own quote has the number before its own.
            position = np.searchsorted(quotes.q, prints.q - 1)
            found = np.flatnonzero(quotes.q[np.minimum(position, len(quotes.q) - 1)] == prints.q - 1)
            own = taken(quotes, position[found])
            bid_usd[found], ask_usd[found] = own.bid, own.ask
            bid_size[found], ask_size[found] = own.bid_size, own.ask_size
            age_ns[found] = 0
        return TradeRows(
            NO_STAMP,
            prints.t_ms * NS_PER_MS,
            *self._contracts.take(prints.contract),
            prints.price,
            prints.size.astype(np.int32),
            prints.exchange.astype(np.int16),
            prints.condition.astype(np.int16),
            np.zeros(count, np.uint64),
            prints.q,
            bid_usd,
            ask_usd,
            bid_size,
            ask_size,
            age_ns,
        )

    def _chains(self) -> list[Frame]:
        """Every chain as it stands."""
        frames: list[Frame] = []
        listed = len(self._contracts.root)
        for start in range(0, listed, CHAIN_ROWS):
            rows = np.arange(start, min(start + CHAIN_ROWS, listed))
            frames += self._log.write_chains(chain_rows(self._market, self._contracts, rows), rows)
        return frames

    def _write_ticks(
        self,
        symbol: NDArray[np.uint64],
        t_ms: NDArray[np.int64],
        kind: int,
        price: NDArray[np.float64],
        high: NDArray[np.float64],
        low: NDArray[np.float64],
        volume: NDArray[np.int64],
    ) -> list[Frame]:
        kinds = np.full(len(symbol), kind, np.int8)
        return self._log.write_ticks(TickRows(NO_STAMP, t_ms * NS_PER_MS, symbol, kinds, price, high, low, volume))


def chain_rows(market: SeededMarket, contracts: ContractColumns, rows: NDArray[np.intp]) -> GreekRows:
    """What a chain's page says of these rows of the listing."""
    state = market.snapshot(rows)
    return GreekRows(
        NO_STAMP,
        np.full(len(rows), market.clock_ns),
        *contracts.take(rows),
        np.full(len(rows), SHARES, np.int32),
        state.bid,
        state.ask,
        state.bid_size.astype(np.int32),
        state.ask_size.astype(np.int32),
        state.iv,
        state.delta,
        state.gamma,
        state.theta,
        state.vega,
        market.listing.open_interest[rows],
        state.day_volume,
        state.spot,
    )


def _codes(symbols: Sequence[str]) -> NDArray[np.uint64]:
    return np.array([symbol_code(symbol) for symbol in symbols], np.uint64)
