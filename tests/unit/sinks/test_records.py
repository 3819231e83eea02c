"""Records as rows: what is sound, what repeats, what is poison."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.decisions import DeadLetter, Outcome, canonical
from schemas.frames import Frame, Lane, encode_frame
from schemas.gaps import Gap
from schemas.topics import TOPICS
from services.sinks.clickhouse import Epoch
from services.sinks.records import DATA_BYTES_MAX, Reader, SinkRecord, tables
from tests.support.decisions import alert, signal, view
from tests.support.logs_small import START_NS, LogBuilder

TRADES = TOPICS["options.trades"]
NOWHERE = (-1, -1)


def record(topic: str, value: bytes | None, offset: int = 0, partition: int = 0, **headers: bytes) -> SinkRecord:
    return SinkRecord(topic, partition, offset, START_NS, value, list(headers.items()))


def read(topic: str, value: bytes | None, **more: Any) -> Any:
    return Reader(TOPICS[topic], more.get("partition", 0), NOWHERE).read(record(topic, value, **more))


def trades(*frames: Frame) -> list[bytes]:
    return [encode_frame(frame) for frame in frames]


def test_a_lanes_batch_is_rows_then_frames_then_the_epoch():
    builder = LogBuilder(epoch=9)
    opening = builder.opening()[0]
    started = Epoch(9, START_NS, "test", 0, 4, "{}", "d", "strikewire")
    reader = Reader(TRADES, 0, NOWHERE)
    header = msgspec.json.encode(started._asdict())
    items = [
        reader.read(record("options.trades", encode_frame(opening), 0, epoch=header)),
        reader.read(record("options.trades", encode_frame(builder.frame(Lane.TRADES, 3)), 1)),
    ]
    made = tables(TRADES, items)
    assert [(name, rows.num_rows) for name, rows in made] == [("option_trades", 3), ("frames", 2), ("epochs", 1)]
    assert made[2][1].column("source").to_pylist() == ["test"]


def test_an_epoch_is_noted_once_and_not_by_every_opening_frame():
    builder = LogBuilder(partition=1)
    header = msgspec.json.encode(Epoch(1, 0, "", 0, 4, "", "", "")._asdict())
    for frame in builder.opening():
        item = read(frame.header.lane.topic, encode_frame(frame), partition=1, epoch=header)
        assert [name for name, _ in tables(TOPICS[frame.header.lane.topic], [item])] == ["frames"]


def test_a_frame_seen_before_is_dropped():
    builder = LogBuilder()
    frames = [builder.frame(Lane.TRADES, 1) for _ in range(3)]
    reader = Reader(TRADES, 0, NOWHERE)
    order = [0, 1, 1, 0, 2, 2]
    items = [reader.read(record("options.trades", encode_frame(frames[n]), at)) for at, n in enumerate(order)]
    assert [item is not None for item in items] == [True, True, False, False, True, False]
    assert reader.dropped == 3
    assert reader.last == (1, 2)


def test_a_zombie_gateway_is_ignored_behind_its_successors_opening():
    old, new = LogBuilder(epoch=1), LogBuilder(epoch=2)
    early, zombie = old.frame(Lane.TRADES, 1), old.frame(Lane.TRADES, 1)
    stream = [early, new.opening()[0], zombie, new.frame(Lane.TRADES, 1)]
    reader = Reader(TRADES, 0, NOWHERE)
    items = [reader.read(record("options.trades", encode_frame(frame), at)) for at, frame in enumerate(stream)]
    assert [item is not None for item in items] == [True, True, False, True]


def test_a_reader_that_takes_over_knows_what_was_last():
    builder = LogBuilder()
    frames = [builder.frame(Lane.TRADES, 1) for _ in range(3)]
    reader = Reader(TRADES, 0, (1, 1))
    assert [reader.read(record("options.trades", encode_frame(frame))) is None for frame in frames] == [
        True,
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("topic", "document", "table"),
    [
        ("signals", signal(), "signals"),
        ("alerts", alert(), "alerts"),
        ("contexts", view(), "contexts"),
        ("outcomes", Outcome(signal_id="s", label="PIN", result="WIN", entry_usd=1, exit_usd=2, exit_ns=3,
                             r_multiple=1.5, ambiguous=False), "outcomes"),
        ("dead.letters", DeadLetter(source="a", reason="b", detail="c", received_ns=1, data=b"\xff"), "dead_letters"),
        ("feed.gaps", Gap(epoch=1, number=1, channel="options.T", cause="dropped", from_ns=1, to_ns=None, lost_ns=2,
                          restored_ns=None, losses=1, state="open"), "gaps"),
    ],
)  # fmt: skip
def test_every_document_is_a_row_that_keeps_what_was_published(topic: str, document: msgspec.Struct, table: str):
    value = canonical(document)
    ((name, rows),) = tables(TOPICS[topic], [read(topic, value)])
    assert (name, rows.num_rows) == (table, 1)
    if table != "dead_letters":
        assert rows.column("document").to_pylist() == [value]


def test_the_ordinal_comes_from_the_header():
    item = read("signals", canonical(signal()), ordinal=b"7")
    ((_, rows),) = tables(TOPICS["signals"], [item])
    assert rows.column("ordinal").to_pylist() == [7]


POISON = [
    ("options.trades", b"nonsense", "shorter than its header"),
    ("options.trades", None, "without a value"),
    ("options.trades", encode_frame(LogBuilder().frame(Lane.TICKS, 1)), "a frame of index.ticks on options.trades"),
    ("options.trades", encode_frame(LogBuilder(partition=2).frame(Lane.TRADES, 1)), "of partition 2 in partition 0"),
    ("options.trades", encode_frame(LogBuilder().frame(Lane.TRADES, 1, expiry_day=10**6)), "expiry_day"),
    ("options.trades", encode_frame(LogBuilder().frame(Lane.TRADES, 1, event_ns=-(2**62))), "before 1900"),
    ("options.trades", encode_frame(LogBuilder(now_ns=-(2**62)).frame(Lane.TRADES, 0)), "before 1900"),
    ("signals", b"{}", "missing required field"),
    ("signals", b"\xff", ""),
    ("signals", canonical(signal(partition=70_000)), ""),
    ("signals", canonical(signal(epoch=-1)), ""),
    ("signals", canonical(signal(emitted_ns=-(2**62))), "before 1900"),
    ("alerts", canonical(signal()), "missing required field"),
    ("contexts", canonical(view(as_of_ns=2**63)), ""),
]


@pytest.mark.parametrize(("topic", "value", "problem"), POISON)
def test_poison_is_a_dead_letter_that_says_where_it_stood_and_why(topic: str, value: bytes | None, problem: str):
    item = read(topic, value, offset=17)
    assert item.poison is not None
    assert item.poison.source == topic
    assert "partition 0, offset 17" in item.poison.detail
    assert problem in item.poison.detail
    assert item.poison.data == (value or b"")[:DATA_BYTES_MAX]
    assert tables(TOPICS[topic], [item]) == []


def test_a_bad_ordinal_is_poison_too():
    assert read("signals", canonical(signal()), ordinal=b"x").poison is not None
    assert read("signals", canonical(signal()), ordinal=b"-1").poison is not None


def test_poison_among_the_dead_letters_goes_into_their_table():
    item = read("dead.letters", b"not a letter")
    ((name, rows),) = tables(TOPICS["dead.letters"], [item])
    assert (name, rows.column("data").to_pylist()) == ("dead_letters", [b"not a letter"])


def test_poison_does_not_hold_up_its_neighbours():
    builder = LogBuilder()
    reader = Reader(TRADES, 0, NOWHERE)
    values = [encode_frame(builder.frame(Lane.TRADES, 1)), b"poison", encode_frame(builder.frame(Lane.TRADES, 2))]
    items = [reader.read(record("options.trades", value, at)) for at, value in enumerate(values)]
    assert [(name, rows.num_rows) for name, rows in tables(TRADES, items)] == [("option_trades", 3), ("frames", 2)]


@given(st.sampled_from(sorted(TOPICS)), st.binary(max_size=300))
def test_no_bytes_break_the_reader(topic: str, value: bytes):
    item = read(topic, value)
    assert item is not None
    assert tables(TOPICS[topic], [item]) is not None


@given(st.integers(0, 400), st.integers(0, 255))
def test_a_damaged_frame_is_poison_or_still_a_row(at: int, byte: int):
    value = bytearray(encode_frame(LogBuilder().frame(Lane.TRADES, 2)))
    value[at % len(value)] = byte
    item = read("options.trades", bytes(value))
    assert item.poison is not None or tables(TRADES, [item])
