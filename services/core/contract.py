"""The one contract for contexts and detectors.

A *context* keeps the state of the market from the log's rows and answers with an immutable view. When something
happens that somebody may want to judge (a cluster of prints closed, a bar closed, levels landed) it raises a *trigger*.
A *detector* names the triggers it listens to and, for each, returns what it found. Neither reads a clock, socket,
store or environment: what they know came in rows, parameters or the calendar.

Time is an event. The log's time is `received_ns` of the rows and heartbeats, never decreasing within a partition.
Whoever wants to act at a time says so by `due_ns`; the pipeline calls `tick(T)` when the log passes T: after every row
stamped before T, before every row stamped at or after T, however the log was cut into frames.
"""

from __future__ import annotations

import datetime as dt
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, TypeVar

import msgspec

from schemas.decisions import Contribution, Direction, Label, Signal, Thesis, View, rounded
from schemas.frames import Frame, Lane
from services.core.calendar import Session

__all__ = [
    "FAR_FUTURE_NS",
    "Context",
    "ContextView",
    "Detector",
    "Finding",
    "Moment",
    "Parameters",
    "Trigger",
    "TriggerFilter",
    "Views",
]  # fmt: skip

# Larger than any timestamp a log can hold (the year 2262), so that `due_ns` compares without None.
FAR_FUTURE_NS = 2**63 - 1
# More days than any option has to live.
DTE_ANY = 100_000


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


class Trigger(NamedTuple):
    """Something a context noticed. `kind` is `context.what`; `inputs` are (epoch, position) of the rows behind it."""

    kind: str
    underlying: str
    event_ns: int
    inputs: tuple[tuple[int, int], ...]
    facts: Any


class TriggerFilter(NamedTuple):
    """What a trigger must be for a detector to act on it; whatever else is said about it need not be raised."""

    premium_usd: float = 0.0
    sided: bool = False  # somebody is known to have bought, or sold
    single_leg: bool = False
    dte_min: int = -DTE_ANY
    dte_max: int = DTE_ANY

    def either(self, other: TriggerFilter) -> TriggerFilter:
        """What satisfies this one or the other, or a little more.

        >>> TriggerFilter(premium_usd=5.0, dte_min=1).either(TriggerFilter(premium_usd=3.0)).premium_usd
        3.0
        """
        return TriggerFilter(
            min(self.premium_usd, other.premium_usd),
            self.sided and other.sided,
            self.single_leg and other.single_leg,
            min(self.dte_min, other.dte_min),
            max(self.dte_max, other.dte_max),
        )


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


NEVER = TriggerFilter(premium_usd=math.inf)
V = TypeVar("V", bound=ContextView)


class Context(ABC):
    """What is the state of the market?

    A subclass sets the class attributes, keeps all state in attributes made by `open_session`, and implements `update`,
    `view` and `underlyings`; `tick` and `contribution` when it needs them. Only one context a lane may stop in the
    middle of a frame (`stops`), so that at a trigger every context stands at the same row.
    """

    name: ClassVar[str]
    version: ClassVar[str]
    lanes: ClassVar[frozenset[Lane]]
    view_type: ClassVar[type[ContextView]]
    needs: ClassVar[tuple[type[ContextView], ...]] = ()
    stops: ClassVar[bool] = False
    # What the scanner may add or take away for it, and how fast its word ages.
    points_max: float = 0.0
    half_life_s: float = 900.0
    Parameters: ClassVar[type[Parameters]]
    # The kinds of trigger that somebody listens to, and what they ask of one to act on it, as the pipeline says before
    # the first session; None: all. What nobody listens to need not be raised. Nothing else may depend on it.
    listened: Mapping[str, TriggerFilter] | None = None

    def __init__(self, parameters: Any) -> None:
        self.parameters = parameters
        self.triggers: list[Trigger] = []

    def asked(self, kind: str) -> TriggerFilter:
        """What a trigger of this kind must be for anybody to act on it: of infinite premium when nobody listens."""
        return TriggerFilter() if self.listened is None else self.listened.get(kind, NEVER)

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

    @property
    def due_ns(self) -> int:
        """When `tick` wants to be called next.

        A context that sets it from a row must stop before the first row stamped at or after it (`stops`), or set it
        from time alone: the pipeline looks at it once a slice.
        """
        return FAR_FUTURE_NS

    def tick(self, now_ns: int, views: Views) -> None:  # noqa: B027 - most contexts act on rows only
        """The log has passed `now_ns` (which is `due_ns` as it was). Must move `due_ns` on."""

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


class Views:
    """Every context's view, asked for by type."""

    def __init__(self, contexts: Sequence[Context]) -> None:
        self._by_type: dict[type[ContextView], Context] = {context.view_type: context for context in contexts}

    def get(self, kind: type[V], underlying: str) -> V | None:
        """The view of that type; None when the context is off or has seen nothing of the underlying."""
        context = self._by_type.get(kind)
        return None if context is None else context.view(underlying)  # type: ignore[return-value]


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
    triggers: ClassVar[frozenset[str]]
    needs: ClassVar[tuple[type[ContextView], ...]] = ()
    Parameters: ClassVar[type[Parameters]]

    def __init__(self, parameters: Any) -> None:
        self.parameters = parameters

    @abstractmethod
    def open_session(self, day: dt.date, session: Session | None) -> None:
        """Start a trading day afresh. Called before the first trigger too."""

    def asks(self, kind: str) -> TriggerFilter:
        """Triggers of this kind that are not this lead to nothing here, so that nobody need raise them."""
        return TriggerFilter()

    @abstractmethod
    def detect(self, trigger: Trigger, moment: Moment, views: Views) -> Sequence[Finding]:
        """Judge one trigger. Silent (empty) before warm-up and when a needed view is not ready."""
