"""One client's WebSocket session, without the socket: text in, frames and a verdict out. Pure.

The vendor's manners, all of which a client has to live with:

* a greeting at once; then `auth`; then `subscribe` and `unsubscribe` as often as wanted;
* one acknowledgement per (channel, ticker), many in a frame; an unknown ticker is acknowledged and silent for ever;
* an unknown channel and a pair already held get no answer at all;
* a channel outside the plan gets `error` / `not authorized`, which does not name the pair; others are acknowledged;
* a request that would pass the limit of quoted contracts is refused whole, with several error elements;
* `Q.*` is not offered on options: quotes are for named contracts;
* a wrong key gets `auth_failed` and the connection is cut without a close frame.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Literal, NamedTuple

import msgspec

from services.standin.wire import Status, encode, status_frame

__all__ = ["CHANNELS", "QUOTED_CONTRACTS_MAX", "Cluster", "Hangup", "Manners", "Reply", "Session", "State"]

Cluster = Literal["options", "indices", "stocks"]

# The vendor's limit of option contracts with streaming quotes on one connection.
QUOTED_CONTRACTS_MAX = 1000
# A client's request can name every quoted contract and more; ten times that bounds a hostile one.
PAIRS_MAX = 100_000

CHANNELS: dict[Cluster, frozenset[str]] = {
    "options": frozenset({"T", "Q", "A", "AM"}),
    "indices": frozenset({"V", "A", "AM"}),
    "stocks": frozenset({"T", "Q", "A", "AM"}),
}

LIMIT_MESSAGE = "Subscription limit reached for feed. Please remove some subscriptions and try again."


@dataclass(frozen=True, slots=True)
class Manners:
    """How strict the server is: what the vendor's documents leave open is a switch here, with the safer default."""

    quoted_contracts_max: int = QUOTED_CONTRACTS_MAX
    # A refused 200-contract request was seen to give about 27 error elements: neither one nor one a pair.
    limit_errors: int = 27
    entitled: frozenset[str] = frozenset({"T", "Q", "A", "AM", "V"})
    plan_includes_websocket: bool = True


class State(Enum):
    """Where a session stands."""

    GREETED = "greeted"
    LIVE = "live"
    CLOSED = "closed"


class Hangup(Enum):
    """How the server leaves: with a close frame, or by dropping the TCP connection."""

    ABORT = "abort"


class Reply(NamedTuple):
    """What to send, and whether to hang up after it. `authenticated` is true in the reply that let the client in."""

    frames: tuple[bytes, ...] = ()
    hangup: Hangup | None = None
    authenticated: bool = False


class _Action(msgspec.Struct):
    action: str
    params: str = ""


_decoder = msgspec.json.Decoder(_Action)


@dataclass(slots=True)
class Session:
    """The state of one connection. Feed `receive`; send what it returns; read what is subscribed from `wildcards` and
    `tickers`. `version` grows with every change of subscriptions, so that a shell can cache what follows from them.
    """

    cluster: Cluster
    keys: frozenset[str]
    manners: Manners = field(default_factory=Manners)
    state: State = State.GREETED
    key: str | None = None
    version: int = 0
    wildcards: dict[str, None] = field(default_factory=dict)
    tickers: dict[str, dict[str, None]] = field(default_factory=dict)

    @staticmethod
    def greeting() -> bytes:
        """The first frame, due right after the upgrade."""
        return status_frame("connected", "Connected Successfully")

    @staticmethod
    def auth_timeout() -> bytes:
        """The frame for a client that never sent a key; the caller closes after it."""
        return status_frame("auth_timeout", "No authentication request received.")

    @staticmethod
    def max_connections() -> bytes:
        """The frame for the older of two connections with one key; the caller closes with 1008 after it."""
        return status_frame("max_connections", "Maximum number of websocket connections exceeded.")

    @staticmethod
    def slow_consumer() -> bytes:
        """The frame for a client that does not keep up; the caller closes after it."""
        return status_frame("slow_consumer", "Client is too slow; the send buffer of this connection is full.")

    def holds(self, channel: str) -> bool:
        """True when anything on the channel is subscribed."""
        return channel in self.wildcards or bool(self.tickers.get(channel))

    def receive(self, text: str | bytes) -> Reply:
        """Take one client frame. What is not an action the vendor knows gets no answer, as on the vendor's side."""
        try:
            message = _decoder.decode(text)
        except msgspec.MsgspecError:
            return Reply()
        if self.state is State.CLOSED:
            return Reply()
        if message.action == "auth":
            return self._authenticate(message.params)
        if self.state is not State.LIVE:
            # Unconfirmed at the vendor; refusing is the safer habit to teach a client.
            return self._refuse("authentication failed")
        if message.action == "subscribe":
            return self._subscribe(message.params)
        if message.action == "unsubscribe":
            return self._unsubscribe(message.params)
        return Reply()

    def _authenticate(self, key: str) -> Reply:
        if self.state is State.LIVE:
            return Reply()
        if key not in self.keys:
            return self._refuse("authentication failed")
        if not self.manners.plan_includes_websocket:
            return self._refuse(
                "Your plan doesn't include websocket access. Visit https://massive.com/pricing to upgrade."
            )
        self.state, self.key = State.LIVE, key
        return Reply((status_frame("auth_success", "authenticated"),), authenticated=True)

    def _refuse(self, message: str) -> Reply:
        self.state = State.CLOSED
        return Reply((status_frame("auth_failed", message),), Hangup.ABORT)

    def _subscribe(self, params: str) -> Reply:
        answers: list[Status] = []
        wanted: dict[tuple[str, str], None] = {}
        for channel, ticker in _pairs(params):
            if channel not in CHANNELS[self.cluster] or self._held(channel, ticker):
                continue
            unoffered = self.cluster == "options" and channel == "Q" and ticker == "*"
            if unoffered or channel not in self.manners.entitled:
                answers.append(Status("error", "not authorized"))
            else:
                wanted[channel, ticker] = None
        if self._passes_limit(wanted):
            refusal = [Status("error", LIMIT_MESSAGE)] * self.manners.limit_errors
            return Reply((encode(refusal),))
        for channel, ticker in wanted:
            if ticker == "*":
                self.wildcards[channel] = None
            else:
                self.tickers.setdefault(channel, {})[ticker] = None
            answers.append(Status("success", f"subscribed to: {channel}.{ticker}"))
        return self._answer(answers)

    def _passes_limit(self, wanted: dict[tuple[str, str], None]) -> bool:
        new = sum(channel == "Q" for channel, _ in wanted)
        held = len(self.tickers.get("Q", ()))
        return self.cluster == "options" and new > 0 and held + new > self.manners.quoted_contracts_max

    def _unsubscribe(self, params: str) -> Reply:
        answers = []
        for channel, ticker in _pairs(params):
            if not self._held(channel, ticker):
                continue
            if ticker == "*":
                del self.wildcards[channel]
            else:
                del self.tickers[channel][ticker]
            answers.append(Status("success", f"unsubscribed to: {channel}.{ticker}"))
        return self._answer(answers)

    def _answer(self, answers: list[Status]) -> Reply:
        if not answers:
            return Reply()
        self.version += 1
        return Reply((encode(answers),))

    def _held(self, channel: str, ticker: str) -> bool:
        return channel in self.wildcards if ticker == "*" else ticker in self.tickers.get(channel, ())


def _pairs(params: str) -> list[tuple[str, str]]:
    """Split `T.O:SPY...,Q.BRK.B` at commas, and each token at its first dot only."""
    tokens = params.split(",", PAIRS_MAX)[:PAIRS_MAX]
    return [(channel, ticker) for channel, dot, ticker in (token.strip().partition(".") for token in tokens) if ticker]
