"""One partition's three lanes, however they drift and repeat themselves, come out in one order.

A log here is what a gateway wrote: for each epoch an opening frame on every lane, then frames, numbered without a gap.
What a reader sees is any interleaving of the three lanes that keeps each lane's own order, with any rewinds.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.frames import Frame, Lane
from services.core.sequencer import Sequencer
from tests.support.frames import heartbeat

LANES = tuple(Lane)
Key = tuple[int, int]


def frame(lane: Lane, epoch: int, seq: int, opening: bool = False) -> Frame:
    return heartbeat(lane, epoch, seq, 1_000 * epoch + seq, opening=opening)


def epoch_of(number: int, lanes: Iterable[Lane]) -> list[Frame]:
    """A whole epoch in the gateway's order: three opening frames, then one frame on each of `lanes`."""
    openings = [frame(lane, number, seq, opening=True) for seq, lane in enumerate(LANES)]
    return openings + [frame(lane, number, seq) for seq, lane in enumerate(lanes, start=len(LANES))]


def by_lane(log: Iterable[Frame]) -> dict[Lane, list[Frame]]:
    frames = list(log)
    return {lane: [frame for frame in frames if frame.header.lane == lane] for lane in LANES}


def keys(frames: Iterable[Frame]) -> list[Key]:
    return [(frame.header.epoch, frame.header.seq) for frame in frames]


def read(arrivals: Iterable[Frame], sequencer: Sequencer | None = None) -> list[Key]:
    """The order in which frames leave."""
    sequencer = sequencer if sequencer is not None else Sequencer()
    return keys(out for frame in arrivals for out in sequencer.push(frame))


def interleaved(data: st.DataObject, lanes: dict[Lane, list[Frame]]) -> Iterator[Frame]:
    """Any order of arrival that keeps each lane's own."""
    places = [lane for lane, frames in lanes.items() for _ in frames]
    iterators = {lane: iter(frames) for lane, frames in lanes.items()}
    for lane in data.draw(st.permutations(places)):
        yield next(iterators[lane])


def rewound(data: st.DataObject, frames: list[Frame]) -> list[Frame]:
    """The lane as an at-least-once reader sees it: now and then it jumps back and reads on from there."""
    seen: list[Frame] = []
    at, jumps = 0, data.draw(st.integers(0, 3))
    while at < len(frames):
        seen.append(frames[at])
        at += 1
        if jumps and data.draw(st.booleans()):
            jumps -= 1
            at = data.draw(st.integers(0, at))
    return seen


class Log(NamedTuple):
    """What was written, and the part of it that reached the topics."""

    written: list[Frame]
    kept: list[Frame]


@st.composite
def logs(draw: st.DrawFn, holes: bool = False) -> Log:
    """One to three epochs of rising numbers; with `holes`, frames of all but the last are lost."""
    numbers = sorted(draw(st.sets(st.integers(1, 9), min_size=1, max_size=3)))
    written: list[Frame] = []
    kept: list[Frame] = []
    for number in numbers:
        epoch = epoch_of(number, draw(st.lists(st.sampled_from(LANES), max_size=7)))
        written += epoch
        lost = holes and number != numbers[-1]
        kept += [frame for frame in epoch if frame.header.opening or not (lost and draw(st.booleans()))]
    return Log(written, kept)


@given(logs(), st.data())
def test_every_interleaving_gives_the_gateways_order(log: Log, data: st.DataObject) -> None:
    sequencer = Sequencer()
    assert read(interleaved(data, by_lane(log.written)), sequencer) == keys(log.written)
    assert (sequencer.pending, sequencer.duplicates, sequencer.zombies, sequencer.holes) == (0, 0, 0, 0)


@given(logs(), st.data())
def test_rewinds_and_duplicates_change_nothing(log: Log, data: st.DataObject) -> None:
    lanes = {lane: rewound(data, frames) for lane, frames in by_lane(log.written).items()}
    sequencer = Sequencer()
    assert read(interleaved(data, lanes), sequencer) == keys(log.written)
    repeated = sum(len(frames) for frames in lanes.values()) - len(log.written)
    assert sequencer.duplicates + sequencer.zombies == repeated
    assert (sequencer.pending, sequencer.holes) == (0, 0)


@given(logs(holes=True), st.data())
def test_holes_are_closed_by_the_next_epochs_openings(log: Log, data: st.DataObject) -> None:
    """What is lost is counted; what is left keeps its order; nothing is held for ever."""
    sequencer = Sequencer()
    assert read(interleaved(data, by_lane(log.kept)), sequencer) == keys(log.kept)
    assert sequencer.pending == 0
    # A hole at the very end of an epoch cannot be seen: nobody knows how many frames the gateway still wrote.
    visible = 0
    for number in {frame.header.epoch for frame in log.kept}:
        seqs = [frame.header.seq for frame in log.kept if frame.header.epoch == number]
        visible += max(seqs) + 1 - len(seqs)
    assert sequencer.holes == visible


@given(logs(holes=True), st.data())
def test_every_interleaving_gives_the_same_order_whatever_is_missing(log: Log, data: st.DataObject) -> None:
    """Also where openings are missing on some lane, or a lane's beginning has passed its retention."""
    kept = [frame for frame in log.kept if data.draw(st.integers(0, 9)) > 0]
    lanes = by_lane(kept)
    one, other = Sequencer(), Sequencer()
    assert read(interleaved(data, lanes), one) == read(interleaved(data, lanes), other)
    assert (one.epoch, one.next_seq, one.pending, one.holes) == (
        other.epoch,
        other.next_seq,
        other.pending,
        other.holes,
    )


@given(logs(), st.data())
def test_zombies_of_an_older_epoch_are_dropped(log: Log, data: st.DataObject) -> None:
    """A gateway that lives on after its successor opened: what it still writes on a lane behind the newer opening."""
    lanes = by_lane(log.written)
    newest = log.written[-1].header.epoch
    zombies = data.draw(st.lists(st.tuples(st.sampled_from(LANES), st.integers(0, 12)), max_size=5))
    for lane, seq in zombies:
        opening = next(at for at, f in enumerate(lanes[lane]) if f.header.epoch == newest and f.header.opening)
        at = data.draw(st.integers(opening + 1, len(lanes[lane])))
        lanes[lane].insert(at, frame(lane, 0, seq))
    sequencer = Sequencer()
    assert read(interleaved(data, lanes), sequencer) == keys(log.written)
    assert sequencer.zombies == len(zombies)


@given(logs(), st.data())
def test_a_reader_that_starts_in_the_middle_gets_the_rest(log: Log, data: st.DataObject) -> None:
    """After recovery a worker knows which frame comes next; older ones that its lanes still hold are dropped."""
    at = data.draw(st.integers(0, len(log.written) - 1))
    start = log.written[at].header
    sequencer = Sequencer(expect=(start.epoch, start.seq))
    assert read(interleaved(data, by_lane(log.written)), sequencer) == keys(log.written[at:])


@settings(max_examples=50)
@given(logs(), st.data())
def test_a_frame_is_never_early(log: Log, data: st.DataObject) -> None:
    """At every moment what has left is a beginning of the log."""
    sequencer, left = Sequencer(), 0
    for arrival in interleaved(data, by_lane(log.written)):
        for out in sequencer.push(arrival):
            assert keys([out]) == keys([log.written[left]])
            left += 1


def every_interleaving(lanes: dict[Lane, list[Frame]]) -> Iterator[list[Frame]]:
    places = [lane for lane, frames in lanes.items() for _ in frames]
    for order in sorted(set(itertools.permutations(places))):
        iterators = {lane: iter(frames) for lane, frames in lanes.items()}
        yield [next(iterators[lane]) for lane in order]


@pytest.mark.parametrize(
    "after",
    list(itertools.product(LANES, repeat=2)),
    ids=lambda lanes: "-".join(lane.name.lower() for lane in lanes),
)
def test_all_interleavings_of_a_small_log(after: tuple[Lane, ...]) -> None:
    """Not a sample: each of the (at most 2,520) orders in which two small epochs can arrive."""
    log = [frame(lane, 1, seq, opening=True) for seq, lane in enumerate(LANES)]
    log += [frame(after[0], 1, 3)]
    log += [frame(lane, 2, seq, opening=True) for seq, lane in enumerate(LANES)]
    log += [frame(after[1], 2, 3)]
    for arrivals in every_interleaving(by_lane(log)):
        assert read(arrivals) == keys(log)
