"""Events as the vendor writes them: columns in, JSON text frames out. Pure.

Every server frame is a JSON array, even for one status event; a frame may mix event types of its cluster. Units are the
vendor's: milliseconds on every channel here, prices in dollars a share.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np

from standin.faults.protocol_options import FRAME_EVENTS_MAX
from standin.feed.listing import Listing
from standin.feed.source import Prints, Quotes, SecondBars, Values

__all__ = [
    "Event",
    "FairValue",
    "IndexBar",
    "IndexValueEvent",
    "OptionBarEvent",
    "OptionQuote",
    "OptionTrade",
    "StatusEvent",
    "StockBarEvent",
    "StockQuote",
    "StockTrade",
    "encode",
    "fair_values",
    "frames",
    "index_events",
    "option_events",
    "status_frame",
    "stock_events",
]


# {"ev":"T","sym":"O:SPY251219C00650000","x":302,"p":12.41,"s":25,"c":[219],"t":1765981806123,"q":1844730912}
class OptionTrade(msgspec.Struct, tag_field="ev", tag="T", gc=False):
    """An option print. `c` holds one condition id of the 200-series."""

    sym: str
    x: int
    p: float
    s: int
    c: list[int]
    t: int
    q: int


# {"ev":"Q","sym":"O:SPY251219C00650000","bx":302,"bp":12.38,"bs":41,"ax":313,"ap":12.42,"as":17,"t":...,"q":...}
class OptionQuote(msgspec.Struct, tag_field="ev", tag="Q", gc=False, rename={"as_": "as"}):
    """The best bid and offer over all venues."""

    sym: str
    bx: int
    bp: float
    bs: int
    ax: int
    ap: float
    as_: int
    t: int
    q: int


# {"ev":"T","sym":"SPY","x":4,"i":"52983573","z":2,"p":687.44,"s":100,"c":[14,41],"t":1765981806123,"q":2210045,
#  "ds":"100"}
class StockTrade(msgspec.Struct, tag_field="ev", tag="T", gc=False, omit_defaults=True):
    """A stock's trade. `i` is its id, `z` the tape, `ds` the size as a decimal string; without `c` no condition."""

    sym: str
    x: int
    i: str
    z: int
    p: float
    s: int
    t: int
    q: int
    ds: str
    c: list[int] = []


# {"ev":"Q","sym":"SPY","bx":11,"bp":687.43,"bs":300,"ax":12,"ap":687.45,"as":100,"c":1,"t":1765981806123,"q":2210044,
#  "z":2}
class StockQuote(msgspec.Struct, tag_field="ev", tag="Q", gc=False, rename={"as_": "as"}):
    """A stock's best bid and offer, sizes in shares; `c` is one id, not a list."""

    sym: str
    bx: int
    bp: float
    bs: int
    ax: int
    ap: float
    as_: int
    c: int
    t: int
    q: int
    z: int


# {"ev":"V","val":6873.42,"T":"I:SPX","t":1765981806000}
class IndexValueEvent(msgspec.Struct, tag_field="ev", tag="V", gc=False):
    """An index level. The ticker is under a capital T."""

    val: float
    T: str
    t: int


# {"ev":"A","sym":"SPY","v":18250,"av":41822019,"op":686.1,"vw":687.43,"o":...,"c":...,"h":...,"l":...,"a":...,"z":96,
#  "s":1765981806000,"e":1765981807000}
class StockBarEvent(msgspec.Struct, tag_field="ev", tag="A", gc=False):
    """A stock's bar: window from `s` to `e`, its volume and prices, and the day's so far."""

    sym: str
    v: int
    av: int
    op: float
    vw: float
    o: float
    c: float
    h: float
    l: float  # noqa: E741  the vendor's key
    a: float
    z: int
    s: int
    e: int


# {"ev":"AM","sym":"O:SPY251219C00650000","v":312,"av":18422,"op":11.9,"vw":12.4061,"o":12.38,"c":12.41,"h":12.47,
#  "l":12.35,"a":12.2177,"z":9,"s":1765981800000,"e":1765981860000}
class OptionBarEvent(msgspec.Struct, gc=False):
    """A bar that was made here; `ev` is A (a second) or AM (a minute)."""

    ev: str
    sym: str
    v: int
    av: int
    op: float
    vw: float
    o: float
    c: float
    h: float
    l: float  # noqa: E741  the vendor's key
    a: float
    z: int
    s: int
    e: int


# {"ev":"AM","sym":"I:VIX","op":16.92,"o":17.01,"c":17.04,"h":17.06,"l":16.99,"s":1765981800000,"e":1765981860000}
class IndexBar(msgspec.Struct, gc=False):
    """An index's bar: no volume, and nothing that follows from it."""

    ev: str
    sym: str
    op: float
    o: float
    c: float
    h: float
    l: float  # noqa: E741  the vendor's key
    s: int
    e: int


# {"ev":"FMV","fmv":12.4034,"sym":"O:SPY251219C00650000","t":1765981806123000000}
class FairValue(msgspec.Struct, tag_field="ev", tag="FMV", gc=False):
    """A contract's fair market value, on business hosts. Its time is in nanoseconds."""

    fmv: float
    sym: str
    t: int


class StatusEvent(msgspec.Struct, tag_field="ev", tag="status"):
    """A control answer."""

    status: str
    message: str


Event = (
    OptionTrade
    | OptionQuote
    | IndexValueEvent
    | StockBarEvent
    | StockTrade
    | StockQuote
    | OptionBarEvent
    | IndexBar
    | FairValue
    | StatusEvent
)

_encoder = msgspec.json.Encoder()
encode = _encoder.encode
# One shared list per id: a print's conditions are encoded, never changed.
_CONDITION_LISTS: dict[int, list[int]] = {condition: [condition] for condition in range(200, 256)}


def status_frame(status: str, message: str) -> bytes:
    """A frame of one status event.

    >>> status_frame("auth_success", "authenticated")
    b'[{"ev":"status","status":"auth_success","message":"authenticated"}]'
    """
    return encode([StatusEvent(status, message)])


def frames(events: Sequence[Event | dict[str, Any]], events_max: int = FRAME_EVENTS_MAX) -> Iterator[bytes]:
    """Cut events, or what became of them, into frames of at most `events_max`, in order."""
    for start in range(0, len(events), events_max):
        yield encode(events[start : start + events_max])


def option_events(listing: Listing, prints: Prints, quotes: Quotes) -> list[Event]:
    """Prints and quotes of one listing as wire events, in the order of their sequence numbers."""
    tickers = listing.tickers
    conditions = _CONDITION_LISTS
    trades: list[Event] = [
        OptionTrade(tickers[contract], exchange, price, size, conditions[condition], t, q)
        for contract, exchange, price, size, condition, t, q in zip(
            *(column.tolist() for column in prints), strict=True
        )
    ]
    if not len(quotes.q):
        return trades
    both = trades + [
        OptionQuote(tickers[row[0]], *row[1:]) for row in zip(*(column.tolist() for column in quotes), strict=True)
    ]
    if not trades:
        return both
    order = np.argsort(np.concatenate((prints.q, quotes.q)), kind="stable")
    return [both[index] for index in order.tolist()]


def fair_values(listing: Listing, quotes: Quotes) -> list[Event]:
    """The middle of each quote as its contract's fair value."""
    return [
        FairValue(round((bid + ask) / 2, 4), listing.tickers[contract], t_ms * 1_000_000)
        for contract, bid, ask, t_ms in zip(
            *(column.tolist() for column in (quotes.contract, quotes.bid, quotes.ask, quotes.t_ms)), strict=True
        )
    ]


def index_events(tickers: Sequence[str], values: Values) -> list[IndexValueEvent]:
    """Index levels as wire events."""
    return [
        IndexValueEvent(value, tickers[symbol], t)
        for symbol, value, t in zip(*(column.tolist() for column in values), strict=True)
    ]


def stock_events(tickers: Sequence[str], bars: SecondBars) -> list[StockBarEvent]:
    """Stock bars as wire events. The window's VWAP is taken as its typical price."""
    return [
        StockBarEvent(
            sym=tickers[symbol],
            v=volume,
            av=day_volume,
            op=day_open,
            vw=round((high + low + close) / 3, 4),
            o=open_,
            c=close,
            h=high,
            l=low,
            a=round(day_vwap, 4),
            z=min(volume, MEAN_TRADE_SHARES),
            s=start,
            e=end,
        )
        for symbol, open_, high, low, close, volume, day_open, day_volume, day_vwap, start, end in zip(
            *(column.tolist() for column in bars), strict=True
        )
    ]


# Mean size of a US stock trade, rounded (Cboe market statistics: 100 to 170 shares over 2023-25 for liquid names).
MEAN_TRADE_SHARES = 120
