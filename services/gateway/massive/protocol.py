"""One vendor socket as a state machine without I/O: bytes in, events and bytes out.

    CONNECTING --connected--> AUTHING --auth_success--> LIVE --closed()--> CLOSED
         \\______________________\\________________________\\____ a closing status ---> CLOSING --closed()--> CLOSED

The shell that owns the socket does, in this order and for ever: hand every frame to `receive_frame`; send every message
of `data_to_send`; call `tick` now and then; and when the socket is gone call `closed`, then wait as `retry` says before
the next `FeedProtocol`. A session is used for one connection and thrown away.

What is subscribed, and what was refused of it, is kept by `subscriptions`.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from services.gateway.massive.messages import Decoded, Status, decode_frame
from services.gateway.massive.subscriptions import Note, Subscriptions

__all__ = ["NORMAL_CLOSURE", "ConnectionState", "FeedProtocol", "Received", "Retry"]


class ConnectionState(enum.Enum):
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


class Received(NamedTuple):
    """What a frame held (status elements included, which the session has dealt with), and what it has to say."""

    market: Decoded
    notes: list[Note]


class _Step(NamedTuple):
    next: ConnectionState
    note: str
    retry: Retry = Retry.SOON


# (state, status) -> what happens. `success` and `error` are about subscriptions and handled in LIVE; everything that is
# not in this table is a `protocol` note and changes nothing.
_OPEN = (ConnectionState.CONNECTING, ConnectionState.AUTHING, ConnectionState.LIVE)
_STEPS: dict[tuple[ConnectionState, str], _Step] = {
    (ConnectionState.CONNECTING, "connected"): _Step(ConnectionState.AUTHING, ""),
    (ConnectionState.AUTHING, "auth_success"): _Step(ConnectionState.LIVE, "live"),
    **{(state, "auth_failed"): _Step(ConnectionState.CLOSING, "closing", Retry.NEVER) for state in _OPEN},
    **{(state, "auth_timeout"): _Step(ConnectionState.CLOSING, "closing") for state in _OPEN},
    **{(state, "max_connections"): _Step(ConnectionState.CLOSING, "closing", Retry.CONTENDED) for state in _OPEN},
    **{(state, "slow_consumer"): _Step(ConnectionState.CLOSING, "closing") for state in _OPEN},
    **{(state, "force_disconnect"): _Step(ConnectionState.CLOSING, "closing") for state in _OPEN},
}

_ACK = re.compile(r"(un)?subscribed (?:to|from): ?(.+)", re.IGNORECASE)
_QUOTE_LIMIT = "subscription limit"  # the one message text that must be read: its status is a bare `error`
NORMAL_CLOSURE = 1000
POLICY_VIOLATION = 1008  # the close code that goes with max_connections, sometimes without the status
_PREVIEW = 200


class FeedProtocol:
    """One connection to one cluster (`options`, `indices`, `stocks`)."""

    def __init__(self, cluster: str, api_key: str, desired: Iterable[str] = ()) -> None:
        self.cluster = cluster
        self.state = ConnectionState.CONNECTING
        self.retry = Retry.SOON
        self.last_status = ""  # the last closing status and its message, for the log
        self.subscriptions = Subscriptions(desired)
        self._api_key = api_key
        self._outbox: list[bytes] = []

    def __repr__(self) -> str:
        coverage = self.subscriptions.coverage
        return f"<Session /{self.cluster} {self.state.value}, {coverage.acknowledged}/{coverage.desired} pairs>"

    def receive_frame(self, data: bytes, now_ns: int) -> Received:
        """Take one whole WebSocket message. Afterwards send `data_to_send()`. Never raises for any `data`."""
        decoded = decode_frame(self.cluster, data)
        if decoded.kind not in (None, Status):
            return Received(decoded, [])
        notes: list[Note] = []
        for event in decoded.events:
            if type(event) is Status:
                notes += self._status(event, now_ns)
        if self.state is ConnectionState.LIVE:
            notes += self.subscriptions.settle(now_ns)
        return Received(decoded, notes)

    def want(self, pairs: Iterable[str], now_ns: int) -> None:
        """Make `pairs` the desired set, the most important first. Afterwards send `data_to_send()`."""
        self.subscriptions.want(pairs, now_ns)

    def tick(self, now_ns: int) -> list[Note]:
        """Let time pass: what got no answer is noted, what may be asked again is asked for.

        Call it every second or so, then send `data_to_send()`.
        """
        return self.subscriptions.tick(now_ns)

    def data_to_send(self) -> list[bytes]:
        """Messages to send now, each as one text message; they are handed out once."""
        messages = [*self._outbox, *self.subscriptions.outbox]
        self._outbox.clear()
        self.subscriptions.outbox.clear()
        return messages

    def closed(self, code: int | None, reason: str = "") -> Retry:
        """The socket is gone, with a close code or without. Afterwards wait as the answer says, then start anew."""
        # Other closing statuses may come with the same code; what was said counts, the code only where nothing was.
        if code == POLICY_VIOLATION and not self.last_status:
            self.retry = Retry.CONTENDED
            self.last_status = f"close 1008: {reason}".removesuffix(": ")
        self.state = ConnectionState.CLOSED
        self.subscriptions.stop()
        return self.retry

    def _status(self, status: Status, now_ns: int) -> list[Note]:
        step = _STEPS.get((self.state, status.status))
        if step is not None:
            self.state, self.retry = step.next, step.retry
            if step.next is ConnectionState.AUTHING:
                self._outbox.append(msgspec.json.encode({"action": "auth", "params": self._api_key}))
            if step.next is ConnectionState.LIVE:
                self.subscriptions.start(now_ns)
            if step.next is ConnectionState.CLOSING:
                self.subscriptions.stop()
                self.last_status = f"{status.status}: {status.message[:_PREVIEW]}"
            return [Note(step.note, self.last_status)] if step.note else []
        if self.state is ConnectionState.LIVE and status.status == "success":
            return self._acknowledge(status.message)
        if self.state is ConnectionState.LIVE and status.status == "error":
            return self._error(status.message, now_ns)
        return [Note("protocol", f"{status.status}: {status.message[:_PREVIEW]} while {self.state.value}")]

    def _acknowledge(self, message: str) -> list[Note]:
        match = _ACK.fullmatch(message.strip())
        if match is None:
            return [Note("protocol", f"success: {message[:_PREVIEW]}")]
        gone, pair = match.groups()
        return [self.subscriptions.acknowledge(pair, gone=gone is not None)]

    def _error(self, message: str, now_ns: int) -> list[Note]:
        if _QUOTE_LIMIT in message.lower():
            return self.subscriptions.quote_limit(message[:_PREVIEW], now_ns)
        if "not authorized" in message.lower():
            self.subscriptions.unauthorized()
            return []
        return [Note("protocol", f"error: {message[:_PREVIEW]}")]
