"""The silence watchdog: a connection that says nothing while the market speaks is dead, whatever TCP believes. Pure.

In regular hours half a minute without a single option print is impossible (spec/vendor.md 2.9), so the connection is
made anew. It is no alarm

* where such a silence is usual: on the tape of one quiet underlying prints may be minutes apart;
* outside the regular session: before the open, after the close (13:00 on half days), on holidays;
* when a witness is silent too: options and stocks halt together when the whole market is halted, and two sockets do not
  die in the same half minute. Sockets that are really dead then are found by their missing pongs.

Without a witness one new connection is made; if that is silent as well, the next comes after twice the time, up to ten
minutes: a halt of a quarter of an hour costs a few connections, not thirty.
"""

from __future__ import annotations

import enum
from typing import NamedTuple

from services.core.calendar import NS, Calendar, ny_date
from services.gateway.gaps.event_rate import EventRate

__all__ = ["PATIENCE_NS_MAX", "FeedWatchdog", "SilentChannel", "WatchdogVerdict"]

PATIENCE_NS_MAX = 600 * NS
# Options and stocks trade together and halt together; index values may go on through a halt.
WITNESSES = {"options": "stocks", "stocks": "options", "indices": "options"}


class WatchdogVerdict(enum.Enum):
    """What a silence means."""

    DEAD = "dead"  # connect anew
    HALTED = "halted"  # the market stands still; told once


class SilentChannel(NamedTuple):
    """A cluster that has said nothing for `silent_ns` of session time."""

    cluster: str
    silent_ns: int
    verdict: WatchdogVerdict


class FeedWatchdog:
    """Follows the connections; `now_ns` is the market's time throughout (the wall's, or the feed's clock).

    `delay_ns`: how far the feed itself is behind, as on the vendor's delayed hosts.
    """

    def __init__(self, calendar: Calendar, patience_ns: int, delay_ns: int = 0) -> None:
        self._calendar = calendar
        self._first_patience_ns = patience_ns
        self._delay_ns = delay_ns
        self._patience_ns: dict[str, int] = {}
        self._connected_ns: dict[str, int] = {}
        self._heard_ns: dict[str, int] = {}
        self._spacing: dict[str, EventRate] = {}
        self._halted: set[str] = set()

    def connected(self, cluster: str, now_ns: int) -> None:
        """A connection is authenticated; events are due from now on."""
        self._connected_ns[cluster] = now_ns

    def lost(self, cluster: str) -> None:
        """A connection is gone; its silence is no news."""
        self._connected_ns.pop(cluster, None)

    def heard(self, cluster: str, now_ns: int, events: int = 1) -> None:
        """Events came, so many."""
        before_ns = self._heard_ns.get(cluster, 0)
        if before_ns < now_ns < before_ns + PATIENCE_NS_MAX:
            self._spacing.setdefault(cluster, EventRate()).step(now_ns - before_ns, events)
        self._heard_ns[cluster] = now_ns
        self._patience_ns[cluster] = self._first_patience_ns
        self._halted.discard(cluster)

    def look(self, now_ns: int) -> list[SilentChannel]:
        """The connections that have been silent for too long. Call it every second or so."""
        session = self._calendar.session_on(ny_date(now_ns - self._delay_ns))
        if session is None or not session.open_ns <= now_ns - self._delay_ns < session.close_ns:
            return []
        open_ns = session.open_ns + self._delay_ns
        found = []
        for cluster, connected_ns in self._connected_ns.items():
            if cluster != "options" and self._heard_ns.get(cluster, 0) < open_ns:
                continue  # not every plan has indices and stocks: what never spoke today need not speak
            since_ns = max(connected_ns, self._heard_ns.get(cluster, 0), open_ns)
            silent_ns = now_ns - since_ns
            spacing = self._spacing.get(cluster)
            patience_ns = self._patience_ns.get(cluster, self._first_patience_ns)
            if silent_ns >= (patience_ns if spacing is None else spacing.unusual_ns(patience_ns)):
                found += self._judge(cluster, silent_ns, now_ns, open_ns)
        return found

    def _judge(self, cluster: str, silent_ns: int, now_ns: int, open_ns: int) -> list[SilentChannel]:
        witness = WITNESSES[cluster]
        witness_ns = self._heard_ns.get(witness, 0)
        testifies = witness in self._connected_ns and witness_ns >= open_ns
        if testifies and now_ns - witness_ns >= self._first_patience_ns:
            if cluster in self._halted:
                return []
            self._halted.add(cluster)
            return [SilentChannel(cluster, silent_ns, WatchdogVerdict.HALTED)]
        patience_ns = self._patience_ns.get(cluster, self._first_patience_ns)
        self._patience_ns[cluster] = min(2 * patience_ns, PATIENCE_NS_MAX)
        return [SilentChannel(cluster, silent_ns, WatchdogVerdict.DEAD)]
