"""Which frame a recovering partition waits for first."""

from __future__ import annotations

from schemas.frames import Header, Lane
from services.kafka.opening import expected


def head(epoch: int, seq: int, lane: Lane = Lane.TRADES) -> Header:
    return Header(lane, 0, epoch, seq, 0, 0, 0)


def test_it_follows_the_newest_frame_before_the_day() -> None:
    assert expected([head(1, 10), head(1, 12)], [head(1, 9), head(1, 7)]) == (1, 10)


def test_a_frame_that_is_still_on_its_way_is_waited_for() -> None:
    """Frame 10 has not arrived: its lane shows nothing of the day yet."""
    assert expected([head(1, 11), head(1, 12)], [head(1, 9)]) == (1, 10)


def test_a_day_that_begins_with_an_epoch_waits_for_the_epoch_s_own_opening() -> None:
    first = [head(5, number, lane) for number, lane in enumerate(Lane)]
    assert expected(first, [head(4, 999)]) is None


def test_an_epoch_whose_beginning_was_forgotten_starts_with_what_is_left() -> None:
    assert expected([head(3, 500), head(3, 501)], []) == (3, 500)


def test_the_older_of_two_epochs_comes_first() -> None:
    assert expected([head(7, 0), head(6, 80)], [head(6, 79)]) == (6, 80)


def test_a_day_without_frames_has_no_first() -> None:
    assert expected([], [head(1, 4)]) is None
