"""Bars on the wire: A (second) and AM (minute) of options and indices, AM of stocks, of what a host has told. Pure.

A bar comes some time after its window's end; a window in which nothing counts has none. Stocks' seconds are not made
here: a source has them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.standin.aggregates import Candles, Ticks, candles, ticks_of_bars, ticks_of_prints, ticks_of_values
from services.standin.faults.named import Cluster
from services.standin.listing import Listing
from services.standin.source import Batch, Source, joined, taken
from services.standin.websocket.wire import Bar, Event, IndexBar

__all__ = ["LiveBars"]

WIDTH_MS = {"A": 1000, "AM": 60_000}
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
    """One host's. `earlier` gives the day's batches a host has told before somebody wanted bars."""

    def __init__(self, source: Source, delay_s: float, earlier: Callable[[Listing], Iterable[Batch]]) -> None:
        self._source, self._delay_ms, self._earlier = source, int(delay_s * 1000), earlier
        self._listing: Listing | None = None
        self._makers: dict[Kind, _Maker] = {}

    def made(self, batch: Batch, clock_ns: int, wanted: Iterable[Kind]) -> dict[Kind, list[Event]]:
        """Take what was told up to `clock_ns`; the bars that are due now, by cluster and channel."""
        events: dict[Kind, list[Event]] = {}
        if batch.listing is not self._listing:
            for kind, maker in self._makers.items():
                events[kind] = self._events(kind, maker, maker.due(None))
            self._makers, self._listing = {}, batch.listing
        for kind in wanted:
            if kind not in self._makers and kind != ("stocks", "A") and kind[1] in WIDTH_MS:
                self._makers[kind] = self._begun(kind, batch.listing)
        for kind, maker in self._makers.items():
            maker.add(_keyed(kind[0], batch))
            due = maker.due(clock_ns // NS_PER_MS - self._delay_ms)
            events[kind] = events.get(kind, []) + self._events(kind, maker, due)
        return events

    def _begun(self, kind: Kind, listing: Listing) -> _Maker:
        """A maker that knows the day so far, but does not tell again what was over before it was asked for."""
        cluster, channel = kind
        maker = _Maker(len(self._tickers(cluster, listing)), WIDTH_MS[channel])
        for batch in self._earlier(listing):
            maker.know(_keyed(cluster, batch))
        return maker

    def _events(self, kind: Kind, maker: _Maker, windows: list[_Window]) -> list[Event]:
        cluster, channel = kind
        assert self._listing is not None
        tickers = self._tickers(cluster, self._listing)
        told = _index_bars if cluster == "indices" else _bars
        return [event for window in windows for event in told(channel, tickers, maker, window)]

    def _tickers(self, cluster: Cluster, listing: Listing) -> tuple[str, ...]:
        if cluster == "options":
            return listing.tickers
        return self._source.index_tickers if cluster == "indices" else self._source.stock_tickers


class _Maker:
    """Bars of one width, and each symbol's day so far."""

    def __init__(self, symbols: int, width_ms: int) -> None:
        self.width_ms = width_ms
        self.day_open = np.full(symbols, np.nan)
        self.day_volume = np.zeros(symbols, np.int64)
        self.day_notional = np.zeros(symbols)
        self._waiting: deque[_Keyed] = deque()

    def add(self, keyed: _Keyed) -> None:
        if len(keyed.symbol):
            self._waiting.append(keyed)

    def know(self, keyed: _Keyed) -> None:
        """Take what was over before into the day so far; no bar comes of it."""
        self._window(0, *keyed)

    def due(self, until_ms: int | None) -> list[_Window]:
        """The windows that ended by `until_ms`, all of them for None."""
        if not self._waiting or (until_ms is not None and self._first_end_ms() > until_ms):
            return []
        symbol = np.concatenate([keyed.symbol for keyed in self._waiting])
        ticks = joined([keyed.ticks for keyed in self._waiting])
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
        whose = bars.t_ms  # `candles` names a bar by what it was grouped by
        self.day_open[whose] = np.where(np.isnan(self.day_open[whose]), bars.open, self.day_open[whose])
        np.add.at(self.day_volume, symbol, ticks.size)
        np.add.at(self.day_notional, symbol, ticks.notional)
        return _Window(start_ms, whose, bars)


def _keyed(cluster: Cluster, batch: Batch) -> _Keyed:
    if cluster == "options":
        return _Keyed(batch.prints.contract, ticks_of_prints(batch.prints))
    if cluster == "indices":
        return _Keyed(batch.values.symbol, ticks_of_values(batch.values))
    return _Keyed(batch.bars.symbol, ticks_of_bars(batch.bars))


def _bars(channel: str, tickers: tuple[str, ...], maker: _Maker, window: _Window) -> Iterable[Event]:
    start, bars = window.start_ms, window.bars
    for symbol, open_, high, low, close, volume, vwap, trades in zip(
        *(column.tolist() for column in (window.symbol, *bars[1:])), strict=True
    ):
        day_volume = int(maker.day_volume[symbol])
        yield Bar(
            ev=channel,
            sym=tickers[symbol],
            v=volume,
            av=day_volume,
            op=float(maker.day_open[symbol]),
            # A window of prints that update prices only has no volume; its average is then its close.
            vw=round(vwap, 4) if volume else close,
            o=open_,
            c=close,
            h=high,
            l=low,
            a=round(float(maker.day_notional[symbol]) / day_volume, 4) if day_volume else close,
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
            op=float(maker.day_open[symbol]),
            o=open_,
            c=close,
            h=high,
            l=low,
            s=start,
            e=start + maker.width_ms,
        )
