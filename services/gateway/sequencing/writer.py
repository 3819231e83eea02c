"""The sequencing writer: rows in, numbered frames out. Pure; the caller tells it the time.

Per partition it keeps three numbers: the next `seq`, contiguous across the three lanes; `position`, the rows written so
far; and the last stamp, which never goes back. Rows keep the order in which they were handed in, across lanes: when
another lane speaks, what is pending is cut first.

Two clocks. On the wall clock a frame is stamped with the time it is cut. On the feed's clock (a tape, an accelerated
market) it is stamped with the largest exchange time seen up to its last row, over all lanes and partitions, and no
frame straddles a whole second of that clock; so what a reader learns from a stamp is the same however fast the tape
ran.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from schemas.frames import CLOCK_FEED, CLOCK_WALL, Frame, Header, Int16, Int64, Lane, Rows, empty_rows
from services.core.partitioner import EVERY_PARTITION

__all__ = ["AGE_MS_MAX", "HEARTBEAT_NS", "ROWS_MAX", "Writer"]

ROWS_MAX = 500
AGE_MS_MAX = 20
HEARTBEAT_NS = 1_000_000_000
HEARTBEAT_LANE = Lane.TICKS  # the lane with the least to carry


class _RowBatch(NamedTuple):
    rows: Rows
    partitions: Int16
    clock_ns: Int64  # the feed's clock after each row; empty on the wall clock


class Writer:
    """Cuts frames of at most `rows_max` rows, none older than `age_ms`.

    What a caller must do: hand in rows by `write`, call `tick` at least every `age_ms`, and `finish` at the end; and
    publish the frames each of them returns, in order. The opening frames of the epoch come first of all: by `opening`,
    or, when it was not called, in front of the first rows (on the feed's clock nobody knows the time before).
    """

    def __init__(
        self,
        partitions: int,
        epoch: int,
        clock: int = CLOCK_WALL,
        rows_max: int = ROWS_MAX,
        age_ms: int = AGE_MS_MAX,
        start_ns: int = 0,
    ) -> None:
        """`start_ns` is how far the log's time had come before this epoch; no stamp goes behind it."""
        if clock not in (CLOCK_WALL, CLOCK_FEED):
            raise ValueError(f"clock {clock}; there are 0 (wall) and 1 (feed)")
        self.partitions, self.epoch, self.clock = partitions, epoch, clock
        self.clock_ns = start_ns if clock == CLOCK_FEED else 0  # the largest exchange time seen
        self._rows_max, self._age_ns = rows_max, age_ms * 1_000_000
        self._seq = [0] * partitions
        self._position = [0] * partitions
        self._stamp = [start_ns] * partitions
        self._opened = False
        self._lane = Lane.TRADES
        self._pending: list[_RowBatch] = []
        self._pending_rows = 0
        self._pending_since_ns = 0

    def opening(self, now_ns: int) -> list[Frame]:
        """The opening frames of the epoch: one on every lane of every partition, seq 0, 1, 2. Once."""
        assert not self._opened, "the epoch was opened before"
        self._opened = True
        return [self._empty(partition, lane, now_ns, True) for partition in range(self.partitions) for lane in Lane]

    def write(self, lane: Lane, rows: Rows, partitions: Int16, now_ns: int) -> list[Frame]:
        """Take rows of one lane, each with its partition (or `EVERY_PARTITION`); the frames that are full by now.

        `received_ns` of the rows is not read. The columns must not be changed afterwards.
        """
        if not len(partitions):
            return []
        if self.clock == CLOCK_WALL:
            frames = [] if self._opened else self.opening(now_ns)
            return frames + self._take(lane, _RowBatch(rows, partitions, _NO_CLOCK), now_ns)
        return self._write_on_feed_clock(lane, rows, partitions, now_ns)

    def _write_on_feed_clock(self, lane: Lane, rows: Rows, partitions: Int16, now_ns: int) -> list[Frame]:
        clock_ns = np.maximum.accumulate(np.maximum(rows.event_ns, self.clock_ns))
        frames = [] if self._opened else self.opening(int(clock_ns[0]))
        second = self.clock_ns // HEARTBEAT_NS
        if clock_ns[-1] // HEARTBEAT_NS == second:
            starts = [0]
        else:
            seconds = clock_ns // HEARTBEAT_NS
            starts = np.flatnonzero(np.diff(seconds, prepend=seconds[0])).tolist()
            starts = [0, *starts]
        for start, stop in zip(starts, [*starts[1:], len(partitions)], strict=True):
            if clock_ns[start] // HEARTBEAT_NS != second:
                frames += self.flush(now_ns)
                frames += self._beats(self.clock_ns, since_ns=second * HEARTBEAT_NS)
                second = int(clock_ns[start] // HEARTBEAT_NS)
            part = _RowBatch(
                type(rows)(*(column[start:stop] for column in rows)),  # type: ignore[arg-type]
                partitions[start:stop],
                clock_ns[start:stop],
            )
            frames += self._take(lane, part, now_ns)
            self.clock_ns = int(clock_ns[stop - 1])
        return frames

    def _take(self, lane: Lane, batch: _RowBatch, now_ns: int) -> list[Frame]:
        frames: list[Frame] = []
        if self._pending and lane is not self._lane:
            frames = self.flush(now_ns)
        if not self._pending:
            self._lane, self._pending_since_ns = lane, now_ns
        self._pending.append(batch)
        self._pending_rows += len(batch.partitions)
        # Full when the partitions have a full frame each, were they equally busy; that also bounds what is held.
        if self._pending_rows >= self._rows_max * self.partitions:
            frames += self.flush(now_ns)
        return frames

    def tick(self, now_ns: int) -> list[Frame]:
        """Frames that are due by age, and on the wall clock a heartbeat for each partition silent for a second."""
        frames: list[Frame] = []
        if self._pending and now_ns - self._pending_since_ns >= self._age_ns:
            frames = self.flush(now_ns)
        if self.clock == CLOCK_WALL and self._opened:
            frames += self._beats(now_ns, since_ns=now_ns - HEARTBEAT_NS + 1)
        return frames

    def finish(self, now_ns: int) -> list[Frame]:
        """The last frames of the epoch, so that every partition's time arrives where the feed's did."""
        frames = self.flush(now_ns)
        if self._opened:
            end_ns = now_ns if self.clock == CLOCK_WALL else self.clock_ns
            frames += self._beats(end_ns, since_ns=end_ns)
        return frames

    def _beats(self, stamp_ns: int, since_ns: int) -> list[Frame]:
        """Heartbeats for the partitions without a frame since `since_ns`."""
        late = [partition for partition in range(self.partitions) if self._stamp[partition] < since_ns]
        return [self._empty(partition, HEARTBEAT_LANE, stamp_ns, False) for partition in late]

    def flush(self, now_ns: int) -> list[Frame]:
        """Cut everything pending into frames, whatever its age."""
        if not self._pending:
            return []
        pending, self._pending, self._pending_rows = self._pending, [], 0
        batch = _by_partition(_joined(pending), self.partitions)
        ends = np.searchsorted(batch.partitions, np.arange(self.partitions), side="right").tolist()
        frames: list[Frame] = []
        start = 0
        for partition, end in enumerate(ends):
            frames += [
                self._cut(partition, batch, first, min(first + self._rows_max, end), now_ns)
                for first in range(start, end, self._rows_max)
            ]
            start = end
        return frames

    def _cut(self, partition: int, batch: _RowBatch, start: int, stop: int, now_ns: int) -> Frame:
        stamp_ns = now_ns if self.clock == CLOCK_WALL else int(batch.clock_ns[stop - 1])
        head = self._head(partition, self._lane, stamp_ns, stop - start, False)
        columns = (column[start:stop] for column in batch.rows[1:])
        rows = type(batch.rows)(np.full(stop - start, head.received_ns, np.int64), *columns)  # type: ignore[arg-type]
        return Frame(head, rows)

    def _empty(self, partition: int, lane: Lane, stamp_ns: int, opening: bool) -> Frame:
        return Frame(self._head(partition, lane, stamp_ns, 0, opening), empty_rows(lane))

    def _head(self, partition: int, lane: Lane, stamp_ns: int, count: int, opening: bool) -> Header:
        stamp_ns = max(stamp_ns, self._stamp[partition])
        head = Header(
            lane, partition, self.epoch, self._seq[partition], self._position[partition], count, stamp_ns,
            self.clock, opening,
        )  # fmt: skip
        self._seq[partition] += 1
        self._position[partition] += count
        self._stamp[partition] = stamp_ns
        return head


_NO_CLOCK = np.empty(0, np.int64)


def _joined(batches: list[_RowBatch]) -> _RowBatch:
    if len(batches) == 1:
        return batches[0]
    kind = type(batches[0].rows)
    columns = (np.concatenate(column) for column in zip(*(batch.rows[1:] for batch in batches), strict=True))
    return _RowBatch(
        kind(_NO_CLOCK, *columns),
        np.concatenate([batch.partitions for batch in batches]),
        np.concatenate([batch.clock_ns for batch in batches]),
    )


def _by_partition(batch: _RowBatch, partitions: int) -> _RowBatch:
    """The rows grouped by partition, in their order within each; a row for every partition is repeated."""
    order = np.argsort(batch.partitions, kind="stable")
    everywhere = int(np.searchsorted(batch.partitions, EVERY_PARTITION, "right", sorter=order))
    if everywhere == 0:
        if partitions == 1:
            return batch
        grouped = batch.partitions.take(order)
    else:
        shared = order[:everywhere]
        mine = [order[batch.partitions.take(order) == partition] for partition in range(partitions)]
        order = np.concatenate([np.sort(np.concatenate((shared, own))) for own in mine])
        grouped = np.repeat(np.arange(partitions, dtype=np.int16), [len(own) + everywhere for own in mine])
    clock_ns = batch.clock_ns.take(order) if len(batch.clock_ns) else batch.clock_ns
    columns = (column.take(order) for column in batch.rows[1:])
    return _RowBatch(type(batch.rows)(_NO_CLOCK, *columns), grouped, clock_ns)  # type: ignore[arg-type]
