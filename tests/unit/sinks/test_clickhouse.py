"""Frames as rows, documents as rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from msgspec.structs import replace

from schemas.decisions import DeadLetter
from schemas.frames import LANE_SCHEMAS, Lane
from schemas.gaps import Gap
from services.history.warehouse import Warehouse
from services.sinks.clickhouse import Ordinals, WarehouseWriter, frames_table, lane_table
from tests.support.decisions import signal
from tests.support.logs_small import START_NS, LogBuilder


@pytest.mark.parametrize("lane", Lane)
def test_a_lane_table_is_the_frames_columns_and_the_place_of_each_row(lane: Lane):
    builder = LogBuilder(epoch=7, partition=3)
    frames = [builder.frame(lane, 2), builder.frame(lane, 3)]
    table = lane_table(lane, frames)
    assert table.schema.names == [
        *LANE_SCHEMAS[lane].names, "partition", "epoch", "seq", "position", "received_ns",
    ]  # fmt: skip
    assert table.column("seq").to_pylist() == [0, 0, 1, 1, 1]
    assert table.column("position").to_pylist() == [0, 1, 2, 3, 4]
    assert set(table.column("epoch").to_pylist()) == {7}
    assert set(table.column("partition").to_pylist()) == {3}
    stamps = table.column("received_ns").cast(pa.int64()).to_numpy()
    np.testing.assert_array_equal(
        stamps, [frame.header.received_ns for frame in frames for _ in range(frame.header.rows)]
    )


def test_a_frames_table_has_a_row_a_frame_heartbeats_too():
    builder = LogBuilder()
    table = frames_table([frame.header for frame in [*builder.opening(), builder.frame(Lane.TICKS, 0)]])
    assert table.column("opening").to_pylist() == [1, 1, 1, 0]
    assert table.column("lane").to_pylist() == [1, 2, 3, 3]
    assert table.column("received_ns").cast(pa.int64()).to_pylist()[:3] == [START_NS] * 3


def test_ordinals_count_within_a_place_of_a_partition():
    ordinals = Ordinals()
    first = ordinals.number([signal("a"), signal("b"), signal("c", position=6)])
    later = ordinals.number([signal("d", position=6), signal("e", partition=1), signal("f", epoch=2)])
    assert [number for number, _ in (*first, *later)] == [0, 1, 0, 1, 0, 0]


def test_an_entry_of_the_gap_ledger_is_replaced_by_its_later_state(warehouse_client: Any):
    gap = Gap(
        epoch=1, number=1, channel="options.T", cause="dropped", from_ns=START_NS, to_ns=None, lost_ns=START_NS + 1,
        restored_ns=None, losses=1, state="open",
    )  # fmt: skip
    restored = replace(gap, to_ns=START_NS + 5, restored_ns=START_NS + 6, state="restored")
    refilled = replace(restored, state="refilled", prints_refilled=7)
    writer = WarehouseWriter(warehouse_client)
    writer.write_gaps([gap, replace(gap, number=2)])
    writer.write_gaps([restored, refilled])
    assert Warehouse(warehouse_client).gaps() == [refilled, replace(gap, number=2)]
    rows = warehouse_client.query("SELECT state, to_ns IS NULL, prints_refilled FROM gaps FINAL ORDER BY number")
    assert rows.result_rows == [("refilled", 0, 7), ("open", 1, 0)]


def test_dead_letters_keep_their_bytes(warehouse_client: Any):
    letter = DeadLetter(source="options", reason="bad", detail="no", received_ns=START_NS, data=b"\x00\xff'\\\n{")
    WarehouseWriter(warehouse_client).write_dead_letters([letter])
    rows = warehouse_client.query("SELECT hex(data), source, reason FROM dead_letters").result_rows
    assert rows == [(letter.data.hex().upper(), "options", "bad")]


def test_nothing_written_is_no_insert(warehouse_client: Any):
    writer = WarehouseWriter(warehouse_client)
    assert writer.write_frames([]) == 0
    writer.write_views([])
    writer.write_dead_letters([])
    writer.write_decisions([])
