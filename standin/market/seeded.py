"""The seeded market: a `Source` that makes up a plausible options market, the same for everyone with the same seed.

It is generated a second at a time. What happens in a second of a run's first day follows from (seed, scenario, date,
second), apart from cancels, the day's statistics and open interest, which remember what was printed while a run lasted;
so a run may start at any instant and finds the market where it should be. From the second day on what is open is what
the days before left, and with it go which contracts trade, how large orders are, and what informed traders buy. Levels,
volatilities, and when orders come, in which underlying, know nothing of a run.
"""

from __future__ import annotations

import datetime as dt
from collections import deque
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.core import calendar
from services.core.calendar import Calendar, ny_date
from services.quant import exact
from standin.feed.listing import Listing
from standin.feed.source import Batch, IndexState, Prints, Quotes, SecondBars, Snapshot, Values, joined, taken
from standin.feed.statistics import DayStatistics
from standin.market.activity import BaseRate
from standin.market.arrivals import Arrivals
from standin.market.bars import StockBarMaker
from standin.market.book import VIX_EVERY_S, Book
from standin.market.bursts import Plan, plan_of
from standin.market.dealers import hedged
from standin.market.events import EventSchedule, schedule_of
from standin.market.kernels.printing import PRINTS
from standin.market.kernels.warming import warm_up
from standin.market.open_interest import Ledger
from standin.market.paths import Day, day_of
from standin.market.scenario import PLAIN, Scenario, scenario_of
from standin.market.span import FAST_INDICES, NS_PER_MS, SLOW_INDICES, MarketSession, SpanMaker, index_values
from standin.market.truth import Edge, TruthLog
from standin.market.universe import CAST, list_contracts, position_of
from standin.market.walk import MARKET, VIX, Walk

__all__ = ["DEFAULT_START", "SeededMarket"]

Floats = NDArray[np.float64]

SECOND_NS = 1_000_000_000
# The open of a Monday with monthly, weekly and daily expiries ahead: where a market starts that nobody placed.
DEFAULT_START = scenario_of(PLAIN).start
# How far the calendar is loaded ahead, and what is left of it at least: far enough for the longest LEAPS.
CALENDAR_AHEAD, CALENDAR_LEAST = dt.timedelta(days=1200), dt.timedelta(days=1000)
# Where VIX's strikes are listed around: its points for SPX's at-the-money volatility, the skew included.
VIX_OVER_SPX_VOL = 118.0
# Beyond this a contract moves with its underlying and its volatility cannot be told.
SILENT_DELTA = 0.985


class _Closed(NamedTuple):
    """Where the session before left every contract that is listed today, USD to the tick, (rows,), NaN where worthless,
    and the SLOW_INDICES; NaN throughout where a walk begins."""

    contracts_usd: Floats
    slow: Floats


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
        if not 1 <= span_s <= 60 or 60 % span_s:
            raise ValueError(f"a span of {span_s} s does not divide a minute")
        warm_up()
        self.scenario = scenario_of(scenario) if isinstance(scenario, str) else scenario
        self.seed = self.scenario.identity(seed)
        self.quantum_ns = span_s * SECOND_NS
        self._span_s = span_s
        self.index_tickers = (*FAST_INDICES, *SLOW_INDICES)
        self._stocks = np.array([index for index, member in enumerate(CAST) if not member.is_index])
        self.stock_tickers = tuple(CAST[index].ticker for index in self._stocks)
        self.truth = truth if truth is not None else TruthLog() if keep_truth else None
        self._intensity, self._density = intensity, density
        first = self.scenario.start if start_ns is None else ny_date(start_ns)
        self._look_ahead(Walk.beginning(first), first)
        session = self._session_at(start_ns)
        begins_ns = session.open_ns + self.scenario.start_s * SECOND_NS if start_ns is None else start_ns
        self._begin(session, max(begins_ns, session.open_ns))

    _calendar: Calendar
    _calendar_ends: dt.date
    _schedule: EventSchedule
    _walk: Walk
    _clock_ns: int
    _made_ns: int
    _today: MarketSession
    _spans: SpanMaker
    # The day's trades as far as they have been handed out; the session's own are a span ahead.
    _shown: DayStatistics
    # Of SLOW_INDICES, up to a second of the session: as far as somebody has asked.
    _ranged_s: int
    _slow_high: Floats
    _slow_low: Floats
    # The session before, as far as it had to be made anyhow, and what of it is compared with once somebody asks.
    _yesterday: Day | None
    _closed: _Closed | None

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
        session, quoted = self._today.day.session, np.ascontiguousarray(quoted, np.int32)
        if self._clock_ns >= session.close_ns:
            following = self._calendar.next_after(self._clock_ns)
            self._begin(following, following.open_ns, self._today)
            session, quoted = following, quoted[:0]
        until = min(self._clock_ns + step_ns, session.close_ns)
        while self._made_ns < until:
            batch = self._spans.made((self._made_ns - session.open_ns) // SECOND_NS, quoted)
            self._made_ns += self.quantum_ns
            self._pending.append((self._made_ns, batch))
        self._clock_ns = until
        return self._released(until)

    def snapshot(self, rows: NDArray[np.intp]) -> Snapshot:
        """The state of these contracts at the last whole second of the clock."""
        closed_usd = self._closed_before().contracts_usd[rows]
        book = self._at_clock()
        quote = book.quote(rows, 0.0)
        greeks = book.greeks(rows)
        # The vendor leaves greeks out where they say nothing: deep in the money, and where there is no bid to trade at.
        silent = (np.abs(greeks.delta) > SILENT_DELTA) | (quote.bid_cents <= 0)
        hidden = np.where(silent, np.nan, 0.0)
        return Snapshot(
            bid=quote.bid_cents / 100.0,
            ask=quote.ask_cents / 100.0,
            bid_size=quote.bid_size,
            ask_size=quote.ask_size,
            bid_exchange=quote.bid_venue,
            ask_exchange=quote.ask_venue,
            quote_ns=np.full(len(rows), book.now_ns),
            **self._shown.columns(rows),
            previous_close=closed_usd,
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
        begin, end = ((index - open_ns) // self.quantum_ns * self._span_s for index in (first_ns, last_ns))
        seconds = range(begin, end + 1, self._span_s)
        found: list[Quotes] = []
        nothing = PRINTS.room(0)
        for second in reversed(seconds) if newest else seconds:
            self._today.book.move_to(second)
            quote = self._spans.quotes(second, np.array([row], np.int32), nothing, 0)
            if len(quote.t_ms) and first_ns <= int(quote.t_ms[0]) * NS_PER_MS <= last_ns:
                found.append(quote)
            if len(found) == count:
                break
        ordered = found[::-1] if newest else found
        return joined(ordered) if ordered else Quotes.empty()

    def index_state(self, ticker: str) -> IndexState | None:
        """Level and session of an index."""
        if ticker not in self.index_tickers:
            return None
        book, day = self._at_clock(), self._today.day
        value = float(index_values(book, slow=True)[self.index_tickers.index(ticker)])
        if ticker in FAST_INDICES:
            index = position_of[ticker.removeprefix("I:")]
            path = exact.exp(day.log_return[: book.second + 1, index].astype(np.float64)) * day.open_usd[index]
            high, low, opened = float(path.max()), float(path.min()), float(day.open_usd[index])
            return IndexState(
                value, _cents(opened), _cents(high), _cents(low), _cents(day.previous_close_usd[index]), book.now_ns
            )
        index = SLOW_INDICES.index(ticker)
        self._range(book.second)
        range_, closed = (
            (float(self._slow_high[index]), float(self._slow_low[index])),
            float(self._closed_before().slow[index]),
        )
        return IndexState(value, float(self._opening_family[index]), *range_, closed, self._at_clock().now_ns)

    def _range(self, until_s: int) -> None:
        """Highest and lowest of SLOW_INDICES since the open, whenever a run began and whatever was asked before."""
        for second in range(self._ranged_s, until_s + 1, VIX_EVERY_S):
            self._today.book.move_to(second)
            values = index_values(self._today.book, slow=True)[len(FAST_INDICES) :]
            self._slow_high, self._slow_low = np.fmax(self._slow_high, values), np.fmin(self._slow_low, values)
            self._ranged_s = second + VIX_EVERY_S

    # A session's beginning

    def _session_at(self, start_ns: int | None) -> calendar.Session:
        if start_ns is None:
            session = self._calendar.session_on(self.scenario.start)
            assert session is not None  # a scenario's start is a session by choice
            return session
        today = self._calendar.session_on(ny_date(start_ns))
        if today is not None and start_ns < today.close_ns:
            return today
        return self._calendar.next_after(start_ns)

    def _look_ahead(self, first: dt.date, today: dt.date) -> None:
        """Know sessions and announcements from `first` until long after today."""
        self._calendar_ends = today + CALENDAR_AHEAD
        self._calendar = Calendar.load(first, self._calendar_ends)
        self._schedule = schedule_of(self.seed, self.scenario, self._calendar, self._calendar_ends)
        self._walk = Walk(self.seed, self.scenario, self._calendar, self._schedule)

    def _morning(self, session: calendar.Session) -> tuple[Day, Listing]:
        """A session's levels with dealers' hedging in them, and what is listed, with open interest as it is drawn:
        levels do not depend on what a run traded the days before."""
        day = day_of(self.seed, self._walk.morning(session), self.scenario.vol_scale)
        levels = day.open_usd.copy()
        levels[VIX] = VIX_OVER_SPX_VOL * day.vols(0).now[MARKET]
        listing = list_contracts(self.seed, session.date, levels, self._calendar, self._density)
        return hedged(day, listing, self.scenario), listing

    def _before(self, session: calendar.Session) -> calendar.Session | None:
        """The session before one; None where a walk begins."""
        index = self._calendar.sessions.index(session)
        if index == 0:
            return None
        before = self._calendar.sessions[index - 1]
        return before if Walk.beginning(before.date) == Walk.beginning(session.date) else None

    def _closed_before(self) -> _Closed:
        """What the state of today is compared with; it takes up to a third of a second, so only when asked."""
        if self._closed is None:
            self._closed = self._closing(self._before(self._today.day.session))
            self._yesterday = None
        return self._closed

    def _closing(self, before: calendar.Session | None) -> _Closed:
        if before is None:
            return _Closed(np.full(len(self.listing), np.nan), np.full(len(SLOW_INDICES), np.nan))
        day = self._yesterday
        if day is None:
            day = day_of(self.seed, self._walk.morning(before), self.scenario.vol_scale)
        # Today's contracts as they stood then, whether or not they were listed.
        book = Book(self.seed, day, self.listing, self._calendar, self._schedule, self.scenario)
        book.move_to(day.seconds)
        rows = np.arange(len(self.listing))
        # Values and not quotes, whose chances go by row: a contract's is another on another day.
        ticks_usd = book.quote(rows, 0.0).tick_cents / 100.0
        closed_usd = np.round(np.round(book.value(rows, 0.0)[0] / ticks_usd) * ticks_usd, 2)
        return _Closed(np.where(closed_usd > 0, closed_usd, np.nan), index_values(book, slow=True)[len(FAST_INDICES) :])

    def _begin(self, session: calendar.Session, clock_ns: int, yesterday: MarketSession | None = None) -> None:
        if session.date + CALENDAR_LEAST > self._calendar_ends:
            self._look_ahead(self._calendar.sessions[0].date, session.date)
        before = self._before(session)
        self._yesterday = None if before is None or yesterday is None else yesterday.day
        if before is not None and yesterday is None and self.scenario.dealers:
            self._yesterday = self._morning(before)[0]
        day, listing = self._morning(session)
        if self.scenario.dealers and self._yesterday is not None:
            # Where dealers' hedging left the levels: the walk does not know of it.
            day = day._replace(previous_close_usd=self._yesterday.levels(self._yesterday.seconds))
        if yesterday is not None:
            listing = yesterday.ledger.carried(yesterday.listing.tickers, listing)
        book = Book(self.seed, day, listing, self._calendar, self._schedule, self.scenario, self._span_s)
        plan = plan_of(self.seed, book, day.morning.informed)
        book.move_to(0)
        self._opening_family = index_values(book, slow=True)[len(FAST_INDICES) :]
        self._ranged_s, self._slow_high, self._slow_low = 0, self._opening_family, self._opening_family
        self._closed = None
        arrivals = Arrivals(self.seed, session.date, BaseRate(day, self._intensity))
        ledger = Ledger(listing, listing.settlement_ns <= session.close_ns)
        bars = StockBarMaker(self.seed, day, self._stocks, self._span_s)
        self._today = MarketSession(day, listing, book, plan, arrivals, ledger, bars, DayStatistics(len(listing)))
        self._spans = SpanMaker(self.seed, self._today, self.truth)
        self._shown = DayStatistics(len(listing))
        if self.truth is not None:
            self.truth.add_edges(_edges(session.date, plan, listing))
        self._clock_ns = clock_ns
        # Whole spans: what is made of the span the clock is in comes after the clock.
        self._made_ns = session.open_ns + (clock_ns - session.open_ns) // self.quantum_ns * self.quantum_ns
        self._pending: deque[tuple[int, Batch]] = deque()

    # Handing out

    def _released(self, until_ns: int) -> Batch:
        """What was made and lies before `until_ns`, and not more."""
        whole: list[Batch] = []
        while self._pending:
            ends_ns, batch = self._pending.popleft()
            if ends_ns > until_ns:
                part, rest = _cut(batch, until_ns // NS_PER_MS)
                whole.append(part)
                self._pending.appendleft((ends_ns, rest))
                break
            whole.append(batch)
        released = _joined(self.listing, whole)
        self._shown.add(released.prints, len(released.prints.q))
        return released

    def _at_clock(self) -> Book:
        """The book at the last whole second of the clock; the generator moves it on by itself."""
        self._today.book.move_to((self._clock_ns - self._today.day.session.open_ns) // SECOND_NS)
        return self._today.book


def _cents(usd: float) -> float:
    return round(float(usd), 2)


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


def _cut(batch: Batch, until_ms: int) -> tuple[Batch, Batch]:
    """What lies before `until_ms`, and what does not."""

    def before(times: NDArray[np.int64]) -> int:
        return int(np.searchsorted(times, until_ms, side="left"))

    listing, prints, quotes, values, bars = batch
    cut = before(prints.t_ms), before(quotes.t_ms), before(values.t_ms), before(bars.end_ms - 1)
    low, high = [slice(0, index) for index in cut], [slice(index, None) for index in cut]
    return Batch(listing, *_part(batch, low)), Batch(listing, *_part(batch, high))


def _part(batch: Batch, where: list[slice]) -> tuple[Prints, Quotes, Values, SecondBars]:
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
        return Batch(listing, Prints.empty(), Quotes.empty(), Values.empty(), SecondBars.empty())
    return Batch(
        listing,
        joined([batch.prints for batch in batches]),
        joined([batch.quotes for batch in batches]),
        joined([batch.values for batch in batches]),
        joined([batch.bars for batch in batches]),
    )
