"""When a connection has to settle, and what follows when a session has ended. Pure: the time is handed in."""

from __future__ import annotations

import enum

from services.gateway.massive.protocol import NORMAL_CLOSURE, ConnectionState, Retry

__all__ = ["SETTLE_TIMEOUT_NS", "NextStep", "SettleTimeout", "next_step"]

# A greeting, a key and an answer take a second; a closing status is followed by the close at once.
SETTLE_TIMEOUT_NS = 15_000_000_000


class NextStep(enum.Enum):
    """What a socket does after a session."""

    REFUSED = "refused"  # the key or plan is refused: no retry helps
    FINISHED = "finished"  # the server has ended the feed, as at the end of a tape
    RECONNECT = "reconnect"


def next_step(retry: Retry, code: int | None, *, until_closed: bool) -> NextStep:
    """What follows a session that closed with `code`. `until_closed`: a normal closure ends the feed."""
    if retry is Retry.NEVER:
        return NextStep.REFUSED
    return NextStep.FINISHED if until_closed and code == NORMAL_CLOSURE else NextStep.RECONNECT


class SettleTimeout:
    """Runs while a connection is not live: neither greeted yet, nor gone although the vendor said that it would go."""

    def __init__(self, now_ns: int) -> None:
        self._since_ns = now_ns

    def expired(self, state: ConnectionState, now_ns: int) -> bool:
        """Whether a connection in this state has taken too long. Call it every second or so."""
        if state is ConnectionState.LIVE:
            self._since_ns = now_ns
        return now_ns - self._since_ns >= SETTLE_TIMEOUT_NS
