"""The log from the warehouse, as frames for a pipeline.

Any cut of the log gives equal decisions (a promise the conformance suite keeps), so a replay joins neighbouring frames
of one lane into bigger ones: the fixed cost of a frame is then paid once per tens of thousands of rows. Heartbeats
between them vanish; the stamp of the last one is kept as the joined frame's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from schemas.frames import Frame, Header, Lane, Rows, empty_rows, take_rows
from services.errors import StoreError
from services.history.warehouse import Frames, Warehouse

__all__ = ["epoch_frames", "joined", "joined_frames"]

# Big enough that a frame's fixed cost (some 50 us) is nothing beside its rows, small enough to stay in the cache.
JOINED_ROWS_MAX = 16_384


def epoch_frames(
    warehouse: Warehouse, partition: int, epoch: int, *, from_ns: int | None = None, to_ns: int | None = None
) -> Iterator[Frame]:
    """One partition's frames of one epoch in log order, joined. `from_ns` and `to_ns` cut by the log's time."""
    headers = warehouse.frames(partition, epoch)
    keep = np.ones(len(headers.seq), bool)
    if from_ns is not None:
        keep &= headers.received_ns >= from_ns
    if to_ns is not None:
        keep &= headers.received_ns < to_ns
    headers = headers.where(keep)
    if not len(headers.seq):
        return
    # After a lost frame the position jumps; reading by position steps over the hole.
    first, last = int(headers.position[0]), int(headers.position[-1]) + int(headers.rows[-1])
    lanes = {lane: _Lane(lane, warehouse, partition, epoch, first, last) for lane in Lane}
    for start, stop in joined(headers):
        yield _frame(headers, start, stop, partition, epoch, lanes)


def joined(headers: Frames, rows_max: int = JOINED_ROWS_MAX) -> Iterator[tuple[int, int]]:
    """Which frames to join: ranges `[start, stop)` of neighbours that share a lane, heartbeats counted to the left.

    An opening frame stands alone, and so does whatever follows a hole in the positions.
    """
    rows, lane = headers.rows.astype(np.int64), headers.lane
    opening, position = headers.opening.astype(bool), headers.position.astype(np.int64)
    count = len(rows)
    start = 0
    while start < count:
        total, current = int(rows[start]), int(lane[start]) if rows[start] else 0
        stop = start + 1
        while stop < count and not opening[start] and not opening[stop]:
            here = int(rows[stop])
            if position[stop] != position[stop - 1] + rows[stop - 1]:
                break
            if here:
                if (current and int(lane[stop]) != current) or total + here > rows_max:
                    break
                current, total = int(lane[stop]), total + here
            stop += 1
        yield start, stop
        start = stop


def joined_frames(frames: Sequence[Frame]) -> Iterator[Frame]:
    """Frames that are in memory already, of one partition and epoch, joined in the same way."""
    heads = [frame.header for frame in frames]
    columns: list[Any] = [np.array([int(getattr(head, name)) for head in heads]) for name in Frames._fields]
    for start, stop in joined(Frames(*columns)):
        filled = [frame for frame in frames[start:stop] if frame.header.rows]
        first = filled[0] if filled else frames[start]
        parts = [frame.rows for frame in filled]
        rows = type(first.rows)(*map(_concatenated, zip(*parts, strict=True))) if parts else first.rows
        total = sum(frame.header.rows for frame in filled)
        header = heads[start]._replace(lane=first.header.lane, rows=total, received_ns=heads[stop - 1].received_ns)
        yield Frame(header, rows)


def _frame(headers: Frames, start: int, stop: int, partition: int, epoch: int, lanes: dict[Lane, _Lane]) -> Frame:
    counts = headers.rows[start:stop]
    total = int(counts.sum())
    lane = Lane(int(headers.lane[start + int(np.argmax(counts > 0))]) if total else int(headers.lane[start]))
    header = Header(
        lane=lane,
        partition=partition,
        epoch=epoch,
        seq=int(headers.seq[start]),
        position=int(headers.position[start]),
        rows=total,
        received_ns=int(headers.received_ns[stop - 1]),
        clock=int(headers.clock[start]),
        opening=bool(headers.opening[start]),
    )
    return Frame(header, lanes[lane].take(total) if total else empty_rows(lane))


class _Lane:
    """One lane's rows of an epoch, taken off the front."""

    def __init__(self, lane: Lane, warehouse: Warehouse, partition: int, epoch: int, first: int, last: int) -> None:
        self._lane = lane
        self._windows: Iterator[tuple[Rows, Any]] = warehouse.lane_rows(lane, partition, epoch, first, last)
        self._rows: Rows = empty_rows(lane)
        self._next_row = 0

    def take(self, count: int) -> Rows:
        """The next `count` rows."""
        have = len(self._rows.received_ns) - self._next_row
        if have >= count:
            rows = take_rows(self._rows, self._next_row, self._next_row + count)
            self._next_row += count
            return rows
        parts = [take_rows(self._rows, self._next_row, self._next_row + have)] if have else []
        while have < count:
            window = next(self._windows, None)
            if window is None:
                raise StoreError(
                    f"{self._lane.topic}: {count - have} rows that the log's frames speak of are not kept any more"
                )
            self._rows, _ = window
            self._next_row = min(count - have, len(self._rows.received_ns))
            parts.append(take_rows(self._rows, 0, self._next_row))
            have += self._next_row
        return parts[0] if len(parts) == 1 else type(self._rows)(*map(_concatenated, zip(*parts, strict=True)))


def _concatenated(columns: tuple[npt.NDArray[Any], ...]) -> npt.NDArray[Any]:
    return np.concatenate(columns)
