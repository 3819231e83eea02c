"""Frames that are read many at a time are what they would be one by one."""

from __future__ import annotations

import numpy as np
import pytest

from schemas import layouts
from schemas.frames import (
    COLUMN_DTYPES,
    HEADER_BYTES,
    ROW_TYPES,
    Frame,
    FrameError,
    Header,
    Lane,
    decode_frame,
    encode_frame,
    well_formed,
)
from schemas.sealed import SealedFrame, join_frames, seal
from tests.support.frames import heartbeat

NOW_NS = 1_402_061_400_000_000_000


def frame(lane: Lane, rows: int, seq: int = 0, position: int = 0) -> Frame:
    random = np.random.default_rng(seq)
    stamp_ns = NOW_NS + seq
    columns = (random.integers(0, 2**63, rows).astype(dtype) for dtype in COLUMN_DTYPES[lane].values())
    made = ROW_TYPES[lane](np.full(rows, stamp_ns), *columns)  # type: ignore[arg-type]
    return Frame(Header(lane, 2, 5, seq, position, rows, stamp_ns), made)


def sealed(one: Frame) -> SealedFrame:
    made = seal(encode_frame(one))
    assert isinstance(made, SealedFrame)
    return made


@pytest.mark.parametrize("lane", list(Lane))
@pytest.mark.parametrize("counts", [(3,), (1, 2, 7, 500), (4, 0, 3), (0, 2), (0, 0), (layouts.ROWS_MAX, 1)])
def test_joined_frames_have_the_rows_of_each_with_its_stamp(lane: Lane, counts: tuple[int, ...]) -> None:
    frames = [
        frame(lane, count, 9 + at, 40 + sum(counts[:at])) if count else heartbeat(lane, 5, 9 + at, NOW_NS + 9 + at)
        for at, count in enumerate(counts)
    ]
    made = join_frames([sealed(one) for one in frames])
    assert made.header == frames[0].header._replace(rows=sum(counts), received_ns=NOW_NS + 8 + len(counts))
    assert well_formed(lane, made.rows) or not made.header.rows
    for name, column in made.rows._asdict().items():
        parts = [getattr(one.rows, name) for one in frames if one.header.rows]
        assert column.tobytes() == b"".join(part.tobytes() for part in parts), name


def test_what_another_program_wrote_is_read_at_once() -> None:
    big = frame(Lane.TICKS, layouts.ROWS_MAX + 1)
    assert isinstance(seal(encode_frame(big)), Frame)
    small = encode_frame(frame(Lane.TICKS, 3))
    before = small[HEADER_BYTES:].index(b"unit")
    changed = bytearray(small)
    changed[HEADER_BYTES + before : HEADER_BYTES + before + 4] = b"Unit"  # another version's metadata
    made = seal(bytes(changed))
    assert isinstance(made, Frame)
    assert made.rows.event_ns.tolist() == decode_frame(small).rows.event_ns.tolist()


@pytest.mark.parametrize("cut", [1, 30, 63, 64, 200, 3_000])
def test_damage_is_told_when_it_is_sealed(cut: int) -> None:
    data = encode_frame(frame(Lane.TRADES, 3))[:cut]
    with pytest.raises(FrameError):
        seal(data)
