"""One client's WebSocket session, without the socket: text in, frames and a verdict out. Pure.

The vendor's protocol, all of which a client has to live with:

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
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from standin.faults.named import Cluster
from standin.faults.protocol_options import QUOTED_CONTRACTS_MAX, ProtocolOptions
from standin.faults.timeline import Reception
from standin.feed.listing import Listing
from standin.feed.source import rows_of
from standin.protocol.wire import StatusEvent, status_frame

__all__ = [
    "CHANNELS",
    "QUOTED_CONTRACTS_MAX",
    "ClientSession",
    "Cluster",
    "Hangup",
    "ProtocolOptions",
    "Reply",
    "SessionState",
]

# A client's request can name every quoted contract and more; ten times that bounds a hostile one.
PAIRS_MAX = 100_000

CHANNELS: dict[Cluster, frozenset[str]] = {
    "options": frozenset({"T", "Q", "A", "AM", "FMV"}),
    "indices": frozenset({"V", "A", "AM"}),
    "stocks": frozenset({"T", "Q", "A", "AM"}),
}
# Channels of options that are for named contracts, at most so many of them on a connection.
NAMED_CHANNELS = frozenset({"Q", "FMV"})

LIMIT_MESSAGE = "Subscription limit reached for feed. Please remove some subscriptions and try again."
PLAN_MESSAGE = "Your plan doesn't include websocket access. Visit https://massive.com/pricing to upgrade."


class SessionState(Enum):
    """Where a session stands."""

    GREETED = "greeted"
    LIVE = "live"
    CLOSED = "closed"


class Hangup(Enum):
    """How the server leaves: with a close frame, or by dropping the TCP connection."""

    ABORT = "abort"


class Reply(NamedTuple):
    """What to answer, and whether to hang up after it. `authenticated` is true in the reply that let the client in;
    `can_wait` when the answer may ride in a frame of events.
    """

    statuses: tuple[StatusEvent, ...] = ()
    hangup: Hangup | None = None
    authenticated: bool = False
    can_wait: bool = False


class _Action(msgspec.Struct):
    action: str
    params: str = ""


_decoder = msgspec.json.Decoder(_Action)


@dataclass(slots=True)
class ClientSession:
    """The state of one connection. Feed `receive`; send what it returns; read what is subscribed from `wildcards` and
    `tickers`. `absent` tickers are acknowledged and silent. `version` grows with every change of subscriptions, so that
    a shell can cache what follows from them.
    """

    cluster: Cluster
    keys: frozenset[str]
    options: ProtocolOptions = field(default_factory=ProtocolOptions)
    reception: Reception = "good"
    absent: frozenset[str] = frozenset()
    state: SessionState = SessionState.GREETED
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
    def force_disconnect() -> bytes:
        """The frame of an operator's disconnect; the caller closes after it."""
        return status_frame("force_disconnect", "This connection has been disconnected by the operator.")

    @staticmethod
    def slow_consumer() -> bytes:
        """The frame for a client that does not keep up; the caller closes after it."""
        return status_frame("slow_consumer", "Client is too slow; the send buffer of this connection is full.")

    @property
    def subscribed(self) -> bool:
        """True when anything is subscribed."""
        return bool(self.wildcards) or any(self.tickers.values())

    def holds(self, channel: str) -> bool:
        """True when anything on the channel is subscribed."""
        return channel in self.wildcards or bool(self.tickers.get(channel))

    def wants(self, channel: str, ticker: str) -> bool:
        """True when this ticker's events on the channel are subscribed."""
        subscribed_count = channel in self.wildcards or ticker in self.tickers.get(channel, ())
        return subscribed_count and ticker not in self.absent

    def rows(self, listing: Listing, channel: str) -> NDArray[np.int32]:
        """Rows of the contracts subscribed on the channel, ascending; unknown tickers have none."""
        if channel in self.wildcards:
            return np.arange(len(listing), dtype=np.int32)
        tickers = self.tickers.get(channel, {})
        prefixes = tuple(ticker[:-1] for ticker in tickers if ticker.endswith("*"))
        if self.options.prefix_wildcards and prefixes:
            tickers = tickers | dict.fromkeys(ticker for ticker in listing.tickers if ticker.startswith(prefixes))
        return rows_of(listing, tickers)

    def receive(self, text: str | bytes) -> Reply:
        """Take one client frame. What is not an action the vendor knows gets no answer, as on the vendor's side."""
        try:
            message = _decoder.decode(text)
        except msgspec.MsgspecError:
            return Reply()
        if self.state is SessionState.CLOSED:
            return Reply()
        if message.action == "auth":
            return self._authenticate(message.params)
        if self.state is not SessionState.LIVE:
            return self._early()
        if message.action == "subscribe":
            return self._subscribe(message.params)
        if message.action == "unsubscribe":
            return self._unsubscribe(message.params)
        return Reply()

    def _early(self) -> Reply:
        """What a request before `auth_success` gets; the vendor's documents do not say."""
        if self.options.early_subscribe == "ignore":
            return Reply()
        refusal = self._refuse("authentication failed")
        return refusal if self.options.early_subscribe == "refuse" else Reply(hangup=refusal.hangup)

    def _authenticate(self, key: str) -> Reply:
        if self.state is SessionState.LIVE or self.reception == "deaf":
            return Reply()
        if key not in self.keys or self.reception == "refused":
            return self._refuse("authentication failed")
        if not self.options.plan_includes_websocket:
            return self._refuse(PLAN_MESSAGE)
        self.state, self.key = SessionState.LIVE, key
        return Reply((StatusEvent("auth_success", "authenticated"),), authenticated=True)

    def _refuse(self, message: str) -> Reply:
        self.state = SessionState.CLOSED
        return Reply((StatusEvent("auth_failed", message),), Hangup.ABORT)

    def _subscribe(self, params: str) -> Reply:
        answers: list[StatusEvent] = []
        wanted: dict[tuple[str, str], None] = {}
        for channel, ticker in _pairs(params):
            if channel not in CHANNELS[self.cluster] or self._subscribed_to(channel, ticker):
                continue
            if self._offers(channel, ticker):
                wanted[channel, ticker] = None
            else:
                answers.append(StatusEvent("error", "not authorized"))
        if self._passes_limit(wanted):
            return Reply((StatusEvent("error", LIMIT_MESSAGE),) * self.options.limit_errors, can_wait=True)
        for channel, ticker in wanted:
            if ticker == "*":
                self.wildcards[channel] = None
            else:
                self.tickers.setdefault(channel, {})[ticker] = None
            answers.append(StatusEvent("success", f"subscribed to: {channel}.{ticker}"))
        return self._answer(answers)

    def _offers(self, channel: str, ticker: str) -> bool:
        """Whether the plan, and the vendor at all, has the pair."""
        if channel == "FMV":
            return self.options.business and ticker != "*"
        if self.cluster == "options" and channel == "Q" and ticker == "*" and self.options.quote_wildcard == "refuse":
            return False
        return channel in self.options.entitled

    def _passes_limit(self, wanted: dict[tuple[str, str], None]) -> bool:
        """Whether the contracts held and wanted are too many; each channel with a limit counts for itself."""
        if self.cluster != "options":
            return False
        if self.options.limit_counts == "all":
            subscribed_count = sum(len(tickers) for tickers in self.tickers.values())
            return bool(wanted) and subscribed_count + len(wanted) > self.options.quoted_contracts_max
        new = dict.fromkeys(NAMED_CHANNELS, 0)
        for channel, _ in wanted:
            if channel in new:
                new[channel] += 1
        return any(
            count > 0 and len(self.tickers.get(channel, ())) + count > self.options.quoted_contracts_max
            for channel, count in new.items()
        )

    def _unsubscribe(self, params: str) -> Reply:
        answers = []
        for channel, ticker in _pairs(params):
            if not self._subscribed_to(channel, ticker):
                continue
            if ticker == "*":
                del self.wildcards[channel]
            else:
                del self.tickers[channel][ticker]
            answers.append(StatusEvent("success", f"unsubscribed {self.options.unsubscribed}: {channel}.{ticker}"))
        return self._answer(answers)

    def _answer(self, answers: list[StatusEvent]) -> Reply:
        if not answers:
            return Reply()
        self.version += 1
        return Reply(tuple(answers), can_wait=True)

    def _subscribed_to(self, channel: str, ticker: str) -> bool:
        return channel in self.wildcards if ticker == "*" else ticker in self.tickers.get(channel, ())


def _pairs(params: str) -> list[tuple[str, str]]:
    """Split `T.O:SPY...,Q.BRK.B` at commas, and each token at its first dot only."""
    tokens = params.split(",", PAIRS_MAX)[:PAIRS_MAX]
    return [(channel, ticker) for channel, dot, ticker in (token.strip().partition(".") for token in tokens) if ticker]
