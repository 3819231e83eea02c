"""One vendor socket as a state machine without I/O: bytes in, events and bytes out.

    CONNECTING --connected--> AUTHING --auth_success--> LIVE --closed()--> CLOSED
         \\______________________\\________________________\\____ a closing status ---> CLOSING --closed()--> CLOSED

The shell that owns the socket does, in this order and for ever: hand every frame to `receive_frame`; send every message
of `data_to_send`; call `tick` now and then; and when the socket is gone call `closed`, then wait as `retry` says before
the next `Session`. A session is used for one connection and thrown away.

Subscriptions are kept as *desired* against *acknowledged* pairs (`T.*`, `Q.O:SPY251219C00650000`). One request is in
flight at a time, because an `error` names no pair: it can only belong to the request that is open. The vendor says
nothing at all to an unknown channel or a pair already held, so a request also ends by time-out.
"""

from __future__ import annotations

import enum
import re
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from services.gateway.massive import Decoded, Status, decode_frame

__all__ = ["ACK_TIMEOUT_NS", "PAIRS_PER_REQUEST", "Note", "Received", "Retry", "Session", "State"]

ACK_TIMEOUT_NS = 10_000_000_000  # 420 acks were seen to come within one second
PAIRS_PER_REQUEST = 200  # requests of about this size are known to work well


class State(enum.Enum):
    """Where a session stands."""

    CONNECTING = "connecting"  # the upgrade is done or under way, the vendor has not spoken
    AUTHING = "authing"  # greeted; the key was sent
    LIVE = "live"
    CLOSING = "closing"  # the vendor has said why it will close; drain until it does
    CLOSED = "closed"


class Retry(enum.Enum):
    """What the shell may do after a session ended."""

    SOON = "soon"  # the short ladder
    CONTENDED = "contended"  # another program uses this key: the long ladder, and tell the operator
    NEVER = "never"  # the key or plan is refused


class Note(NamedTuple):
    """Something the session has to say: `kind` is one of

    live          authenticated; subscriptions are on their way
    subscribed    `pairs` are acknowledged
    unsubscribed  `pairs` are given up
    refused       `pairs` are outside the plan ("not authorized")
    quote_limit   the whole request of `pairs` was refused: too many contracts are held
    unanswered    `pairs` got no answer in time
    closing       the vendor is about to close; `message` says why
    protocol      something the protocol does not know in this state
    """

    kind: str
    message: str = ""
    pairs: tuple[str, ...] = ()


class Received(NamedTuple):
    """What a frame held (status elements included, which the session has dealt with), and what it has to say."""

    market: Decoded
    notes: list[Note]


class _Step(NamedTuple):
    next: State
    note: str
    retry: Retry = Retry.SOON


# (state, status) -> what happens. `success` and `error` are about subscriptions and handled in LIVE; everything that is
# not in this table is a `protocol` note and changes nothing.
_OPEN = (State.CONNECTING, State.AUTHING, State.LIVE)
_STEPS: dict[tuple[State, str], _Step] = {
    (State.CONNECTING, "connected"): _Step(State.AUTHING, ""),
    (State.AUTHING, "auth_success"): _Step(State.LIVE, "live"),
    **{(state, "auth_failed"): _Step(State.CLOSING, "closing", Retry.NEVER) for state in _OPEN},
    **{(state, "auth_timeout"): _Step(State.CLOSING, "closing") for state in _OPEN},
    **{(state, "max_connections"): _Step(State.CLOSING, "closing", Retry.CONTENDED) for state in _OPEN},
    **{(state, "slow_consumer"): _Step(State.CLOSING, "closing") for state in _OPEN},
    **{(state, "force_disconnect"): _Step(State.CLOSING, "closing") for state in _OPEN},
}

_ACK = re.compile(r"(un)?subscribed (?:to|from): ?(.+)", re.IGNORECASE)
_QUOTE_LIMIT = "subscription limit"  # the one message text that must be read: its status is a bare `error`
POLICY_VIOLATION = 1008  # the close code that goes with max_connections, sometimes without the status
_PREVIEW = 200


class _Request(NamedTuple):
    action: str
    pairs: tuple[str, ...]
    sent_ns: int


class Session:
    """One connection to one cluster (`options`, `indices`, `stocks`)."""

    def __init__(self, cluster: str, api_key: str, desired: Iterable[str] = ()) -> None:
        self.cluster = cluster
        self.state = State.CONNECTING
        self.retry = Retry.SOON
        self.last_status = ""  # the last closing status and its message, for the log
        self.desired: set[str] = set(desired)
        self.acknowledged: set[str] = set()
        self.refused: set[str] = set()  # not asked for again on this connection
        self._api_key = api_key
        self._outbox: deque[bytes] = deque()
        self._in_flight: _Request | None = None
        self._open_pairs: set[str] = set()  # of the request in flight, those without an answer
        self._unauthorized = False

    def __repr__(self) -> str:
        return f"<Session /{self.cluster} {self.state.value}, {len(self.acknowledged)}/{len(self.desired)} pairs>"

    def receive_frame(self, data: bytes, now_ns: int) -> Received:
        """Take one whole WebSocket message. Afterwards send `data_to_send()`. Never raises for any `data`."""
        decoded = decode_frame(self.cluster, data)
        if decoded.kind not in (None, Status):
            return Received(decoded, [])
        notes: list[Note] = []
        for event in decoded.events:
            if type(event) is Status:
                notes += self._status(event)
        notes += self._settle(now_ns)
        return Received(decoded, notes)

    def want(self, pairs: Iterable[str], now_ns: int) -> None:
        """Make `pairs` the desired set; what changed is asked for. Afterwards send `data_to_send()`."""
        self.desired = set(pairs)
        self.refused &= self.desired
        self._next_request(now_ns)

    def tick(self, now_ns: int) -> list[Note]:
        """Let time pass: end a request that got no answer. Call it every second or so, then send `data_to_send()`."""
        request = self._in_flight
        if request is None or now_ns - request.sent_ns < ACK_TIMEOUT_NS:
            return []
        return self._end_request(now_ns)

    def data_to_send(self) -> list[bytes]:
        """Messages to send now, each as one text message; they are handed out once."""
        messages = list(self._outbox)
        self._outbox.clear()
        return messages

    def closed(self, code: int | None, reason: str = "") -> Retry:
        """The socket is gone, with a close code or without. Afterwards wait as the answer says, then start anew."""
        if code == POLICY_VIOLATION and self.retry is Retry.SOON:
            self.retry = Retry.CONTENDED
            self.last_status = self.last_status or f"close 1008 {reason}".strip()
        self.state = State.CLOSED
        return self.retry

    def _status(self, status: Status) -> list[Note]:
        step = _STEPS.get((self.state, status.status))
        if step is not None:
            self.state, self.retry = step.next, step.retry
            if step.next is State.AUTHING:
                self._send("auth", self._api_key)
            if step.next is State.CLOSING:
                self.last_status = f"{status.status}: {status.message[:_PREVIEW]}"
            return [Note(step.note, self.last_status)] if step.note else []
        if self.state is State.LIVE and status.status == "success":
            return self._acknowledge(status.message)
        if self.state is State.LIVE and status.status == "error":
            return self._error(status.message)
        return [Note("protocol", f"{status.status}: {status.message[:_PREVIEW]} while {self.state.value}")]

    def _acknowledge(self, message: str) -> list[Note]:
        match = _ACK.fullmatch(message.strip())
        if match is None:
            return [Note("protocol", f"success: {message[:_PREVIEW]}")]
        gone, pair = match.groups()
        self._open_pairs.discard(pair)
        if gone:
            self.acknowledged.discard(pair)
            return [Note("unsubscribed", pairs=(pair,))]
        self.acknowledged.add(pair)
        return [Note("subscribed", pairs=(pair,))]

    def _error(self, message: str) -> list[Note]:
        if _QUOTE_LIMIT in message.lower():
            if self._in_flight is None:
                return []  # one of the several elements that one refusal brings
            pairs = self._in_flight.pairs
            self.refused.update(pairs)
            self._in_flight = None
            self._open_pairs.clear()
            return [Note("quote_limit", message[:_PREVIEW], pairs)]
        if "not authorized" in message.lower():
            self._unauthorized = True  # names no pair, and may come before the acks of others: see `_settle`
            return []
        return [Note("protocol", f"error: {message[:_PREVIEW]}")]

    def _settle(self, now_ns: int) -> list[Note]:
        """After a frame: is the request in flight answered in full?"""
        if self.state is not State.LIVE:
            return []
        request = self._in_flight
        if request is not None:
            refused_alone = self._unauthorized and len(request.pairs) == 1
            if self._open_pairs and not refused_alone:
                return []
            return self._end_request(now_ns)
        self._next_request(now_ns)
        return []

    def _end_request(self, now_ns: int) -> list[Note]:
        """Whatever of the request is still open was refused, if the vendor complained, or else went unanswered."""
        kind = "refused" if self._unauthorized else "unanswered"
        left = tuple(sorted(self._open_pairs))
        request, self._in_flight = self._in_flight, None
        self._open_pairs.clear()
        self._unauthorized = False
        if request is not None and request.action == "unsubscribe":
            self.acknowledged.difference_update(left)  # silence is no reason to believe that they still come
        else:
            self.refused.update(left)
        self._next_request(now_ns)
        return [Note(kind, pairs=left)] if left else []

    def _next_request(self, now_ns: int) -> None:
        if self.state is not State.LIVE or self._in_flight is not None:
            return
        surplus = sorted(self.acknowledged - self.desired)[:PAIRS_PER_REQUEST]
        missing = sorted(self.desired - self.acknowledged - self.refused)
        wildcards = [pair for pair in missing if pair.endswith(".*")]
        if surplus:  # first make room
            self._request("unsubscribe", tuple(surplus), now_ns)
        elif missing:
            # Whole channels first, in a request of their own: the trades must not wait for a thousand quotes, nor be
            # refused along with them.
            self._request("subscribe", tuple(wildcards or missing)[:PAIRS_PER_REQUEST], now_ns)

    def _request(self, action: str, pairs: tuple[str, ...], now_ns: int) -> None:
        self._in_flight = _Request(action, pairs, now_ns)
        self._open_pairs = set(pairs)
        self._unauthorized = False
        self._send(action, ",".join(pairs))

    def _send(self, action: str, params: str) -> None:
        self._outbox.append(msgspec.json.encode({"action": action, "params": params}))
