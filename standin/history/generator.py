"""A made-up market as the log a gateway would have written of it, without sockets: for history on demand.

What the gateway reads off the wire and over REST is taken here from the market's columns as they are, into the same
rows, numbered by the same writer, and quotes go to the contracts the same interest chooses. Times are the exchange's:
the log runs on the feed's clock. A stretch of market becomes frames a minute at a time, so memory stays flat whatever
its length.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.frames import CLOCK_FEED, KIND_INDEX, KIND_STOCK, Frame, GreekRows, Lane, TickRows, TradeRows
from schemas.symbols import EPOCH_ORDINAL
from services.core.calendar import NS, ny_date
from services.core.partitioner import Partitioner
from services.gateway.decoding.contracts import ContractTable
from services.gateway.decoding.quotes import QuoteColumns, unknown_quotes
from services.gateway.decoding.tabulate import Tabulator
from services.gateway.massive.codes import CodeTable
from services.gateway.policy.contract_ranking import ContractRanking
from services.gateway.sequencing.writer import Writer
from services.settings.gateway import GatewaySettings
from standin.feed.source import Batch, Prints, Quotes, rows_of, taken
from standin.market.seeded import SeededMarket

__all__ = ["HistoryGenerator", "SnapshotPace", "chain_rows"]

NS_PER_MS = 1_000_000
NO_STAMP = np.empty(0, np.int64)
# A frame of history: what a replay joins anyway. Heartbeats cut it at every second of the log's time as live.
FRAME_ROWS = 5_000
# Chain pages as the vendor serves them are 250 rows; what is taken here has no page to fit.
CHAIN_ROWS = 5_000
SHARES = 100
NOBODY = np.empty(0, np.int32)


class SnapshotPace(NamedTuple):
    """How often chains are taken and quoted contracts chosen, in minutes of the market."""

    chain_min: int = 30
    rank_min: int = 5


class HistoryGenerator:
    """Plays a market and gives the log's frames, a minute of market a time."""

    def __init__(self, market: SeededMarket, settings: GatewaySettings, pace: SnapshotPace) -> None:
        self._market, self._pace, self._settings = market, pace, settings
        self._table = Tabulator(Partitioner(settings.partitions, settings.partition_overrides))
        self._interest = ContractRanking(self._table.contracts)
        self._writer = Writer(
            settings.partitions, settings.epoch, CLOCK_FEED, FRAME_ROWS, settings.flush_ms, settings.start_ns
        )
        self._indices = _places(map(self._table.place_index, market.index_tickers))
        self._stocks = _places(map(self._table.place_stock, market.stock_tickers))
        _, self._condition_bits = CodeTable().conditions([(condition,) for condition in range(256)])
        self._listing: Any = None
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
                self._rank()
            self._minute += 1
            step_ns = 60 * NS - market.clock_ns % (60 * NS)
            frames += self._take(market.advance(step_ns, self._quoted))
            yield frames
        yield self._chains() + self._writer.finish(0)

    def _open_day(self) -> None:
        """Learn the day's contracts, forget what has expired."""
        listing = self._listing = self._market.listing
        table = self._table.contracts
        today = ny_date(self._market.clock_ns).toordinal() - EPOCH_ORDINAL
        self._interest.keep(table.retire(today))
        self._ids = np.array([table.id_of(ticker) for ticker in listing.tickers], np.intp)
        self._quoted, self._held = NOBODY, frozenset[str]()
        self._minute = 0

    def _rank(self) -> None:
        chosen = self._interest.best(self._settings.quote_contracts_max, self._held, self._market.clock_ns)
        self._held = frozenset(chosen)
        self._quoted = rows_of(self._listing, dict.fromkeys(chosen))

    def _take(self, batch: Batch) -> list[Frame]:
        """What happened in a minute: index levels as they began, prints, and bars as they ended."""
        if self._listing is not batch.listing:
            self._open_day()
        values, bars = batch.values, batch.bars
        level, none = values.value, np.zeros(len(values.value), np.int64)
        frames = self._write_ticks(self._indices[values.symbol], values.t_ms, KIND_INDEX, level, level, level, none)
        if len(batch.prints.q):
            at = self._ids[batch.prints.contract]
            rows = self._trade_rows(batch.prints, batch.quotes, at)
            self._interest.prints(at, rows.price_usd, rows.size_contracts)
            partition = self._table.contracts.partition.take(at)
            frames += self._writer.write(Lane.TRADES, rows, partition, 0)
        frames += self._write_ticks(
            self._stocks[bars.symbol], bars.end_ms, KIND_STOCK, bars.close, bars.high, bars.low, bars.volume
        )
        return frames + self._writer.flush(0)

    def _trade_rows(self, prints: Prints, quotes: Quotes, at: NDArray[np.intp]) -> TradeRows:
        """Prints with the quote that came just before each, where it was asked for."""
        table = self._table.contracts
        unknown = unknown_quotes(len(at))
        columns = QuoteColumns(
            unknown.bid_usd.copy(), unknown.ask_usd.copy(), unknown.bid_size.copy(), unknown.ask_size.copy(),
            unknown.age_ns.copy(),
        )  # fmt: skip
        if len(quotes.q):
            # A print's own quote has the number before its own.
            place = np.searchsorted(quotes.q, prints.q - 1)
            found = np.flatnonzero(quotes.q[np.minimum(place, len(quotes.q) - 1)] == prints.q - 1)
            own = taken(quotes, place[found])
            columns.bid_usd[found], columns.ask_usd[found] = own.bid, own.ask
            columns.bid_size[found], columns.ask_size[found] = own.bid_size, own.ask_size
            columns.age_ns[found] = 0
        return TradeRows(
            NO_STAMP,
            prints.t_ms * NS_PER_MS,
            table.underlying.take(at),
            table.root.take(at),
            table.expiry_day.take(at),
            table.strike_mills.take(at),
            table.right.take(at),
            prints.price,
            prints.size.astype(np.int32),
            prints.exchange.astype(np.int16),
            prints.condition.astype(np.int16),
            self._condition_bits.take(prints.condition),
            prints.q,
            *columns,
        )

    def _chains(self) -> list[Frame]:
        """Every chain as it stands."""
        frames: list[Frame] = []
        for start in range(0, len(self._ids), CHAIN_ROWS):
            rows = np.arange(start, min(start + CHAIN_ROWS, len(self._ids)))
            at = self._ids[rows]
            columns = chain_rows(self._market, self._table.contracts, rows, at)
            self._interest.chain(at, columns)
            frames += self._writer.write(Lane.GREEKS, columns, self._table.contracts.partition.take(at), 0)
        return frames

    def _write_ticks(
        self,
        places: NDArray[np.int64],
        t_ms: NDArray[np.int64],
        kind: int,
        price: NDArray[np.float64],
        high: NDArray[np.float64],
        low: NDArray[np.float64],
        volume: NDArray[np.int64],
    ) -> list[Frame]:
        rows = TickRows(
            NO_STAMP,
            t_ms * NS_PER_MS,
            places[:, 0].astype(np.uint64),
            np.full(len(places), kind, np.int8),
            price,
            high,
            low,
            volume,
        )
        return self._writer.write(Lane.TICKS, rows, places[:, 1].astype(np.int16), 0)


def chain_rows(market: SeededMarket, table: ContractTable, rows: NDArray[np.intp], at: NDArray[np.intp]) -> GreekRows:
    """What a chain's page says of these rows of the listing; `at` are their ids in the table."""
    state = market.snapshot(rows)
    return GreekRows(
        NO_STAMP,
        np.full(len(rows), market.clock_ns),
        table.underlying.take(at),
        table.root.take(at),
        table.expiry_day.take(at),
        table.strike_mills.take(at),
        table.right.take(at),
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


def _places(found: Iterable[tuple[int, int] | None]) -> NDArray[np.int64]:
    """Symbol codes and partitions of tickers, (n, 2)."""
    places = list(found)
    assert None not in places, "the market's own tickers are tickers"
    return np.array(places, np.int64).reshape(-1, 2)
