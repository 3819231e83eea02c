"""Bars on the wire: A (second) and AM (minute) of options and indices, AM of stocks, of what a host has told. Pure.

A bar comes some time after its window's end; a window in which nothing counts has none. The day so far is counted
whether or not somebody wants bars, so who comes late is told the same bars. Stocks' seconds are not made here: a source
has them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from standin.faults.named import Cluster
from standin.feed.aggregates import Candles, Ticks, candles, ticks_of_bars, ticks_of_prints, ticks_of_values
from standin.feed.listing import Listing
from standin.feed.source import Batch, Prints, SecondBars, Source, Values, joined, taken
from standin.protocol.wire import Event, IndexBar, OptionBarEvent

__all__ = ["LiveBars"]

MINUTE_MS = 60_000
WIDTH_MS = {"A": 1000, "AM": MINUTE_MS}
_CLUSTERS: tuple[Cluster, ...] = ("options", "indices", "stocks")
NS_PER_MS = 1_000_000
Kind = tuple[Cluster, str]


class _Keyed(NamedTuple):
    """Ticks of many symbols, and whose each is, (n,)."""

    symbol: NDArray[np.int32]
    ticks: Ticks


class _Window(NamedTuple):
    start_ms: int
    symbol: NDArray[np.int64]
    bars: Candles


class LiveBars:
    """One host's. Give it everything the host tells, in order."""

    def __init__(self, source: Source, delay_s: float) -> None:
        self._source, self._delay_ms = source, int(delay_s * 1000)
        self._listing: Listing | None = None
        self._days: dict[Cluster, _DayTotals] = {}
        self._makers: dict[Kind, _Maker] = {}
        self._until_ms = 0

    @property
    def waiting(self) -> bool:
        """Whether a bar is still to come of what was given."""
        return any(maker.waiting for maker in self._makers.values())

    def made(self, batch: Batch, clock_ns: int, wanted: Iterable[Kind]) -> dict[Kind, list[Event]]:
        """Take what was told up to `clock_ns`; the bars that are due now, by cluster and channel."""
        events: dict[Kind, list[Event]] = {}
        if batch.listing is not self._listing:
            for kind, maker in self._makers.items():
                events[kind] = self._events(kind, maker, maker.due(None))
            self._makers, self._listing = {}, batch.listing
            self._days = {cluster: _DayTotals(len(self._tickers(cluster, batch.listing))) for cluster in _CLUSTERS}
        for kind in wanted:
            if kind not in self._makers and kind != ("stocks", "A") and kind[1] in WIDTH_MS:
                # Who asks now is not told again what was due before.
                self._makers[kind] = self._days[kind[0]].maker(WIDTH_MS[kind[1]], self._until_ms)
        self._until_ms = clock_ns // NS_PER_MS - self._delay_ms
        for cluster, day in self._days.items():
            day.add(_PublishedBar(cluster, batch), self._until_ms)
        for kind, maker in self._makers.items():
            maker.add(_PublishedBar(kind[0], batch).keyed())
            due = maker.due(self._until_ms)
            events[kind] = events.get(kind, []) + self._events(kind, maker, due)
        return events

    def _events(self, kind: Kind, maker: _Maker, windows: list[_Window]) -> list[Event]:
        cluster, channel = kind
        assert self._listing is not None
        tickers = self._tickers(cluster, self._listing)
        published = _index_bars if cluster == "indices" else _bars
        return [event for window in windows for event in published(channel, tickers, maker, window)]

    def _tickers(self, cluster: Cluster, listing: Listing) -> tuple[str, ...]:
        if cluster == "options":
            return listing.tickers
        return self._source.index_tickers if cluster == "indices" else self._source.stock_tickers


class _Sums:
    """Each symbol's day up to an instant, (symbols,): the first price (NaN before it), volume, price times volume."""

    def __init__(self, symbols: int) -> None:
        self.open = np.full(symbols, np.nan)
        self.volume = np.zeros(symbols, np.int64)
        self.notional = np.zeros(symbols)

    def copy(self) -> _Sums:
        """The same as of now, to be counted on by itself."""
        other = _Sums(0)
        other.open, other.volume, other.notional = self.open.copy(), self.volume.copy(), self.notional.copy()
        return other

    def count(self, symbol: NDArray[np.int32], ticks: Ticks) -> None:
        """Take ticks in, which come in the order of time."""
        first = ~np.isnan(ticks.close) & np.isnan(self.open[symbol])
        # Assigning the reversed rows leaves the earliest of a symbol.
        self.open[symbol[first][::-1]] = ticks.open[first][::-1]
        np.add.at(self.volume, symbol, ticks.size)
        np.add.at(self.notional, symbol, ticks.notional)


class _DayTotals:
    """A cluster's day so far: sums up to a minute that is over, and what came since as it came. Counting a minute at
    once is what makes it cheap enough to be done for nobody.
    """

    def __init__(self, symbols: int) -> None:
        self._sums = _Sums(symbols)
        self._since: deque[_PublishedBar] = deque()

    def add(self, published: _PublishedBar, until_ms: int) -> None:
        """Take what was told; bars up to `until_ms` are due."""
        if len(published.columns[0]):
            self._since.append(published)
        over_ms = until_ms // MINUTE_MS * MINUTE_MS
        over: list[_Keyed] = []
        while self._since and self._since[0].last_ms < over_ms:
            over.append(self._since.popleft().keyed())
        if over:
            self._sums.count(*_together(over))

    def maker(self, width_ms: int, until_ms: int) -> _Maker:
        """A maker of the bars that come after those due by `until_ms`."""
        maker = _Maker(width_ms, self._sums.copy())
        for published in self._since:
            symbol, ticks = published.keyed()
            over = ticks.t_ms // width_ms * width_ms + width_ms <= until_ms
            maker.sums.count(symbol[over], taken(ticks, over))
            maker.add(_Keyed(symbol[~over], taken(ticks, ~over)))
        return maker


class _Maker:
    """Bars of one width, and each symbol's day up to the last of them."""

    def __init__(self, width_ms: int, sums: _Sums) -> None:
        self.width_ms, self.sums = width_ms, sums
        self._waiting: deque[_Keyed] = deque()

    @property
    def waiting(self) -> bool:
        return bool(self._waiting)

    def add(self, keyed: _Keyed) -> None:
        if len(keyed.symbol):
            self._waiting.append(keyed)

    def due(self, until_ms: int | None) -> list[_Window]:
        """The windows that ended by `until_ms`, all of them for None."""
        if not self._waiting or (until_ms is not None and self._first_end_ms() > until_ms):
            return []
        symbol, ticks = _together(self._waiting)
        start = ticks.t_ms // self.width_ms * self.width_ms
        over = np.ones(len(start), bool) if until_ms is None else start + self.width_ms <= until_ms
        self._waiting.clear()
        self.add(_Keyed(symbol[~over], taken(ticks, ~over)))
        # By window, and within one in the order of coming; each row is then looked at once, however many windows.
        ended = np.flatnonzero(over)
        ended = ended[np.argsort(start[ended], kind="stable")]
        starts, begins = np.unique(start[ended], return_index=True)
        parts = np.split(ended, begins[1:])
        return [
            self._window(at_ms, symbol[rows], taken(ticks, rows))
            for at_ms, rows in zip(starts.tolist(), parts, strict=True)
        ]

    def _first_end_ms(self) -> int:
        """When the earliest window that waits ends."""
        first_ms = int(self._waiting[0].ticks.t_ms[0])
        return first_ms // self.width_ms * self.width_ms + self.width_ms

    def _window(self, start_ms: int, symbol: NDArray[np.int32], ticks: Ticks) -> _Window:
        order = np.argsort(symbol, kind="stable")
        bars = candles(taken(ticks, order), symbol[order].astype(np.int64))
        self.sums.count(symbol, ticks)
        # `candles` names a bar by what it was grouped by.
        return _Window(start_ms, bars.t_ms, bars)


class _PublishedBar:
    """A cluster's columns of a batch, and what they are for bars when somebody asks."""

    def __init__(self, cluster: Cluster, batch: Batch) -> None:
        self._ticks: Callable[[Any], Ticks]
        self.columns: Prints | Values | SecondBars
        times: NDArray[np.int64]
        if cluster == "options":
            self._ticks, self.columns, times = ticks_of_prints, batch.prints, batch.prints.t_ms
        elif cluster == "indices":
            self._ticks, self.columns, times = ticks_of_values, batch.values, batch.values.t_ms
        else:
            self._ticks, self.columns, times = ticks_of_bars, batch.bars, batch.bars.start_ms
        self.last_ms = int(times[-1]) if len(times) else 0

    def keyed(self) -> _Keyed:
        return _Keyed(self.columns[0], self._ticks(self.columns))


def _together(parts: Iterable[_Keyed]) -> _Keyed:
    symbols, ticks = zip(*parts, strict=True)
    return _Keyed(np.concatenate(symbols), joined(ticks))


def _bars(channel: str, tickers: tuple[str, ...], maker: _Maker, window: _Window) -> Iterable[Event]:
    start, bars = window.start_ms, window.bars
    for symbol, open_, high, low, close, volume, vwap, trades in zip(
        *(column.tolist() for column in (window.symbol, *bars[1:])), strict=True
    ):
        day_volume = int(maker.sums.volume[symbol])
        yield OptionBarEvent(
            ev=channel,
            sym=tickers[symbol],
            v=volume,
            av=day_volume,
            op=float(maker.sums.open[symbol]),
            # A window of prints that update prices only has no volume; its average is then its close.
            vw=round(vwap, 4) if volume else close,
            o=open_,
            c=close,
            h=high,
            l=low,
            a=round(float(maker.sums.notional[symbol]) / day_volume, 4) if day_volume else close,
            z=volume // trades,
            s=start,
            e=start + maker.width_ms,
        )


def _index_bars(channel: str, tickers: tuple[str, ...], maker: _Maker, window: _Window) -> Iterable[Event]:
    start, bars = window.start_ms, window.bars
    for symbol, open_, high, low, close in zip(
        *(column.tolist() for column in (window.symbol, *bars[1:5])), strict=True
    ):
        yield IndexBar(
            ev=channel,
            sym=tickers[symbol],
            op=float(maker.sums.open[symbol]),
            o=open_,
            c=close,
            h=high,
            l=low,
            s=start,
            e=start + maker.width_ms,
        )
