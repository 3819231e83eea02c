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

    def __init__(self, manners: ProtocolOptions, sticky_s: float = 0.0, seed: int = 0) -> None:
        self._manners, self._sticky_s = manners, sticky_s
        self._dice = np.random.default_rng([seed, 0x5107])
        self._held: dict[_Account, list[Client]] = {}
        self._ghosts: dict[_Account, list[float]] = {}

    def admit(self, client: Client, key: str, cluster: Cluster, now_s: float) -> list[Client]:
        """Give the client a slot; returns whom that costs theirs, which may be the client itself."""
        account = _Account(key, cluster)
        held = self._held.setdefault(account, [])
        held.append(client)
        ghosts = [until for until in self._ghosts.get(account, ()) if until > now_s]
        self._ghosts[account] = ghosts
        victims: list[Client] = []
        while held and len(held) + len(ghosts) > self._manners.connections_max:
            victim = client if ghosts else held[self._chosen(len(held))]
            held.remove(victim)
            victims.append(victim)
            if victim is client:
                break
        return victims

    def left(self, client: Client, key: str | None, cluster: Cluster, now_s: float, *, clean: bool) -> None:
        """The client's connection has ended; `clean` when a close frame was exchanged."""
        account = _Account(key or "", cluster)
        held = self._held.get(account, [])
        if not any(each is client for each in held):
            return
        held.remove(client)
        if not clean and self._sticky_s > 0:
            self._ghosts.setdefault(account, []).append(now_s + self._sticky_s)

    def _chosen(self, count: int) -> int:
        """Position of the victim among those who hold a slot, oldest first."""
        return {"older": 0, "newer": count - 1, "random": int(self._dice.integers(count))}[self._manners.victim]
