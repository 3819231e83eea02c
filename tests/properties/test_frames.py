"""Frames on the wire: what goes in comes out, versions read each other, and damage is an error, never a surprise."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.frames import (
    COLUMN_DTYPES,
    HEADER_BYTES,
    LANE_DEFAULTS,
    LANE_SCHEMAS,
    Frame,
    FrameError,
    Header,
    Lane,
    decode_frame,
    decode_header,
    encode_frame,
    record_batch,
    rows_from_arrow,
    take_rows,
)
from tests.support.frames import any_frames, assert_same_frame, assert_same_rows, constant_rows

EXAMPLES = 40  # a frame is twenty arrays to draw; forty frames find what a thousand do


@settings(max_examples=EXAMPLES)
@given(any_frames())
def test_a_frame_survives_its_bytes(frame: Frame) -> None:
    assert_same_frame(decode_frame(encode_frame(frame)), frame)


@settings(max_examples=EXAMPLES)
@given(any_frames())
def test_equal_frames_are_equal_bytes(frame: Frame) -> None:
    assert encode_frame(decode_frame(encode_frame(frame))) == encode_frame(frame)


@settings(max_examples=EXAMPLES)
@given(any_frames())
def test_the_header_can_be_read_alone(frame: Frame) -> None:
    assert decode_header(encode_frame(frame)[:HEADER_BYTES]) == frame.header


@settings(max_examples=EXAMPLES)
@given(any_frames())
def test_any_arrow_library_reads_the_rows_after_the_header(frame: Frame) -> None:
    data = encode_frame(frame)
    if not frame.header.rows:
        assert len(data) == HEADER_BYTES
        return
    table = pa.ipc.open_stream(data[HEADER_BYTES:]).read_all()
    assert table.schema.equals(LANE_SCHEMAS[frame.header.lane], check_metadata=True)
    assert table.num_rows == frame.header.rows
    table.validate(full=True)


@settings(max_examples=EXAMPLES)
@given(any_frames(), st.data())
def test_a_slice_of_rows_survives_its_bytes_too(frame: Frame, data: st.DataObject) -> None:
    """Views that start in the middle of an array, and strided ones, are written as what they show."""
    start = data.draw(st.integers(0, frame.header.rows))
    stop = data.draw(st.integers(start, frame.header.rows))
    rows = take_rows(frame.rows, start, stop)
    cut = Frame(frame.header._replace(rows=stop - start), rows)
    assert_same_frame(decode_frame(encode_frame(cut)), cut)

    every_other = type(rows)(*(column[::2] for column in rows))  # type: ignore[arg-type]
    cut = Frame(frame.header._replace(rows=len(every_other.received_ns)), every_other)
    assert_same_frame(decode_frame(encode_frame(cut)), cut)


@settings(max_examples=EXAMPLES)
@given(any_frames(), st.data())
def test_a_batch_sliced_by_arrow_is_viewed_at_its_offset(frame: Frame, data: st.DataObject) -> None:
    head = frame.header
    start = data.draw(st.integers(0, head.rows))
    batch = record_batch(head.lane, frame.rows).slice(start)
    assert_same_rows(rows_from_arrow(head.lane, batch, head.received_ns), take_rows(frame.rows, start, head.rows))


# --- evolution: a field is added with a default; old and new programs read each other's frames -----------------------


def as_written_by(schema: pa.Schema, frame: Frame, **extra: pa.Array) -> bytes:
    """The frame's bytes as a program would write them whose lane schema is `schema`."""
    head = frame.header
    batch = record_batch(head.lane, frame.rows)
    columns = {name: batch.column(at) for at, name in enumerate(batch.schema.names)} | extra
    theirs = pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(theirs)
    return encode_frame(frame)[:HEADER_BYTES] + sink.getvalue().to_pybytes()


@settings(max_examples=EXAMPLES)
@given(any_frames())
def test_an_old_program_ignores_a_new_field(frame: Frame) -> None:
    """Old reads new: the schema of tomorrow has one more column, in the middle."""
    head = frame.header
    if not head.rows:
        return
    ours = LANE_SCHEMAS[head.lane]
    tomorrow = ours.insert(2, pa.field("aggressor", pa.int8(), nullable=False, metadata={"unit": "1 buy, -1 sell"}))
    data = as_written_by(tomorrow, frame, aggressor=pa.array([1] * head.rows, pa.int8()))
    assert_same_frame(decode_frame(data), frame)


@settings(max_examples=EXAMPLES)
@given(any_frames(), st.data())
def test_a_new_program_fills_what_an_old_one_did_not_write(frame: Frame, data: st.DataObject) -> None:
    """New reads old: yesterday's schema lacks any of the columns that have a default."""
    head = frame.header
    if not head.rows:
        return
    ours = LANE_SCHEMAS[head.lane]
    optional = [name for name in ours.names if name in LANE_DEFAULTS]
    missing = data.draw(st.sets(st.sampled_from(optional), min_size=1))
    yesterday = pa.schema([field for field in ours if field.name not in missing])
    read = decode_frame(as_written_by(yesterday, frame)).rows
    for name in ours.names:
        column = getattr(read, name)
        assert column.dtype == COLUMN_DTYPES[head.lane][name]
        if name in missing:
            np.testing.assert_array_equal(column, np.full(head.rows, LANE_DEFAULTS[name], column.dtype))
        else:
            np.testing.assert_array_equal(column, getattr(frame.rows, name))


@settings(max_examples=EXAMPLES)
@given(any_frames(), st.randoms(use_true_random=False))
def test_the_order_of_columns_does_not_matter(frame: Frame, random: object) -> None:
    if not frame.header.rows:
        return
    fields = list(LANE_SCHEMAS[frame.header.lane])
    random.shuffle(fields)  # type: ignore[attr-defined]
    assert_same_frame(decode_frame(as_written_by(pa.schema(fields), frame)), frame)


# --- damage -----------------------------------------------------------------------------------------------------


def some_frame(lane: Lane, rows: int = 7) -> Frame:
    return Frame(Header(lane, 3, 1, 2, 30, rows, 1_000), constant_rows(lane, [1_000] * rows))


def read_or_refuse(data: bytes) -> bool:
    """Whether the bytes are a frame; fails when they are neither a frame nor a FrameError."""
    try:
        frame = decode_frame(data)
    except FrameError:
        return False
    assert all(len(column) == frame.header.rows for column in frame.rows)
    return True


def test_any_one_byte_damaged_is_a_frame_error_or_a_frame() -> None:
    """Every byte of a frame, set to values that lengths, offsets and text do not expect."""
    raw = encode_frame(some_frame(Lane.TICKS))
    read = [
        read_or_refuse(raw[:at] + bytes([value]) + raw[at + 1 :])
        for at in range(len(raw))
        for value in (0x00, 0x7F, 0x80, 0xFF, raw[at] ^ 1)
    ]
    assert 0 < sum(read) < len(read)


@pytest.mark.parametrize("lane", list(Lane))
def test_a_frame_cut_short_is_a_frame_error(lane: Lane) -> None:
    raw = encode_frame(some_frame(lane))
    end_of_stream = 8  # the mark that closes an Arrow stream; a batch before it is whole
    for length in range(len(raw) - end_of_stream):
        assert not read_or_refuse(raw[:length]), f"{length} of {len(raw)} bytes were read as a frame"


@settings(max_examples=300)
@given(st.sampled_from(list(Lane)), st.data())
def test_worse_damage_is_a_frame_error_or_a_frame(lane: Lane, data: st.DataObject) -> None:
    raw = bytearray(encode_frame(some_frame(lane)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw)))
        kind = data.draw(st.sampled_from(["cut", "insert", "overwrite"]))
        if kind == "cut":
            del raw[at : at + data.draw(st.integers(1, 400))]
        elif kind == "insert":
            raw[at:at] = data.draw(st.binary(min_size=1, max_size=16))
        else:
            raw[at : at + 8] = data.draw(st.sampled_from([b"\xff" * 8, b"\0" * 8, b"\x7f" + b"\xff" * 7]))
    read_or_refuse(bytes(raw))


@given(st.binary(max_size=200))
def test_bytes_that_never_were_a_frame_are_a_frame_error(data: bytes) -> None:
    with pytest.raises(FrameError):
        decode_frame(data)
