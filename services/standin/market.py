"""The seeded market: a `Source` that makes up a plausible options market, the same for everyone with the same seed.

It is generated a second at a time. What happens in a second follows from (seed, date, second) alone, apart from cancels
and the day's statistics, which remember; so a run may start at any instant and finds the market where it should be.
"""

from __future__ import annotations

import datetime as dt
from collections import deque
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.symbols import EPOCH_ORDINAL
from services.core.calendar import Calendar, Session, ny_date
from services.standin.book import VIX_FAMILY, Book
from services.standin.bursts import Plan, plan_of
from services.standin.listing import Listing
from services.standin.noise import ORDERS, stream, uniform
from services.standin.orders import Executions, draw, execute, intensity
from services.standin.paths import Day, day_of, with_drifts
from services.standin.source import Bars, Batch, IndexState, Prints, Quotes, Snapshot, Values, joined, taken
from services.standin.statistics import DayStatistics
from services.standin.truth import Truth, TruthLog
from services.standin.universe import CAST, list_contracts, position_of

__all__ = ["DEFAULT_START", "SeededMarket"]

SECOND_NS = 1_000_000_000
NS_PER_MS = 1_000_000
# The open of a Monday with monthly, weekly and daily expiries ahead: where a market starts that nobody placed.
DEFAULT_START = dt.date(2025, 12, 15)
# Option prints a second on average: 8 million in 6.5 hours, the low end of what OPRA carries in 2025-26.
PRINTS_A_SECOND = 350.0
# At nine contracts a print. OPRA's 60 to 70 million a day over some 500 million open are an eighth of a turn; contracts
# near their expiry turn over most, on their last day several times.
CONTRACTS_A_DAY = 9 * PRINTS_A_SECOND * 23_400
TURNS, TURNS_LAST_DAY = 0.4, 6.0
# A contract in which nothing is open yet still trades.
OPEN_INTEREST_SMALL = 50
# Sequence numbers: 2^13 a millisecond of the day, prints two apart so that each quote can come just before its print.
Q_PER_MS = 8192
NY_OPEN_MS = 34_200_000
CANCEL_SHARE = 0.0015
CALENDAR_BEFORE = dt.timedelta(days=190)
CALENDAR_AFTER = dt.timedelta(days=480)
# SPX, NDX and RUT are published every second, the volatility indices every fifteen.
FAST_INDICES = ("I:SPX", "I:NDX", "I:RUT")
SLOW_INDICES = (*VIX_FAMILY, "I:VVIX")
SLOW_EVERY_S = 15
_QUOTE_MS, _BAR_NOISE, _BAR_SEEN = 16, 17, 18


class _Session(NamedTuple):
    """What stays the same through one trading day."""

    day: Day
    listing: Listing
    book: Book
    plan: Plan
    mirror: NDArray[np.int32]
    intensity: NDArray[np.float64]
    opening_family: NDArray[np.float64]


class SeededMarket:
    """A market for a seed. `start_ns` may lie anywhere; outside a session the clock begins at the next open.

    intensity scales how many orders arrive; keep_truth fills `truth` with a row a print.
    """

    def __init__(
        self, seed: int, start_ns: int | None = None, *, intensity: float = 1.0, keep_truth: bool = False
    ) -> None:
        self.seed = seed
        self.quantum_ns = SECOND_NS
        self.index_tickers = (*FAST_INDICES, *SLOW_INDICES)
        self._stocks = np.array([at for at, member in enumerate(CAST) if not member.is_index])
        self.stock_tickers = tuple(CAST[at].ticker for at in self._stocks)
        self.truth = TruthLog() if keep_truth else None
        self._intensity = intensity
        first = DEFAULT_START if start_ns is None else ny_date(start_ns)
        self._calendar = Calendar.load(first - CALENDAR_BEFORE, first + CALENDAR_AFTER)
        session = self._session_at(start_ns)
        self._begin(session, max(start_ns or session.open_ns, session.open_ns))

    _clock_ns: int
    _made_ns: int

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
            self._begin(following, following.open_ns)
            session, quoted = following, quoted[:0]
        until = min(self._clock_ns + step_ns, session.close_ns)
        while self._made_ns < until:
            self._pending.append(self._second(quoted))
            self._made_ns += SECOND_NS
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
            session = self._calendar.session_on(DEFAULT_START)
            assert session is not None  # DEFAULT_START is a session by choice
            return session
        today = self._calendar.session_on(ny_date(start_ns))
        if today is not None and start_ns < today.close_ns:
            return today
        return self._calendar.next_after(start_ns)

    def _begin(self, session: Session, clock_ns: int) -> None:
        day = day_of(self.seed, session, self._calendar)
        listing = list_contracts(self.seed, session.date, day.open_usd, self._calendar)
        rhythm = intensity(day.seconds)
        plan = plan_of(self.seed, Book(self.seed, day, listing, self._calendar), rhythm)
        day = with_drifts(day, plan.drifts)
        book = Book(self.seed, day, listing, self._calendar)
        family = np.append(book.family(), _vvix(book))
        self._today = _Session(day, listing, book, plan, _mirror(listing), rhythm, np.round(family, 2))
        self._statistics = DayStatistics(len(listing))
        self._clock_ns = clock_ns
        # Whole seconds: what is made of the second the clock is in comes after the clock.
        self._made_ns = session.open_ns + (clock_ns - session.open_ns) // SECOND_NS * SECOND_NS
        self._orders_total = 0
        self._weights_minute = -1
        self._pending: deque[Batch] = deque()
        self._before: tuple[Prints, Executions] | None = None

    # One second

    def _second(self, quoted: NDArray[np.int32]) -> Batch:
        """Everything that happens in the second that begins at `_made_ns`."""
        today = self._today
        second = (self._made_ns - today.day.session.open_ns) // SECOND_NS
        today.book.at(second)
        rng = stream(self.seed, ORDERS, today.day.session.date.toordinal(), second)
        expected = PRINTS_A_SECOND * self._intensity * float(today.intensity[second]) * self._activity(second)
        orders = draw(rng, today.book, self._cumulative, expected)
        informed = today.plan.orders(rng, today.book, second)
        if informed is not None:
            orders = joined([orders, informed])
        executions = execute(rng, today.book, orders, today.mirror)
        prints, quotes = self._on_wire(executions, second)
        prints, cancelled = self._with_cancels(rng, prints, executions)
        self._record_truth(prints, executions, cancelled)
        self._orders_total += len(orders.row)
        quotes = self._wanted_quotes(quotes, executions, quoted, second)
        self._statistics.add(prints)
        return Batch(today.listing, prints, quotes, self._values(second), self._bars(second))

    def _activity(self, second: int) -> float:
        """Set row weights for the minute; returns the market's activity relative to its mean."""
        minute = second // 60
        if minute != self._weights_minute:
            self._weights_minute = minute
            # As of the minute's beginning, wherever in it a run began.
            self._today.book.at(60 * minute)
            weights = _row_weights(self._today.book, self._today.day.activity[minute])
            self._cumulative = np.cumsum(weights)
            self._today.book.at(second)
        return float(self._cumulative[-1])

    def _on_wire(self, executions: Executions, second: int) -> tuple[Prints, Quotes]:
        """Prints and the quotes before them, with their sequence numbers."""
        base_ms = self._today.day.session.open_ns // NS_PER_MS + second * 1000
        t_ms = base_ms + executions.ms
        # Rank within the millisecond: rows are in time order.
        fresh = np.flatnonzero(np.diff(executions.ms, prepend=-1))
        rank = np.arange(len(t_ms)) - np.repeat(fresh, np.diff(np.append(fresh, len(t_ms))))
        q = (NY_OPEN_MS + second * 1000 + executions.ms) * Q_PER_MS + 2 * rank + 2
        prints = Prints(
            executions.row, executions.venue, executions.cents / 100.0, executions.size, executions.condition, t_ms, q
        )
        quotes = Quotes(
            executions.row,
            executions.bid_venue,
            executions.bid_cents / 100.0,
            executions.bid_size,
            executions.ask_venue,
            executions.ask_cents / 100.0,
            executions.ask_size,
            t_ms,
            q - 1,
        )
        return prints, quotes

    def _with_cancels(
        self, rng: np.random.Generator, prints: Prints, executions: Executions
    ) -> tuple[Prints, NDArray[np.int64]]:
        """Add cancels of prints of the second before; returns the prints and, for the added ones, whom they cancel."""
        before, self._before = self._before, (prints, executions)
        count = 0 if before is None else int(rng.poisson(CANCEL_SHARE * len(before[0].q)))
        if before is None or not count or not len(prints.q) or not len(before[0].q):
            return prints, np.empty(0, np.int64)
        chosen = np.unique(rng.integers(0, len(before[0].q), count))
        chosen = chosen[before[0].condition[chosen] >= 209]
        gone = taken(before[0], chosen)
        codes = self._statistics.cancel_codes(gone)
        # After everything else of this second, one millisecond later: a correction is nobody's tick.
        last = prints.t_ms[-1], prints.q[-1]
        cancels = gone._replace(
            condition=codes,
            t_ms=np.full(len(chosen), last[0]),
            q=last[1] + 2 * np.arange(1, len(chosen) + 1),
        )
        return joined([prints, cancels]), gone.q

    def _record_truth(self, prints: Prints, executions: Executions, cancelled: NDArray[np.int64]) -> None:
        if self.truth is None:
            return
        extra = len(cancelled)
        tickers = self._today.listing.tickers
        pad = np.full(extra, -1)
        self.truth.add(
            Truth(
                day=np.full(len(prints.q), self._today.day.session.date.toordinal() - EPOCH_ORDINAL, np.int32),
                ticker=np.array([tickers[row] for row in prints.contract.tolist()]),
                q=prints.q,
                side=np.append(executions.side, np.zeros(extra)).astype(np.int8),
                kind=np.append(executions.kind, pad).astype(np.int8),
                parent=np.append(executions.order + self._orders_total, pad),
                leg=np.append(executions.leg, pad).astype(np.int8),
                burst=np.append(executions.burst, pad).astype(np.int32),
                cancels=np.append(np.zeros(len(executions.row), np.int64), cancelled),
            )
        )

    def _wanted_quotes(
        self, before_prints: Quotes, executions: Executions, quoted: NDArray[np.int32], second: int
    ) -> Quotes:
        """Quotes of the contracts somebody asked for: one of their own a second, and one before each print."""
        if not len(quoted):
            return taken(before_prints, slice(0, 0))
        rows = quoted.astype(np.int64)
        ms = np.floor(1000 * uniform(self.seed, _QUOTE_MS, rows * 86_400 + second)).astype(np.int64)
        quote = self._today.book.quote(rows, ms / 1000.0)
        own = Quotes(
            quoted,
            quote.bid_venue,
            quote.bid_cents / 100.0,
            quote.bid_size,
            quote.ask_venue,
            quote.ask_cents / 100.0,
            quote.ask_size,
            self._today.day.session.open_ns // NS_PER_MS + second * 1000 + ms,
            # Before any print of its millisecond: those begin at 1 (quotes) and 2 (prints).
            (NY_OPEN_MS + second * 1000 + ms) * Q_PER_MS,
        )
        leading = taken(before_prints, np.isin(before_prints.contract, quoted))
        both = joined([own, leading])
        return taken(both, np.argsort(both.q, kind="stable"))

    def _values(self, second: int) -> Values:
        """Index levels at the beginning of the second."""
        slow = second % SLOW_EVERY_S == 0
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

    def _bars(self, second: int) -> Bars:
        """One-second bars of the stocks that traded, at the end of the second."""
        day, at = self._today.day, self._stocks
        position = at * 86_400 + second
        seen = uniform(self.seed, _BAR_SEEN, position) < _SEEN_SHARE[at]
        at, position = at[seen], position[seen]
        path: NDArray[np.float64] = day.open_usd[at] * np.exp(
            day.log_return[second : second + 2][:, at].astype(np.float64)
        )
        wiggle = 0.0001 * uniform(self.seed, _BAR_NOISE, position)
        cents = np.round(path, 2)
        high = np.maximum(np.round(path.max(axis=0) * (1 + wiggle), 2), cents.max(axis=0))
        low = np.minimum(np.round(path.min(axis=0) * (1 - wiggle), 2), cents.min(axis=0))
        volume = 100 + np.floor(_SHARES_A_SECOND[at] * 2 * uniform(self.seed, _BAR_NOISE + 8, position)).astype(
            np.int64
        )
        # The day's volume and average so far follow from time alone, as a bar must not depend on when a run began.
        day_volume = np.floor(_SHARES_A_SECOND[at] * _SEEN_SHARE[at] * (second + 1)).astype(np.int64) + volume
        start = day.session.open_ns // NS_PER_MS + second * 1000
        return Bars(
            symbol=np.flatnonzero(seen).astype(np.int32),
            open=cents[0],
            high=high,
            low=low,
            close=cents[1],
            volume=volume,
            day_open=np.round(day.open_usd[at], 2),
            day_volume=day_volume,
            day_vwap=np.round(0.5 * (day.open_usd[at] + path[1]), 4),
            start_ms=np.full(len(at), start, np.int64),
            end_ms=np.full(len(at), start + 1000, np.int64),
        )

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
_WEIGHTS = np.array([member.weight for member in CAST])
# Busy names trade every second, quiet ones every few.
_SEEN_SHARE: NDArray[np.float64] = np.clip(0.2 + _WEIGHTS / 10.0, 0.0, 1.0)
_SHARES_A_SECOND = 40.0 + 40.0 * _WEIGHTS


def _cents(usd: float) -> float:
    return round(float(usd), 2)


def _vvix(book: Book) -> float:
    """VVIX from VIX: about 85 in calm, rising with it (2012-25: roughly 85 + 2.2 (VIX - 15))."""
    return float(85.0 + 2.2 * (book.family()[list(VIX_FAMILY).index("I:VIX")] - 15.0))


def _row_weights(book: Book, activity: NDArray[np.float32]) -> NDArray[np.float64]:
    """How often each contract trades; sums to the market's activity, about 1."""
    forward = book.levels(book.slot_underlying, 0.0) * book.growth
    deviation = np.log(book.strike / forward[book.slot]) / np.sqrt(book.theta[book.slot])
    out_of_money = deviation * book.right > 0
    near = np.exp(-0.5 * (deviation / 1.05) ** 2) + 0.004
    days = book.years * 365.0
    # Half of index volume expires today; single names trade the week.
    soon = 1.0 / (days + 0.8) ** 1.15 + 0.004
    open_now = np.where(book.years * 365 * 86_400 > 1.5, 1.0, 0.0)
    weight = near * np.where(out_of_money, 1.35, 0.75) * (soon * open_now)[book.slot]
    totals = np.maximum(np.bincount(book.underlying, weight, minlength=len(CAST)), 1e-300)
    # Trading goes where the interest is: what a contract would trade a day is held to some turns of what is open in it.
    wanted = weight * (_WEIGHTS / _WEIGHTS.sum() * CONTRACTS_A_DAY / totals)[book.underlying]
    turns = (TURNS + TURNS_LAST_DAY / (1.0 + days) ** 2)[book.slot]
    weight = weight / (1.0 + wanted / (turns * (book.listing.open_interest + OPEN_INTEREST_SMALL)))
    totals = np.maximum(np.bincount(book.underlying, weight, minlength=len(CAST)), 1e-300)
    share = _WEIGHTS / _WEIGHTS.sum() * activity / totals
    weights: NDArray[np.float64] = weight * share[book.underlying]
    return weights


def _mirror(listing: Listing) -> NDArray[np.int32]:
    """Row of the other right at the same strike, (rows,); the row itself where it is not listed."""
    swap = {"C": "P", "P": "C"}
    found = (
        listing.row_of.get(f"{ticker[:-9]}{swap[ticker[-9]]}{ticker[-8:]}", row)
        for row, ticker in enumerate(listing.tickers)
    )
    return np.fromiter(found, np.int32, len(listing))


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
