"""What a context or detector gets without writing it: defaults, published views, moments."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.day_records import DayRecord
from schemas.decisions import View
from schemas.frames import Frame, Lane
from services.core.calendar import NS, Session
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
from services.core.pipeline import Pipeline
from tests.support.frames import constant_rows, heartbeat
from tests.support.machines import (
    BIG,
    CALENDAR,
    EPOCH,
    FRIDAY,
    OPEN_NS,
    QUIET,
    SESSIONS,
    UNDERLYING,
    CountView,
    Echo,
    EveryOther,
    Follower,
    Last,
    LastView,
    Prints,
)
from tests.unit.core.test_pipeline import Log, machine, run, told


def opened(kind: type[Context]) -> Context:
    context = kind(kind.Parameters())
    context.open_session(FRIDAY, SESSIONS[0])
    return context


def test_a_moment_counts_minutes_from_the_open() -> None:
    assert Moment(OPEN_NS + 90 * NS, 0, 1, 0, FRIDAY, SESSIONS[0]).minute == 1.5
    assert Moment(OPEN_NS - 60 * NS, 0, 1, 0, FRIDAY, SESSIONS[0]).minute == -1.0
    assert Moment(OPEN_NS, 0, 1, 0, FRIDAY, None).minute is None


def test_a_context_that_wants_nothing_is_never_due() -> None:
    context = opened(Follower)
    assert context.due_ns == FAR_FUTURE_NS
    context.open_epoch(2)
    assert context.triggers == []


def test_a_context_has_nothing_to_say_about_a_signal_unless_it_says_so() -> None:
    context = opened(Follower)
    view = context.view(UNDERLYING)
    assert view is not None
    assert context.contribution(None, "momentum", view, OPEN_NS) is None  # type: ignore[arg-type]


def test_a_view_is_published_with_who_and_when() -> None:
    context = opened(Last)
    assert context.published(UNDERLYING) is None, "nothing was seen yet"
    frame = heartbeat(Lane.TICKS, 1, 3, OPEN_NS)._replace(rows=constant_rows(Lane.TICKS, [OPEN_NS], price_usd=1 / 3))
    context.update(frame, 0, 1, Views([]))
    assert context.published(UNDERLYING) == View(
        context="last", version="1", underlying=UNDERLYING, as_of_ns=OPEN_NS, ready=True, reason="", stance="",
        confidence=1.0, values={"price_usd": 0.333333},
    )  # fmt: skip


def test_views_are_asked_for_by_type() -> None:
    views = Views([opened(Follower), opened(Prints)])
    assert views.get(CountView, UNDERLYING) is None, "that context has seen nothing of it"
    assert views.get(LastView, UNDERLYING) is None, "that context is off"


def test_a_context_that_lacks_its_methods_cannot_be_made() -> None:
    class Half(Context):
        name = "half"

    with pytest.raises(TypeError, match="abstract"):
        Half(Parameters())  # type: ignore[abstract]


def test_what_is_not_a_number_is_not_published() -> None:
    class Rich(ContextView, frozen=True, kw_only=True):
        level_usd: float | None
        label: str
        walls: tuple[float, ...]

    view = Rich(
        underlying="SPY", as_of_ns=1, ready=True, reason="", stance="", confidence=1.0, level_usd=None, label="x",
        walls=(1.0,),
    )  # fmt: skip
    assert view.values() == {"level_usd": None}


class CrossView(LastView, frozen=True, kw_only=True):
    """A view of its own type for each context."""


class SecondView(LastView, frozen=True, kw_only=True):
    """A view of its own type for each context."""


CROSSED = TriggerKind("cross.level", float)


class Cross(Last):
    """Raises a trigger at the row whose price first reaches each whole dollar: it can tell from the rows ahead."""

    name, view_type, raises = "cross", CrossView, (CROSSED,)

    def open_session(self, day: dt.date, session: Session | None) -> None:
        super().open_session(day, session)
        self._due_ns = FAR_FUTURE_NS
        self.level = 101.0

    def next_stop(self, frame: Frame, start: int, stop: int, views: Views) -> int:
        rows: Any = frame.rows
        reached = np.flatnonzero(rows.price_usd[start:stop] >= self.level)
        return start + int(reached[0]) + 1 if len(reached) else stop

    def update(self, frame: Frame, start: int, stop: int, views: Views) -> int:
        reached = super().update(frame, start, stop, views)
        if self.price_usd is not None and self.price_usd >= self.level:
            self.level = float(int(self.price_usd)) + 1.0
            place = (frame.header.epoch, frame.header.position + stop - 1)
            self.triggers.append(Trigger(CROSSED, "SPY", self.as_of_ns, (place,), self.price_usd))
        return reached


class Second(Cross):
    """Another that stops on the same lane, at half dollars."""

    name, view_type, raises = "second", SecondView, (TriggerKind("second.level", float),)

    def open_session(self, day: dt.date, session: Session | None) -> None:
        super().open_session(day, session)
        self.level = 100.5

    def update(self, frame: Frame, start: int, stop: int, views: Views) -> int:
        reached = Last.update(self, frame, start, stop, views)
        if self.price_usd is not None and self.price_usd >= self.level:
            self.level += 1.0
            place = (frame.header.epoch, frame.header.position + stop - 1)
            self.triggers.append(Trigger(self.raises[0], "SPY", self.as_of_ns, (place,), self.price_usd))
        return reached


class Hears(Echo):
    """Finds what the crossing contexts raise."""

    triggers = frozenset({CROSSED, *Second.raises, BIG})
    uses = ()


def crossing() -> Pipeline:
    contexts = [Cross(Cross.Parameters()), Second(Second.Parameters()), Prints(Prints.Parameters())]
    return Pipeline(0, CALENDAR, contexts, [Hears(Hears.Parameters())], EveryOther())


PRICES = [100.0, 100.4, 100.6, 101.2, 101.4, 101.5, 102.0, 101.0, 103.0]


class TestStops:
    def test_two_contexts_of_one_lane_stop_each_at_its_own_row(self) -> None:
        outputs = run(Log().ticks(*((1 + n / 10, price) for n, price in enumerate(PRICES))), crossing())
        at_rows = [(s.headline, s.position) for s in outputs.signals]
        assert at_rows == [
            ("second.level", 3), ("cross.level", 4), ("second.level", 6), ("cross.level", 7), ("cross.level", 9),
            ("second.level", 9),
        ]  # fmt: skip

    @given(st.sets(st.integers(1, len(PRICES) - 1)))
    def test_however_the_log_is_cut(self, cuts: set[int]) -> None:
        edges = [0, *sorted(cuts), len(PRICES)]
        log = Log()
        for start, stop in itertools.pairwise(edges):
            log.ticks(*((1 + n / 10, PRICES[n]) for n in range(start, stop)))
        whole = run(Log().ticks(*((1 + n / 10, price) for n, price in enumerate(PRICES))), crossing())
        assert run(log, crossing()).lines() == whole.lines()

    def test_a_trigger_at_a_stop_that_another_named_stops_the_program(self) -> None:
        class Stray(Second):
            def next_stop(self, frame: Frame, start: int, stop: int, views: Views) -> int:
                return stop

        contexts = [Cross(Cross.Parameters()), Stray(Stray.Parameters())]
        log = Log().ticks((1, 100.0), (1.1, 101.2), (1.2, 101.3))
        with pytest.raises(AssertionError, match="second raised a trigger at a row but said of no stop there"):
            run(log, Pipeline(0, CALENDAR, contexts, [], EveryOther()))

    def test_a_stop_at_a_row_that_was_taken_stops_the_program(self) -> None:
        class Behind(Cross):
            def next_stop(self, frame: Frame, start: int, stop: int, views: Views) -> int:
                return start

        with pytest.raises(AssertionError, match="cross foresees a stop at row 0, which was taken"):
            run(Log().ticks((1, 100.0)), machine([Behind(Behind.Parameters())], detectors=[]))


class Reminder(Detector):
    """Speaks ten and twenty seconds after the open, whatever happens."""

    name, version = "reminder", "1"
    triggers: frozenset[TriggerKind] = frozenset()

    class Parameters(Parameters, frozen=True, kw_only=True):
        """None."""

    def open_session(self, day: dt.date, session: Session | None) -> None:
        self._due_ns = FAR_FUTURE_NS if session is None else session.open_ns + 10 * NS

    @property
    def due_ns(self) -> int:
        return self._due_ns

    def tick(self, moment: Moment, views: Views) -> Sequence[Finding]:
        due_ns, self._due_ns = self._due_ns, FAR_FUTURE_NS
        if due_ns == OPEN_NS + 10 * NS:
            self._due_ns = OPEN_NS + 20 * NS
        count = views.get(CountView, "SPY")
        return (
            Finding(
                underlying="SPY", direction="LONG", thesis="momentum", key=str(due_ns),
                label="PIN", headline="reminder", event_ns=due_ns,
                inputs=(), base=50.0, confidence=1.0, factors={},
                evidence={"contracts": -1.0 if count is None else float(count.size_contracts)},
            ),
        )  # fmt: skip


class TestTimers:
    def test_a_detector_is_woken_between_rows_and_by_a_heartbeat(self) -> None:
        contexts = [Prints(Prints.Parameters())]
        log = Log().prints((9, 5), (10.5, 7)).beat(20)
        outputs = run(log, machine(contexts, detectors=[Reminder(Reminder.Parameters())]))
        assert told(outputs) == [("reminder", 10, 1), ("reminder", 20, 2)]
        assert [s.evidence["contracts"] for s in outputs.signals] == [5.0, 12.0]

    def test_it_must_move_its_due_time_on(self) -> None:
        class Stuck(Reminder):
            def tick(self, moment: Moment, views: Views) -> Sequence[Finding]:
                return ()

        with pytest.raises(AssertionError, match="reminder did not move its due time on"):
            run(Log().beat(11), machine([], detectors=[Stuck(Stuck.Parameters())]))


class TestWhatADetectorNeeds:
    def test_a_required_view_that_is_absent_or_not_ready_silences_and_is_counted(self) -> None:
        class Strict(Echo):
            requires, uses = (LastView,), ()

        class Unready(Last):
            def view(self, underlying: str) -> LastView | None:
                view = super().view(underlying)
                return None if view is None else msgspec.structs.replace(view, ready=False)

        log = Log().prints((1, 200)).ticks((1.2, 100.0)).prints((1.3, 300))
        contexts = [Prints(Prints.Parameters()), Unready(Unready.Parameters())]
        pipeline = machine(contexts, detectors=[Strict(Strict.Parameters())])
        counts = [dict(pipeline.step(frame).not_ready) for frame in log.frames]
        assert counts == [{("echo", "LastView", "absent"): 1}, {}, {("echo", "LastView", "not_ready"): 1}]
        ready = machine([Prints(Prints.Parameters()), Last(Last.Parameters())], detectors=[Strict(Strict.Parameters())])
        assert [s.headline for s in run(log, ready).signals] == ["prints.big"]

    def test_a_filter_keeps_a_trigger_from_its_detector(self) -> None:
        class AtLeast(NamedTuple):
            contracts: int

            def passes(self, facts: int) -> bool:
                return facts >= self.contracts

            def either(self, other: AtLeast) -> AtLeast:
                return AtLeast(min(self.contracts, other.contracts))

        class Picky(Echo):
            def filter(self, kind: TriggerKind) -> AtLeast | None:
                return AtLeast(250)

        outputs = run(Log().prints((1, 200)).prints((1.1, 300)), machine(detectors=[Picky(Picky.Parameters())]))
        assert [s.position for s in outputs.signals] == [2]

    def test_a_kind_that_its_context_does_not_declare_is_refused_at_the_start(self) -> None:
        class Astray(Echo):
            triggers = frozenset({TriggerKind("prints.gone", int)})

        with pytest.raises(ValueError, match=r"echo listens to prints\.gone, which prints does not declare"):
            machine(detectors=[Astray(Astray.Parameters())])

    def test_a_kind_that_is_raised_undeclared_stops_the_program(self) -> None:
        class Sly(Prints):
            raises = (QUIET, EPOCH)

        class Deaf(Echo):
            triggers = frozenset({QUIET})

        with pytest.raises(AssertionError, match=r"prints raises prints\.big, which it does not declare"):
            run(Log().prints((1, 200)), machine([Sly(Sly.Parameters())], detectors=[Deaf(Deaf.Parameters())]))


class TestTheWholeMarket:
    def test_a_symbol_of_the_whole_market_is_judged_at_home_only(self) -> None:
        log = Log().prints((1, 200))
        away = Pipeline(
            0, CALENDAR, [Prints(Prints.Parameters())], [Echo(Echo.Parameters())], EveryOther(),
            at_home=lambda symbol: symbol != "SPY",
        )  # fmt: skip
        assert run(log, away).signals == []
        assert run(log).signals != []

    def test_a_market_view_says_why_it_is_not_known(self) -> None:
        last = Last(Last.Parameters())
        last.open_session(FRIDAY, None)
        here, elsewhere = Views([last]), Views([last], lambda symbol: False)
        assert here.market(LastView, "SPX").reason == "nothing was received of SPX"
        assert elsewhere.market(LastView, "SPX").reason == (
            "SPX is another partition's, and its LastView was not fed back"
        )
        assert here.market(CountView, "SPX").reason == "no context gives a CountView"
        last.price_usd, last.as_of_ns = 100.0, 1
        found = here.market(LastView, "SPY")
        assert found.view is not None
        assert found.view.price_usd == 100.0
        assert found.reason == ""


def test_a_session_leaves_day_records_when_the_log_passes_its_close() -> None:
    class Keeps(Last):
        def close_session(self, now_ns: int) -> Sequence[DayRecord]:
            return [
                DayRecord(
                    day=FRIDAY, source="last", version="1", underlying="SPY", contract=None, series="close_usd", slot=0,
                    value=self.price_usd or 0.0, known_ns=now_ns,
                )
            ]  # fmt: skip

    session = CALENDAR.session_on(FRIDAY)
    assert session is not None
    close_s = (session.close_ns - OPEN_NS) / NS
    pipeline = machine([Keeps(Keeps.Parameters())], detectors=[])
    log = Log().ticks((1, 100.0)).ticks((close_s - 1, 101.0), (close_s, 102.0)).beat(close_s + 5)
    kept = [record for frame in log.frames for record in pipeline.step(frame).day_records]
    assert [(record.value, record.known_ns) for record in kept] == [(101.0, session.close_ns)]
