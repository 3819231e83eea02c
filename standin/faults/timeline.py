"""When faults strike, and what a server full of them remembers. Pure: market time and wall time come as arguments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple, TypeVar

import msgspec

from standin.faults.named import AuthFailed, AuthTimeout, Cluster, Fault, NoPlan, Strike, Unentitled
from standin.faults.protocol_options import ProtocolOptions

__all__ = ["Reception", "Receptions", "Struck", "Timeline", "found", "under"]

NS = 1_000_000_000
# What is remembered of strikes: days of the busiest list of faults.
STRUCK_MAX = 10_000

Reception = Literal["good", "refused", "deaf"]
Kind = TypeVar("Kind", bound=Fault)


class Struck(NamedTuple):
    """A fault that happened: when by the market's clock, which, to whose connection."""

    clock_ns: int
    fault: Strike
    cluster: Cluster


class _ScheduledFault(msgspec.Struct):
    fault: Strike
    due_ns: int
    left: int


class Timeline:
    """The strikes of a run. Each waits, when its moment has come, for a connection of its cluster that has data due."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self._entries = [
            _ScheduledFault(fault, int(fault.after_s * NS), fault.times)
            for fault in faults
            if isinstance(fault, Strike)
        ]
        self._elapsed_ns = 0
        self.struck: list[Struck] = []

    def passed(self, step_ns: int) -> None:
        """Market time moved on by `step_ns`; nights between sessions do not count."""
        self._elapsed_ns += step_ns

    def due(self, cluster: Cluster, clock_ns: int) -> Iterator[Strike]:
        """What strikes a connection of `cluster` now, each once; what nobody takes goes on waiting."""
        for entry in tuple(self._entries):
            if entry.due_ns > self._elapsed_ns or entry.fault.cluster not in (cluster, "all"):
                continue
            entry.left -= 1
            # From now and not from its plan: one that waited for a connection does not strike twice in a row.
            entry.due_ns = self._elapsed_ns + int(entry.fault.every_s * NS)
            if not entry.left:
                self._entries.remove(entry)
            if len(self.struck) < STRUCK_MAX:
                self.struck.append(Struck(clock_ns, entry.fault, cluster))
            yield entry.fault


class Receptions:
    """How the next connections are received: well, or refused or not heard as often as a fault asks for."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        refused, deaf = found(faults, AuthFailed), found(faults, AuthTimeout)
        self._left: dict[Reception, int] = {
            "refused": 0 if refused is None else refused.times,
            "deaf": 0 if deaf is None else deaf.times,
        }

    def next(self) -> Reception:
        """The reception of one connection."""
        for reception, left in self._left.items():
            if left > 0:
                self._left[reception] = left - 1
                return reception
        return "good"


def found(faults: Sequence[Fault], kind: type[Kind]) -> Kind | None:
    """The fault of a kind, or None; the last one when it was asked for twice."""
    return next((fault for fault in reversed(faults) if isinstance(fault, kind)), None)


def under(faults: Sequence[Fault], options: ProtocolOptions) -> ProtocolOptions:
    """The options as the plan's faults leave them."""
    unentitled = found(faults, Unentitled)
    channels = options.entitled - frozenset(() if unentitled is None else unentitled.channels)
    plan = options.plan_includes_websocket and found(faults, NoPlan) is None
    return msgspec.structs.replace(options, entitled=channels, plan_includes_websocket=plan)
