"""The one contract for contexts and detectors.

A *context* keeps the state of the market from the log's rows and answers with an immutable view. When something
happens that somebody may want to judge (a cluster of prints closed, a bar closed, levels landed) it raises a *trigger*.
A *detector* names the triggers it listens to and, for each, returns what it found. Neither reads a clock, socket,
store or environment: what they know came in rows, parameters or the calendar.

Time is an event. The log's time is `received_ns` of the rows and heartbeats, never decreasing within a partition.
Whoever wants to act at a time says so by `due_ns`; the pipeline calls `tick(T)` when the log passes T: after every row
stamped before T, before every row stamped at or after T, however the log was cut into frames.

A context declares the kinds of trigger it raises (`raises`), each with the type of its facts. A detector declares the
kinds it listens to, for each a filter on the facts, the views it cannot do without (`requires`: without them the
pipeline keeps it silent and counts why) and those it can (`uses`).
"""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar

import msgspec

from schemas.day_records import DayRecord
from schemas.decisions import Contribution, Direction, Label, Signal, Thesis, View, rounded
from schemas.frames import Frame, Lane
from services.core.calendar import Session

__all__ = [
    "FAR_FUTURE_NS",
    "NOTHING_KNOWN",
    "Context",
    "ContextView",
    "DayOpening",
    "Detector",
    "Finding",
    "MarketView",
    "Moment",
    "Parameters",
    "ScheduledEvent",
    "Trigger",
    "TriggerFilter",
    "TriggerKind",
    "Views",
    "everywhere",
]  # fmt: skip

# Larger than any timestamp a log can hold (the year 2262), so that `due_ns` compares without None.
FAR_FUTURE_NS = 2**63 - 1


class DayOpening(NamedTuple):
    """What a day may know from its first row on, all of it from the log (see `docs/decisions`).

    `baselines` are numbers by (source, underlying, series), in the order of their slots; `events` are scheduled ones.
    A log of three lanes carries neither.
    """

    baselines: Mapping[tuple[str, str, str], Sequence[float]]
    events: tuple[ScheduledEvent, ...]


class ScheduledEvent(NamedTuple):
    """An event that was known beforehand: earnings, a central bank's meeting, an expiry."""

    kind: str
    underlying: str  # empty: the whole market's
    event_ns: int
    known_ns: int


NOTHING_KNOWN = DayOpening({}, ())


class Parameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every parameter struct: frozen, a misspelt key is refused by name, and every number has bounds.

    `added` names parameters that came after a rule was first recorded. At their defaults they are left out of the
    digest that names a rule's parameters, so that a new switch renames no signal on record (`parameters_digest`).
    """

    added: ClassVar[frozenset[str]] = frozenset()


class Moment(NamedTuple):
    """When and where a decision is made: log time, and the rows of (partition, epoch) seen so far.

    `session` is the day's own, `next_session` the first of a later day, as the calendar has them.
    """

    now_ns: int
    partition: int
    epoch: int
    position: int
    day: dt.date
    session: Session | None
    next_session: Session | None = None

    @property
    def minute(self) -> float | None:
        """Minutes since the session's open; None outside a session's day."""
        return None if self.session is None else (self.now_ns - self.session.open_ns) / 60e9


class TriggerKind(str):
    """A kind of trigger, declared by the context that raises it: its name, `context.what`, and the type of its facts.

    >>> TriggerKind("price.bar_1m", float).facts is float
    True
    """

    __slots__ = ("facts",)
    facts: type

    def __new__(cls, name: str, facts: type) -> TriggerKind:
        made = super().__new__(cls, name)
        made.facts = facts
        return made

    def __getnewargs__(self) -> tuple[str, type]:  # type: ignore[override]  # a kind is pickled with its facts' type
        return str(self), self.facts


class Trigger(NamedTuple):
    """Something a context noticed. `inputs` are (epoch, position) of the rows behind it, `facts` of the kind's type."""

    kind: str
    underlying: str
    event_ns: int
    inputs: tuple[tuple[int, int], ...]
    facts: Any


class TriggerFilter(Protocol):
    """What the facts of a trigger must be for a detector to act on it. Its context knows the fields.

    A context may raise less when it knows what everybody listens for; the pipeline asks `passes` before it calls a
    detector, so that a filter decides the same whatever the context left out.
    """

    def passes(self, facts: Any) -> bool:
        """Whether a trigger with these facts is worth a call."""

    def either(self, other: Any) -> Any:
        """A filter that passes what this one or the other passes, or a little more."""


class ContextView(msgspec.Struct, frozen=True, kw_only=True):
    """Base of every view. Fields a subclass adds that are numbers (or None) are its published values."""

    underlying: str
    as_of_ns: int
    ready: bool
    reason: str
    stance: str
    confidence: float

    def values(self) -> dict[str, float | None]:
        """The numbers a subclass added, rounded for publication."""
        base = ContextView.__struct_fields__
        found: dict[str, float | None] = {}
        for name in self.__struct_fields__:
            if name not in base:
                value = getattr(self, name)
                if value is None or isinstance(value, int | float):
                    found[name] = None if value is None else rounded(float(value))
        return found


V = TypeVar("V", bound=ContextView)


class Context(ABC):
    """What is the state of the market?

    A subclass sets the class attributes, keeps all state in attributes made by `open_session`, and implements `update`,
    `view` and `underlyings`; `tick` and `contribution` when it needs them.

    Any context may end a slice at a row, so that every context stands at that row when its trigger is judged. One that
    can tell from the rows ahead says where by `next_stop`. One a lane may find out as it takes them (`stops`): it goes
    first, and what it takes the others take too.
    """

    name: ClassVar[str]
    version: ClassVar[str]
    lanes: ClassVar[frozenset[Lane]]
    view_type: ClassVar[type[ContextView]]
    needs: ClassVar[tuple[type[ContextView], ...]] = ()
    raises: ClassVar[tuple[TriggerKind, ...]] = ()
    stops: ClassVar[bool] = False
    # What the scanner may add or take away for it, and how fast its word ages.
    points_max: float = 0.0
    half_life_s: float = 900.0
    Parameters: ClassVar[type[Parameters]]
    # By kind of trigger that somebody listens to, the filter that all listeners share (None: every trigger), as the
    # pipeline says before the first session; None: all kinds. What nobody listens to need not be raised. Nothing else
    # may depend on it.
    listened: Mapping[str, TriggerFilter | None] | None = None
    # What the day may know from its first row on, as the pipeline says before each `open_session`.
    opening: DayOpening = NOTHING_KNOWN

    def __init__(self, parameters: Any) -> None:
        self.parameters = parameters
        self.triggers: list[Trigger] = []

    @abstractmethod
    def open_session(self, day: dt.date, session: Session | None) -> None:
        """Start a trading day afresh; nothing learnt before it remains. Called before the first row too."""

    @abstractmethod
    def update(self, frame: Frame, start: int, stop: int, views: Views) -> int:
        """Take rows `[start, stop)` of a frame. Returns where it stopped: `stop`, or earlier (only if `stops`).

        A trigger that row r itself completes is raised at once, and `r + 1` returned. One that r's *time* completes (a
        cluster that r shows to be over) must be raised in a call that starts at r, before r is taken, returning r: so
        a context that notices it in mid-slice returns r without raising, and is called again from there with the
        log's time at r.
        """

    def next_stop(self, frame: Frame, start: int, stop: int, views: Views) -> int:
        """Where in rows `[start, stop)` the slice must end for this context: `r + 1` for the first row r that completes
        a trigger, else `stop`.

        Changes nothing. All contexts are asked and the least is taken, so the answer may be asked for again from a
        later row. `update` raises the trigger when it is given rows up to the stop it named.
        """
        return stop

    @property
    def due_ns(self) -> int:
        """When `tick` wants to be called next.

        A context that sets it from a row must end the slice before the first row stamped at or after it, or set it from
        time alone: the pipeline looks at it once a slice.
        """
        return FAR_FUTURE_NS

    def tick(self, now_ns: int, views: Views) -> None:  # noqa: B027 - most contexts act on rows only
        """The log has passed `now_ns` (which is `due_ns` as it was). Must move `due_ns` on."""

    def close_session(self, now_ns: int) -> Sequence[DayRecord]:
        """What of the session that closes is worth keeping for later days; called when the log passes the close."""
        return ()

    def open_epoch(self, epoch: int) -> None:  # noqa: B027 - most contexts do not care
        """The gateway started anew: something may be missing between the last row and the next."""

    @abstractmethod
    def view(self, underlying: str) -> ContextView | None:
        """The answer as of now; None when nothing was ever seen of the underlying."""

    @abstractmethod
    def underlyings(self) -> Sequence[str]:
        """The underlyings touched since this was last asked, in a fixed order: whose views are sampled."""

    def contribution(self, signal: Signal, thesis: Thesis, view: ContextView, now_ns: int) -> Contribution | None:
        """What this context says about a signal, before confidence and age are applied; None for nothing.

        It goes by what the signal counts on, never by who found it.
        """
        return None

    def published(self, underlying: str) -> View | None:
        """The view in its published form."""
        view = self.view(underlying)
        if view is None:
            return None
        return View(
            context=self.name,
            version=self.version,
            underlying=underlying,
            as_of_ns=view.as_of_ns,
            ready=view.ready,
            reason=view.reason,
            stance=view.stance,
            confidence=rounded(view.confidence),
            values=view.values(),
        )


def everywhere(symbol: str, /) -> bool:
    """Every symbol is at home: what holds where there is one partition."""
    return True


class MarketView(NamedTuple, Generic[V]):
    """A view of a symbol that concerns the whole market, or the reason why it is not known in this partition."""

    view: V | None
    reason: str


class Views:
    """Every context's view, asked for by type.

    `at_home` says of a symbol whether this partition is where it is judged.
    """

    def __init__(self, contexts: Sequence[Context], at_home: Callable[[str], bool] = everywhere) -> None:
        self._by_type: dict[type[ContextView], Context] = {context.view_type: context for context in contexts}
        self._at_home = at_home

    def get(self, kind: type[V], underlying: str) -> V | None:
        """The view of that type; None when the context is off or has seen nothing of the underlying.

        For the partition's own underlyings. Of one that concerns the whole market, ask `market`.
        """
        context = self._by_type.get(kind)
        return None if context is None else context.view(underlying)  # type: ignore[return-value]

    def market(self, kind: type[V], symbol: str) -> MarketView[V]:
        """The view of a market-wide symbol such as SPX: its ticks are in every partition, its options in its home."""
        if kind not in self._by_type:
            return MarketView(None, f"no context gives a {kind.__name__}")
        view = self.get(kind, symbol)
        if view is not None:
            return MarketView(view, "" if view.ready else view.reason)
        if not self._at_home(symbol):
            return MarketView(None, f"{symbol} is another partition's, and its {kind.__name__} was not fed back")
        return MarketView(None, f"nothing was received of {symbol}")


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What a detector found; the pipeline adds who, when and where, and makes it a Signal.

    `key` tells this finding from any other of the same detector, underlying and direction (a contract, a level, a
    window's first print): together they are the signal's identity.

    `thesis` is what it counts on, and `level_usd` the price it hangs on: the scanner goes by them, and they are not
    published. `horizon_s` is how long it stands.
    """

    underlying: str
    direction: Direction
    key: str
    label: Label
    thesis: Thesis
    headline: str
    event_ns: int
    inputs: tuple[tuple[int, int], ...]
    base: float
    confidence: float
    factors: dict[str, float]
    evidence: dict[str, float]
    contract: str | None = None
    level_usd: float | None = None
    reference_usd: float | None = None
    stop_usd: float | None = None
    target_usd: float | None = None
    horizon_s: int = 0
    null_probability: float | None = None


class Detector(ABC):
    """Did something happen? One file, one class; its docstring is its specification."""

    name: ClassVar[str]
    version: ClassVar[str]
    triggers: ClassVar[frozenset[TriggerKind]]
    # Views without which it is silent: the pipeline sees to it, and counts the reason. Each must be there and ready.
    requires: ClassVar[tuple[type[ContextView], ...]] = ()
    # Views it can do without, or whose readiness it judges itself.
    uses: ClassVar[tuple[type[ContextView], ...]] = ()
    Parameters: ClassVar[type[Parameters]]

    def __init__(self, parameters: Any) -> None:
        self.parameters = parameters

    @abstractmethod
    def open_session(self, day: dt.date, session: Session | None) -> None:
        """Start a trading day afresh. Called before the first trigger too."""

    def filter(self, kind: TriggerKind) -> TriggerFilter | None:
        """What a trigger of this kind must be to be worth a call; None for any."""
        return None

    def detect(self, trigger: Trigger, moment: Moment, views: Views) -> Sequence[Finding]:
        """Judge one trigger that passes the filter. Silent (empty) before warm-up."""
        return ()

    @property
    def due_ns(self) -> int:
        """When `tick` wants to be called next, in log time; set at the opening, by `detect` or by `tick`."""
        return FAR_FUTURE_NS

    def tick(self, moment: Moment, views: Views) -> Sequence[Finding]:
        """The log has passed `due_ns`; every context stands at that time. Must move `due_ns` on."""
        return ()
