"""Events to columns: a frame becomes one table, by whole columns.

A frame of plain prints and quotes goes from its bytes to columns without an object per event (`plain`). Of any other
the decoded events are walked once per field with a list comprehension, which is the cheapest way out of Python objects.
Everything that belongs to a contract is taken from the contract table at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from schemas.frames import (
    CONDITION_REFILLED,
    KIND_INDEX,
    KIND_STOCK,
    Float64,
    Int16,
    Int32,
    Int64,
    Lane,
    TickRows,
    TradeRows,
    UInt64,
    empty_rows,
)
from schemas.symbols import SymbolError, symbol_code
from services.core.partitioner import EVERY_PARTITION, MARKET_WIDE, Partitioner
from services.gateway.decoding.contracts import BAD_TICKER, TABLE_FULL, ContractTable
from services.gateway.decoding.deduplicator import Deduplicator
from services.gateway.decoding.plain_frames import PlainFrames
from services.gateway.decoding.quotes import MS, QuoteBook, QuoteColumns, unknown_quotes
from services.gateway.massive.codes import CodeTable
from services.gateway.massive.messages import REJECT_BYTES_MAX, Decoded, Event, IndexValue, Reject, StockBar, Trade

__all__ = ["TICK_SYMBOLS_MAX", "Tabulator", "TickTable", "TradeTable", "tick_columns"]

# Some 12,000 stocks and 10,000 indices have a ticker.
TICK_SYMBOLS_MAX = 65_536

_NO_STAMP = np.empty(0, np.int64)
Index: TypeAlias = npt.NDArray[np.intp]


class TradeTable(NamedTuple):
    """Prints as columns (`received_ns` is for the writer to fill) with each one's contract
    id and partition, the number of quotes taken in, what was refused, how many prints were repeated (they are not
    among the rows) and how many came out of order (they are)."""

    rows: TradeRows
    contracts: Index
    partitions: Int16
    quotes: int
    rejects: list[Reject]
    repeated: int
    backward: int


class TickTable(NamedTuple):
    """The same for index values and stock bars."""

    rows: TickRows
    partitions: Int16
    rejects: list[Reject]


class Tabulator:
    """Holds what a stream of frames has taught so far: contracts, conditions, exchanges, standing quotes,
    the last prints.

    `latest_ns` is the latest exchange time that can be believed; what is later is refused. The owner moves it on: one
    print from next year would otherwise carry a feed's clock there, and with it every window of every reader.
    """

    def __init__(self, partitioner: Partitioner) -> None:
        self.latest_ns = 2**63 - 1
        self.contracts = ContractTable(partitioner.of)
        self.codes = CodeTable()
        self.quotes = QuoteBook(self.contracts)
        self.repeats = Deduplicator()
        self._plain = PlainFrames(self.contracts, self.codes)
        self._partitioner = partitioner
        self._dotted: dict[str, str] = {}
        self._places: dict[str, tuple[int, int]] = {}
        self._unplaceable: set[str] = set()
        self.unplaced = 0  # ticks left out in silence, each after a first one of its ticker that was told

    def plain(self, data: bytes) -> TradeTable | None:
        """The prints of a frame of the options cluster that holds prints and quotes only, and nothing odd.

        None for any other: decode it, and call `trades`. For these, that would return the same.
        """
        found = self._plain.read(data, self.latest_ns)
        if found is None:
            return None
        prints, quotes = found
        at, event_ns = prints["contract"].astype(np.int64), prints["event_ns"].copy()
        rows = self._rows(
            at, event_ns, prints["price_usd"].copy(), prints["size_contracts"].copy(), prints["exchange"].copy(),
            prints["condition"].copy(), prints["condition_bits"].copy(), prints["vendor_seq"].copy(),
            self.quotes.join(quotes, at, event_ns),
        )  # fmt: skip
        return self._judged(at, rows, len(quotes), [])

    def trades(self, decoded: Decoded) -> TradeTable:
        """The prints of a frame of the options cluster, each with the quote before it."""
        trades, quotes = self.quotes.walk(decoded.events)
        at = self._contract_ids(trades)
        event_ns = np.array([trade.t for trade in trades], np.int64) * MS
        before = self.quotes.join(quotes, at, event_ns)
        strange = (at < 0) | (event_ns > self.latest_ns)
        rejects: list[Reject] = []
        if np.count_nonzero(strange):
            rejects = [_strangeness(trades[row], int(at[row])) for row in np.flatnonzero(strange)]
            good = np.flatnonzero(~strange)
            trades = [trades[row] for row in good]
            before = QuoteColumns(*(column[good] for column in before))  # type: ignore[arg-type]
            at, event_ns = at[good], event_ns[good]
        return self._judged(at, self._trade_rows(trades, before, at, event_ns), len(quotes), rejects)

    def _judged(self, at: Index, rows: TradeRows, quotes: int, rejects: list[Reject]) -> TradeTable:
        """Without the repeated prints."""
        new, repeated, backward = self.repeats.judge(at, rows)
        if new is not None:
            rows, at = TradeRows(_NO_STAMP, *(column[new] for column in rows[1:])), at[new]  # type: ignore[arg-type]
        return TradeTable(rows, at, self.contracts.partition.take(at), quotes, rejects, repeated, backward)

    def refilled(self, trades: list[Trade]) -> tuple[TradeTable, int]:
        """Prints that REST returned for a gap: those never heard, marked, without a quote; and how many were known."""
        at = self._contract_ids(trades)
        event_ns = np.array([trade.t for trade in trades], np.int64) * MS
        strange = (at < 0) | (event_ns > self.latest_ns)
        rejects = [_strangeness(trades[row], int(at[row])) for row in np.flatnonzero(strange)]
        good = np.flatnonzero(~strange)
        at = at[good]
        rows = self._trade_rows([trades[row] for row in good], unknown_quotes(len(at)), at, event_ns[good])
        new = np.flatnonzero(self.repeats.missing(at, rows))
        rows = TradeRows(_NO_STAMP, *(column[new] for column in rows[1:]))  # type: ignore[arg-type]
        rows = rows._replace(condition_bits=rows.condition_bits | np.uint64(CONDITION_REFILLED))
        known = len(at) - len(new)
        at = at[new]
        return TradeTable(rows, at, self.contracts.partition.take(at), 0, rejects, 0, 0), known

    def _contract_ids(self, trades: list[Trade]) -> Index:
        ids, id_of = self.contracts.ids, self.contracts.id_of
        try:
            return np.array([ids[trade.sym] for trade in trades], np.intp)
        except KeyError:  # a contract not seen before
            return np.array([id_of(trade.sym) for trade in trades], np.intp)

    def _trade_rows(self, trades: list[Trade], before: QuoteColumns, at: Index, event_ns: Int64) -> TradeRows:
        if not trades:
            return empty_rows(Lane.TRADES)  # type: ignore[return-value]
        exchange = np.array([trade.x for trade in trades], np.int16)
        self.codes.check_exchanges(exchange)
        price_usd = np.array([trade.p for trade in trades], np.float64)
        size = np.array([trade.s for trade in trades], np.int32)
        vendor_seq = np.array([trade.q for trade in trades], np.int64)
        conditions = self.codes.conditions([trade.c for trade in trades])
        return self._rows(at, event_ns, price_usd, size, exchange, *conditions, vendor_seq, before)

    def _rows(
        self, at: Index, event_ns: Int64, price_usd: Float64, size: Int32, exchange: Int16, condition: Int16,
        condition_bits: UInt64, vendor_seq: Int64, before: QuoteColumns,
    ) -> TradeRows:  # fmt: skip
        """What a frame said of its prints, with what is known of their contracts and quotes."""
        contracts = self.contracts
        return TradeRows(
            _NO_STAMP,
            event_ns,
            contracts.underlying.take(at),
            contracts.root.take(at),
            contracts.expiry_day.take(at),
            contracts.strike_mills.take(at),
            contracts.right.take(at),
            price_usd,
            size,
            exchange,
            condition,
            condition_bits,
            vendor_seq,
            *before,
        )

    def ticks(self, events: Sequence[Event]) -> TickTable:
        """Index values (of the indices cluster) and stock bars (of the stocks cluster), in their order."""
        rejects: list[Reject] = []
        table: list[tuple[int, int, int, int, float, float, float, int]] = []
        for event in events:
            if type(event) is IndexValue:
                found = self.place_index(event.ticker)
                if found is not None and event.t * MS <= self.latest_ns:
                    value = event.val
                    table.append((event.t * MS, *found, KIND_INDEX, value, value, value, 0))
                    continue
                if found is not None or self._is_news(event.ticker):
                    rejects.append(_reject(_what(found), event.ticker, event))
            elif type(event) is StockBar:
                found = self.place_stock(event.sym)
                if found is not None and event.e * MS <= self.latest_ns:
                    table.append((event.e * MS, *found, KIND_STOCK, event.c, event.h, event.l, event.v))
                    continue
                if found is not None or self._is_news(event.sym):
                    rejects.append(_reject(_what(found), event.sym, event))
        return TickTable(*tick_columns(table), rejects)

    def _is_news(self, ticker: str) -> bool:
        """Whether nobody was told yet that this ticker has no place here; `V.*` brings its values all day."""
        if ticker in self._unplaceable:
            self.unplaced += 1
            return False
        if len(self._unplaceable) < TICK_SYMBOLS_MAX:
            self._unplaceable.add(ticker)
        return True

    def place_index(self, ticker: str) -> tuple[int, int] | None:
        """An index ticker's (`I:SPX`) symbol code and partition; None when it cannot be one."""
        return self._place(ticker) if ticker.startswith("I:") else None

    def place_stock(self, ticker: str) -> tuple[int, int] | None:
        """A stock ticker's symbol code and partition; None when it cannot be one."""
        return self._place(ticker)

    def vendor_name(self, underlying: str) -> str:
        """What the vendor calls an underlying of ours: BRKB is BRK.B, once its stock was seen."""
        return self._dotted.get(underlying, underlying)

    def _place(self, ticker: str) -> tuple[int, int] | None:
        try:
            return self._places[ticker]
        except KeyError:
            pass
        # Options know BRK.B as BRKB; one name in the log, or an underlying's price would never meet its options.
        symbol = ticker.removeprefix("I:").replace(".", "")
        try:
            code = symbol_code(symbol)
        except SymbolError:
            return None
        if "." in ticker and len(self._dotted) < TICK_SYMBOLS_MAX:
            self._dotted[symbol] = ticker
        place = code, EVERY_PARTITION if symbol in MARKET_WIDE else self._partitioner.of(symbol)
        if len(self._places) < TICK_SYMBOLS_MAX:
            self._places[ticker] = place
        return place


def tick_columns(table: list[tuple[int, int, int, int, float, float, float, int]]) -> tuple[TickRows, Int16]:
    """Columns of (time in ns, symbol code, partition, kind, price, high, low, volume)."""
    columns = list(zip(*table, strict=True)) or [()] * 8
    event_ns, symbol, partition, kind, price, high, low, volume = columns
    rows = TickRows(
        _NO_STAMP,
        np.array(event_ns, np.int64),
        np.array(symbol, np.uint64),
        np.array(kind, np.int8),
        np.array(price, np.float64),
        np.array(high, np.float64),
        np.array(low, np.float64),
        np.array(volume, np.int64),
    )
    return rows, np.array(partition, np.int16)


def _strangeness(trade: Trade, contract: int) -> Reject:
    reasons = {BAD_TICKER: "bad_ticker", TABLE_FULL: "contract_table_full"}
    return _reject(reasons.get(contract, "time_ahead"), trade.sym, trade)


def _what(place: tuple[int, int] | None) -> str:
    return "bad_ticker" if place is None else "time_ahead"


def _reject(reason: str, ticker: str, event: Event) -> Reject:
    return Reject(reason, f"{ticker[:40]!r}", msgspec.json.encode(event)[:REJECT_BYTES_MAX])
