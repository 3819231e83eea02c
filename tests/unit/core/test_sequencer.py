"""The sequencer's rules, one at a time. That they hold together is shown in tests/properties/test_sequencer.py."""

from __future__ import annotations

import pytest

from schemas.frames import Frame, Lane
from services.core.sequencer import Sequencer, SequencerOverflowError
from tests.support.frames import heartbeat

TRADES, GREEKS, TICKS = Lane.TRADES, Lane.GREEKS, Lane.TICKS


def frame(lane: Lane, epoch: int, seq: int, opening: bool = False) -> Frame:
    return heartbeat(lane, epoch, seq, 0, opening=opening, partition=3)


def openings(epoch: int) -> list[Frame]:
    return [frame(lane, epoch, seq, opening=True) for seq, lane in enumerate(Lane)]


def push_all(sequencer: Sequencer, frames: list[Frame]) -> list[tuple[int, int]]:
    return [(out.header.epoch, out.header.seq) for frame in frames for out in sequencer.push(frame)]


def opened(epoch: int = 1) -> Sequencer:
    """A sequencer that stands behind the openings of `epoch`."""
    sequencer = Sequencer()
    push_all(sequencer, openings(epoch))
    return sequencer


def test_in_order_each_frame_leaves_at_once() -> None:
    sequencer = opened()
    assert [push_all(sequencer, [frame(TRADES, 1, seq)]) for seq in (3, 4, 5)] == [[(1, 3)], [(1, 4)], [(1, 5)]]


def test_a_frame_waits_for_its_predecessor() -> None:
    sequencer = opened()
    assert push_all(sequencer, [frame(TRADES, 1, 4), frame(TRADES, 1, 5)]) == []
    assert sequencer.pending == 2
    assert push_all(sequencer, [frame(GREEKS, 1, 3)]) == [(1, 3), (1, 4), (1, 5)]


def test_nothing_leaves_before_all_three_lanes_have_opened() -> None:
    sequencer = Sequencer()
    first, second, third = openings(1)
    assert push_all(sequencer, [first, second, frame(TRADES, 1, 3)]) == []
    assert push_all(sequencer, [third]) == [(1, 0), (1, 1), (1, 2), (1, 3)]


def test_a_frame_seen_before_is_dropped_and_counted() -> None:
    sequencer = opened()
    assert push_all(sequencer, [frame(TRADES, 1, 3), frame(TRADES, 1, 3)]) == [(1, 3)]
    assert push_all(sequencer, [frame(TRADES, 1, 5), frame(TRADES, 1, 5)]) == []
    assert sequencer.duplicates == 2


def test_two_openings_do_not_close_an_epoch() -> None:
    """The third lane may still hold the frame that is waited for."""
    sequencer = opened()
    push_all(sequencer, [frame(TRADES, 1, 4)])
    assert push_all(sequencer, [frame(TRADES, 2, 0, True), frame(GREEKS, 2, 1, True)]) == []
    assert push_all(sequencer, [frame(TICKS, 1, 3)]) == [(1, 3), (1, 4)]


def test_the_third_opening_closes_the_epoch_over_its_holes() -> None:
    sequencer = opened()
    push_all(sequencer, [frame(TRADES, 1, 5), frame(TRADES, 1, 8)])
    assert push_all(sequencer, openings(2)) == [(1, 5), (1, 8), (2, 0), (2, 1), (2, 2)]
    assert sequencer.holes == 4  # 3, 4, 6, 7
    assert sequencer.pending == 0


def test_behind_a_newer_opening_on_its_lane_an_older_frame_is_a_zombies() -> None:
    sequencer = opened()
    push_all(sequencer, [frame(TRADES, 2, 0, True)])
    assert push_all(sequencer, [frame(TRADES, 1, 3)]) == []
    assert sequencer.zombies == 1
    assert push_all(sequencer, [frame(GREEKS, 1, 3)]) == [(1, 3)], "another lane may still bring that epoch's frames"


def test_an_epoch_whose_gateway_died_while_opening_is_passed_over() -> None:
    sequencer = opened()
    died = [frame(TRADES, 2, 0, True)]
    assert push_all(sequencer, [*died, *openings(3)]) == [(2, 0), (3, 0), (3, 1), (3, 2)]


def test_starting_in_the_middle_drops_what_is_older() -> None:
    sequencer = Sequencer(expect=(1, 4))
    assert push_all(sequencer, [*openings(1), frame(TRADES, 1, 3), frame(TRADES, 1, 4)]) == [(1, 4)]


def test_too_many_held_frames_are_an_error_that_says_what_is_waited_for_and_where() -> None:
    sequencer = Sequencer(expect=(7, 3), pending_max=4)
    push_all(sequencer, [frame(TRADES, 7, 4), frame(GREEKS, 7, 5), frame(TRADES, 7, 6), frame(GREEKS, 7, 7)])
    with pytest.raises(SequencerOverflowError) as caught:
        sequencer.push(frame(TRADES, 7, 8))
    assert str(caught.value) == (
        "partition 3: 5 frames wait for frame 3 of epoch 7, and none of them came by index.ticks"
    )


def test_an_overflow_before_any_epoch_has_opened_says_so() -> None:
    sequencer = Sequencer(pending_max=4)
    push_all(sequencer, [frame(TRADES, 1, 0, True), frame(GREEKS, 1, 1, True), frame(TRADES, 1, 3)])
    push_all(sequencer, [frame(TRADES, 1, 4)])
    with pytest.raises(SequencerOverflowError) as caught:
        sequencer.push(frame(TRADES, 1, 5))
    assert str(caught.value) == (
        "partition 3: 5 frames wait for an epoch that has opened on every lane; it has not on index.ticks"
    )


def test_an_overflow_where_every_lane_waits_is_a_lost_frame() -> None:
    sequencer = Sequencer(expect=(7, 3), pending_max=2)
    push_all(sequencer, [frame(TRADES, 7, 4), frame(GREEKS, 7, 5)])
    with pytest.raises(SequencerOverflowError, match="3 frames of every lane wait for frame 3 of epoch 7; it is lost"):
        sequencer.push(frame(TICKS, 7, 6))
