"""The header's errors each say one sentence; rows are views, and a heartbeat has none."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from schemas import layouts
from schemas.frames import (
    CLOCK_FEED,
    COLUMN_DTYPES,
    HEADER_BYTES,
    LANE_DEFAULTS,
    LANE_SCHEMAS,
    ROW_TYPES,
    Frame,
    FrameError,
    Header,
    Lane,
    decode_batch,
    decode_frame,
    decode_header,
    empty_rows,
    encode_frame,
    record_batch,
    rows_from_arrow,
    take_rows,
    well_formed,
)
from tests.support.frames import constant_rows, heartbeat

NOW_NS = 1_402_061_400_000_000_000


def trades(rows: int = 3) -> Frame:
    columns = constant_rows(Lane.TRADES, [NOW_NS] * rows, price_usd=1.25, size_contracts=range(rows))
    return Frame(Header(Lane.TRADES, 2, 5, 17, 400, rows, NOW_NS, CLOCK_FEED), columns)


def changed(data: bytes, at: int, value: int) -> bytes:
    return data[:at] + bytes([value]) + data[at + 1 :]


class TestHeader:
    def test_is_sixty_four_bytes_at_the_offsets_the_table_promises(self) -> None:
        data = encode_frame(trades())
        assert HEADER_BYTES == 64
        assert data[:4] == b"SWF1"
        assert (data[4], data[5], data[6], data[7]) == (1, Lane.TRADES, CLOCK_FEED, 0)
        little = [int.from_bytes(data[start:stop], "little") for start, stop in ((8, 12), (12, 16), (16, 24), (24, 32))]
        assert little == [2, 3, 5, 17]  # partition, rows, epoch, seq
        assert int.from_bytes(data[32:40], "little") == 400
        assert int.from_bytes(data[40:48], "little", signed=True) == NOW_NS
        assert data[48:64] == bytes(16)

    def test_opening_is_the_lowest_flag(self) -> None:
        data = encode_frame(heartbeat(Lane.TICKS, 9, 2, NOW_NS, opening=True))
        assert data[7] == 1
        assert decode_header(data).opening

    def test_lane_numbers_never_change(self) -> None:
        assert {lane.topic: int(lane) for lane in Lane} == {
            "options.trades": 1,
            "options.greeks": 2,
            "index.ticks": 3,
        }

    @pytest.mark.parametrize(
        ("data", "sentence"),
        [
            (b"", "a frame of 0 bytes, shorter than its header of 64"),
            (encode_frame(trades())[:63], "a frame of 63 bytes, shorter than its header of 64"),
            (b'{"ev":"T"}' + bytes(60), "a frame that starts with b'{\"ev', not b'SWF1'"),
            (changed(encode_frame(trades()), 4, 2), "a frame of version 2; this program reads 1"),
            (changed(encode_frame(trades()), 5, 9), "a frame of lane 9, which does not exist"),
        ],
    )
    def test_each_error_is_one_sentence(self, data: bytes, sentence: str) -> None:
        with pytest.raises(FrameError) as caught:
            decode_header(data)
        assert str(caught.value) == sentence


class TestRows:
    def test_more_or_fewer_rows_than_the_header_says_is_an_error(self) -> None:
        with pytest.raises(FrameError, match=r"^options.trades: 3 rows where the header says 4$"):
            decode_frame(changed(encode_frame(trades()), 12, 4))

    @pytest.mark.parametrize("said", [2, 4])
    def test_a_header_that_does_not_fit_its_columns_is_found_by_the_reader(self, said: int) -> None:
        frame = trades(3)
        data = encode_frame(Frame(frame.header._replace(rows=said), frame.rows))
        with pytest.raises(FrameError, match=f"^options.trades: 3 rows where the header says {said}$"):
            decode_frame(data)

    def test_a_body_that_is_not_arrow_is_an_error(self) -> None:
        with pytest.raises(FrameError, match=r"^options.trades: not an Arrow stream: "):
            decode_frame(encode_frame(trades())[:HEADER_BYTES] + b"not arrow at all")

    def test_a_missing_body_is_an_error(self) -> None:
        with pytest.raises(FrameError, match=r"^options.trades: not an Arrow stream"):
            decode_frame(encode_frame(trades())[:HEADER_BYTES])

    def test_a_column_without_default_must_be_there(self) -> None:
        batch = record_batch(Lane.TRADES, trades().rows).drop_columns(["price_usd"])
        with pytest.raises(FrameError, match=r"^options.trades: a frame without the column price_usd$"):
            rows_from_arrow(Lane.TRADES, batch, NOW_NS)

    def test_a_column_of_another_type_is_an_error(self) -> None:
        batch = record_batch(Lane.TRADES, trades().rows)
        at = batch.schema.names.index("price_usd")
        batch = batch.set_column(at, "price_usd", pa.array([1.0, 2.0, 3.0], pa.float32()))
        with pytest.raises(FrameError, match=r"^options.trades: column price_usd is float, not double$"):
            rows_from_arrow(Lane.TRADES, batch, NOW_NS)

    def test_nulls_are_an_error_since_unknown_has_a_number_of_its_own(self) -> None:
        batch = record_batch(Lane.TRADES, trades().rows)
        at = batch.schema.names.index("bid_usd")
        batch = batch.set_column(at, "bid_usd", pa.array([1.0, None, 3.0], pa.float64()))
        with pytest.raises(FrameError, match=r"^options.trades: column bid_usd holds nulls$"):
            rows_from_arrow(Lane.TRADES, batch, NOW_NS)

    def test_missing_values_behind_our_own_schema_are_an_error_too(self) -> None:
        frame = trades()
        whole = record_batch(Lane.TRADES, frame.rows)
        columns = whole.columns
        at = whole.schema.names.index("bid_usd")
        columns[at] = pa.array([1.0, None, 3.0], pa.float64())
        holed = pa.RecordBatch.from_arrays(columns, schema=whole.schema)
        data = encode_frame(frame).replace(whole.serialize().to_pybytes(), holed.serialize().to_pybytes())
        for decode in (decode_frame, decode_batch):
            with pytest.raises(FrameError, match=r"^options.trades: column bid_usd holds nulls$"):
                decode(data)

    @pytest.mark.parametrize("lane", list(Lane))
    @pytest.mark.parametrize("count", [1, 2, 7, 64, 500, layouts.ROWS_MAX, layouts.ROWS_MAX + 1])
    def test_a_frame_is_to_the_byte_what_arrow_writes(self, lane: Lane, count: int) -> None:
        random = np.random.default_rng(count)
        columns = (random.integers(0, 2**63, count).astype(dtype) for dtype in COLUMN_DTYPES[lane].values())
        rows = ROW_TYPES[lane](np.full(count, NOW_NS), *columns)  # type: ignore[arg-type]
        data = encode_frame(Frame(Header(lane, 0, 1, 3, 0, count, NOW_NS), rows))
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, LANE_SCHEMAS[lane]) as stream:
            stream.write_batch(record_batch(lane, rows))
        assert data[HEADER_BYTES:] == sink.getvalue().to_pybytes()
        for mine, back in zip(rows, decode_frame(data).rows, strict=True):
            assert back.tobytes() == mine.tobytes()
        _, batch = decode_batch(data)
        assert batch is not None
        assert batch.equals(record_batch(lane, rows))

    @pytest.mark.parametrize("cut", [1, 8, 9, 100, 2_000])
    def test_a_frame_cut_short_is_an_error_or_lacks_the_stream_end_alone(self, cut: int) -> None:
        data = encode_frame(trades(100))[:-cut]
        if cut <= len(layouts.END_OF_STREAM):
            assert decode_frame(data).header.rows == 100
        else:
            for decode in (decode_frame, decode_batch):
                with pytest.raises(FrameError, match=r"^options.trades: not an Arrow stream: "):
                    decode(data)

    def test_columns_that_are_not_contiguous_are_copied_together(self) -> None:
        frame = trades(6)
        every_second = type(frame.rows)(*(column[::2] for column in frame.rows))  # type: ignore[arg-type]
        data = encode_frame(Frame(frame.header._replace(rows=3), every_second))
        assert decode_frame(data).rows.size_contracts.tolist() == [0, 2, 4]  # type: ignore[union-attr]

    def test_columns_are_views_of_the_bytes_not_copies(self) -> None:
        rows = decode_frame(encode_frame(trades())).rows
        for name, column in zip(rows._fields[1:], rows[1:], strict=True):
            assert not column.flags.owndata, name
            assert not column.flags.writeable, name

    def test_every_row_repeats_the_frames_stamp(self) -> None:
        assert decode_frame(encode_frame(trades())).rows.received_ns.tolist() == [NOW_NS] * 3

    def test_a_merged_batch_keeps_a_stamp_a_row(self) -> None:
        stamps = np.array([1, 2, 3], np.int64)
        rows = rows_from_arrow(Lane.TRADES, record_batch(Lane.TRADES, trades().rows), stamps)
        assert rows.received_ns is stamps

    @pytest.mark.parametrize("lane", list(Lane))
    def test_a_heartbeat_is_a_header_alone(self, lane: Lane) -> None:
        frame = heartbeat(lane, 1, 8, NOW_NS)
        assert len(encode_frame(frame)) == HEADER_BYTES
        back = decode_frame(encode_frame(frame))
        assert back.header == frame.header
        assert [len(column) for column in back.rows] == [0] * len(ROW_TYPES[lane]._fields)

    def test_take_rows_is_a_view(self) -> None:
        rows = trades().rows
        part = take_rows(rows, 1, 3)
        assert part.size_contracts.tolist() == [1, 2]  # type: ignore[union-attr]
        assert all(np.shares_memory(one, other) for one, other in zip(part, rows, strict=True))

    @pytest.mark.parametrize("lane", list(Lane))
    def test_empty_rows_have_the_lanes_types(self, lane: Lane) -> None:
        rows = empty_rows(lane)
        assert [column.dtype for column in rows[1:]] == list(COLUMN_DTYPES[lane].values())


class TestSchemas:
    @pytest.mark.parametrize("lane", list(Lane))
    def test_every_field_says_its_unit_and_what_it_is(self, lane: Lane) -> None:
        for field in LANE_SCHEMAS[lane]:
            assert field.metadata[b"unit"], field.name
            assert field.metadata[b"about"], field.name
            assert not field.nullable, field.name

    @pytest.mark.parametrize("lane", list(Lane))
    def test_rows_in_memory_are_the_schema_behind_the_stamp(self, lane: Lane) -> None:
        assert ROW_TYPES[lane]._fields == ("received_ns", *LANE_SCHEMAS[lane].names)

    def test_columns_of_another_type_or_with_gaps_are_not_well_formed(self) -> None:
        rows = trades(4).rows
        assert well_formed(Lane.TRADES, rows)
        assert well_formed(Lane.TRADES, take_rows(rows, 1, 3))
        assert not well_formed(Lane.TRADES, rows._replace(price_usd=rows.size_contracts))  # type: ignore[union-attr]
        assert not well_formed(Lane.TRADES, type(rows)(*(column[::2] for column in rows)))  # type: ignore[arg-type]

    def test_every_default_belongs_to_a_column(self) -> None:
        columns = {name for schema in LANE_SCHEMAS.values() for name in schema.names}
        assert set(LANE_DEFAULTS) <= columns


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        (trades(), "<options.trades p2 e5 #17 3 rows>"),
        (heartbeat(Lane.GREEKS, 1, 8, NOW_NS), "<options.greeks p0 e1 #8 heartbeat>"),
        (heartbeat(Lane.TICKS, 1, 2, NOW_NS, opening=True), "<index.ticks p0 e1 #2 opening>"),
    ],
)
def test_a_frame_prints_well_for_logs(frame: Frame, text: str) -> None:
    assert str(frame) == text
