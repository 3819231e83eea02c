"""Bad days by name: everything the vendor's feed and REST have been seen to do to a client, as frozen structs. Pure.

    Fault
    ├── Strike      happens to a connection at a moment of market time, `times` times
    ├── Stain       touches a share of the events, or of REST's rows, while it lasts
    └── Rule        holds from the beginning: plans, refusals, lingering sessions, limits of REST

A struct's name in snake case is the fault's name, its fields are the keys (without the unit at their end), its
docstring says what happens, `row` where the vendor's protocol describes it (spec/vendor.md). `requested.py` reads them
from text, `timeline.py` and `fault_injector.py` make connections suffer them, `rest_faults.py` REST.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, NamedTuple

import msgspec

__all__ = [
    "CLOSE_CODES",
    "FAULTS",
    "AbsentIndices",
    "AuthFailed",
    "AuthTimeout",
    "BackwardQ",
    "BigFrames",
    "Channel",
    "Cluster",
    "Codes",
    "Disconnect",
    "Drop",
    "EmptyDay",
    "ExtraFields",
    "Fault",
    "FloatIntegers",
    "ForceDisconnect",
    "HalfOpen",
    "HttpError",
    "Lag",
    "LateStatuses",
    "MaxConnections",
    "MissingConditions",
    "MissingGreeks",
    "NoLastQuote",
    "NoPlan",
    "NotEntitled",
    "RateLimit",
    "RepeatedQ",
    "Rule",
    "Silence",
    "SlowConsumer",
    "SlowHttp",
    "Stain",
    "StickySessions",
    "Strike",
    "TruncatedJson",
    "Unentitled",
    "UnknownCondition",
    "UnknownEvent",
    "UnknownExchange",
]

Cluster = Literal["options", "indices", "stocks"]
Channel = Literal["T", "Q", "A", "AM", "V"]
Document = Literal["chain", "contracts", "universal", "indices", "aggregates", "trades", "quotes"]
Where = Literal["options", "indices", "stocks", "all"]

# Just past the 1 MiB at which a client with its library's defaults hangs up.
BIG_FRAME_BYTES = 1_200_000


class Codes(NamedTuple):
    """Numbers that mean something: what they are, and from where to where, both ends included."""

    what: str
    ranges: tuple[tuple[int, int], ...]

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and any(first <= number <= last for first, last in self.ranges)

    def __str__(self) -> str:
        spans = [f"{first} to {last}" for first, last in self.ranges]
        return f"{self.what}, {' or '.join(spans)}"


# What a close frame may carry (RFC 6455 7.4): 1004 to 1006 and 1015 are names for closing without one.
CLOSE_CODES = Codes("a close code", ((1000, 1003), (1007, 1014), (3000, 4999)))
HTTP_ERRORS = Codes("an HTTP status", ((400, 599),))


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """What all have: where the protocol describes it, and whether a seed may draw it."""

    row: ClassVar[str] = ""
    # A fault that no client survives, or that takes a whole feed away, is asked for by name only.
    drawn: ClassVar[bool] = True


class Strike(Fault, frozen=True, kw_only=True):
    """Happens at a moment: `after` market time, then every `every`, `times` in all; it waits for a connection."""

    after_s: Annotated[float, "market time from the market's first move"] = 0.0
    times: Annotated[int, "how often"] = 1
    every_s: Annotated[float, "market time from one to the next"] = 30.0
    cluster: Annotated[Where, "whose connections"] = "options"


class Stain(Fault, frozen=True, kw_only=True):
    """Touches each event, or row of REST, with probability `share`."""

    share: Annotated[float, "of the events or rows that are touched"] = 0.01


class Rule(Fault, frozen=True, kw_only=True):
    """Holds from the beginning."""


# Connections


class Drop(Strike, frozen=True, kw_only=True):
    """The TCP connection is reset; no close frame, no status."""

    row = "2.8, 11.1/15"


class Disconnect(Strike, frozen=True, kw_only=True):
    """The server closes cleanly, without a status."""

    row = "10.1"
    code: Annotated[int, "of the close frame", CLOSE_CODES] = 1000


class ForceDisconnect(Strike, frozen=True, kw_only=True):
    """The operator's disconnect: a `force_disconnect` status, then close."""

    row = "2.4, 11.1/15"


class MaxConnections(Strike, frozen=True, kw_only=True):
    """Another program uses the key: `max_connections`, close 1008, though this client has one connection only."""

    row = "2.7, 11.1/9"


class SlowConsumer(Strike, frozen=True, kw_only=True):
    """The client is cut off as too slow: at once, or when `buffer` bytes wait for it."""

    row = "2.8, 11.1/10"
    close: Annotated[Literal["frame", "abort"], "status and close frame, or a reset without a word"] = "frame"
    buffer_bytes: Annotated[int, "room from then on; 0: cut off whatever waits"] = 0


class HalfOpen(Strike, frozen=True, kw_only=True):
    """The socket stays and nothing comes through it any more: no data, no pong, no answer to a close."""

    row = "2.9, 11.1/14"


class Silence(Strike, frozen=True, kw_only=True):
    """Pongs are answered, events are not sent; what happens meanwhile is never sent."""

    row = "2.9"
    for_s: Annotated[float, "market time it lasts"] = 45.0


class Lag(Strike, frozen=True, kw_only=True):
    """Events are held back and come late, all in their order, none lost."""

    row = "2.8, 11.1/15"
    by_s: Annotated[float, "market time an event is held"] = 5.0
    for_s: Annotated[float, "market time it lasts"] = 30.0


class TruncatedJson(Strike, frozen=True, kw_only=True):
    """The next frame of events breaks off in its middle."""

    row = "11.1/15"


class BigFrames(Strike, frozen=True, kw_only=True):
    """The next frame of events is longer than 1 MiB, padded with the blanks JSON allows."""

    row = "2.1, 11.1/15"
    size_bytes: Annotated[int, "of the frame, at least"] = BIG_FRAME_BYTES


# Events


class FloatIntegers(Stain, frozen=True, kw_only=True):
    """Integers are written `12.0`."""

    row = "2.1, 11.1/15"


class MissingConditions(Stain, frozen=True, kw_only=True):
    """A trade comes without `c`, or with an empty one."""

    row = "3.1, 11.1/15"
    how: Annotated[Literal["absent", "empty"], "no key, or []"] = "absent"


class UnknownEvent(Stain, frozen=True, kw_only=True):
    """After an event comes one whose `ev` nobody knows."""

    row = "2.1, 11.1/15"


class ExtraFields(Stain, frozen=True, kw_only=True):
    """An event carries keys that were not there yesterday."""

    row = "2.1"


class UnknownCondition(Stain, frozen=True, kw_only=True):
    """A trade carries a condition id that is in no list."""

    row = "4, 11.1/15"
    id: Annotated[int, "of the condition"] = 299


class UnknownExchange(Stain, frozen=True, kw_only=True):
    """A trade comes from a venue that is in no list."""

    row = "5"
    id: Annotated[int, "of the venue"] = 326


class RepeatedQ(Stain, frozen=True, kw_only=True):
    """A trade is sent twice, or one takes the `q` of the trade before it."""

    row = "2.10, 11.1/15"
    how: Annotated[Literal["event", "number"], "the whole event again, or its number on another"] = "event"


class BackwardQ(Stain, frozen=True, kw_only=True):
    """A trade's `q` lies before that of an earlier trade."""

    row = "2.10, 11.1/15"
    by: Annotated[int, "how far back"] = 1_000_000


# Sessions


class Unentitled(Rule, frozen=True, kw_only=True):
    """The plan lacks channels: `error` / `not authorized` for them, other pairs are acknowledged."""

    row = "2.4, 11.1/7"
    drawn = False
    channels: Annotated[tuple[Channel, ...], "which of them"] = ("Q",)


class NoPlan(Rule, frozen=True, kw_only=True):
    """The plan has no WebSocket at all: `auth_failed` with the sentence that says so."""

    row = "2.4, 11.1/3"
    drawn = False


class AuthFailed(Rule, frozen=True, kw_only=True):
    """A good key is refused."""

    row = "2.4, 11.1/3"
    drawn = False
    times: Annotated[int, "how many connections meet it"] = 1


class AuthTimeout(Rule, frozen=True, kw_only=True):
    """The key is not heard; `auth_timeout` follows."""

    row = "2.4, 11.1/4"
    times: Annotated[int, "how many connections meet it"] = 1


class LateStatuses(Rule, frozen=True, kw_only=True):
    """Answers to subscriptions come late, a few a frame and in no order."""

    row = "2.5, 11.1/5"
    by_s: Annotated[float, "wall time"] = 0.5
    a_frame: Annotated[int, "elements in a frame"] = 100


class StickySessions(Rule, frozen=True, kw_only=True):
    """A connection that ended without a close frame keeps its slot; who comes meanwhile gets `max_connections`."""

    row = "2.7, 11.1/17"
    for_s: Annotated[float, "wall time"] = 20.0


# REST


class RateLimit(Rule, frozen=True, kw_only=True):
    """More requests than allowed get 429 (whether with Retry-After is the switch `retry_after`)."""

    row = "7.1, 11.2"
    requests: Annotated[int, "allowed in each period"] = 5
    per_s: Annotated[float, "the period, wall time"] = 60.0


class HttpError(Stain, frozen=True, kw_only=True):
    """A request fails at the server."""

    row = "7.1, 11.2"
    share: Annotated[float, "of the requests"] = 0.05
    code: Annotated[int, "the HTTP status", HTTP_ERRORS] = 503
    body: Annotated[Literal["json", "html", "empty"], "what comes with it"] = "html"


class NotEntitled(Rule, frozen=True, kw_only=True):
    """The plan lacks documents: 403 `NOT_AUTHORIZED`."""

    row = "7.1, 11.2"
    drawn = False
    documents: Annotated[tuple[Document, ...], "which of them"] = ("quotes",)


class SlowHttp(Stain, frozen=True, kw_only=True):
    """A request is answered late."""

    row = "11.2"
    share: Annotated[float, "of the requests"] = 0.05
    by_s: Annotated[float, "wall time"] = 2.0


class MissingGreeks(Stain, frozen=True, kw_only=True):
    """Contracts come without greeks and implied volatility, the same ones every time."""

    row = "7.2, 11.2"
    share: Annotated[float, "of the contracts"] = 0.2
    how: Annotated[Literal["absent", "empty"], "no key, or {}"] = "absent"


class EmptyDay(Stain, frozen=True, kw_only=True):
    """`day` is `{}` though the contract traded, or lacks half its fields."""

    row = "7.2, 11.2"
    share: Annotated[float, "of the contracts"] = 0.2
    how: Annotated[Literal["empty", "partial"], "nothing in it, or no volume and vwap"] = "empty"


class NoLastQuote(Rule, frozen=True, kw_only=True):
    """Chains come without `last_quote`, as to a plan without quotes."""

    row = "7.2, 13"
    drawn = False
    how: Annotated[Literal["absent", "null"], "no key, or null"] = "absent"


class AbsentIndices(Rule, frozen=True, kw_only=True):
    """Indices the vendor is not sure to have are not there: acknowledged and silent, NOT_FOUND in REST."""

    row = "6.4, 13"
    tickers: Annotated[tuple[str, ...], "which of them"] = ("I:VIX6M", "I:VIX1Y")


def _leaves(kind: type[Fault]) -> list[type[Fault]]:
    below = kind.__subclasses__()
    return [leaf for each in below for leaf in _leaves(each)] if below else [kind]


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


# Every fault by its name, in the order of names.
FAULTS: dict[str, type[Fault]] = dict(sorted((_snake(kind.__name__), kind) for kind in _leaves(Fault)))
