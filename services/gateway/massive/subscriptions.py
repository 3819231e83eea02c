"""Subscriptions of one connection: what is desired against what is acknowledged. Pure; the caller tells it the time.

A *pair* is a channel and a ticker (`T.*`, `Q.O:SPY251219C00650000`). One request is in flight at a time, because an
`error` names no pair: it can only belong to the request that is open. The vendor says nothing at all to an unknown
channel or to a pair already held, so a request also ends by time-out.

What was not granted is asked for again, within limits:

* unanswered: twice more, half a minute apart, then given up until the next connection. It may be held all the same, so
  it is given back when it is no longer wanted;
* not authorized: never on this connection; the plan does not change while it lasts. When nothing of a channel that was
  asked for is granted, the plan does not have the channel, and no other ticker of it is asked for;
* the quote limit: the vendor refuses the whole request although part of it would have fitted. Half of it is asked for,
  then half of that, until one contract alone is refused; then so many quotes are the limit, the most important ones
  are kept to it, and after a minute (doubling to a quarter of an hour) it is tried anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

__all__ = ["ACK_TIMEOUT_NS", "ASKED_MAX", "PAIRS_PER_REQUEST", "RETRY_NS", "Coverage", "Note", "Subscriptions"]

ACK_TIMEOUT_NS = 10_000_000_000  # 420 acks were seen to come within one second
PAIRS_PER_REQUEST = 200  # requests of about this size are known to work well
# A vendor that is busy answers late, one that never answers never will: two more tries tell the one from the other.
ASKED_MAX = 3
RETRY_NS = 30_000_000_000
# One refusal comes as some 27 error elements, perhaps in several frames. Those that come late must not be taken for the
# answer to the next request.
QUIET_NS = 1_000_000_000
LIMIT_RETRY_NS, LIMIT_RETRY_NS_MAX = 60_000_000_000, 960_000_000_000


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


class Coverage(NamedTuple):
    """How far the desired set is granted: numbers of pairs. `open` are those neither granted nor given up."""

    desired: int
    acknowledged: int
    refused: int
    open: int


class _Request(NamedTuple):
    action: str
    pairs: tuple[str, ...]
    sent_ns: int


class Subscriptions:
    """The pairs of one connection.

    `want` and `tick` may add to `outbox`, messages to send in order. Nothing is sent before `start`.
    """

    def __init__(self, desired: Iterable[str] = ()) -> None:
        self.acknowledged: set[str] = set()
        self.refused: set[str] = set()  # not asked for again on this connection
        self.outbox: list[bytes] = []
        self._desired = _ordered(desired)
        self._started = False
        self._in_flight: _Request | None = None
        self._open_pairs: set[str] = set()  # of the request in flight, those without an answer
        self._unauthorized = False
        self._unsure: set[str] = set()  # asked for, neither granted nor refused: they may be held
        self._denied: set[str] = set()  # channels that the plan does not have
        self._asked: dict[str, int] = {}  # unanswered pairs: how often they were asked for
        self._retry_ns: dict[str, int] = {}  # and when they may be again
        self._quiet_until_ns = 0
        self._pairs_per_request = PAIRS_PER_REQUEST
        self._quotes_max: int | None = None  # the limit, once met
        self._quotes_max_until_ns = 0
        self._limits_met = 0

    @property
    def coverage(self) -> Coverage:
        """How much of what is desired is granted."""
        granted = sum(pair in self.acknowledged for pair in self._desired)
        refused = sum(pair in self.refused for pair in self._desired)
        return Coverage(len(self._desired), granted, refused, len(self._desired) - granted - refused)

    def start(self, now_ns: int) -> None:
        """The connection is authenticated."""
        self._started = True
        self._next_request(now_ns)

    def stop(self) -> None:
        """The vendor is about to close: nothing more is asked for."""
        self._started = False

    def want(self, pairs: Iterable[str], now_ns: int) -> None:
        """Make `pairs` the desired set, the most important first (a set counts as alphabetical)."""
        self._desired = _ordered(pairs)
        self.refused.intersection_update(self._desired)
        self._refuse_denied()
        self._next_request(now_ns)

    def tick(self, now_ns: int) -> list[Note]:
        """Let time pass: end a request that got no answer, ask again for what may be asked again."""
        request = self._in_flight
        if request is not None and now_ns - request.sent_ns >= ACK_TIMEOUT_NS:
            return self._end_request(now_ns)
        self._next_request(now_ns)
        return []

    def acknowledge(self, pair: str, gone: bool) -> Note:
        """The vendor granted a pair, or took it back."""
        self._open_pairs.discard(pair)
        self._unsure.discard(pair)
        self._asked.pop(pair, None)
        self._retry_ns.pop(pair, None)
        if gone:
            self.acknowledged.discard(pair)
            return Note("unsubscribed", pairs=(pair,))
        self.acknowledged.add(pair)
        self.refused.discard(pair)  # it was given up, and is granted after all
        if _channel(pair) in self._denied:  # so the plan has the channel
            self._denied.discard(_channel(pair))
            self.refused = {other for other in self.refused if _channel(other) != _channel(pair)}
        return Note("subscribed", pairs=(pair,))

    def unauthorized(self) -> None:
        """An `error` that names no pair and may come before the acknowledgements of others: see `settle`."""
        self._unauthorized = True

    def quote_limit(self, message: str, now_ns: int) -> list[Note]:
        """The request in flight was refused whole."""
        request = self._in_flight
        if request is None:
            return []  # one of the several elements that one refusal brings
        self._in_flight = None
        self._open_pairs.clear()
        self._quiet_until_ns = now_ns + QUIET_NS
        if len(request.pairs) > 1:
            self._pairs_per_request = len(request.pairs) // 2
        else:
            self._pairs_per_request = PAIRS_PER_REQUEST
            self._quotes_max = self._limit_met()
            self._quotes_max_until_ns = now_ns + min(LIMIT_RETRY_NS << self._limits_met, LIMIT_RETRY_NS_MAX)
            self._limits_met = min(self._limits_met + 1, 8)
        return [Note("quote_limit", message, request.pairs)]

    def settle(self, now_ns: int) -> list[Note]:
        """After a frame: is the request in flight answered in full?"""
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
            # Silence is no reason to believe that they still come.
            self.acknowledged.difference_update(left)
            self._unsure.difference_update(left)
        elif kind == "refused":
            self.refused.update(left)
            self._deny(left)
        else:
            self._postpone(left, now_ns)
        self._next_request(now_ns)
        return [Note(kind, pairs=left)] if left else []

    def _deny(self, refused: Iterable[str]) -> None:
        """Note the channels of refused pairs of which nothing is granted, and give up the rest of them."""
        self._denied.update(map(_channel, refused))
        self._denied.difference_update(map(_channel, self.acknowledged))
        self._refuse_denied()

    def _refuse_denied(self) -> None:
        if self._denied:
            denied = {pair for pair in self._desired if _channel(pair) in self._denied}
            self.refused.update(denied.difference(self.acknowledged))

    def _limit_met(self) -> int:
        """How many quotes are held, now that one more was refused.

        What got no answer counts, unless so many were refused before: then it is not held.
        """
        granted = sum(map(_is_quote, self.acknowledged))
        held = granted + sum(map(_is_quote, self._unsure))
        return held if self._quotes_max is None else max(granted, min(held, self._quotes_max - 1))

    def _postpone(self, pairs: Iterable[str], now_ns: int) -> None:
        for pair in pairs:
            self._unsure.add(pair)
            self._asked[pair] = asked = self._asked.get(pair, 0) + 1
            if asked >= ASKED_MAX:
                self.refused.add(pair)
            else:
                self._retry_ns[pair] = now_ns + RETRY_NS

    def _next_request(self, now_ns: int) -> None:
        if not self._started or self._in_flight is not None or now_ns < self._quiet_until_ns:
            return
        if self._quotes_max is not None and now_ns >= self._quotes_max_until_ns:
            self._quotes_max = None
        wanted = self._within_limit()
        surplus = sorted((self.acknowledged | self._unsure).difference(wanted))[:PAIRS_PER_REQUEST]
        missing = [pair for pair in wanted if self._may_ask(pair, now_ns)]
        channels = [pair for pair in missing if pair.endswith(".*")]
        if surplus:  # first make room
            self._request("unsubscribe", tuple(surplus), now_ns)
        elif channels:
            # Whole channels first, in a request of their own: the trades must not wait for a thousand quotes, nor be
            # refused along with them.
            self._request("subscribe", tuple(channels[:PAIRS_PER_REQUEST]), now_ns)
        elif missing:
            self._request("subscribe", tuple(missing[: self._pairs_per_request]), now_ns)
        else:
            self._pairs_per_request = PAIRS_PER_REQUEST

    def _within_limit(self) -> list[str]:
        """The desired pairs, without the least important quotes beyond a limit that was met."""
        if self._quotes_max is None:
            return list(self._desired)
        quotes = [pair for pair in self._desired if _is_quote(pair)]
        beyond = set(quotes[self._quotes_max :])
        return [pair for pair in self._desired if pair not in beyond]

    def _may_ask(self, pair: str, now_ns: int) -> bool:
        return pair not in self.acknowledged and pair not in self.refused and self._retry_ns.get(pair, now_ns) <= now_ns

    def _request(self, action: str, pairs: tuple[str, ...], now_ns: int) -> None:
        self._in_flight = _Request(action, pairs, now_ns)
        self._open_pairs = set(pairs)
        self._unauthorized = False
        self.outbox.append(msgspec.json.encode({"action": action, "params": ",".join(pairs)}))


def _channel(pair: str) -> str:
    return pair.partition(".")[0]


def _is_quote(pair: str) -> bool:
    return pair.startswith("Q.")


def _ordered(pairs: Iterable[str]) -> dict[str, None]:
    return dict.fromkeys(sorted(pairs) if isinstance(pairs, set | frozenset) else pairs)
