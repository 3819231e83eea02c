"""The sequencing writer: contiguous numbers, time that never goes back, frames of bounded size and age."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from schemas.frames import CLOCK_FEED, CLOCK_WALL, Frame, Lane, Rows, decode_frame, encode_frame
from services.core.partitioner import EVERY_PARTITION
from services.gateway.sequencing.writer import Writer
from tests.support.frames import assert_same_frame, constant_rows

MS, NS = 1_000_000, 1_000_000_000
T0 = 1_765_981_806 * NS


def prints(count: int, *, start_ns: int = T0, step_ns: int = 0) -> Rows:
    """Prints numbered 0, 1, ... in `vendor_seq`."""
    event_ns = start_ns + step_ns * np.arange(count)
    return constant_rows(Lane.TRADES, [0] * count, event_ns=event_ns, vendor_seq=np.arange(count))


def spread(*partitions: int) -> np.ndarray:  # type: ignore[type-arg]
    return np.array(partitions, np.int16)


def assert_sequenced(frames: Iterable[Frame]) -> None:
    """What holds of every log: see the head of services/gateway/sequencing/writer.py."""
    seen: dict[int, tuple[int, int, int]] = {}
    for frame in frames:
        head = frame.header
        seq, position, stamp = seen.get(head.partition, (0, 0, 0))
        assert (head.seq, head.position) == (seq, position), str(frame)
        assert head.received_ns >= stamp, str(frame)
        assert len(frame.rows.received_ns) == head.rows
        assert (frame.rows.received_ns == head.received_ns).all()
        seen[head.partition] = (seq + 1, position + head.rows, head.received_ns)


def rows_of(frames: Iterable[Frame], partition: int, lane: Lane = Lane.TRADES) -> list[int]:
    column = "vendor_seq" if lane is Lane.TRADES else "event_ns"
    return [
        value
        for frame in frames
        if frame.header.partition == partition and frame.header.lane is lane
        for value in getattr(frame.rows, column).tolist()
    ]


def test_an_epoch_opens_on_every_lane_of_every_partition() -> None:
    frames = Writer(3, epoch=9).opening(T0)
    assert [(f.header.partition, f.header.lane, f.header.seq) for f in frames] == [
        (partition, lane, seq) for partition in range(3) for seq, lane in enumerate(Lane)
    ]
    assert all(f.header.opening and f.header.epoch == 9 and f.header.received_ns == T0 for f in frames)
    assert_sequenced(frames)


def test_rows_without_an_opening_are_preceded_by_it() -> None:
    writer = Writer(2, epoch=1, clock=CLOCK_FEED)
    frames = writer.write(Lane.TRADES, prints(1), spread(1), T0) + writer.flush(T0)
    assert [f.header.opening for f in frames] == [True] * 6 + [False]
    assert all(f.header.received_ns == T0 for f in frames)


def test_rows_keep_their_order_within_a_partition() -> None:
    writer = Writer(3, epoch=1)
    frames = writer.write(Lane.TRADES, prints(6), spread(2, 0, 2, 1, 0, 2), T0) + writer.flush(T0)
    assert_sequenced(frames)
    assert [rows_of(frames, p) for p in range(3)] == [[1, 4], [3], [0, 2, 5]]


def test_a_frame_holds_no_more_than_its_limit_and_what_is_held_is_bounded() -> None:
    writer = Writer(2, epoch=1, rows_max=10)
    writer.opening(T0)
    frames = writer.write(Lane.TRADES, prints(19), np.zeros(19, np.int16), T0)
    assert frames == []
    frames = writer.write(Lane.TRADES, prints(8), np.ones(8, np.int16), T0)
    assert [(f.header.partition, f.header.rows) for f in frames] == [(0, 10), (0, 9), (1, 8)]


def test_rows_wait_no_longer_than_their_age() -> None:
    writer = Writer(1, epoch=1, age_ms=20)
    writer.opening(T0)
    assert writer.write(Lane.TRADES, prints(1), spread(0), T0) == []
    assert writer.tick(T0 + 19 * MS) == []
    (frame,) = writer.tick(T0 + 20 * MS)
    assert frame.header.received_ns == T0 + 20 * MS


def test_another_lane_cuts_what_is_pending_so_that_the_log_is_in_order_of_arrival() -> None:
    writer = Writer(1, epoch=1)
    writer.opening(T0)
    tick = constant_rows(Lane.TICKS, [0], event_ns=T0)
    frames = writer.write(Lane.TRADES, prints(2), spread(0, 0), T0)
    frames += writer.write(Lane.TICKS, tick, spread(0), T0)
    frames += writer.write(Lane.TRADES, prints(1), spread(0), T0)
    frames += writer.flush(T0)
    assert [(f.header.lane, f.header.rows) for f in frames] == [(Lane.TRADES, 2), (Lane.TICKS, 1), (Lane.TRADES, 1)]


def test_a_row_for_every_partition_is_written_into_each_in_its_place() -> None:
    writer = Writer(3, epoch=1)
    writer.opening(T0)
    ticks = constant_rows(Lane.TICKS, [0] * 4, event_ns=np.arange(4))
    frames = writer.write(Lane.TICKS, ticks, spread(1, EVERY_PARTITION, 0, EVERY_PARTITION), T0) + writer.flush(T0)
    assert [rows_of(frames, p, Lane.TICKS) for p in range(3)] == [[1, 2, 3], [0, 1, 3], [1, 3]]


@pytest.mark.parametrize("partitions", [1, 4])
def test_on_the_wall_clock_a_silent_partition_beats_once_a_second(partitions: int) -> None:
    writer = Writer(partitions, epoch=1, clock=CLOCK_WALL)
    writer.opening(T0)
    assert writer.tick(T0 + NS - 1) == []
    frames = writer.tick(T0 + NS)
    assert [f.header.partition for f in frames] == list(range(partitions))
    assert all(f.header.rows == 0 and not f.header.opening for f in frames)
    assert writer.tick(T0 + 2 * NS - 1) == []


def test_a_clock_that_was_set_back_does_not_turn_time_back() -> None:
    writer = Writer(1, epoch=1)
    frames = writer.opening(T0)
    frames += writer.write(Lane.TRADES, prints(1), spread(0), T0 - NS) + writer.flush(T0 - NS)
    assert_sequenced(frames)
    assert frames[-1].header.received_ns == T0


def test_on_the_feed_clock_a_stamp_is_the_largest_exchange_time_up_to_the_last_row() -> None:
    writer = Writer(2, epoch=1, clock=CLOCK_FEED)
    rows = constant_rows(Lane.TRADES, [0] * 4, event_ns=[T0 + 5, T0 + 3, T0 + 9, T0 + 4], vendor_seq=range(4))
    frames = writer.write(Lane.TRADES, rows, spread(0, 1, 0, 1), 123) + writer.flush(456)
    stamps = {f.header.partition: f.header.received_ns for f in frames if f.header.rows}
    assert stamps == {0: T0 + 9, 1: T0 + 9}
    assert all(f.header.clock == CLOCK_FEED for f in frames)
    assert_sequenced(frames)


def test_on_the_feed_clock_no_frame_straddles_a_second_and_silent_partitions_beat_in_each() -> None:
    writer = Writer(2, epoch=1, clock=CLOCK_FEED)
    frames = writer.write(Lane.TRADES, prints(6, step_ns=NS // 2), spread(*[0] * 6), 0) + writer.finish(0)
    assert_sequenced(frames)
    for partition in (0, 1):
        seconds = [f.header.received_ns // NS for f in frames if f.header.partition == partition]
        assert {T0 // NS, T0 // NS + 1, T0 // NS + 2} <= set(seconds)
    for frame in frames:
        assert len(set((frame.rows.event_ns // NS).tolist())) <= 1, str(frame)


def test_how_a_tape_is_handed_in_changes_no_stamp() -> None:
    def stamps(pieces: int) -> list[tuple[int, int]]:
        writer = Writer(1, epoch=1, clock=CLOCK_FEED, rows_max=10_000)
        rows = prints(100, step_ns=NS // 10)
        frames: list[Frame] = []
        for part in np.array_split(np.arange(100), pieces):
            chosen = type(rows)(*(column[part] for column in rows))  # type: ignore[arg-type]
            frames += writer.write(Lane.TRADES, chosen, np.zeros(len(part), np.int16), 0)
        frames += writer.finish(0)
        return [
            row
            for frame in frames
            if frame.header.lane is Lane.TRADES and frame.header.rows
            for row in zip(frame.rows.vendor_seq.tolist(), frame.rows.received_ns.tolist(), strict=True)
        ]

    assert stamps(1) == stamps(7) == stamps(100)


def test_the_end_brings_every_partition_to_the_same_time() -> None:
    writer = Writer(3, epoch=1, clock=CLOCK_FEED)
    frames = writer.write(Lane.TRADES, prints(2, step_ns=7), spread(0, 2), 0) + writer.finish(0)
    last = {f.header.partition: f.header.received_ns for f in frames}
    assert last == {0: T0 + 7, 1: T0 + 7, 2: T0 + 7}


def test_frames_survive_their_encoding() -> None:
    writer = Writer(2, epoch=1)
    frames = writer.opening(T0) + writer.write(Lane.TRADES, prints(5), spread(0, 1, 1, 0, 1), T0) + writer.flush(T0)
    for frame in frames:
        assert_same_frame(decode_frame(encode_frame(frame)), frame)


def test_nothing_in_means_nothing_out() -> None:
    writer = Writer(2, epoch=1)
    assert writer.write(Lane.TRADES, prints(0), spread(), T0) == []
    assert writer.flush(T0) == []
    assert writer.finish(T0) == []
