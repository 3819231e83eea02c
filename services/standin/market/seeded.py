"""The seeded market: a `Source` that makes up a plausible options market, the same for everyone with the same seed.

It is generated a second at a time. What happens in a second follows from (seed, scenario, date, second), apart from
cancels, the day's statistics and open interest, which remember what was printed while a run lasted; so a run may start
at any instant and finds the market where it should be.
"""

from __future__ import annotations

import datetime as dt
from collections import deque
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.symbols import EPOCH_ORDINAL
from services.core.calendar import Calendar, Session, ny_date
from services.standin.listing import Listing
from services.standin.market.activity import BaseRate, row_weights
from services.standin.market.arrivals import Arrivals
from services.standin.market.bars import StockBars
from services.standin.market.book import VIX_EVERY_S, VIX_FAMILY, Book
from services.standin.market.bursts import Plan, plan_of
from services.standin.market.dealers import hedged
from services.standin.market.events import schedule_of
from services.standin.market.kernels.counting import choose_cancels
from services.standin.market.kernels.quoting import TWO_SIDED, TwoSided
from services.standin.market.kernels.telling import QUOTES, merge_quotes, tell_prints, time_quotes
from services.standin.market.noise import CANCELS, ORDERS, dice, key_of
from services.standin.market.open_interest import Ledger, Positions
from services.standin.market.orders import Executions, Met, OrderKind, draw, execute
from services.standin.market.paths import Day, day_of
from services.standin.market.scenario import PLAIN, Scenario, scenario_of
from services.standin.market.truth import Edge, Truth, TruthLog
from services.standin.market.universe import CAST, list_contracts, position_of
from services.standin.market.walk import MARKET, VIX, Walk
from services.standin.source import Bars, Batch, IndexState, Prints, Quotes, Snapshot, Values, joined, taken
from services.standin.statistics import DayStatistics

__all__ = ["DEFAULT_START", "SeededMarket"]

SECOND_NS = 1_000_000_000
NS_PER_MS = 1_000_000
# The open of a Monday with monthly, weekly and daily expiries ahead: where a market starts that nobody placed.
DEFAULT_START = scenario_of(PLAIN).start
NY_OPEN_MS = 34_200_000
CANCEL_SHARE = 0.0015
# Far enough for the longest LEAPS.
CALENDAR_AFTER = dt.timedelta(days=1200)
# Where VIX's strikes are listed around: its points for SPX's at-the-money volatility, the skew included.
VIX_OVER_SPX_VOL = 118.0
# The first prints after a halt are reopenings, condition 210.
REOPENING_S = 3
REOPENING = 210
# SPX, NDX and RUT are published every second, the volatility indices every fifteen.
FAST_INDICES = ("I:SPX", "I:NDX", "I:RUT")
SLOW_INDICES = (*VIX_FAMILY, "I:VVIX")
# Salt of the hashed instants of quotes; `book.py` has the lower ones.
_QUOTE_MS = 16
_NONE: NDArray[np.int64] = np.empty(0, np.int64)


class _Session(NamedTuple):
    """What stays the same through one trading day."""

    day: Day
    listing: Listing
    book: Book
    plan: Plan
    arrivals: Arrivals
    ledger: Ledger
    bars: StockBars
    opening_family: NDArray[np.float64]


class SeededMarket:
    """A market for a seed and a scenario. `start_ns` may lie anywhere; outside a session the clock begins at the next
    open, and without it where the scenario does.

    intensity scales how many orders arrive, density how many strikes are listed; span_s (1 to 60, a divisor of 60) is
    how many seconds are made at once: many are cheaper, levels move in straight lines through them, and a bar is as
    long; the same orders come, with other particulars. keep_truth fills `truth` with a row a
    print, or a log that is handed in does.
    """

    def __init__(
        self,
        seed: int,
        start_ns: int | None = None,
        *,
        scenario: Scenario | str = PLAIN,
        intensity: float = 1.0,
        density: int = 1,
        span_s: int = 1,
        keep_truth: bool = False,
        truth: TruthLog | None = None,
    ) -> None:
        self.scenario = scenario_of(scenario) if isinstance(scenario, str) else scenario
        self.seed = self.scenario.identity(seed)
        self.quantum_ns = span_s * SECOND_NS
        self._span_s = span_s
        self.index_tickers = (*FAST_INDICES, *SLOW_INDICES)
        self._stocks = np.array([at for at, member in enumerate(CAST) if not member.is_index])
        self.stock_tickers = tuple(CAST[at].ticker for at in self._stocks)
        self.truth = truth if truth is not None else TruthLog() if keep_truth else None
        self._intensity, self._density = intensity, density
        first = self.scenario.start if start_ns is None else ny_date(start_ns)
        self._calendar = Calendar.load(Walk.beginning(first), first + CALENDAR_AFTER)
        self._schedule = schedule_of(self.seed, self.scenario, self._calendar, first + CALENDAR_AFTER)
        self._walk = Walk(self.seed, self.scenario, self._calendar, self._schedule)
        session = self._session_at(start_ns)
        begins_ns = session.open_ns + self.scenario.start_s * SECOND_NS if start_ns is None else start_ns
        self._begin(session, max(begins_ns, session.open_ns))

    _clock_ns: int
    _made_ns: int
    _today: _Session

    @property
    def clock_ns(self) -> int:
        """Market time up to which events have been handed out."""
        return self._clock_ns

    @property
    def ended(self) -> bool:
        """Never: after a session comes the next."""
        return False

    @property
    def listing(self) -> Listing:
        """What is listed today."""
        return self._today.listing

    @property
    def is_open(self) -> bool:
        """True between open and close."""
        session = self._today.day.session
        return session.open_ns <= self._clock_ns < session.close_ns

    def advance(self, step_ns: int, quoted: NDArray[np.int32]) -> Batch:
        """Events of the next `step_ns`; at the close the clock stops, and the step after it begins the next session."""
        session = self._today.day.session
        if self._clock_ns >= session.close_ns:
            following = self._calendar.next_after(self._clock_ns)
            self._begin(following, following.open_ns, self._today)
            session, quoted = following, quoted[:0]
        until = min(self._clock_ns + step_ns, session.close_ns)
        while self._made_ns < until:
            self._pending.append(self._second(quoted))
            self._made_ns += self.quantum_ns
        self._clock_ns = until
        return self._released(until // NS_PER_MS)

    def snapshot(self, rows: NDArray[np.intp]) -> Snapshot:
        """The state of these contracts at the last whole second of the clock."""
        book = self._at_clock()
        quote = book.quote(rows, 0.0)
        greeks = book.greeks(rows)
        # The vendor leaves greeks out where they say nothing: deep in the money, and where there is no bid to trade at.
        silent = (np.abs(greeks.delta) > SILENT_DELTA) | (quote.bid_cents <= 0)
        hidden = np.where(silent, np.nan, 0.0)
        statistics = self._statistics
        return Snapshot(
            bid=quote.bid_cents / 100.0,
            ask=quote.ask_cents / 100.0,
            bid_size=quote.bid_size,
            ask_size=quote.ask_size,
            bid_exchange=quote.bid_venue,
            ask_exchange=quote.ask_venue,
            quote_ns=np.full(len(rows), book.now_ns),
            **statistics.columns(rows),
            previous_close=np.full(len(rows), np.nan),
            iv=greeks.iv + hidden,
            delta=greeks.delta + hidden,
            gamma=greeks.gamma + hidden,
            theta=greeks.theta + hidden,
            vega=greeks.vega + hidden,
            spot=np.round(book.levels(book.underlying[rows], 0.0), 2),
            spot_ns=np.full(len(rows), book.now_ns),
        )

    def quotes_of(self, ticker: str, first_ns: int, last_ns: int, count: int, *, newest: bool) -> Quotes:
        """A contract's own quotes of today between two instants; those before prints are not made again."""
        row = self.listing.row_of.get(ticker)
        open_ns = self._today.day.session.open_ns
        first_ns, last_ns = max(first_ns, open_ns), min(last_ns, self._clock_ns - 1)
        if row is None or last_ns < first_ns or count < 1:
            return Quotes.empty()
        begin, end = ((at - open_ns) // self.quantum_ns * self._span_s for at in (first_ns, last_ns))
        seconds = range(begin, end + 1, self._span_s)
        found: list[Quotes] = []
        for second in reversed(seconds) if newest else seconds:
            self._today.book.at(second)
            quote = self._quotes_alone(np.array([row], np.int32), second)
            if first_ns <= int(quote.t_ms[0]) * NS_PER_MS <= last_ns:
                found.append(quote)
            if len(found) == count:
                break
        ordered = found[::-1] if newest else found
        return joined(ordered) if ordered else Quotes.empty()

    def _quotes_alone(self, quoted: NDArray[np.int32], second: int) -> Quotes:
        """Contracts' own quotes in the span that begins at `second`, at which the book stands."""
        rows, ms, own = self._own_quotes(quoted, second)
        quotes = QUOTES.room(len(quoted))
        printed = _NONE.astype(np.int32), _NONE, _NONE, TWO_SIDED.room(0)
        merge_quotes(rows, ms, own, *printed, np.empty(0, bool), *self._begins_ms(second), quotes)
        return quotes

    def index_state(self, ticker: str) -> IndexState | None:
        """Level and session of an index."""
        if ticker not in self.index_tickers:
            return None
        book, day = self._at_clock(), self._today.day
        value = float(self._index_values(book)[self.index_tickers.index(ticker)])
        if ticker in FAST_INDICES:
            at = position_of[ticker.removeprefix("I:")]
            path = np.exp(day.log_return[: book.second + 1, at].astype(np.float64)) * day.open_usd[at]
            high, low, opened = float(path.max()), float(path.min()), float(day.open_usd[at])
            return IndexState(
                value, _cents(opened), _cents(high), _cents(low), _cents(day.previous_close_usd[at]), book.now_ns
            )
        opened = float(self._today.opening_family[SLOW_INDICES.index(ticker)])
        return IndexState(value, opened, max(opened, value), min(opened, value), np.nan, book.now_ns)

    # A session's beginning

    def _session_at(self, start_ns: int | None) -> Session:
        if start_ns is None:
            session = self._calendar.session_on(self.scenario.start)
            assert session is not None  # a scenario's start is a session by choice
            return session
        today = self._calendar.session_on(ny_date(start_ns))
        if today is not None and start_ns < today.close_ns:
            return today
        return self._calendar.next_after(start_ns)

    def _begin(self, session: Session, clock_ns: int, yesterday: _Session | None = None) -> None:
        day = day_of(self.seed, self._walk.morning(session), self.scenario.vol_scale)
        levels = day.open_usd.copy()
        levels[VIX] = VIX_OVER_SPX_VOL * day.vols(0).now[MARKET]
        listing = list_contracts(self.seed, session.date, levels, self._calendar, self._density)
        if yesterday is not None:
            listing = yesterday.ledger.carried(yesterday.listing.tickers, listing)
        day = hedged(day, listing, self.scenario)
        book = Book(self.seed, day, listing, self._calendar, self._schedule, self.scenario, self._span_s)
        plan = plan_of(self.seed, book, day.morning.informed)
        book.at(0)
        family = np.append(book.family(), _vvix(book))
        arrivals = Arrivals(self.seed, session.date, BaseRate(day, self._intensity))
        ledger = Ledger(listing, listing.settlement_ns <= session.close_ns)
        bars = StockBars(self.seed, day, self._stocks, self._span_s)
        self._today = _Session(day, listing, book, plan, arrivals, ledger, bars, np.round(family, 2))
        self._day_number = session.date.toordinal() - EPOCH_ORDINAL
        self._tickers = np.array(listing.tickers, "S")
        if self.truth is not None:
            self.truth.add_edges(_edges(session.date, plan, listing))
        self._statistics = DayStatistics(len(listing))
        self._clock_ns = clock_ns
        # Whole spans: what is made of the span the clock is in comes after the clock.
        self._made_ns = session.open_ns + (clock_ns - session.open_ns) // self.quantum_ns * self.quantum_ns
        self._orders_total = 0
        self._weights_minute = -1
        self._pending: deque[Batch] = deque()
        self._before: tuple[Prints, Positions] | None = None

    # One span

    def _second(self, quoted: NDArray[np.int32]) -> Batch:
        """Everything that happens in the span that begins at `_made_ns`."""
        today = self._today
        second = (self._made_ns - today.day.session.open_ns) // SECOND_NS
        today.book.at(second)
        words = dice(self.seed, ORDERS, today.day.session.date.toordinal(), second)
        self._weigh(second)
        orders = draw(words, today.book, self._cumulative, today.arrivals.counts(second, self._span_s))
        informed = today.plan.orders(today.book, second)
        if informed is not None:
            orders = joined([orders, informed])
        gone = self._chosen_cancels(second)
        met = execute(words, today.book, orders)
        executed = met.prints
        _reopen(executed, today.day.reopened(second, REOPENING_S), today.book)
        traded = executed.row, executed.size, executed.side, executed.kind, executed.burst
        positions = today.ledger.trade(words, *traded)
        prints = self._on_wire(met, second)
        self._record_truth(prints, executed, positions)
        self._orders_total += len(orders.row)
        quotes = self._wanted_quotes(prints, met, quoted, second)
        self._statistics.add(prints)
        before, self._before = self._before, (prints, positions)
        if before is not None and len(gone) and len(prints.q):
            prints = joined([prints, self._cancels(taken(before[0], gone), taken(before[1], gone), prints)])
        return Batch(today.listing, prints, quotes, self._values(second), today.bars.made(second))

    def _weigh(self, second: int) -> None:
        """Set the rows' weights for the minute."""
        minute = second // 60
        if minute != self._weights_minute:
            self._weights_minute = minute
            # As of the minute's beginning, wherever in it a run began.
            self._today.book.at(60 * minute)
            self._cumulative = row_weights(self._today.book)
            self._today.book.at(second)

    def _begins_ms(self, second: int) -> tuple[int, int]:
        """When a second of the session begins, in ms since 1970 and since midnight."""
        return self._today.day.session.open_ns // NS_PER_MS + second * 1000, NY_OPEN_MS + second * 1000

    def _on_wire(self, met: Met, second: int) -> Prints:
        """Prints with their times and sequence numbers."""
        executed, count = met.prints, len(met.cents)
        price, t_ms, q = np.empty(count), np.empty(count, np.int64), np.empty(count, np.int64)
        tell_prints(executed.ms, met.cents, *self._begins_ms(second), price, t_ms, q)
        return Prints(executed.row, executed.venue, price, executed.size, executed.condition, t_ms, q)

    def _chosen_cancels(self, second: int) -> NDArray[np.int64]:
        """Which prints of the span before will be taken back in this one: by a stream of their own, as it depends on
        when a run began whether there were any."""
        if self._before is None:
            return _NONE
        words = dice(self.seed, CANCELS, self._day_number, second)
        condition = self._before[0].condition
        chosen = np.empty(len(condition), np.int64)
        return chosen[: choose_cancels(words, CANCEL_SHARE, condition, chosen)]

    def _cancels(self, gone: Prints, undone: Positions, prints: Prints) -> Prints:
        """Take prints back: their cancels, after everything else of this span's `prints`; a correction is nobody's
        tick."""
        possible = self._today.ledger.cancelled(gone.contract, gone.size, undone)
        gone, undone = taken(gone, possible), taken(undone, possible)
        count = len(gone.q)
        cancels = gone._replace(
            condition=self._statistics.cancel_codes(gone),
            t_ms=np.full(count, prints.t_ms[-1]),
            q=prints.q[-1] + 2 * np.arange(1, count + 1),
        )
        self._statistics.add(cancels)
        if self.truth is not None:
            nobody = np.full(count, -1)
            self.truth.add(
                Truth(
                    day=np.full(count, self._day_number, np.int32),
                    ticker=self._tickers[gone.contract],
                    q=cancels.q,
                    side=np.zeros(count, np.int8),
                    kind=nobody.astype(np.int8),
                    parent=nobody,
                    leg=nobody.astype(np.int8),
                    burst=nobody.astype(np.int32),
                    buyer=-undone.buyer,
                    seller=-undone.seller,
                    cancels=gone.q,
                )
            )
        return cancels

    def _record_truth(self, prints: Prints, executed: Executions, positions: Positions) -> None:
        if self.truth is None:
            return
        count = len(prints.q)
        self.truth.add(
            Truth(
                day=np.full(count, self._day_number, np.int32),
                ticker=self._tickers[prints.contract],
                q=prints.q,
                side=executed.side,
                kind=executed.kind,
                parent=executed.order + self._orders_total,
                leg=executed.leg,
                burst=executed.burst,
                buyer=positions.buyer,
                seller=positions.seller,
                cancels=np.zeros(count, np.int64),
            )
        )

    def _wanted_quotes(self, prints: Prints, met: Met, quoted: NDArray[np.int32], second: int) -> Quotes:
        """Quotes of the contracts somebody asked for: one of their own a span, and one before each print."""
        if not len(quoted):
            return Quotes.empty()
        rows, ms, own = self._own_quotes(quoted, second)
        wanted = np.zeros(len(self._today.listing), bool)
        wanted[quoted] = True
        quotes = QUOTES.room(len(quoted) + len(prints.q))
        leading = prints.contract, prints.t_ms, prints.q, met.quote
        told = merge_quotes(rows, ms, own, *leading, wanted, *self._begins_ms(second), quotes)
        return taken(quotes, slice(0, told))

    def _own_quotes(
        self, quoted: NDArray[np.int32], second: int
    ) -> tuple[NDArray[np.int32], NDArray[np.int64], TwoSided]:
        """One quote a contract in the span that begins at `second`, at which the book stands: contracts and instants in
        the order of time."""
        count, span_ms = len(quoted), 1000 * self._span_s
        rows, ms, fraction = np.empty(count, np.int32), np.empty(count, np.int64), np.empty(count)
        starts = np.zeros(span_ms + 1, np.int64)
        time_quotes(quoted, key_of(self.seed, _QUOTE_MS), second, span_ms, starts, rows, ms, fraction)
        return rows, ms, self._today.book.quote(rows, fraction)

    def _values(self, second: int) -> Values:
        """Index levels at the beginning of the span."""
        slow = second % VIX_EVERY_S == 0
        count = len(self.index_tickers) if slow else len(FAST_INDICES)
        t_ms = self._today.day.session.open_ns // NS_PER_MS + second * 1000
        return Values(
            np.arange(count, dtype=np.int32),
            self._index_values(self._today.book)[:count],
            np.full(count, t_ms, np.int64),
        )

    def _index_values(self, book: Book) -> NDArray[np.float64]:
        """Every index in the order of `index_tickers`, as published, in hundredths."""
        fast = book.levels(np.array([position_of[ticker.removeprefix("I:")] for ticker in FAST_INDICES]), 0.0)
        levels = np.concatenate((fast, book.family(), np.array([_vvix(book)])))
        return np.round(levels, 2)

    # Handing out

    def _released(self, until_ms: int) -> Batch:
        """What was made and lies before `until_ms`, and not more."""
        whole: list[Batch] = []
        while self._pending:
            released, rest = _cut(self._pending[0], until_ms)
            whole.append(released)
            if rest is not None:
                self._pending[0] = rest
                break
            self._pending.popleft()
        return _joined(self.listing, whole)

    def _at_clock(self) -> Book:
        """The book at the last whole second of the clock; the generator moves it on by itself."""
        self._today.book.at((self._clock_ns - self._today.day.session.open_ns) // SECOND_NS)
        return self._today.book


# Beyond this a contract moves with its underlying and its volatility cannot be told.
SILENT_DELTA = 0.985


def _cents(usd: float) -> float:
    return round(float(usd), 2)


def _vvix(book: Book) -> float:
    """VVIX from VIX: about 85 in calm, rising with it (2012-25: roughly 85 + 2.2 (VIX - 15))."""
    return float(85.0 + 2.2 * (book.family()[list(VIX_FAMILY).index("I:VIX")] - 15.0))


def _reopen(executed: Executions, reopened: NDArray[np.bool_] | None, book: Book) -> None:
    """Ordinary prints of what has just resumed trading carry the reopening's condition."""
    if reopened is not None:
        fresh = reopened[book.underlying[executed.row]] & (executed.kind == OrderKind.PLAIN)
        executed.condition[fresh] = REOPENING


def _edges(date: dt.date, plan: Plan, listing: Listing) -> list[Edge]:
    """The plan's informed traders as the truth tells of them."""
    return [
        Edge(
            date=date.isoformat(),
            burst=number,
            underlying=CAST[burst.underlying].ticker,
            ticker=listing.tickers[burst.row],
            direction=burst.direction,
            opening=burst.opening,
            start_s=burst.start_s,
            drift_start_s=burst.drift_start_s,
            drift_end_s=burst.drift_end_s,
            log_return=burst.log_return,
        )
        for number, burst in enumerate(plan.bursts)
    ]


def _cut(batch: Batch, until_ms: int) -> tuple[Batch, Batch | None]:
    """What lies before `until_ms`, and what does not (None when nothing does)."""

    def before(times: NDArray[np.int64]) -> int:
        return int(np.searchsorted(times, until_ms, side="left"))

    listing, prints, quotes, values, bars = batch
    cut = before(prints.t_ms), before(quotes.t_ms), before(values.t_ms), before(bars.end_ms - 1)
    if cut == (len(prints.q), len(quotes.q), len(values.t_ms), len(bars.end_ms)):
        return batch, None
    low, high = [slice(0, at) for at in cut], [slice(at, None) for at in cut]
    return (
        Batch(listing, *_at(batch, low)),
        Batch(listing, *_at(batch, high)),
    )


def _at(batch: Batch, where: list[slice]) -> tuple[Prints, Quotes, Values, Bars]:
    return (
        taken(batch.prints, where[0]),
        taken(batch.quotes, where[1]),
        taken(batch.values, where[2]),
        taken(batch.bars, where[3]),
    )


def _joined(listing: Listing, batches: list[Batch]) -> Batch:
    if len(batches) == 1:
        return batches[0]
    if not batches:
        return Batch(listing, Prints.empty(), Quotes.empty(), Values.empty(), Bars.empty())
    return Batch(
        listing,
        joined([batch.prints for batch in batches]),
        joined([batch.quotes for batch in batches]),
        joined([batch.values for batch in batches]),
        joined([batch.bars for batch in batches]),
    )
