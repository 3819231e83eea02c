"""One partition's machine: frames in, decisions out, nothing else.

`step` walks a frame in slices. A slice ends where the log passes somebody's `due_ns`, at the first row where a context
has to stop, or with the frame. At each such point every context stands at the same row and the triggers are judged, so
what comes out depends on the rows and their stamps alone, never on where frames were cut.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Literal, NamedTuple, Protocol, TypeAlias

import numpy as np

from schemas.day_records import DayRecord
from schemas.decisions import Alert, Signal, View, canonical, rounded
from schemas.frames import Frame, Header, Lane, well_formed
from schemas.kinds import Decision, kind_of
from services.core.calendar import NS, Calendar, Session, ny_date, ny_ns
from services.core.contract import (
    FAR_FUTURE_NS,
    NOTHING_KNOWN,
    Context,
    Detector,
    Finding,
    Moment,
    TriggerFilter,
    Views,
    everywhere,
)
from services.core.identity import identity, parameters_digest

__all__ = ["NO_COUNTS", "Judge", "NotReady", "Outputs", "Pipeline", "SuppressionReason"]

# Why a signal did not become an alert.
SuppressionReason: TypeAlias = Literal["score", "cooldown", "hourly_limit"]

# Why a view that a detector cannot do without kept it silent.
NotReady: TypeAlias = Literal["absent", "not_ready"]

# Views are published once a minute of market time for every underlying that moved: enough for a chart of the day.
SAMPLE_NS = 60 * NS


class Judge(Protocol):
    """The scanner, as the pipeline sees it."""

    def open_session(self) -> None:
        """Start a trading day afresh."""

    def judge(
        self, signal: Signal, finding: Finding, contexts: Sequence[Context], moment: Moment
    ) -> Alert | SuppressionReason:
        """An alert, or why there is none. `finding` is what the signal was made of."""


NO_COUNTS: Mapping[tuple[str, str, NotReady], int] = MappingProxyType({})


class Outputs(NamedTuple):
    """What one frame led to. `decisions` holds them in the order they were made.

    `silences` says of each signal that became no alert, by its id, why; it is counted, and published nowhere.
    """

    decisions: list[Decision]
    views: list[View]
    silences: dict[str, SuppressionReason]
    not_ready: Mapping[tuple[str, str, NotReady], int] = NO_COUNTS
    """How often a (detector, view) kept silent for want of that view, by reason."""
    day_records: Sequence[DayRecord] = ()
    """What a session that closed in this frame leaves for later days."""

    @property
    def signals(self) -> list[Signal]:
        """The signals among the decisions."""
        return [decision for decision in self.decisions if isinstance(decision, Signal)]

    @property
    def alerts(self) -> list[Alert]:
        """The alerts among the decisions."""
        return [decision for decision in self.decisions if isinstance(decision, Alert)]

    def lines(self) -> list[bytes]:
        """The decisions' canonical JSON, as the digest takes them."""
        return [canonical(decision) for decision in self.decisions if kind_of(decision).digested]


class Pipeline:
    """Contexts, detectors and the scanner over one partition's log."""

    def __init__(
        self,
        partition: int,
        calendar: Calendar,
        contexts: Sequence[Context],
        detectors: Sequence[Detector],
        scanner: Judge,
        *,
        sampling: bool = True,
        at_home: Callable[[str], bool] = everywhere,
    ) -> None:
        """`sampling=False` publishes no views: a replay only wants decisions, and views cost more than they.

        `at_home` says whether a symbol is judged in this partition: ticks of the whole market's symbols stand in every
        partition, and a rule about them speaks in one. Raises ValueError when a detector listens to a kind of trigger
        that its context does not declare.
        """
        self.partition = partition
        self.contexts = _ordered(contexts)
        self.detectors = tuple(detectors)
        self.views = Views(self.contexts, at_home)
        self._at_home = at_home
        self._calendar = calendar
        self._sampling = sampling
        self._scanner = scanner
        self._by_lane = {lane: [c for c in self.contexts if lane in c.lanes] for lane in Lane}
        for lane, listening in self._by_lane.items():
            stopping = [context.name for context in listening if context.stops]
            assert len(stopping) <= 1, f"{lane.topic}: {stopping} find out as they go where to stop; only one may"
            # What it took the others take, so it goes first.
            listening.sort(key=lambda context: not context.stops)
        self._foreseeing = {
            lane: [context for context in listening if _overrides(context, Context, "next_stop")]
            for lane, listening in self._by_lane.items()
        }
        self._timed = [detector for detector in self.detectors if _overrides(detector, Detector, "due_ns")]
        self._recording = [context for context in self.contexts if _overrides(context, Context, "close_session")]
        self._by_trigger = _listeners(self.contexts, self.detectors)
        shared = {kind: _shared(wanted for _, wanted in heard) for kind, heard in self._by_trigger.items()}
        for context in self.contexts:
            context.listened = shared
        self._parameters = {detector.name: parameters_digest(detector.parameters) for detector in self.detectors}
        self._epoch = -1
        self._position = 0
        self._now_ns = 0
        self._day: dt.date | None = None
        self._sessions: tuple[Session | None, Session | None] = (None, None)  # the day's own, and the next
        self._day_ends_ns = 0
        self._sample_ns = FAR_FUTURE_NS
        self._close_ns = FAR_FUTURE_NS
        self._not_ready: dict[tuple[str, str, NotReady], int] = {}
        self._day_records: list[DayRecord] = []
        self._decisions: list[Decision] = []
        self._sampled: list[View] = []
        self._silences: dict[str, SuppressionReason] = {}

    @property
    def started(self) -> bool:
        """Whether any frame was seen."""
        return self._day is not None

    @property
    def moment(self) -> Moment:
        """Where the pipeline stands."""
        assert self._day is not None, "no frame was seen yet"
        return Moment(self._now_ns, self.partition, self._epoch, self._position, self._day, *self._sessions)

    def step(self, frame: Frame) -> Outputs:
        """Take the next frame of the log, in the sequencer's order. Pure and synchronous."""
        self._decisions, self._sampled, self._silences = [], [], {}
        if self._not_ready:
            self._not_ready = {}
        if self._day_records:
            self._day_records = []
        head = frame.header
        assert head.partition == self.partition, f"a frame of partition {head.partition} in pipeline {self.partition}"
        if head.epoch != self._epoch:
            self._open_epoch(head)
        self._position = head.position
        if head.rows:
            # Kernels take the columns as they come and would read others as bytes: no assertion, for those can be off.
            if not well_formed(head.lane, frame.rows):
                raise TypeError(f"{frame}: columns of other types, or not contiguous")
            self._walk(frame)
        self._pass(head.received_ns)
        return Outputs(self._decisions, self._sampled, self._silences, self._not_ready, self._day_records)

    def _open_epoch(self, head: Header) -> None:
        self._epoch, self._position = head.epoch, head.position
        # Between two epochs the gateway was away; what stood open when it left is closed, not carried over the gap.
        if self._day is not None:
            for context in self.contexts:
                context.open_epoch(head.epoch)
            self._judge()

    def _walk(self, frame: Frame) -> None:
        head, times = frame.header, frame.rows.received_ns
        start, rows = 0, head.rows
        listening = self._by_lane[head.lane]
        while start < rows:
            due_ns = self._pass(int(times[start]))
            stop = rows if times[-1] < due_ns else int(np.searchsorted(times, due_ns, side="left"))
            named: dict[str, int] = {}
            for context in self._foreseeing[head.lane]:
                named[context.name] = context.next_stop(frame, start, stop, self.views)
                assert named[context.name] > start, (
                    f"{context.name} foresees a stop at row {named[context.name]}, which was taken"
                )
            stop = min(stop, *named.values()) if named else stop
            for context in listening:
                reached = context.update(frame, start, stop, self.views)
                assert reached == stop or context.stops, f"{context.name} stopped in the middle of a frame"
                # What it would raise at a row in mid-slice would be judged at the slice's end, wherever that is.
                assert context.stops or not context.triggers or reached == named.get(context.name), (
                    f"{context.name} raised a trigger at a row but said of no stop there"
                )
                assert reached > start or context.triggers or not context.stops, (
                    f"{context.name} neither took a row nor raised a trigger"
                )
                stop = reached
            self._position = head.position + stop
            self._now_ns = int(times[stop - 1]) if stop > start else self._now_ns
            self._judge()
            start = stop

    def _due_ns(self) -> int:
        due_ns = min(self._day_ends_ns, self._sample_ns, self._close_ns)
        for context in self.contexts:
            due_ns = min(due_ns, context.due_ns)
        for detector in self._timed:
            due_ns = min(due_ns, detector.due_ns)
        return due_ns

    def _pass(self, now_ns: int) -> int:
        """Let the log's time reach `now_ns`: everything due up to then happens, in the order of its time.

        Returns when something is due next.
        """
        if self._day is None:
            self._open_day(now_ns)
        while (due_ns := self._due_ns()) <= now_ns:
            self._now_ns = max(self._now_ns, due_ns)
            if due_ns >= self._day_ends_ns:
                self._open_day(now_ns)
                continue
            for context in self.contexts:
                if context.due_ns <= due_ns:
                    context.tick(due_ns, self.views)
                    assert context.due_ns > due_ns, f"{context.name} did not move its due time on"
            self._judge()
            for detector in self._timed:
                if detector.due_ns <= due_ns:
                    self._emit(detector, detector.tick(self.moment, self.views))
                    assert detector.due_ns > due_ns, f"{detector.name} did not move its due time on"
            if self._close_ns <= due_ns:
                self._close_session()
            if self._sample_ns <= due_ns:
                self._sample()
        self._now_ns = max(self._now_ns, now_ns)
        return due_ns

    def _open_day(self, now_ns: int) -> None:
        self._day = ny_date(now_ns)
        self._day_ends_ns = ny_ns(self._day + dt.timedelta(days=1), 0)
        self._sample_ns = (now_ns // SAMPLE_NS + 1) * SAMPLE_NS if self._sampling else FAR_FUTURE_NS
        session = self._calendar.session_on(self._day)
        self._sessions = session, self._calendar.session_after(self._day)
        self._close_ns = FAR_FUTURE_NS
        if session is not None and self._recording and now_ns < session.close_ns:
            self._close_ns = session.close_ns
        for context in self.contexts:
            context.triggers.clear()
            context.opening = NOTHING_KNOWN
            context.open_session(self._day, session)
        for detector in self.detectors:
            detector.open_session(self._day, session)
        self._scanner.open_session()

    def _close_session(self) -> None:
        """Have each context say what of the session is worth keeping."""
        self._close_ns = FAR_FUTURE_NS
        for context in self._recording:
            self._day_records.extend(context.close_session(self._now_ns))

    def _sample(self) -> None:
        self._sample_ns += SAMPLE_NS
        for context in self.contexts:
            for underlying in context.underlyings():
                view = context.published(underlying)
                if view is not None:
                    self._sampled.append(view)

    def _judge(self) -> None:
        """Give every raised trigger to the detectors that listen to it."""
        for context in self.contexts:
            if not context.triggers:
                continue
            raised, context.triggers = context.triggers, []
            moment = self.moment
            for trigger in raised:
                assert trigger.kind in context.raises, (
                    f"{context.name} raises {trigger.kind}, which it does not declare"
                )
                for detector, wanted in self._by_trigger.get(trigger.kind, ()):
                    if wanted is not None and not wanted.passes(trigger.facts):
                        continue
                    if self._at_home(trigger.underlying) and self._is_ready(detector, trigger.underlying):
                        self._emit(detector, detector.detect(trigger, moment, self.views))

    def _is_ready(self, detector: Detector, underlying: str) -> bool:
        """Whether all that a detector cannot do without is there; counted with its reason when not."""
        for kind in detector.requires:
            view = self.views.get(kind, underlying)
            if view is None or not view.ready:
                reason: NotReady = "absent" if view is None else "not_ready"
                place = detector.name, kind.__name__, reason
                self._not_ready[place] = self._not_ready.get(place, 0) + 1
                return False
        return True

    def _emit(self, detector: Detector, findings: Sequence[Finding]) -> None:
        for finding in findings:
            self._decide(detector, finding)

    def _decide(self, detector: Detector, finding: Finding) -> None:
        moment = self.moment
        signal = _signal(detector, self._parameters[detector.name], finding, moment)
        self._decisions.append(signal)
        judged = self._scanner.judge(signal, finding, self.contexts, moment)
        if isinstance(judged, Alert):
            self._decisions.append(judged)
        else:
            self._silences[signal.id] = judged


def _signal(detector: Detector, parameters: str, finding: Finding, moment: Moment) -> Signal:
    def number(value: float | None) -> float | None:
        return None if value is None else rounded(value)

    return Signal(
        id=identity(
            detector.name, detector.version, parameters, finding.underlying, finding.direction, finding.key,
            moment.day.isoformat(), finding.event_ns, *(f"{epoch}:{position}" for epoch, position in finding.inputs),
        ),
        detector=detector.name,
        version=detector.version,
        parameters=parameters,
        underlying=finding.underlying,
        contract=finding.contract,
        direction=finding.direction,
        label=finding.label,
        event_ns=finding.event_ns,
        emitted_ns=moment.now_ns,
        partition=moment.partition,
        epoch=moment.epoch,
        position=moment.position,
        inputs=finding.inputs,
        base=rounded(finding.base),
        confidence=rounded(finding.confidence),
        reference_usd=number(finding.reference_usd),
        stop_usd=number(finding.stop_usd),
        target_usd=number(finding.target_usd),
        horizon_s=finding.horizon_s,
        null_probability=number(finding.null_probability),
        factors={name: rounded(value) for name, value in finding.factors.items()},
        evidence={name: rounded(value) for name, value in finding.evidence.items()},
        headline=str(finding.headline),  # a kind of trigger is a string of its own, which JSON does not know
    )  # fmt: skip


def _overrides(rule: Context | Detector, base: type, name: str) -> bool:
    """Whether a rule has its own version of something that does nothing in its base."""
    return getattr(type(rule), name) is not getattr(base, name)


def _listeners(
    contexts: Sequence[Context], detectors: Sequence[Detector]
) -> dict[str, list[tuple[Detector, TriggerFilter | None]]]:
    """By kind of trigger, who listens and for what. Raises ValueError for a kind that its context does not declare."""
    raised = {context.name: context.raises for context in contexts}
    found: dict[str, list[tuple[Detector, TriggerFilter | None]]] = {}
    for detector in detectors:
        for kind in sorted(detector.triggers):
            owner = kind.partition(".")[0]
            if kind not in raised.get(owner, (kind,)):
                raise ValueError(f"{detector.name} listens to {kind}, which {owner} does not declare")
            found.setdefault(kind, []).append((detector, detector.filter(kind)))
    return found


def _shared(filters: Iterable[TriggerFilter | None]) -> TriggerFilter | None:
    """What passes any of the filters; None when one of them passes everything."""
    shared: TriggerFilter | None = None
    for number, one in enumerate(filters):
        if one is None:
            return None
        shared = one if number == 0 or shared is None else shared.either(one)
    return shared


def _ordered(contexts: Sequence[Context]) -> tuple[Context, ...]:
    """Contexts in an order in which each comes after those it needs; by name where that leaves a choice."""
    waiting = sorted(contexts, key=lambda context: context.name)
    present = {context.view_type for context in contexts}
    done: list[Context] = []
    while waiting:
        have = {context.view_type for context in done}
        ready = next((c for c in waiting if all(need in have or need not in present for need in c.needs)), None)
        if ready is None:
            raise ValueError(f"contexts need each other in a circle: {', '.join(c.name for c in waiting)}")
        waiting.remove(ready)
        done.append(ready)
    return tuple(done)
