"""Price: where an underlying trades, and how far it moves."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from typing import Annotated, NamedTuple

import numpy as np
from msgspec import Meta

from schemas.frames import Frame, Lane, TickRows
from schemas.symbols import symbol_code, symbol_text
from services.contexts.price.kernel import close_bars, take_ticks
from services.contexts.price.state import BAR_RING, FRAMES, MINUTES_OF, PriceState, grow, new_state
from services.core.bounds import Room
from services.core.calendar import Session
from services.core.contract import FAR_FUTURE_NS, Context, ContextView, Parameters, Trigger, TriggerKind, Views
from services.core.windows import MINUTE_NS

__all__ = ["BAR_1M", "BAR_5M", "BAR_15M", "Bar", "Price", "PriceParameters", "PriceView"]

SYMBOLS_AT_START = 32
ATR_BARS_FULL = 14
# History made in minutes has its ticks a minute apart.
FRESH_NS = MINUTE_NS


class PriceParameters(Parameters, frozen=True, kw_only=True):
    """Defaults with their reasons."""

    # A true range averaged over fewer bars than this is one bar's luck; more than a day has never come.
    bars_min: Annotated[int, Meta(ge=1, le=96)] = 3
    # Indices and stocks of the whole market: some 11,000 symbols are listed.
    symbols_max: Room = 16_384


class Bar(NamedTuple):
    """Facts of the triggers `price.bar_1m`, `price.bar_5m` and `price.bar_15m`: a completed bar."""

    start_ns: int
    open_usd: float
    high_usd: float
    low_usd: float
    close_usd: float
    volume: int
    number: int  # completed bars of this length before it today


BAR_1M, BAR_5M, BAR_15M = BAR_KINDS = tuple(TriggerKind(f"price.bar_{minutes}m", Bar) for minutes in MINUTES_OF)


class PriceView(ContextView, frozen=True, kw_only=True):
    """Session prices and ranges of one symbol, dollars (or index points)."""

    price_usd: float
    open_usd: float | None
    high_usd: float | None
    low_usd: float | None
    vwap_usd: float | None  # None for an index: it has no volume
    volume: int
    atr_5m_usd: float | None
    atr_15m_usd: float | None
    return_sd_15m: float | None  # of 15-minute returns in this session, from four on
    bars_1m: int
    bars_5m: int
    bars_15m: int

    def fresh(self, now_ns: int) -> bool:
        """Whether the price was at most a minute old: an older one tells where the underlying traded, not trades."""
        return now_ns - self.as_of_ns <= FRESH_NS

    @property
    def session_atr_usd(self) -> float | None:
        """A whole session's range from 15-minute ones: 26 of them, growing with the root of time."""
        return None if self.atr_15m_usd is None else self.atr_15m_usd * math.sqrt(26)


class Price(Context):
    """Last price, session open, high, low and VWAP, completed bars, and Wilder's average true range.

    Watches ticks of indices and one-second bars of stocks, and counts those that arrive in the regular session. A bar
    closes when the log passes its last minute (log time), and raises `price.bar_1m`, `price.bar_5m`, `price.bar_15m`
    with the bar; a minute without a tick makes no bar. Until fourteen bars are there the range is their plain mean;
    until `bars_min` bars of a length are there, that of the next shorter one scaled by the root of time stands in, with
    less confidence.

    Reference: Wilder, "New Concepts in Technical Trading Systems" (1978).
    """

    name = "price"
    version = "1"
    lanes = frozenset({Lane.TICKS})
    view_type = PriceView
    raises = BAR_KINDS
    Parameters = PriceParameters
    parameters: PriceParameters

    def __init__(self, parameters: PriceParameters) -> None:
        super().__init__(parameters)
        self._open_ns = self._close_ns = 0
        self._due_ns = FAR_FUTURE_NS
        self.state = self._fresh()

    def open_session(self, day: dt.date, session: Session | None) -> None:
        self.state = self._fresh()
        # Without a session nothing is ever inside it: open = close.
        self._open_ns, self._close_ns = (0, 0) if session is None else (session.open_ns, session.close_ns)
        # Every minute of the session is due, moved or not: a time that only a row would set could lie in the middle of
        # the very slice that holds the row.
        self._due_ns = FAR_FUTURE_NS if session is None else session.open_ns + MINUTE_NS

    def update(self, frame: Frame, start: int, stop: int, views: Views) -> int:
        head, rows = frame.header, frame.rows
        assert isinstance(rows, TickRows)
        while True:
            start = take_ticks(
                rows.received_ns, rows.event_ns, rows.symbol, rows.price_usd, rows.high_usd, rows.low_usd, rows.volume,
                self.state, self._open_ns, self._close_ns, head.epoch, head.position, start, stop,
            )  # fmt: skip
            if not self.state.scalars["need"][0]:
                return stop
            self.state = grow(self.state)

    @property
    def due_ns(self) -> int:
        return self._due_ns

    def tick(self, now_ns: int, views: Views) -> None:
        self._due_ns = now_ns + MINUTE_NS if now_ns < self._close_ns else FAR_FUTURE_NS
        state = self.state
        closed = np.empty(len(state.running), np.int64)
        count = close_bars(state, now_ns, closed)
        # Longer bars after shorter ones of the same minute, symbols in the order in which they were first seen.
        for slot in closed[:count].tolist():
            at, frame = divmod(slot, FRAMES)
            held = state.symbols[at]
            number = int(state.ranges["bars"][slot]) - 1
            start_ns, open_usd, high_usd, low_usd, close_usd, volume, _ = state.rings[
                slot * BAR_RING + number % BAR_RING
            ].item()
            self.triggers.append(
                Trigger(
                    kind=BAR_KINDS[frame],
                    underlying=symbol_text(int(held["code"])),
                    event_ns=int(held["event_ns"]),
                    inputs=((int(held["epoch"]), int(held["position"])),),
                    facts=Bar(start_ns, open_usd, high_usd, low_usd, close_usd, volume, number),
                )
            )

    def underlyings(self) -> Sequence[str]:
        held = self.state.symbols[: int(self.state.scalars["symbols"][0])]
        touched = np.flatnonzero(held["touched"])
        held["touched"] = 0
        return [symbol_text(code) for code in held["code"][touched].tolist()]

    def view(self, underlying: str) -> PriceView | None:
        at = self._at(underlying)
        if at < 0:
            return None
        _, _, last, seen_ns, _, _, _, opened, high, low, volume, dollars, _ = self.state.symbols[at].item()
        bars, atr = [], []
        for frame in range(FRAMES):
            count, _, value, returns, total, squares = self.state.ranges[at * FRAMES + frame].item()
            bars.append(count)
            atr.append(value if count >= self.parameters.bars_min else None)
        # After the loop, returns, total and squares are those of fifteen minutes.
        variance = (squares - total * total / returns) / (returns - 1) if returns >= 4 else None
        atr_5m = atr[1] if atr[1] is not None else _scaled(atr[0], 5)
        atr_15m = atr[2] if atr[2] is not None else _scaled(atr_5m, 3)
        ready = bool(opened) and atr_15m is not None
        minutes = 15 * bars[2] or 5 * bars[1] or bars[0]
        return PriceView(
            underlying=underlying,
            as_of_ns=seen_ns,
            ready=ready,
            reason="" if ready else "no tick in this session yet" if not opened else "too few bars for a range",
            stance="UP" if opened and last > opened else "DOWN" if opened and last < opened else "FLAT",
            confidence=min(1.0, minutes / (15 * ATR_BARS_FULL)) if ready else 0.0,
            price_usd=last,
            open_usd=opened or None,
            high_usd=high or None,
            low_usd=low or None,
            vwap_usd=dollars / volume if volume > 0 else None,
            volume=volume,
            atr_5m_usd=atr_5m,
            atr_15m_usd=atr_15m,
            return_sd_15m=math.sqrt(max(variance, 0.0)) if variance is not None else None,
            bars_1m=bars[0],
            bars_5m=bars[1],
            bars_15m=bars[2],
        )

    def bars(self, underlying: str, minutes: int, count: int) -> list[Bar]:
        """The last `count` completed bars of 1, 5 or 15 minutes, oldest first."""
        at = self._at(underlying)
        if at < 0:
            return []
        slot = at * FRAMES + MINUTES_OF.index(minutes)
        total = int(self.state.ranges["bars"][slot])
        numbers = range(max(0, total - min(count, BAR_RING)), total)
        return [Bar._make((*self.state.rings[slot * BAR_RING + n % BAR_RING].item()[:6], n)) for n in numbers]

    def _at(self, underlying: str) -> int:
        known = self.state.symbols["code"][: int(self.state.scalars["symbols"][0])] == symbol_code(underlying)
        return int(known.argmax()) if known.any() else -1

    def _fresh(self) -> PriceState:
        state = new_state(min(SYMBOLS_AT_START, self.parameters.symbols_max))
        state.scalars["symbols_max"] = self.parameters.symbols_max
        return state


def _scaled(atr_usd: float | None, ratio: int) -> float | None:
    """A range over `ratio` times the time, for a price that wanders."""
    return None if atr_usd is None else atr_usd * math.sqrt(ratio)
