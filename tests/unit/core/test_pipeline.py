"""The pipeline's promises: due times, midnight, epochs, order; and that only rows and stamps decide, never the cuts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.decisions import Alert, Signal
from schemas.frames import Frame, Header, Lane, take_rows
from services.core.calendar import NS, ny_ns
from services.core.contract import (
    ContextView,
    Detector,
    Parameters,
    Trigger,
    Views,
)
from services.core.pipeline import Outputs, Pipeline
from tests.support.frames import constant_rows, heartbeat
from tests.support.machines import (
    CALENDAR,
    FRIDAY,
    MINUTE,
    MONDAY,
    OPEN_NS,
    CountView,
    Echo,
    EveryOther,
    Follower,
    Last,
    LastView,
    Prints,
)

MINUTE_NS = 60 * NS


def machine(
    contexts: Sequence[Any] | None = None,
    judge: EveryOther | None = None,
    sampling: bool = True,
    detectors: Sequence[Detector] | None = None,
) -> Pipeline:
    if contexts is None:
        contexts = [Last(Last.Parameters()), Prints(Prints.Parameters()), Follower(Follower.Parameters())]
    judge = EveryOther() if judge is None else judge
    detectors = [Echo(Echo.Parameters())] if detectors is None else detectors
    return Pipeline(0, CALENDAR, contexts, detectors, judge, sampling=sampling)


class Log:
    """A log written by hand: one call a frame, stamped in seconds after Friday's open."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.epoch, self._seq, self._position = 1, 0, 0

    def _add(self, lane: Lane, stamps: list[int], received_ns: int, opening: bool = False, **columns: Any) -> None:
        head = Header(lane, 0, self.epoch, self._seq, self._position, len(stamps), received_ns, opening=opening)
        self.frames.append(Frame(head, constant_rows(lane, stamps, **columns)))
        self._seq += 1
        self._position += len(stamps)

    def prints(self, *prints: tuple[float, int]) -> Log:
        """(seconds, contracts) a print."""
        stamps = [at(seconds) for seconds, _ in prints]
        sizes = [size for _, size in prints]
        self._add(Lane.TRADES, stamps, stamps[-1], size_contracts=sizes, event_ns=[stamp - 7 for stamp in stamps])
        return self

    def ticks(self, *ticks: tuple[float, float]) -> Log:
        """(seconds, dollars) a tick."""
        stamps = [at(seconds) for seconds, _ in ticks]
        self._add(Lane.TICKS, stamps, stamps[-1], price_usd=[price for _, price in ticks])
        return self

    def beat(self, seconds: float) -> Log:
        """A heartbeat."""
        self._add(Lane.TRADES, [], at(seconds))
        return self

    def opens(self, epoch: int, seconds: float) -> Log:
        """A new epoch's opening frames."""
        self.epoch, self._seq, self._position = epoch, 0, 0
        for lane in Lane:
            self._add(lane, [], at(seconds), opening=True)
        return self


def at(seconds: float) -> int:
    return OPEN_NS + round(seconds * NS)


def seconds(time_ns: int) -> float:
    return (time_ns - OPEN_NS) / NS


def run(log: Log | Sequence[Frame], pipeline: Pipeline | None = None) -> Outputs:
    """All that a log leads to."""
    pipeline = machine() if pipeline is None else pipeline
    outputs = Outputs([], [], {})
    for frame in log.frames if isinstance(log, Log) else log:
        step = pipeline.step(frame)
        outputs.decisions.extend(step.decisions)
        outputs.views.extend(step.views)
        outputs.silences.update(step.silences)
    return outputs


def told(outputs: Outputs) -> list[tuple[str, float, int]]:
    """(what, when it was emitted, rows seen before) of each signal."""
    return [(s.headline, seconds(s.emitted_ns), s.position) for s in outputs.signals]


def test_a_signal_is_followed_by_its_alert_or_there_is_a_reason() -> None:
    outputs = run(Log().prints((1, 200), (1.1, 300)).prints((2, 400)))
    assert len(outputs.signals) >= 3
    assert outputs.silences == {one.id: "score" for one in outputs.signals[::2]}
    assert [one.signal_id for one in outputs.alerts] == [one.id for one in outputs.signals[1::2]]


class TestSlices:
    def test_a_trigger_is_judged_at_its_row_not_at_the_frames_end(self) -> None:
        outputs = run(Log().prints((1, 5), (1.1, 200), (1.2, 7)))
        assert told(outputs) == [("prints.big", 1.1, 2)]
        signal = outputs.signals[0]
        assert signal.evidence["size_contracts"] == 205, "the row behind the big print is not yet seen"
        assert signal.inputs == ((1, 1),)
        assert signal.event_ns == at(1.1) - 7

    def test_a_due_time_inside_a_frame_falls_between_its_rows(self) -> None:
        outputs = run(Log().prints((1, 5), (9, 6)))
        assert told(outputs) == [("prints.quiet", 1.5, 1)]
        assert outputs.signals[0].evidence["size_contracts"] == 5

    def test_a_due_time_is_before_the_rows_stamped_with_it(self) -> None:
        outputs = run(Log().prints((1, 5)).prints((1.5, 6)))
        assert told(outputs) == [("prints.quiet", 1.5, 1)]

    def test_a_heartbeat_moves_time_on(self) -> None:
        pipeline = machine()
        assert told(run(Log().prints((1, 5)), pipeline)) == []
        assert told(run([heartbeat(Lane.GREEKS, 1, 1, at(1.4), position=1)], pipeline)) == []
        assert told(run([heartbeat(Lane.GREEKS, 1, 2, at(1.5), position=1)], pipeline)) == [("prints.quiet", 1.5, 1)]

    def test_what_is_due_happens_in_the_order_of_its_time_not_of_contexts(self) -> None:
        outputs = run(Log().ticks((59.9, 100.0)).prints((59.7, 5)).beat(121))
        assert told(outputs) == [("last.minute", 60, 2), ("prints.quiet", 60.2, 2), ("last.minute", 120, 2)]

    def test_at_a_trigger_every_context_stands_at_the_same_row(self) -> None:
        """Prints and ticks come by different lanes; the price a detector sees is the one before its print."""
        outputs = run(Log().ticks((1, 100.0)).prints((2, 200)).ticks((3, 101.0)).prints((3.1, 200)))
        by_kind = [(s.headline, s.reference_usd) for s in outputs.signals]
        assert by_kind == [("prints.big", 100.0), ("prints.quiet", 100.0), ("prints.big", 101.0)]

    def test_where_one_context_stops_all_stop(self) -> None:
        outputs = run(Log().prints((1, 5), (1.1, 200), (1.2, 7)).prints((1.3, 100)))
        assert [s.evidence["followed_contracts"] for s in outputs.signals] == [205, 312]

    def test_another_contexts_due_time_inside_a_frame_is_before_the_rows_stamped_with_it(self) -> None:
        outputs = run(Log().ticks((59, 100.0)).prints((59.8, 5), (60, 6), (60.1, 7)).beat(60.2))
        assert [(s.headline, s.evidence["size_contracts"], s.position) for s in outputs.signals] == [
            ("last.minute", 5, 2)
        ]

    def test_time_does_not_run_backwards_for_a_detector(self) -> None:
        """A frame may be stamped as its predecessor was; due times in between are not visited twice."""
        outputs = run(Log().prints((1, 5)).beat(2).prints((2, 200)).beat(2).prints((2, 200)))
        emitted = [signal.emitted_ns for signal in outputs.signals]
        assert emitted == sorted(emitted)


class TestDays:
    def test_each_context_detector_and_judge_opens_the_day_before_the_first_row(self) -> None:
        judge = EveryOther()
        run(Log().prints((0, 5)), machine(judge=judge))
        assert judge.sessions == 1

    def test_midnight_in_new_york_starts_afresh(self) -> None:
        midnight = seconds(ny_ns(FRIDAY + dt.timedelta(days=1), 0))
        outputs = run(Log().prints((1, 50)).beat(midnight - 1).beat(midnight).prints((midnight + 1, 100)))
        quiet, big = (s for s in outputs.signals if s.headline.startswith("prints"))
        assert (quiet.evidence["heard_today"], quiet.evidence["size_contracts"]) == (1, 50)
        assert (big.evidence["heard_today"], big.evidence["size_contracts"]) == (1, 100)

    def test_what_is_due_before_midnight_happens_before_it(self) -> None:
        midnight = seconds(ny_ns(FRIDAY + dt.timedelta(days=1), 0))
        outputs = run(Log().prints((midnight - 0.6, 5)).beat(midnight + 10))
        assert told(outputs) == [("prints.quiet", pytest.approx(midnight - 0.1), 1)]

    def test_what_is_due_at_midnight_or_later_is_of_a_day_that_is_over(self) -> None:
        midnight = seconds(ny_ns(FRIDAY + dt.timedelta(days=1), 0))
        assert told(run(Log().prints((midnight - 0.5, 5)).beat(midnight + 10))) == []
        assert told(run(Log().prints((midnight - 0.2, 5)).beat(midnight + 10))) == []

    def test_days_without_a_row_are_skipped_in_one_step(self) -> None:
        monday = seconds(ny_ns(MONDAY, 10))
        judge = EveryOther()
        run(Log().prints((1, 5)).prints((monday, 100)), machine(judge=judge))
        assert judge.sessions == 2

    def test_the_moment_knows_its_session_or_that_there_is_none(self) -> None:
        pipeline = machine()
        run(Log().prints((90, 5)), pipeline)
        assert pipeline.moment.minute == 1.5
        run(Log().beat(seconds(ny_ns(FRIDAY + dt.timedelta(days=1), 12))), pipeline)
        assert pipeline.moment.session is None
        assert pipeline.moment.minute is None

    def test_before_the_first_frame_there_is_no_moment(self) -> None:
        with pytest.raises(AssertionError, match="no frame was seen yet"):
            _ = machine().moment


class TestEpochs:
    def test_a_new_epoch_closes_what_stood_open(self) -> None:
        outputs = run(Log().prints((1, 5)).opens(2, 1.2).beat(3))
        kinds = told(outputs)
        assert kinds[0] == ("prints.epoch", 1, 0), "judged at the last time seen, at the new epoch's beginning"
        assert outputs.signals[0].epoch == 2

    def test_the_first_epoch_closes_nothing(self) -> None:
        assert told(run(Log().opens(4, 0).prints((1, 5)))) == []

    def test_positions_start_again(self) -> None:
        outputs = run(Log().prints((1, 5), (1.1, 200)).opens(2, 1.2).prints((1.3, 200)))
        assert [(s.epoch, s.position) for s in outputs.signals if s.headline == "prints.big"] == [(1, 2), (2, 1)]


class TestOutputs:
    def test_decisions_stand_in_the_order_they_were_made(self) -> None:
        outputs = run(Log().prints((1, 100)).prints((1.1, 100)))
        assert [type(decision) for decision in outputs.decisions] == [Signal, Signal, Alert]
        assert outputs.alerts[0].signal_id == outputs.signals[1].id
        assert [len(outputs.signals), len(outputs.alerts), len(outputs.lines())] == [2, 1, 3]

    def test_ids_differ_and_say_the_same_thing_twice(self) -> None:
        log = Log().prints((1, 100)).prints((1.1, 100)).beat(61)
        ids = [signal.id for signal in run(log).signals]
        assert len(set(ids)) == len(ids) == 3
        assert [signal.id for signal in run(log).signals] == ids

    def test_ids_depend_on_the_parameters(self) -> None:
        class Tuned(Echo):
            class Parameters(Parameters, frozen=True, kw_only=True):
                """One."""

                factor: float = 1.0

        def ids(factor: float) -> list[str]:
            contexts = [Prints(Prints.Parameters())]
            pipeline = Pipeline(0, CALENDAR, contexts, [Tuned(Tuned.Parameters(factor=factor))], EveryOther())
            return [signal.id for signal in run(Log().prints((1, 100)), pipeline).signals]

        assert ids(1.0) == ids(1.0) != ids(2.0)

    def test_views_are_sampled_on_the_minute_for_what_moved(self) -> None:
        outputs = run(Log().prints((10, 5)).beat(60).beat(120).prints((130, 6)).beat(180))
        counts = [(seconds(v.as_of_ns), v.values["size_contracts"]) for v in outputs.views if v.context == "prints"]
        assert counts == [(10, 5.0), (130, 11.0)]

    def test_numbers_are_rounded_before_they_are_published(self) -> None:
        outputs = run(Log().ticks((1, 1 / 3)).prints((2, 100)).beat(61))
        assert outputs.signals[0].reference_usd == 0.333333
        assert [v.values["price_usd"] for v in outputs.views if v.context == "last"] == [0.333333]


class TestContract:
    def test_a_frame_of_another_partition_stops_the_program(self) -> None:
        with pytest.raises(AssertionError, match="a frame of partition 5 in pipeline 0"):
            machine().step(heartbeat(Lane.TRADES, 1, 0, at(0), partition=5))

    def test_only_one_context_a_lane_may_stop(self) -> None:
        class Rival(Prints):
            name = "rival"
            view_type = LastView

        contexts = [Prints(Prints.Parameters()), Rival(Rival.Parameters())]
        with pytest.raises(AssertionError, match="find out as they go where to stop; only one may"):
            machine(contexts)

    def test_a_context_that_stops_without_saying_so_stops_the_program(self) -> None:
        class Sly(Prints):
            stops = False

        with pytest.raises(AssertionError, match="prints stopped in the middle of a frame"):
            run(Log().prints((1, 100), (2, 5)), machine([Sly(Sly.Parameters())]))

    def test_a_context_that_may_not_stop_may_not_raise_at_a_row(self) -> None:
        class Hasty(Last):
            def update(self, frame: Frame, start: int, stop: int, views: Views) -> int:
                self.triggers.append(Trigger(MINUTE, "SPY", 0, (), 1.0))
                return stop

        with pytest.raises(AssertionError, match="last raised a trigger at a row but said of no stop there"):
            run(Log().ticks((1, 100.0)), machine([Hasty(Hasty.Parameters())]))

    def test_a_context_that_does_not_move_on_stops_the_program(self) -> None:
        class Stuck(Prints):
            def update(self, frame: Frame, start: int, stop: int, views: Views) -> int:
                return start

        with pytest.raises(AssertionError, match="prints neither took a row nor raised a trigger"):
            run(Log().prints((1, 5)), machine([Stuck(Stuck.Parameters())]))

    def test_a_tick_must_move_its_due_time_on(self) -> None:
        class Late(Last):
            def tick(self, now_ns: int, views: Views) -> None:
                pass

        with pytest.raises(AssertionError, match="last did not move its due time on"):
            run(Log().ticks((1, 100.0)), machine([Late(Late.Parameters())]))

    def test_contexts_come_after_those_they_need(self) -> None:
        class Needy(Last):
            needs = (CountView,)

        contexts = [Needy(Needy.Parameters()), Prints(Prints.Parameters())]
        assert [context.name for context in machine(contexts).contexts] == ["prints", "last"]

    def test_a_needed_context_may_be_switched_off(self) -> None:
        class Needy(Last):
            needs = (CountView,)

        outputs = run(Log().ticks((1, 100.0)).beat(61), machine([Needy(Needy.Parameters())]))
        assert outputs.signals[0].evidence["size_contracts"] == -1.0

    def test_contexts_that_need_each_other_are_named(self) -> None:
        class Needy(Last):
            needs = (CountView,)

        class Needed(Prints):
            needs = (LastView,)

        with pytest.raises(ValueError, match="contexts need each other in a circle: last, prints"):
            machine([Needy(Needy.Parameters()), Needed(Needed.Parameters())])

    def test_a_view_publishes_the_numbers_its_class_added(self) -> None:
        class Rich(ContextView, frozen=True, kw_only=True):
            iv_annual: float | None
            walls: tuple[float, ...]
            count: int

        view = Rich(
            underlying="SPY", as_of_ns=1, ready=False, reason="warming up", stance="", confidence=0.1,
            iv_annual=None, walls=(1.0,), count=3,
        )  # fmt: skip
        assert view.values() == {"iv_annual": None, "count": 3.0}

    def test_parameters_refuse_a_misspelt_key(self) -> None:
        with pytest.raises(msgspec.ValidationError, match="big_contract"):
            msgspec.convert({"big_contract": 5}, Prints.Parameters)


# --- only rows and stamps decide ----------------------------------------------------------------------------------


@st.composite
def logs(draw: st.DrawFn) -> list[Frame]:
    """A morning, or a night, or a weekend, on two lanes, with epochs and heartbeats; ends with a heartbeat."""
    log, now = Log(), draw(st.sampled_from([0.0, 30.0, seconds(ny_ns(FRIDAY, 23, 59))]))
    steps = st.sampled_from([0.0, 0.0, 0.1, 0.5, 2.0, 45.0, 40_000.0])
    for _ in range(draw(st.integers(1, 10))):
        kind = draw(st.sampled_from(["prints", "prints", "ticks", "beat", "epoch"]))
        now += draw(steps)
        if kind == "prints":
            prints = []
            for _ in range(draw(st.integers(1, 6))):
                now += draw(steps)
                prints.append((now, draw(st.sampled_from([1, 99, 100, 250]))))
            log.prints(*prints)
        elif kind == "ticks":
            ticks = []
            for _ in range(draw(st.integers(1, 6))):
                now += draw(steps)
                ticks.append((now, draw(st.integers(90, 110)) / 4))
            log.ticks(*ticks)
        elif kind == "beat":
            log.beat(now)
        else:
            log.opens(log.epoch + 1, now)
    return log.beat(now + 5_000).frames


def part(frame: Frame, start: int, stop: int, seq: int) -> Frame:
    """Rows `[start, stop)` as a frame of their own, stamped as its last row is."""
    rows = take_rows(frame.rows, start, stop)
    head = frame.header._replace(
        rows=stop - start, position=frame.header.position + start, received_ns=int(rows.received_ns[-1]), seq=seq
    )
    return Frame(head, rows)


def resplit(data: st.DataObject, log: Sequence[Frame]) -> list[Frame]:
    """The same rows in other frames: each cut anywhere, then neighbours of one lane and epoch glued together."""
    pieces: list[Frame] = []
    for frame in log:
        rows = frame.header.rows
        cuts = sorted(data.draw(st.sets(st.integers(1, rows - 1)))) if rows > 1 else []
        for start, stop in zip([0, *cuts], [*cuts, rows], strict=True) if rows else ():
            pieces.append(part(frame, start, stop, len(pieces)))
        if not rows:
            pieces.append(frame)
    glued: list[Frame] = []
    for piece in pieces:
        last = glued[-1] if glued else None
        mergeable = (
            last is not None
            and last.header.rows > 0
            and piece.header.rows > 0
            and (last.header.lane, last.header.epoch) == (piece.header.lane, piece.header.epoch)
        )
        if mergeable and data.draw(st.booleans()):
            assert last is not None
            glued[-1] = merged(last, piece)
        else:
            glued.append(piece)
    return glued


def merged(one: Frame, other: Frame) -> Frame:
    rows = type(one.rows)(*(np.concatenate(pair) for pair in zip(one.rows, other.rows, strict=True)))  # type: ignore[arg-type]
    head = one.header._replace(rows=one.header.rows + other.header.rows, received_ns=other.header.received_ns)
    return Frame(head, rows)


@settings(max_examples=150)
@given(logs(), st.data())
def test_any_split_of_the_log_gives_equal_decisions(log: list[Frame], data: st.DataObject) -> None:
    once, again = run(log), run(resplit(data, log))
    assert again.lines() == once.lines()
    assert again.views == once.views


@settings(max_examples=50)
@given(logs())
def test_publishing_views_changes_no_decision(log: list[Frame]) -> None:
    """Live samples views every minute, replay does not."""
    outputs = run(log, machine(sampling=False))
    assert outputs.lines() == run(log).lines()
    assert outputs.views == []


@settings(max_examples=60)
@given(logs(), st.data())
def test_heartbeats_and_openings_only_say_when(log: list[Frame], data: st.DataObject) -> None:
    """Any frame without rows may be missing, save the last of its epoch, which says how far time had come."""
    last = {frame.header.epoch: frame.header.seq for frame in log}
    kept = [f for f in log if f.header.rows or f.header.seq == last[f.header.epoch] or data.draw(st.booleans())]
    assert run(kept).lines() == run(log).lines()


@settings(max_examples=50)
@given(logs(), st.data())
def test_the_past_does_not_depend_on_the_future(log: list[Frame], data: st.DataObject) -> None:
    known = data.draw(st.integers(0, len(log)))
    before = run(log[:known]).lines()
    assert run(log).lines()[: len(before)] == before
