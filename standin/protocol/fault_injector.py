"""What comes between the market and one client's socket: events become frames, unharmed or as faults leave them. Pure.

Silence loses events, lag holds them, stains change them one at a time, a truncated or oversized frame is made of a good
one. Chance comes from a seed, so a run can be had again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np

from standin.faults.named import (
    BackwardQ,
    BigFrames,
    ExtraFields,
    Fault,
    FloatIntegers,
    Lag,
    MissingConditions,
    RepeatedQ,
    Silence,
    Stain,
    Strike,
    TruncatedJson,
    UnknownCondition,
    UnknownEvent,
    UnknownExchange,
)
from standin.faults.protocol_options import FRAME_EVENTS_MAX
from standin.protocol.wire import Event, StatusEvent, frames

__all__ = ["FaultInjector"]

NS = 1_000_000_000
# A minute of the busiest second the vendor is known for; past it lag ends.
LAGGING_EVENTS_MAX = 1_200_000
INTEGERS = ("x", "s", "t", "q", "bx", "bs", "ax", "as", "v", "av", "z", "e")
# An event type the vendor has for stocks and nobody expects here.
STRANGE_EVENT = {"ev": "LULD", "T": "O:NOPE", "h": 12.41, "l": 11.9, "i": [17], "z": 3, "q": 1}
EVENT_STAINS = (
    BackwardQ,
    ExtraFields,
    FloatIntegers,
    MissingConditions,
    RepeatedQ,
    UnknownCondition,
    UnknownEvent,
    UnknownExchange,
)

Document = dict[str, Any]


class FaultInjector:
    """One connection's: give it what happened with `frames`, and faults that strike with `strike`."""

    def __init__(self, faults: Sequence[Fault] = (), seed: int = 0, frame_events_max: int = FRAME_EVENTS_MAX) -> None:
        self._stains = [fault for fault in faults if isinstance(fault, EVENT_STAINS)]
        self._rng = np.random.default_rng([seed, 0x0B7])
        self._frame_events_max = frame_events_max
        self._silent_until_ns = 0
        self._lag: tuple[int, int] = 0, 0
        self._lagging: deque[tuple[int, list[Event]]] = deque()
        self._lagging_events = 0
        self._cuts = 0
        self._pads: deque[int] = deque()
        self._last_q = 0

    def strike(self, fault: Strike, clock_ns: int) -> bool:
        """Take a fault of the stream; False when it is one of the socket's."""
        match fault:
            case Silence():
                self._silent_until_ns = clock_ns + int(fault.for_s * NS)
            case Lag():
                self._lag = int(fault.by_s * NS), clock_ns + int(fault.for_s * NS)
            case TruncatedJson():
                self._cuts += 1
            case BigFrames():
                self._pads.append(fault.size_bytes)
            case _:
                return False
        return True

    def shuffled(self, statuses: Sequence[StatusEvent]) -> list[StatusEvent]:
        """The statuses in no order."""
        return [statuses[index] for index in self._rng.permutation(len(statuses)).tolist()]

    def frames(self, events: Sequence[Event], clock_ns: int, riders: list[Event] | None = None) -> Iterator[bytes]:
        """The frames due at `clock_ns`, given what happened up to it. `riders`, statuses, go before the first event and
        are then taken out of their list; without an event they stay in it.
        """
        if clock_ns < self._silent_until_ns:
            events = ()
        if self._lagging or clock_ns < self._lag[1]:
            events = self._delayed(events, clock_ns)
        if riders and events:
            events = [*riders, *events]
            riders.clear()
        for frame in self._encoded(events):
            yield self._harmed(frame)

    def rest(self) -> Iterator[bytes]:
        """The frames of what is still held back, at the market's end."""
        while self._lagging:
            yield from self._encoded(self._lagging.popleft()[1])

    def _delayed(self, events: Sequence[Event], clock_ns: int) -> Sequence[Event]:
        """Hold the events back; return those whose time has come, all of them when too many wait."""
        by_ns, until_ns = self._lag
        if events:
            due_ns = clock_ns + by_ns if clock_ns < until_ns else clock_ns
            # Nothing overtakes what is held.
            self._lagging.append((max(due_ns, self._lagging[-1][0] if self._lagging else 0), list(events)))
            self._lagging_events += len(events)
        ripe: list[Event] = []
        while self._lagging and (self._lagging[0][0] <= clock_ns or self._lagging_events > LAGGING_EVENTS_MAX):
            _, waited = self._lagging.popleft()
            self._lagging_events -= len(waited)
            ripe += waited
        return ripe

    def _encoded(self, events: Sequence[Event]) -> Iterator[bytes]:
        if not self._stains:
            return frames(events, self._frame_events_max)
        stained = [document for event in events for document in self._stained(event)]
        return frames(stained, self._frame_events_max)

    def _stained(self, event: Event) -> list[Event | Document]:
        """An event as every stain that hits it leaves it, and what comes with it."""
        if isinstance(event, StatusEvent):
            return [event]
        hit = [stain for stain in self._stains if self._rng.random() < stain.share]
        last_q, self._last_q = self._last_q, getattr(event, "q", self._last_q)
        if not hit:
            return [event]
        document: Document = msgspec.to_builtins(event)
        extra: list[Event | Document] = []
        for stain in hit:
            _stain(stain, document, last_q)
            if isinstance(stain, UnknownEvent):
                extra.append(STRANGE_EVENT)
            elif isinstance(stain, RepeatedQ) and stain.how == "event" and document["ev"] == "T":
                extra.append(document)
        return [document, *extra]

    def _harmed(self, frame: bytes) -> bytes:
        """The frame, broken off or padded when a strike asked for it."""
        if self._pads:
            missing = self._pads.popleft() - len(frame)
            frame = frame[:-1] + b" " * max(missing, 0) + frame[-1:]
        if self._cuts:
            self._cuts -= 1
            frame = frame[: len(frame) // 2]
        return frame


def _stain(stain: Stain, document: Document, last_q: int) -> None:
    """Change the event as the stain says; what it does not apply to stays."""
    trade = document["ev"] == "T"
    match stain:
        case FloatIntegers():
            document.update({key: float(document[key]) for key in INTEGERS if type(document.get(key)) is int})
        case ExtraFields():
            document.update({"ds": "1.0", "trfi": 201, "note": {"of": ["tomorrow"]}})
        case MissingConditions() if trade:
            if stain.how == "empty":
                document["c"] = []
            else:
                document.pop("c", None)
        case UnknownCondition() if trade:
            document["c"] = [stain.id]
        case UnknownExchange() if trade:
            document["x"] = stain.id
        case BackwardQ() if trade:
            document["q"] = max(int(document["q"]) - stain.by, 1)
        case RepeatedQ() if trade and stain.how == "number" and last_q:
            document["q"] = last_q
