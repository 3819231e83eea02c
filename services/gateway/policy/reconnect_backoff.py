"""How long to wait before the next connection. Pure: the jitter is handed in.

Two ladders. After an ordinary loss: a second or two, then doubling to a minute, each with jitter so that a thousand
clients do not return in one stampede. After `max_connections`, which means that another program uses this key: half a
minute to ten, because two programs that retry quickly only evict each other (a public post-mortem counts 318
reconnects in an hour that way).

A ladder starts again at its foot only after ten seconds of data; a session that is evicted after each
authentication would otherwise retry at the foot for ever.
"""

from __future__ import annotations

from collections.abc import Callable

from services.gateway.massive.protocol import Retry

__all__ = ["CONTENDED_S", "SOON_FIRST_S", "SOON_MAX_S", "STABLE_NS", "ReconnectBackoff"]

SOON_FIRST_S, SOON_MAX_S = 1.0, 60.0
CONTENDED_S = (30.0, 60.0, 120.0, 300.0, 600.0)
STABLE_NS = 10_000_000_000


class ReconnectBackoff:
    """The reconnect policy of one socket. `jitter` draws from 0 to 1."""

    def __init__(self, jitter: Callable[[], float]) -> None:
        self._jitter = jitter
        self._rung = {Retry.SOON: 0, Retry.CONTENDED: 0}
        self._data_since_ns: int | None = None

    def data(self, now_ns: int) -> None:
        """A frame with market data came."""
        if self._data_since_ns is None:
            self._data_since_ns = now_ns
        elif now_ns - self._data_since_ns >= STABLE_NS:
            self._rung = dict.fromkeys(self._rung, 0)

    def delay_s(self, retry: Retry) -> float:
        """Seconds to wait after a session that ended with `retry` (not NEVER); climbs one rung."""
        assert retry is not Retry.NEVER, "a refused key is not tried again"
        self._data_since_ns = None
        rung = self._rung[retry]
        self._rung[retry] = rung + 1
        if retry is Retry.CONTENDED:
            return CONTENDED_S[min(rung, len(CONTENDED_S) - 1)]
        # Between one and two times the step: the first wait is one to two seconds, the last half a minute to one.
        step_s = min(SOON_FIRST_S * float(2 ** min(rung, 6)), SOON_MAX_S / 2)
        return step_s * (1.0 + self._jitter())
