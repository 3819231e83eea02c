"""A recorded day served as if it were live: every trade bar a print, every quote bar a quote, each at its time.

What a tape of minute bars knows, and what it does not:

* A bar is known when it is complete, so its print or quote comes at the bar's last millisecond (start + 59.999 s), with
  the closing price and the bar's whole volume. Nothing is served earlier than it could have been known.
* Within one minute the order of trades and quotes is lost. The minute's closing quote comes first, then its prints:
  both are closings of the same minute, and a quote sixty seconds old would judge a print's side worse.
* Venue and condition are lost. Prints carry 209 (ordinary electronic execution) and venue 302 (Cboe), the most neutral
  pair there is: neither sweep, nor auction, nor leg of anything.
* Open interest is the morning's. Implied volatility is solved from the latest quote's mid, or else from the last trade
  against the spot of its minute; forwards carry the folder's discount rate and no dividends.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.symbols import Contract, contract_ticker
from services.core.calendar import Calendar
from standin.errors import StandInError
from standin.feed.listing import ListedContracts, Listing, Underlying, settlement_ns
from standin.feed.source import Batch, IndexState, Prints, Quotes, SecondBars, Snapshot, Values, taken
from standin.feed.valuation import implied, shown, years_to
from standin.files.lean import PRICE_SCALE, Folder, LeanTable, locate

__all__ = ["TAPE_CONDITION", "TAPE_EXCHANGE", "Tape"]

TAPE_CONDITION = 209
TAPE_EXCHANGE = 302
NS_PER_MS = 1_000_000
SECOND_NS = 1_000_000_000
BAR_NS = 60 * SECOND_NS


class _Latest:
    """The last known state of every contract, (n,) each; filled as the clock moves, read by `snapshot`."""

    def __init__(self, contracts: int) -> None:
        self.bid = np.full(contracts, np.nan)
        self.ask = np.full(contracts, np.nan)
        self.bid_size = np.zeros(contracts, np.int64)
        self.ask_size = np.zeros(contracts, np.int64)
        self.quote_ns = np.zeros(contracts, np.int64)
        self.last = np.full(contracts, np.nan)
        self.last_size = np.zeros(contracts, np.int64)
        self.last_ns = np.zeros(contracts, np.int64)
        self.last_spot = np.full(contracts, np.nan)
        self.open = np.full(contracts, np.nan)
        self.high = np.full(contracts, np.nan)
        self.low = np.full(contracts, np.nan)
        self.volume = np.zeros(contracts, np.int64)
        self.notional = np.zeros(contracts)

    def trade(self, prints: Prints, spot: float) -> None:
        rows, price = prints.contract, prints.price
        first = np.isnan(self.open[rows])
        # Assigning the reversed rows leaves the earliest print of a contract, forward order the latest.
        self.open[rows[first][::-1]] = price[first][::-1]
        np.fmax.at(self.high, rows, price)
        np.fmin.at(self.low, rows, price)
        np.add.at(self.volume, rows, prints.size)
        np.add.at(self.notional, rows, prints.size * price)
        self.last[rows], self.last_size[rows] = price, prints.size
        self.last_ns[rows], self.last_spot[rows] = prints.t_ms * NS_PER_MS, spot

    def quote(self, quotes: Quotes) -> None:
        rows = quotes.contract
        self.bid[rows], self.ask[rows] = quotes.bid, quotes.ask
        self.bid_size[rows], self.ask_size[rows] = quotes.bid_size, quotes.ask_size
        self.quote_ns[rows] = quotes.t_ms * NS_PER_MS


class Tape:
    """One underlying, one recorded day. A `Source`; open it with `Tape.open`."""

    def __init__(self, folder: Folder, tables: _Tables, calendar: Calendar) -> None:
        session = calendar.session_on(folder.date)
        if session is None:
            raise StandInError(f"{folder.date} is no session of the US market")
        underlying = Underlying(folder.ticker, "index" if folder.is_index else "stock", folder.ticker)
        self.index_tickers: tuple[str, ...] = (underlying.wire_ticker,) if folder.is_index else ()
        self.stock_tickers: tuple[str, ...] = () if folder.is_index else (underlying.wire_ticker,)
        self.quantum_ns = BAR_NS  # nothing happens between the ends of two bars
        self.session = session
        self._listing = _listing(underlying, tables, calendar)
        self._prints = _prints(tables.trades, self._listing)
        self._quotes = _quotes(tables.quotes, self._listing) if tables.quotes is not None else Quotes.empty()
        self._prints, self._quotes = _number(self._prints, self._quotes)
        self._bars, self._values = SecondBars.empty(), Values.empty()
        if tables.underlying is not None:
            if folder.is_index:
                self._values = _values(tables.underlying)
            else:
                self._bars = _bars(tables.underlying)
        self._rate = folder.rate()
        self._latest = _Latest(len(self._listing))
        self._served = dict.fromkeys(("prints", "quotes", "values", "bars"), 0)
        # Options decide when the day is over; the stock goes on for hours after the close.
        option_times = (self._prints.t_ms, self._quotes.t_ms)
        self._end_ns = max([session.close_ns, *(int(t[-1]) * NS_PER_MS for t in option_times if len(t))])
        # The underlying's minutes before the open are known at the open.
        self._clock_ns = session.open_ns
        self._take(session.open_ns)

    @classmethod
    def open(cls, directory: Path, date: dt.date, underlying: str) -> Tape:
        """Read a folder laid out as `lean.py` says. Raises StandInError with the file's name."""
        folder = locate(directory, date, underlying)
        calendar = Calendar.load(date - dt.timedelta(days=7), date + dt.timedelta(days=7))
        trades = folder.option_table("trade", required=True)
        assert trades is not None  # required: the reader raised otherwise
        tables = _Tables(
            trades,
            folder.option_table("quote", required=False),
            folder.option_table("openinterest", required=False),
            folder.underlying_trades(),
        )
        return cls(folder, tables, calendar)

    @property
    def clock_ns(self) -> int:
        """Market time up to which events have been handed out."""
        return self._clock_ns

    @property
    def ended(self) -> bool:
        """True after the close and the last recorded event."""
        return self._clock_ns >= self._end_ns

    @property
    def listing(self) -> Listing:
        """Every contract that has a trade, a quote or open interest on the tape."""
        return self._listing

    @property
    def is_open(self) -> bool:
        """True from the open to the close, or to the last recorded event: options on indices trade beyond it."""
        return self.session.open_ns <= self._clock_ns < self._end_ns

    @property
    def prints_total(self) -> int:
        """How many prints the tape holds."""
        return len(self._prints.q)

    def advance(self, step_ns: int, quoted: NDArray[np.int32]) -> Batch:
        """Events of the next `step_ns`."""
        self._clock_ns = min(self._clock_ns + step_ns, self._end_ns)
        prints, quotes, values, bars = self._take(self._clock_ns)
        if len(quotes.q):
            quotes = taken(quotes, np.isin(quotes.contract, quoted))
        return Batch(self._listing, prints, quotes, values, bars)

    def snapshot(self, rows: NDArray[np.intp]) -> Snapshot:
        """The state of these contracts at the clock."""
        latest, listing = self._latest, self._listing
        spot, spot_ns = self._spot()
        bid, ask, last = latest.bid[rows], latest.ask[rows], latest.last[rows]
        has_mid = (bid > 0) & (ask > bid)
        price = np.where(has_mid, 0.5 * (bid + ask), last)
        quoted_spot = np.where(has_mid, spot, latest.last_spot[rows])
        known_ns = np.where(has_mid, self._clock_ns, latest.last_ns[rows])
        strike, right = listing.strike_mills[rows] / 1000.0, listing.right[rows]
        settles = listing.settlement_ns[rows]
        iv = implied(price, quoted_spot, self._rate, self._rate, strike, years_to(settles, known_ns), right)
        greeks = shown(spot, self._rate, self._rate, strike, years_to(settles, self._clock_ns), right, iv)
        volume = latest.volume[rows]
        with np.errstate(invalid="ignore", divide="ignore"):
            vwap = latest.notional[rows] / volume
        quoted = latest.quote_ns[rows] > 0
        return Snapshot(
            bid=np.where(quoted, bid, np.nan),
            ask=np.where(quoted, ask, np.nan),
            bid_size=latest.bid_size[rows],
            ask_size=latest.ask_size[rows],
            bid_exchange=np.full(len(rows), TAPE_EXCHANGE, np.int32),
            ask_exchange=np.full(len(rows), TAPE_EXCHANGE, np.int32),
            quote_ns=latest.quote_ns[rows],
            last=last,
            last_size=latest.last_size[rows],
            last_exchange=np.full(len(rows), TAPE_EXCHANGE, np.int32),
            last_condition=np.full(len(rows), TAPE_CONDITION, np.int32),
            last_ns=latest.last_ns[rows],
            day_open=latest.open[rows],
            day_high=latest.high[rows],
            day_low=latest.low[rows],
            day_volume=volume,
            day_vwap=vwap,
            previous_close=np.full(len(rows), np.nan),
            iv=greeks.iv,
            delta=greeks.delta,
            gamma=greeks.gamma,
            theta=greeks.theta,
            vega=greeks.vega,
            spot=np.full(len(rows), spot),
            spot_ns=np.full(len(rows), spot_ns, np.int64),
        )

    def index_state(self, ticker: str) -> IndexState | None:
        """The recorded index's level at the clock; other indices are not on the tape."""
        if ticker not in self.index_tickers:
            return None
        published = self._values.value[: self._served["values"]]
        if not len(published):
            return IndexState(np.nan, np.nan, np.nan, np.nan, np.nan, 0)
        spot, spot_ns = self._spot()
        return IndexState(spot, float(published[0]), float(published.max()), float(published.min()), np.nan, spot_ns)

    def quotes_of(self, ticker: str, first_ns: int, last_ns: int, count: int, *, newest: bool) -> Quotes:
        """The recorded quotes of a contract up to the clock."""
        known = taken(self._quotes, slice(0, self._served["quotes"]))
        t_ns = known.t_ms * NS_PER_MS
        row = self._listing.row_of.get(ticker, -1)
        newest_row = np.flatnonzero((known.contract == row) & (t_ns >= first_ns) & (t_ns <= last_ns))
        return taken(known, newest_row[-count:] if newest else newest_row[:count])

    def _times(self) -> tuple[NDArray[np.int64], ...]:
        return self._prints.t_ms, self._quotes.t_ms, self._values.t_ms, self._bars.end_ms - 1

    def _spot(self) -> tuple[float, int]:
        """Latest level of the underlying and its time; NaN and 0 before the first."""
        if self._served["values"]:
            newest_row = self._served["values"] - 1
            return float(self._values.value[newest_row]), int(self._values.t_ms[newest_row]) * NS_PER_MS
        if self._served["bars"]:
            newest_row = self._served["bars"] - 1
            return float(self._bars.close[newest_row]), int(self._bars.end_ms[newest_row]) * NS_PER_MS
        return np.nan, 0

    def _take(self, until_ns: int) -> tuple[Prints, Quotes, Values, SecondBars]:
        """Everything not yet served up to `until_ns`, and remember it as known."""
        slices = []
        for name, times in zip(("prints", "quotes", "values", "bars"), self._times(), strict=True):
            stop = int(np.searchsorted(times, until_ns // NS_PER_MS, side="right"))
            slices.append(slice(self._served[name], stop))
            self._served[name] = stop
        prints = taken(self._prints, slices[0])
        quotes = taken(self._quotes, slices[1])
        values = taken(self._values, slices[2])
        bars = taken(self._bars, slices[3])
        if len(quotes.q):
            self._latest.quote(quotes)
        if len(prints.q):
            self._latest.trade(prints, self._spot()[0])
        return prints, quotes, values, bars


class _Tables(NamedTuple):
    trades: LeanTable
    quotes: LeanTable | None
    open_interest: LeanTable | None
    underlying: LeanTable | None


def _listing(underlying: Underlying, tables: _Tables, calendar: Calendar) -> Listing:
    open_interest: dict[Contract, int] = {}
    for table in (tables.trades, tables.quotes):
        if table is not None:
            open_interest.update(dict.fromkeys(table.contracts, 0))
    if tables.open_interest is not None:
        table = tables.open_interest
        open_interest.update(dict.fromkeys(table.contracts, 0))
        for row, count in zip(table.contract.tolist(), table.columns[:, 0].tolist(), strict=True):
            open_interest[table.contracts[row]] = int(count)
    listed = [ListedContracts(0, contract, count) for contract, count in open_interest.items()]
    return Listing.build((underlying,), listed, lambda root, day: settlement_ns(root, day, calendar))


def _rows(table: LeanTable, listing: Listing) -> NDArray[np.int32]:
    row_of = np.array([listing.row_of[contract_ticker(contract)] for contract in table.contracts], np.int32)
    return row_of[table.contract] if len(table.contract) else np.empty(0, np.int32)


def _end_ms(table: LeanTable) -> NDArray[np.int64]:
    """The last millisecond of each bar."""
    return (table.start_ns + BAR_NS) // NS_PER_MS - 1


def _prints(table: LeanTable, listing: Listing) -> Prints:
    contract, t_ms = _rows(table, listing), _end_ms(table)
    order = np.lexsort((contract, t_ms))
    count = len(order)
    return Prints(
        contract=contract[order],
        exchange=np.full(count, TAPE_EXCHANGE, np.int32),
        price=table.columns[order, 3] / PRICE_SCALE,
        size=table.columns[order, 4].astype(np.int64),
        condition=np.full(count, TAPE_CONDITION, np.int32),
        t_ms=t_ms[order],
        q=np.zeros(count, np.int64),
    )


def _quotes(table: LeanTable, listing: Listing) -> Quotes:
    contract, t_ms = _rows(table, listing), _end_ms(table)
    order = np.lexsort((contract, t_ms))
    columns = np.nan_to_num(table.columns[order])
    count = len(order)
    return Quotes(
        contract=contract[order],
        bid_exchange=np.full(count, TAPE_EXCHANGE, np.int32),
        bid=columns[:, 3] / PRICE_SCALE,
        bid_size=columns[:, 4].astype(np.int64),
        ask_exchange=np.full(count, TAPE_EXCHANGE, np.int32),
        ask=columns[:, 8] / PRICE_SCALE,
        ask_size=columns[:, 9].astype(np.int64),
        t_ms=t_ms[order],
        q=np.zeros(count, np.int64),
    )


def _number(prints: Prints, quotes: Quotes) -> tuple[Prints, Quotes]:
    """Give sequence numbers over both: by time, quotes before prints at one instant."""
    times = np.concatenate((quotes.t_ms, prints.t_ms))
    q = np.empty(len(times), np.int64)
    q[np.argsort(times, kind="stable")] = np.arange(1, len(times) + 1)
    return prints._replace(q=q[len(quotes.q) :]), quotes._replace(q=q[: len(quotes.q)])


def _values(table: LeanTable) -> Values:
    count = len(table.start_ns)
    return Values(np.zeros(count, np.int32), table.columns[:, 3].copy(), _end_ms(table))


def _bars(table: LeanTable) -> SecondBars:
    open_, high, low, close, volume = (table.columns[:, k] for k in range(5))
    day_volume = np.cumsum(volume)
    count = len(volume)
    return SecondBars(
        symbol=np.zeros(count, np.int32),
        open=open_,
        high=high,
        low=low,
        close=close,
        volume=volume.astype(np.int64),
        day_open=np.full(count, open_[0] if count else np.nan),
        day_volume=day_volume.astype(np.int64),
        day_vwap=np.cumsum(volume * (high + low + close) / 3) / np.maximum(day_volume, 1),
        start_ms=table.start_ns // NS_PER_MS,
        end_ms=(table.start_ns + BAR_NS) // NS_PER_MS,
    )
