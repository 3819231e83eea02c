"""The dialect of Massive.com (formerly Polygon.io) on its WebSocket: bytes to typed events, nothing else.

Every server frame is a JSON array that may mix event types, tickers and status elements. Unknown keys are ignored
(fields have been added without a version); integers may come as `12.0`. Each element is judged on its own: a malformed
one becomes a `Reject` and leaves its neighbours alone.

Four passes, each tried only when the one before fails: the whole array, strictly (the only one a healthy feed ever
sees); the whole array, leniently; element by element; the elements before the place where the frame breaks off.
"""

from __future__ import annotations

import functools
import operator
from typing import Annotated, Any, NamedTuple, TypeAlias

import msgspec
from msgspec import Meta, Struct, field

__all__ = [
    "BROKEN",
    "CLUSTERS",
    "REJECT_BYTES_MAX",
    "Decoded",
    "Event",
    "IndexValue",
    "Quote",
    "Reject",
    "Status",
    "StockBar",
    "Trade",
    "Unused",
    "decode_frame",
    "raw_elements",
]

# Limits of plausibility. They keep every number inside its column's type; what is beyond them is a reject, with bytes.
Code: TypeAlias = Annotated[int, Meta(ge=0, le=2**15 - 1)]
Count: TypeAlias = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Contracts: TypeAlias = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Sequence: TypeAlias = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Shares: TypeAlias = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Price: TypeAlias = Annotated[float, Meta(ge=0.0, le=1e9)]
# 2000-01-01 to 2100-01-01: a wrong unit (seconds, microseconds, nanoseconds) falls outside.
Milliseconds: TypeAlias = Annotated[int, Meta(ge=946_684_800_000, le=4_102_444_800_000)]

# What a dead letter keeps of an element: thirty times a usual one.
REJECT_BYTES_MAX = 4096


# Reasons of a reject that is a whole frame or its end: what stood there nobody knows.
BROKEN = frozenset({"cut_off", "not_json"})
# Where a frame that breaks off is closed: between the last two elements, or earlier if text in them looks like that.
CUTS_MAX = 8


class Reject(NamedTuple):
    """Something that could not be understood: a reason to count by, a sentence for people, and the bytes."""

    reason: str
    detail: str
    data: bytes


# {"ev":"status","status":"success","message":"subscribed to: T.O:SPY251219C00650000"}
class Status(Struct, tag_field="ev", tag="status", gc=False):
    """The session speaks; see `services.gateway.massive.protocol`."""

    status: str
    message: str = ""


# {"ev":"T","sym":"O:SPY251219C00650000","x":302,"p":12.41,"s":25,"c":[219],"t":1765981806123,"q":1844730912}
class Trade(Struct, tag_field="ev", tag="T", gc=False):
    """An option print: exchange id, premium per share, contracts, condition ids, SIP time in ms, sequence number."""

    sym: str
    p: Price
    s: Contracts
    t: Milliseconds
    x: Code = 0
    c: tuple[Code, ...] | None = ()
    q: Sequence = 0


# {"ev":"Q","sym":"O:SPY251219C00650000","bx":302,"ax":313,"bp":12.38,"ap":12.42,"bs":41,"as":17,"t":1765981806119,
#  "q":1844730871}
class Quote(Struct, tag_field="ev", tag="Q", gc=False):
    """The best bid and offer of one contract. Bid 0 with size 0 is normal for far wings."""

    sym: str
    bp: Price
    ap: Price
    t: Milliseconds
    bs: Count = 0
    as_: Count = field(default=0, name="as")


# {"ev":"V","val":6873.42,"T":"I:SPX","t":1765981806000}
class IndexValue(Struct, tag_field="ev", tag="V", gc=False):
    """An index level. The ticker is in capital `T`, with the prefix `I:`."""

    val: Price
    ticker: str = field(name="T")
    t: Milliseconds


# {"ev":"A","sym":"SPY","v":18250,"dv":"18250.0","av":41822019,"op":686.1,"vw":687.4312,"o":687.42,"c":687.44,
#  "h":687.46,"l":687.4,"a":686.902,"z":96,"s":1765981806000,"e":1765981807000}
class StockBar(Struct, tag_field="ev", tag="A", gc=False):
    """One second of a stock; `e` is the window's end in ms."""

    sym: str
    c: Price
    h: Price
    l: Price  # noqa: E741 - the vendor's name
    e: Milliseconds
    v: Shares = 0


class Unused(Struct, gc=False):
    """An event the vendor documents and this gateway never asks for: counted, not read."""


def _unused(tag: str) -> Any:
    return msgspec.defstruct(f"Unused{tag}", [], bases=(Unused,), tag_field="ev", tag=tag, gc=False)


Event: TypeAlias = Trade | Quote | IndexValue | StockBar | Status | Unused

CLUSTERS: dict[str, tuple[Any, ...]] = {
    "options": (Trade, Quote, Status, *map(_unused, ("A", "AM", "FMV"))),
    "indices": (IndexValue, Status, *map(_unused, ("A", "AM"))),
    "stocks": (StockBar, Status, *map(_unused, ("AM", "T", "Q"))),
}


class _Decoders(NamedTuple):
    array: msgspec.json.Decoder[list[Any]]
    lenient_array: msgspec.json.Decoder[list[Any]]
    element: msgspec.json.Decoder[Any]


def _decoders(types: tuple[Any, ...]) -> _Decoders:
    union = functools.reduce(operator.or_, types)
    return _Decoders(
        msgspec.json.Decoder(list[union]),  # type: ignore[valid-type]
        msgspec.json.Decoder(list[union], strict=False),  # type: ignore[valid-type]
        msgspec.json.Decoder(union, strict=False),
    )


_DECODERS = {cluster: _decoders(types) for cluster, types in CLUSTERS.items()}
_RAW_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])

# msgspec's errors and UnicodeDecodeError are ValueErrors; JSON nested too deep is a RecursionError.
_MALFORMED = (ValueError, RecursionError)


class Decoded(NamedTuple):
    """A frame's elements in their order, without the rejected ones.

    `kind` is the type of all of them, or None when they differ: looked at once here, so that later steps need no pass
    of their own over a frame of nothing but trades.
    """

    events: list[Event]
    rejects: list[Reject]
    kind: type[Event] | None


def decode_frame(cluster: str, data: bytes) -> Decoded:
    """Decode one socket frame of `cluster` (a key of `CLUSTERS`). Never raises for any `data`.

    >>> frame = b'[{"ev":"V","val":6873.42,"T":"I:SPX","t":1765981806000},{"ev":"V"}]'
    >>> events, rejects, _ = decode_frame("indices", frame)
    >>> events[0].ticker, rejects[0].reason
    ('I:SPX', 'malformed')
    """
    decoders = _DECODERS[cluster]
    try:
        return _decoded(decoders.array.decode(data), [])
    except _MALFORMED:
        pass
    try:
        return _decoded(decoders.lenient_array.decode(data), [])
    except _MALFORMED:
        pass
    try:
        elements = _RAW_ARRAY.decode(data)
    except _MALFORMED as error:
        return _cut_off(cluster, data, str(error))
    return _one_by_one(cluster, elements)


def _cut_off(cluster: str, data: bytes, error: str) -> Decoded:
    """The whole elements at the beginning of a frame that breaks off; the rest is a reject."""
    end = len(data)
    for _ in range(CUTS_MAX):
        end = data.rfind(b"},{", 0, end)
        if end < 0:
            break
        try:
            elements = _RAW_ARRAY.decode(data[: end + 1] + b"]")
        except _MALFORMED:
            continue
        whole = _one_by_one(cluster, elements)
        rest = Reject("cut_off", f"{cluster}: {error}", data[end + 1 :][:REJECT_BYTES_MAX])
        return Decoded(whole.events, [*whole.rejects, rest], whole.kind)
    return _decoded([], [Reject("not_json", f"{cluster}: {error}", data[:REJECT_BYTES_MAX])])


def _decoded(events: list[Event], rejects: list[Reject]) -> Decoded:
    kinds = list(map(type, events))
    uniform = bool(kinds) and kinds.count(kinds[0]) == len(kinds)
    return Decoded(events, rejects, kinds[0] if uniform else None)


def _one_by_one(cluster: str, elements: list[msgspec.Raw]) -> Decoded:
    decode = _DECODERS[cluster].element.decode
    events: list[Event] = []
    rejects: list[Reject] = []
    for element in elements:
        try:
            events.append(decode(element))
        except _MALFORMED as error:
            # msgspec says `Invalid value 'ZZ' - at `$.ev`` for a tag it does not know.
            reason = "unknown_event" if "$.ev" in str(error) else "malformed"
            rejects.append(Reject(reason, f"{cluster}: {error}", bytes(element)[:REJECT_BYTES_MAX]))
    return _decoded(events, rejects)


def raw_elements(data: bytes) -> list[bytes]:
    """The bytes of each element of a frame that `decode_frame` could read; for the dead letters of later checks."""
    return [bytes(element) for element in _RAW_ARRAY.decode(data)]
