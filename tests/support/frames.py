"""Frames for tests: any that a gateway could write, as hypothesis strategies, and comparison that knows NaN."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from schemas.frames import CLOCK_FEED, CLOCK_WALL, COLUMN_DTYPES, ROW_TYPES, Frame, Header, Lane, Rows

ROWS_MAX = 40


def assert_same_rows(left: Rows, right: Rows) -> None:
    """Same lane, same columns, same bytes; NaN equals NaN."""
    assert type(left) is type(right)
    for name, one, other in zip(left._fields, left, right, strict=True):
        assert one.dtype == other.dtype, f"{name}: {one.dtype} and {other.dtype}"
        np.testing.assert_array_equal(one, other, err_msg=name)


def assert_same_frame(left: Frame, right: Frame) -> None:
    """Same header, same rows."""
    assert left.header == right.header
    assert_same_rows(left.rows, right.rows)


def constant_rows(lane: Lane, stamps: list[int], **columns: Any) -> Rows:
    """Rows stamped `stamps`, every column zero but those given (a value, or one a row)."""
    count = len(stamps)
    arrays = [np.array(stamps, np.int64)]
    for name, dtype in COLUMN_DTYPES[lane].items():
        arrays.append(np.broadcast_to(np.asarray(columns.get(name, 0), dtype), (count,)).copy())
    return ROW_TYPES[lane](*arrays)  # type: ignore[arg-type]


def heartbeat(lane: Lane, epoch: int, seq: int, now_ns: int, **header: Any) -> Frame:
    """A frame without rows."""
    fields = {"partition": 0, "position": 0, **header}
    return Frame(Header(lane=lane, epoch=epoch, seq=seq, rows=0, received_ns=now_ns, **fields), constant_rows(lane, []))


@st.composite
def any_frames(draw: st.DrawFn, lanes: tuple[Lane, ...] = tuple(Lane)) -> Frame:
    """Frames of any lane, with any numbers a column can hold, NaN and infinities included."""
    lane = draw(st.sampled_from(lanes))
    rows = draw(st.integers(0, ROWS_MAX))
    received_ns = draw(st.integers(-(2**63), 2**63 - 1))
    head = Header(
        lane=lane,
        partition=draw(st.integers(0, 2**32 - 1)),
        epoch=draw(st.integers(0, 2**64 - 1)),
        seq=draw(st.integers(0, 2**64 - 1)),
        position=draw(st.integers(0, 2**64 - 1)),
        rows=rows,
        received_ns=received_ns,
        clock=draw(st.sampled_from([CLOCK_WALL, CLOCK_FEED])),
        opening=draw(st.booleans()),
    )
    columns = [draw(hnp.arrays(dtype, rows)) for dtype in COLUMN_DTYPES[lane].values()]
    return Frame(head, ROW_TYPES[lane](np.full(rows, received_ns, np.int64), *columns))  # type: ignore[arg-type]
