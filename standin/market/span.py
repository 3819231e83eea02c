"""Everything that happens in one span of a session: orders, prints, quotes, index levels, bars, and the truth. Pure.

A span of a run's first day follows from (seed, scenario, date, second), apart from cancels, the day's statistics and
open interest, which remember what was printed while a run lasted. From the second day on open interest is what the days
before left, and with it go the contracts that trade, orders' sizes and what informed traders buy.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.symbols import EPOCH_ORDINAL
from standin.feed.listing import Listing
from standin.feed.source import Batch, Prints, Quotes, Values, taken
from standin.feed.statistics import DayStatistics
from standin.market.activity import row_weights
from standin.market.arrivals import Arrivals
from standin.market.bars import StockBarMaker
from standin.market.book import VIX_EVERY_S, VIX_FAMILY, Book
from standin.market.bursts import Plan
from standin.market.kernels.cancelling import cancel_prints, choose_cancels
from standin.market.kernels.printing import PRINTS, print_executions
from standin.market.kernels.publishing import QUOTES, new_desk, publish_quotes
from standin.market.kernels.quoting import QUOTE
from standin.market.kernels.tables import OrderKind
from standin.market.open_interest import Ledger
from standin.market.orders import Pit
from standin.market.paths import Day
from standin.market.random_streams import CANCELS, ORDERS, QUOTE_TIMES, key_of, rng_state_from, stem
from standin.market.truth import TruthLog
from standin.market.universe import position_of

__all__ = ["FAST_INDICES", "NS_PER_MS", "SLOW_INDICES", "MarketSession", "SpanMaker", "index_values"]

NS_PER_MS = 1_000_000
NY_OPEN_MS = 34_200_000
CANCEL_SHARE = 0.0015
# Ordinary prints so soon after a halt are reopenings, condition 210.
REOPENING_S = 3
REOPENING = 210
# SPX, NDX and RUT are published every second, the volatility indices every fifteen.
FAST_INDICES = ("I:SPX", "I:NDX", "I:RUT")
SLOW_INDICES = (*VIX_FAMILY, "I:VVIX")
_FAST_AT = np.array([position_of[ticker.removeprefix("I:")] for ticker in FAST_INDICES])
_SYMBOLS = np.arange(len(FAST_INDICES) + len(SLOW_INDICES), dtype=np.int32)
_VIX_AT = list(VIX_FAMILY).index("I:VIX")

Records = NDArray[Any]


class MarketSession(NamedTuple):
    """What a session's spans are made of. statistics: of all that was made, which cancels are told by."""

    day: Day
    listing: Listing
    book: Book
    plan: Plan
    arrivals: Arrivals
    ledger: Ledger
    bars: StockBarMaker
    statistics: DayStatistics


class _Before(NamedTuple):
    """Prints of the span before, without its cancels, and what is true of them."""

    prints: Prints
    truth: Records


class SpanMaker:
    """Makes the spans of one session, one after the other. `truth` is told of every print, if there is one."""

    def __init__(self, seed: int, session: MarketSession, truth: TruthLog | None) -> None:
        self._session, self._truth = session, truth
        self._span_s = session.book.span_s
        date = session.day.session.date.toordinal()
        self._day = date - EPOCH_ORDINAL
        self._orders_stem, self._cancels_stem = stem(seed, ORDERS, date), stem(seed, CANCELS, date)
        self._open_ms = session.day.session.open_ns // NS_PER_MS
        self._tickers = np.array(session.listing.tickers, "S")
        self._quote_key = key_of(seed, QUOTE_TIMES, date)
        self._pit = Pit(session.book)
        self._met = np.empty(0, QUOTE)
        self._desk = new_desk(0, len(session.listing))
        self._chosen = np.empty(0, np.int64)
        self._orders_total = 0
        self._minute = -1
        self._before: _Before | None = None

    def made(self, second: int, quoted: NDArray[np.int32]) -> Batch:
        """Everything that happens in the span that begins at `second`, with quotes of the `quoted` contracts."""
        session, book = self._session, self._session.book
        book.move_to(second)
        words = rng_state_from(self._orders_stem, second)
        self._weigh(second)
        counts = session.arrivals.counts(second, self._span_s)
        executions, orders = self._pit.executed(words, self._choice, counts, session.plan.orders(book, second))
        _reopen(executions, session.day.reopening_s(second, REOPENING_S), book)
        gone = self._gone(second)
        count = len(executions)
        prints = PRINTS.room(count + gone)
        if count > len(self._met):
            self._met = np.empty(2 * count, QUOTE)
        span = 1000 * self._span_s, *self._begins_ms(second)
        print_executions(words, book.table, executions, count, *span, self._met, prints)
        truth = session.ledger.trade(words, executions, prints, self._orders_total, gone)
        self._orders_total += orders
        session.statistics.add(prints, count)
        quotes = self.quotes(second, quoted, prints, count)
        before, self._before = self._before, _Before(*_first(prints, truth, count))
        if before is not None and gone and count:
            count += cancel_prints(
                self._chosen, gone, *before, session.statistics.totals, session.ledger.now, count, prints, truth
            )
        prints, truth = _first(prints, truth, count)
        if self._truth is not None:
            self._truth.add(self._day, self._tickers, truth)
        return Batch(session.listing, prints, quotes, self._values(second), session.bars.made(second))

    def quotes(self, second: int, quoted: NDArray[np.int32], prints: Prints, printed: int) -> Quotes:
        """Quotes of the contracts somebody asked for in the span that begins at `second`, at which the book stands: one
        of their own each, and one before each of the first `printed` prints; none of what is halted."""
        if not len(quoted):
            return Quotes.empty()
        if len(quoted) > len(self._desk.quotes):
            self._desk = new_desk(len(quoted), len(self._session.listing))
        quotes = QUOTES.room(len(quoted) + printed)
        span = second, 1000 * self._span_s, *self._begins_ms(second)
        table, desk = self._session.book.table, self._desk
        published = publish_quotes(table, quoted, self._quote_key, *span, desk, prints, printed, self._met, quotes)
        quotes = taken(quotes, slice(0, published))
        # In a halt there is nobody to quote, and nothing is told of it.
        return quotes if self._session.book.halted is None else taken(quotes, quotes.ask_size > 0)

    def _begins_ms(self, second: int) -> tuple[int, int]:
        """When a second of the session begins, in ms since 1970 and since midnight."""
        return self._open_ms + second * 1000, NY_OPEN_MS + second * 1000

    def _weigh(self, second: int) -> None:
        """Set the rows' weights for the minute."""
        minute = second // 60
        if minute != self._minute:
            self._minute = minute
            # As of the minute's beginning, wherever in it a run began.
            self._session.book.move_to(60 * minute)
            self._choice = row_weights(self._session.book)
            self._session.book.move_to(second)

    def _gone(self, second: int) -> int:
        """How many prints of the span before, `_chosen`, will be taken back in this one: by a stream of their own, as
        it depends on when a run began whether there were any."""
        if self._before is None:
            return 0
        condition = self._before.prints.condition
        if len(condition) > len(self._chosen):
            self._chosen = np.empty(2 * len(condition), np.int64)
        words = rng_state_from(self._cancels_stem, second)
        gone: int = choose_cancels(words, CANCEL_SHARE, condition, self._chosen)
        return gone

    def _values(self, second: int) -> Values:
        """Index levels at the beginning of the span."""
        values = index_values(self._session.book, slow=second % VIX_EVERY_S == 0)
        count = len(values)
        return Values(_SYMBOLS[:count], values, np.full(count, self._open_ms + second * 1000, np.int64))


def index_values(book: Book, *, slow: bool) -> NDArray[np.float64]:
    """The indices as published, in hundredths: FAST_INDICES, and SLOW_INDICES where they are asked for."""
    levels: NDArray[np.float64] = book.table.members["level_usd"][_FAST_AT]
    if slow:
        # VVIX is about 85 in calm and rises with VIX (2012-25: roughly 85 + 2.2 (VIX - 15)).
        family = book.family()
        levels = np.concatenate((levels, family, [85.0 + 2.2 * (family[_VIX_AT] - 15.0)]))
    return levels.round(2)


def _first(prints: Prints, truth: Records, count: int) -> tuple[Prints, Records]:
    """The first `count` prints and what is true of them."""
    if len(truth) == count:
        return prints, truth
    return taken(prints, slice(0, count)), truth[:count]


def _reopen(executions: Records, reopening_s: NDArray[np.int64] | None, book: Book) -> None:
    """Ordinary executions of what has just resumed trading carry the reopening's condition, each underlying's for so
    long into the span."""
    if reopening_s is not None:
        soon = executions["ms"] < 1000 * reopening_s[book.underlying[executions["row"]]]
        executions["condition"][soon & (executions["kind"] == OrderKind.PLAIN)] = REOPENING
