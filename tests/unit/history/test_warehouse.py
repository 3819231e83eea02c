"""What was written is read back: frames, rows, places, decisions in log order; torn rows are cut off."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from schemas.decisions import canonical
from schemas.frames import Frame, Lane
from schemas.gaps import EarlierGaps, Gap
from schemas.symbols import symbol_code
from services.errors import StoreError
from services.history import warehouse as module
from services.history.warehouse import RowLocation, Warehouse
from services.replay.source import epoch_frames
from services.sinks.clickhouse import Epoch, Ordinals, WarehouseWriter
from tests.support.decisions import alert, signal, view
from tests.support.frames import assert_same_rows
from tests.support.logs_small import START_NS, LogBuilder


def epoch(number: int = 1, partitions: int = 1) -> Epoch:
    return Epoch(number, START_NS, "test", 0, partitions, "{}", "d", "strikewire")


def log() -> list[Frame]:
    builder = LogBuilder()
    frames = builder.opening()
    frames.append(builder.frame(Lane.TRADES, 3))
    frames.append(builder.frame(Lane.TICKS, 2))
    frames.append(builder.frame(Lane.TRADES, 0))
    frames.append(builder.frame(Lane.TRADES, 4, price_usd=[1.5, np.nan, np.inf, -0.0]))
    frames.append(builder.frame(Lane.GREEKS, 1))
    return frames


@pytest.fixture
def recorded(warehouse_client: Any) -> Warehouse:
    writer = WarehouseWriter(warehouse_client)
    writer.open_epoch(epoch())
    assert writer.write_frames(log()) == 10
    return Warehouse(warehouse_client)


def test_an_empty_warehouse_knows_that_it_is_empty(warehouse_client: Any):
    empty = Warehouse(warehouse_client)
    assert empty.epochs() == []
    assert empty.partitions() == []
    assert empty.last_received_ns() is None
    assert empty.events() == 0
    assert empty.cut_torn_rows() == 0
    assert empty.document("alerts", "nobody") is None
    assert empty.latest_views(None) == []


def test_the_past_is_what_was_heard_last_of_each_channel_and_the_gaps_that_are_open(warehouse_client: Any):
    writer, builder = WarehouseWriter(warehouse_client), LogBuilder()
    reader = Warehouse(warehouse_client)
    assert reader.past() == EarlierGaps({}, [])
    second = 1_000_000_000
    writer.write_frames([
        builder.frame(Lane.TRADES, 2, event_ns=[START_NS + 5 * second, START_NS - second]),
        builder.frame(Lane.TICKS, 2, kind=[1, 2], event_ns=[START_NS + second, START_NS + 2 * second]),
        builder.frame(Lane.TRADES, 0, step_ns=25 * second),
    ])  # fmt: skip
    gap = Gap(
        epoch=1, number=1, channel="options.T", cause="dropped", from_ns=START_NS, to_ns=None, lost_ns=START_NS,
        restored_ns=None, losses=1, state="open",
    )  # fmt: skip
    over = replace(gap, state="restored", to_ns=START_NS + second)
    writer.write_gaps([gap, replace(gap, number=2)])
    writer.write_gaps([over])
    heard_ns, left = reader.past()
    assert heard_ns == {
        "options.T": START_NS + 5 * second, "indices.V": START_NS + second, "stocks.A": START_NS + 2 * second,
    }  # fmt: skip
    assert left == [replace(gap, number=2)]


def test_epochs_come_back_as_they_went(recorded: Warehouse):
    assert recorded.epochs() == [epoch()]


def test_frames_come_back_in_the_order_of_their_seq(recorded: Warehouse):
    frames = recorded.frames(0, 1)
    heads = [frame.header for frame in log()]
    for name in frames._fields:
        np.testing.assert_array_equal(getattr(frames, name), [int(getattr(head, name)) for head in heads], err_msg=name)
    assert recorded.last_received_ns() == heads[-1].received_ns
    assert recorded.events() == 10
    assert recorded.partitions() == [0]


@pytest.mark.parametrize("lane", Lane)
def test_rows_come_back_bit_for_bit_with_their_positions(recorded: Warehouse, lane: Lane):
    frames = [frame for frame in log() if frame.header.lane is lane and frame.header.rows]
    ((rows, positions),) = recorded.lane_rows(lane, 0, 1, 0, 100)
    columns = [np.concatenate(parts) for parts in zip(*(frame.rows for frame in frames), strict=True)]
    assert_same_rows(rows, type(rows)(*columns))
    wanted = [frame.header.position + row for frame in frames for row in range(frame.header.rows)]
    np.testing.assert_array_equal(positions, wanted)


@pytest.mark.parametrize("window", [1, 2, 3, 7, 8])
def test_rows_come_in_windows_without_gap_or_overlap(recorded: Warehouse, monkeypatch: pytest.MonkeyPatch, window: int):
    monkeypatch.setattr(module, "WINDOW_ROWS", window)
    positions = [int(at) for _, windows in recorded.lane_rows(Lane.TRADES, 0, 1, 0, 100) for at in windows]
    assert positions == [0, 1, 2, 5, 6, 7, 8]


def test_a_window_of_positions_is_half_open(recorded: Warehouse):
    ((_, positions),) = recorded.lane_rows(Lane.TRADES, 0, 1, 2, 6)
    assert positions.tolist() == [2, 5]
    assert list(recorded.lane_rows(Lane.TRADES, 0, 1, 3, 5)) == []


def test_a_row_is_found_by_its_position(recorded: Warehouse):
    places = recorded.locations(0, [(1, 0), (1, 4), (1, 8), (2, 0)])
    assert places == [
        RowLocation(1, 3, 0, Lane.TRADES),
        RowLocation(1, 4, 1, Lane.TICKS),
        RowLocation(1, 6, 3, Lane.TRADES),
    ]


def test_decisions_come_in_log_order_whatever_order_they_were_written_in(warehouse_client: Any):
    writer = WarehouseWriter(warehouse_client)
    for number in (1, 2):
        writer.open_epoch(epoch(number))
    made = [
        signal("s1", epoch=1, position=5), alert("a1", epoch=1, position=5), signal("s2", epoch=1, position=5),
        signal("s3", epoch=1, position=9), signal("s0", epoch=2, position=1), alert("a0", epoch=2, position=1),
    ]  # fmt: skip
    numbered = Ordinals().number(made)
    assert [number for number, _ in numbered] == [0, 1, 2, 0, 0, 1]
    writer.write_decisions(numbered[3:])
    writer.write_decisions(numbered[:3])
    reader = Warehouse(warehouse_client)
    assert [document for _, _, document in reader.decisions(0)] == [canonical(decision) for decision in made]
    assert [(table, number) for table, number, _ in reader.decisions(0)] == [
        ("signal", 1), ("alert", 1), ("signal", 1), ("signal", 1), ("signal", 2), ("alert", 2),
    ]  # fmt: skip
    assert list(reader.decisions(1)) == []


def test_a_decision_written_twice_is_one(warehouse_client: Any):
    writer = WarehouseWriter(warehouse_client)
    writer.open_epoch(epoch())
    for _ in range(3):
        writer.write_decisions([(0, signal()), (1, alert())])
    reader = Warehouse(warehouse_client)
    assert reader.count("signals") == reader.count("alerts") == 1
    assert len(list(reader.decisions(0))) == 2
    assert reader.decision_ids() == {"s1", "a1"}
    assert reader.document("alerts", "a1") == canonical(alert())


def test_a_document_keeps_text_that_is_not_ascii(warehouse_client: Any):
    told = signal(headline="Δ of “puts” \\ ' \t €")
    WarehouseWriter(warehouse_client).write_decisions([(0, told)])
    assert Warehouse(warehouse_client).document("signals", "s1") == canonical(told)


def test_the_newest_come_oldest_first(warehouse_client: Any):
    writer = WarehouseWriter(warehouse_client)
    writer.write_decisions([(0, signal(f"s{n}", emitted_ns=n, underlying="AB"[n % 2])) for n in range(10)])
    newest = Warehouse(warehouse_client).newest(
        "signals", "emitted_ns", "WHERE underlying = {u:String}", {"u": "A"}, limit=3
    )
    assert [row["id"] for row in newest] == ["s4", "s6", "s8"]


def test_the_latest_view_is_the_latest(warehouse_client: Any):
    writer = WarehouseWriter(warehouse_client)
    views = [view(60, confidence=0.1), view(180, confidence=0.3), view(120, confidence=0.2), view(1, underlying="QQQ")]
    writer.write_views(views)
    reader = Warehouse(warehouse_client)
    assert reader.latest_views("SPY") == [canonical(views[1])]
    assert reader.latest_views(None) == [canonical(views[3]), canonical(views[1])]


def test_rows_whose_frame_was_never_committed_are_cut_off(recorded: Warehouse, warehouse_client: Any):
    builder = LogBuilder()
    builder.seq, builder.position = 8, 10
    torn = builder.frame(Lane.TRADES, 5)
    WarehouseWriter(warehouse_client)._insert("option_trades", module_table(torn))
    assert count(warehouse_client, "option_trades") == 12
    assert recorded.cut_torn_rows() == 5
    assert count(warehouse_client, "option_trades") == 7
    assert recorded.cut_torn_rows() == 0


def test_symbols_are_text_in_the_warehouse(recorded: Warehouse, warehouse_client: Any):
    rows = warehouse_client.query("SELECT DISTINCT toString(underlying) FROM option_trades").result_rows
    assert [row[0].rstrip("\0") for row in rows] == ["SPY"]
    assert symbol_code("SPY") == int.from_bytes(b"SPY", "little")


def module_table(frame: Frame) -> Any:
    from services.sinks.clickhouse import lane_table

    return lane_table(frame.header.lane, [frame])


def count(client: Any, table: str) -> int:
    return int(client.query(f"SELECT count() FROM {table}").result_rows[0][0])


def test_a_decision_without_a_log_is_not_overlooked(recorded: Warehouse, warehouse_client: Any):
    """`verify` goes by these: a partition whose frames are gone must not pass for equal."""
    WarehouseWriter(warehouse_client).write_decisions(Ordinals().number([alert("a1", partition=3)]))
    assert recorded.partitions() == [0, 3]


def test_underlyings_are_looked_for_where_they_were_recorded(recorded: Warehouse):
    symbols = {symbol for symbol in ("SPY", "SPX", "AAPL") if recorded.partitions_of(symbol)}
    assert symbols == {"SPY"}
    assert recorded.partitions_of("SPY") == [0]


def test_rows_that_are_not_kept_any_more_are_told(recorded: Warehouse, warehouse_client: Any):
    warehouse_client.command("TRUNCATE TABLE option_trades")
    with pytest.raises(StoreError, match=r"^options\.trades: \d rows that the log's frames speak of are not kept"):
        list(epoch_frames(recorded, 0, 1))
