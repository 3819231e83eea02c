"""How many connections a key may have on a cluster, and who goes when there is one too many (spec/vendor.md 2.7). Pure.

Real-time and delayed hosts share the quota. A connection that ended without a close frame can hold its slot for a
while: whoever comes meanwhile is told `max_connections`, because the one to be evicted is no longer there.
"""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

import numpy as np

from standin.faults.named import Cluster
from standin.faults.protocol_options import ProtocolOptions

__all__ = ["Slots"]

Client = TypeVar("Client")


class _Account(NamedTuple):
    key: str
    cluster: Cluster


class Slots(Generic[Client]):
    """Who holds a slot. Clients are compared by identity; times are wall seconds."""

    def __init__(self, options: ProtocolOptions, sticky_s: float = 0.0, seed: int = 0) -> None:
        self._options, self._sticky_s = options, sticky_s
        self._rng = np.random.default_rng([seed, 0x5107])
        self._connected: dict[_Account, list[Client]] = {}
        self._ghosts: dict[_Account, list[float]] = {}

    def admit(self, client: Client, key: str, cluster: Cluster, now_s: float) -> list[Client]:
        """Give the client a slot; returns whom that costs theirs, which may be the client itself."""
        account = _Account(key, cluster)
        connected = self._connected.setdefault(account, [])
        connected.append(client)
        ghosts = [until for until in self._ghosts.get(account, ()) if until > now_s]
        self._ghosts[account] = ghosts
        victims: list[Client] = []
        while connected and len(connected) + len(ghosts) > self._options.connections_max:
            victim = client if ghosts else connected[self._chosen(len(connected))]
            connected.remove(victim)
            victims.append(victim)
            if victim is client:
                break
        return victims

    def left(self, client: Client, key: str | None, cluster: Cluster, now_s: float, *, clean: bool) -> None:
        """The client's connection has ended; `clean` when a close frame was exchanged."""
        account = _Account(key or "", cluster)
        connected = self._connected.get(account, [])
        if not any(each is client for each in connected):
            return
        connected.remove(client)
        if not clean and self._sticky_s > 0:
            self._ghosts.setdefault(account, []).append(now_s + self._sticky_s)

    def _chosen(self, count: int) -> int:
        """Position of the victim among those who hold a slot, oldest first."""
        return {"older": 0, "newer": count - 1, "random": int(self._rng.integers(count))}[self._options.victim]
