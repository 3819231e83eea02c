"""The smallest contexts, detector and judge that exercise every promise of the contract."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from schemas.decisions import Alert, Record, Signal
from schemas.frames import Frame, Lane
from services.core.calendar import NS, Calendar, Session, ny_ns
from services.core.contract import (
    FAR_FUTURE_NS,
    Context,
    ContextView,
    Detector,
    Finding,
    Moment,
    Parameters,
    Trigger,
    TriggerKind,
    Views,
)
from services.core.identity import identity
from services.core.pipeline import SuppressionReason

FRIDAY = dt.date(2014, 6, 6)
MONDAY = dt.date(2014, 6, 9)
SESSIONS = tuple(Session(day, ny_ns(day, 9, 30), ny_ns(day, 16)) for day in (FRIDAY, MONDAY))
CALENDAR = Calendar(SESSIONS)
OPEN_NS = SESSIONS[0].open_ns
UNDERLYING = "SPY"


BIG, QUIET, EPOCH = (TriggerKind(f"prints.{what}", int) for what in ("big", "quiet", "epoch"))
MINUTE = TriggerKind("last.minute", float)


class CountView(ContextView, frozen=True, kw_only=True):
    """How much was traded today."""

    size_contracts: int


class LastView(ContextView, frozen=True, kw_only=True):
    """The last price."""

    price_usd: float | None


class FollowedView(ContextView, frozen=True, kw_only=True):
    """How much was traded, as somebody else counts it."""

    size_contracts: int


class Follower(Context):
    """Counts contracts too, by columns, and may not stop: it has to be stopped where `prints` stops."""

    name, version = "follower", "1"  # before `prints` in the order of names
    lanes = frozenset({Lane.TRADES})
    view_type = FollowedView

    class Parameters(Parameters, frozen=True, kw_only=True):
        """None."""

    def open_session(self, day: dt.date, session: Session | None) -> None:
        self.size_contracts = 0

    def update(self, frame: Frame, start: int, stop: int, views: Views) -> int:
        rows: Any = frame.rows
        self.size_contracts += int(rows.size_contracts[start:stop].sum())
        return stop

    def view(self, underlying: str) -> FollowedView:
        return FollowedView(
            underlying=underlying, as_of_ns=0, ready=True, reason="", stance="", confidence=1.0,
            size_contracts=self.size_contracts,
        )  # fmt: skip

    def underlyings(self) -> Sequence[str]:
        return ()


class Prints(Context):
    """Counts contracts; raises `prints.big` at a big print (the row's own doing) and `prints.quiet` half a second after
    the last print (time's doing), as a cluster of prints is opened and closed.
    """

    name, version = "prints", "1"
    lanes = frozenset({Lane.TRADES})
    view_type = CountView
    raises = (BIG, QUIET, EPOCH)
    stops = True
    quiet_ns = NS // 2

    class Parameters(Parameters, frozen=True, kw_only=True):
        """How many contracts make a print big."""

        big_contracts: int = 100

    def open_session(self, day: dt.date, session: Session | None) -> None:
        self.size_contracts = 0
        self.touched = False
        self.as_of_ns = 0
        self.epochs: list[int] = []
        self._due_ns = FAR_FUTURE_NS

    def update(self, frame: Frame, start: int, stop: int, views: Views) -> int:
        rows: Any = frame.rows
        for row in range(start, stop):
            now_ns = int(rows.received_ns[row])
            if now_ns >= self._due_ns:
                return row  # the log has passed our due time in mid-slice: we are ticked and then called again
            size = int(rows.size_contracts[row])
            self.size_contracts += size
            self.as_of_ns, self.touched, self._due_ns = now_ns, True, now_ns + self.quiet_ns
            if size >= self.parameters.big_contracts:
                place = (frame.header.epoch, frame.header.position + row)
                event_ns = int(rows.event_ns[row])
                self.triggers.append(Trigger(BIG, UNDERLYING, event_ns, (place,), size))
                return row + 1
        return stop

    @property
    def due_ns(self) -> int:
        return self._due_ns

    def tick(self, now_ns: int, views: Views) -> None:
        self.triggers.append(Trigger(QUIET, UNDERLYING, now_ns, (), self.size_contracts))
        self._due_ns = FAR_FUTURE_NS

    def open_epoch(self, epoch: int) -> None:
        self.triggers.append(Trigger(EPOCH, UNDERLYING, epoch, (), self.size_contracts))

    def view(self, underlying: str) -> CountView | None:
        if underlying != UNDERLYING or not self.as_of_ns:
            return None
        return CountView(
            underlying=underlying, as_of_ns=self.as_of_ns, ready=True, reason="", stance="", confidence=1.0,
            size_contracts=self.size_contracts,
        )  # fmt: skip

    def underlyings(self) -> Sequence[str]:
        touched, self.touched = self.touched, False
        return (UNDERLYING,) if touched else ()


class Last(Context):
    """The last price; raises `last.minute` on every full minute."""

    name, version = "last", "1"
    lanes = frozenset({Lane.TICKS})
    view_type = LastView
    raises = (MINUTE,)

    class Parameters(Parameters, frozen=True, kw_only=True):
        """None."""

    def open_session(self, day: dt.date, session: Session | None) -> None:
        self.price_usd: float | None = None
        self.as_of_ns = 0
        self._due_ns = FAR_FUTURE_NS if session is None else session.open_ns
        self._close_ns = 0 if session is None else session.close_ns

    def update(self, frame: Frame, start: int, stop: int, views: Views) -> int:
        rows: Any = frame.rows
        if stop > start:
            self.price_usd = float(rows.price_usd[stop - 1])
            self.as_of_ns = int(rows.received_ns[stop - 1])
        return stop

    @property
    def due_ns(self) -> int:
        return self._due_ns

    def tick(self, now_ns: int, views: Views) -> None:
        if self.price_usd is not None:
            self.triggers.append(Trigger(MINUTE, UNDERLYING, now_ns, (), self.price_usd))
        self._due_ns = now_ns + 60 * NS if now_ns < self._close_ns else FAR_FUTURE_NS

    def view(self, underlying: str) -> LastView | None:
        if underlying != UNDERLYING or not self.as_of_ns:
            return None
        return LastView(
            underlying=underlying, as_of_ns=self.as_of_ns, ready=True, reason="", stance="", confidence=1.0,
            price_usd=self.price_usd,
        )  # fmt: skip

    def underlyings(self) -> Sequence[str]:
        return (UNDERLYING,) if self.as_of_ns else ()


class Echo(Detector):
    """Finds every trigger worth finding, and tells what it sees of the world at that moment."""

    name, version = "echo", "1"
    triggers = frozenset({BIG, QUIET, EPOCH, MINUTE})
    uses = (CountView, LastView)

    class Parameters(Parameters, frozen=True, kw_only=True):
        """None."""

    def open_session(self, day: dt.date, session: Session | None) -> None:
        self.heard = 0

    def detect(self, trigger: Trigger, moment: Moment, views: Views) -> Sequence[Finding]:
        self.heard += 1
        last, count = views.get(LastView, trigger.underlying), views.get(CountView, trigger.underlying)
        followed = views.get(FollowedView, trigger.underlying)
        price_usd = None if last is None else last.price_usd
        return (
            Finding(
                underlying=trigger.underlying,
                direction="NEUTRAL",
                key=f"{trigger.kind} {trigger.event_ns} {self.heard}",
                label="PRICE_BARRIER",
                thesis="momentum",
                headline=trigger.kind,
                event_ns=trigger.event_ns,
                inputs=trigger.inputs,
                base=50.0,
                confidence=1.0,
                factors={},
                evidence={
                    "fact": float(trigger.facts),
                    "size_contracts": -1.0 if count is None else count.size_contracts,
                    "followed_contracts": -1.0 if followed is None else followed.size_contracts,
                    "heard_today": self.heard,
                },
                reference_usd=price_usd,
            ),
        )


class EveryOther:
    """A judge that alerts on every other signal of a day."""

    def __init__(self) -> None:
        self.sessions = 0

    def open_session(self) -> None:
        self.sessions += 1
        self.judged = 0

    def judge(
        self, signal: Signal, finding: Finding, contexts: Sequence[Context], moment: Moment
    ) -> Alert | SuppressionReason:
        self.judged += 1
        if self.judged % 2:
            return "score"
        return Alert(
            id=identity("alert", signal.id), signal_id=signal.id, detector=signal.detector, version=signal.version,
            underlying=signal.underlying, contract=None, direction=signal.direction, score=signal.base,
            base=signal.base, boosts=(), penalties=(), coverage=1.0, flags=(), event_ns=signal.event_ns,
            emitted_ns=moment.now_ns, partition=moment.partition, epoch=moment.epoch, position=moment.position,
            inputs=signal.inputs, reference_usd=None, stop_usd=None, target_usd=None, horizon_s=0, evidence={},
            record=Record(), headline=signal.headline,
        )  # fmt: skip
