"""A topic's records as rows of the warehouse. Pure: the same records give the same rows, which the insert tokens need.

A record that cannot be a row is poison: a dead letter that says where it stood and why. It never holds up the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa

from schemas.decisions import DeadLetter, Outcome, View
from schemas.frames import FrameError, Header, Lane, decode_batch
from schemas.gaps import Gap
from schemas.kinds import KINDS, Decision, kind_of
from schemas.topics import TOPICS, Topic
from services.sinks.clickhouse import (
    Epoch,
    dead_letters_table,
    decisions_table,
    epochs_table,
    frames_table,
    gaps_table,
    outcomes_table,
    rows_table,
    views_table,
)

__all__ = ["DATA_BYTES_MAX", "Item", "Reader", "SinkRecord", "poison", "tables"]

DAY_NS = 86_400_000_000_000
# What a dead letter keeps of the bytes: enough to see what it was.
DATA_BYTES_MAX = 4096
# What the warehouse's columns hold: Date32 from 1900 to 2299, DateTime64(9) from 1900 (to 2262, where int64 ends).
EXPIRY_DAYS = (-25_567, 120_529)
STAMP_NS_MIN = -2_208_988_800 * 1_000_000_000
PARTITIONS_MAX = 65_536


class SinkRecord(NamedTuple):
    """The part of a Kafka record that matters here; `received_ns` is when the broker took it."""

    topic: str
    partition: int
    offset: int
    received_ns: int
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


class Item(NamedTuple):
    """One record, understood or not. `day` is the calendar day its rows go to; `rows` counts those it brings."""

    offset: int
    rows: int
    day: int | None
    content: Any  # as `tables` takes it apart
    poison: DeadLetter | None = None


class Reader:
    """Reads the records of one topic-partition in their order. `last` is the place of the last frame it took.

    A lane's frames rise in (epoch, seq). What does not is a repetition, or a zombie gateway's, whose successor has
    opened its epoch on this lane already: every reader of the lane drops it.
    """

    def __init__(self, topic: Topic, partition: int, last: tuple[int, int]) -> None:
        self._topic, self._partition = topic, partition
        self.last = last
        self.dropped = 0
        self._decoder = msgspec.json.Decoder(topic.document) if topic.document is not None else None

    def read(self, record: SinkRecord) -> Item | None:
        """What a record brings; None when it is a repetition."""
        try:
            if record.value is None:
                raise ValueError("a record without a value")
            if self._decoder is None:
                return self._frame(record, record.value)
            return self._document(record, record.value)
        except (FrameError, ValueError, TypeError, OverflowError, RecursionError) as error:
            return poison(record, str(error))

    def _frame(self, record: SinkRecord, value: bytes) -> Item | None:
        head, batch = decode_batch(value)
        _check_frame(head, batch, self._topic, self._partition)
        if (head.epoch, head.seq) <= self.last:
            self.dropped += 1
            return None
        epoch = _epoch(record) if head.opening else None
        self.last = (head.epoch, head.seq)
        return Item(record.offset, head.rows, head.received_ns // DAY_NS, (head, batch, epoch))

    def _document(self, record: SinkRecord, value: bytes) -> Item:
        assert self._decoder is not None
        one: Any = self._decoder.decode(value)
        content: Any = (one, value)
        decided = type(one) in KINDS
        match one:
            case _ if decided:
                stamp, content = min(one.emitted_ns, one.event_ns), (_ordinal(record, one), one, value)
            case View():
                stamp = one.as_of_ns
            case Outcome():
                stamp = one.exit_ns
            case Gap():
                stamp = min(one.from_ns, one.lost_ns)
            case DeadLetter():
                stamp, content = one.received_ns, one
        if stamp < STAMP_NS_MIN:
            raise ValueError(f"a time before 1900: {stamp}")
        day = (one.emitted_ns if decided else stamp) // DAY_NS
        item = Item(record.offset, 1, day, content)
        tables(self._topic, [item])  # what has the right shape may still not fit its columns: a partition of 70,000
        return item


def poison(record: SinkRecord, problem: str) -> Item:
    """A record that is no row."""
    letter = DeadLetter(
        source=record.topic,
        reason="poison",
        detail=f"partition {record.partition}, offset {record.offset}: {problem}"[:1000],
        received_ns=max(record.received_ns, 0),
        data=(record.value or b"")[:DATA_BYTES_MAX],
    )
    return Item(record.offset, 0, None, None, letter)


def tables(topic: Topic, items: Sequence[Item]) -> list[tuple[str, pa.Table]]:
    """The rows of a batch's items, a table each, in the order in which they must be inserted.

    Market rows come before the rows of their frames, and these before the row of an epoch: whoever finds one of the
    latter finds what it speaks of.
    """
    sound = [item.content for item in items if item.poison is None]
    # A dead letter that is poison itself has no topic to go to but this table.
    lost = [item.poison for item in items if item.poison is not None] if topic.document is DeadLetter else []
    if topic.lane is not None:
        return _lane_tables(topic, sound)
    if topic.document is DeadLetter:
        rows = [*sound, *lost]
        return [(topic.table, dead_letters_table(rows))] if rows else []
    if not sound:
        return []
    assert topic.document is not None, f"{topic.name} carries frames"
    make = decisions_table if topic.document in KINDS else _MAKE[topic.document]
    return [(topic.table, make(sound))]


_MAKE: dict[type[msgspec.Struct], Callable[[Any], pa.Table]] = {
    View: views_table,
    Outcome: outcomes_table,
    Gap: gaps_table,
}


def _lane_tables(
    topic: Topic, contents: list[tuple[Header, pa.RecordBatch | None, Epoch | None]]
) -> list[tuple[str, pa.Table]]:
    with_rows = [(head, batch) for head, batch, _ in contents if batch is not None]
    epochs = [epoch for _, _, epoch in contents if epoch is not None]
    made = []
    if with_rows:
        made.append((topic.table, rows_table([head for head, _ in with_rows], [batch for _, batch in with_rows])))
    if contents:
        made.append((TABLE_OF_FRAMES, frames_table([head for head, _, _ in contents])))
    if epochs:
        made.append((TABLE_OF_EPOCHS, epochs_table(epochs)))
    return made


TABLE_OF_FRAMES, TABLE_OF_EPOCHS = "frames", "epochs"


def _check_frame(head: Header, batch: pa.RecordBatch | None, topic: Topic, partition: int) -> None:
    if head.lane is not topic.lane:
        raise ValueError(f"a frame of {head.lane.topic} on {topic.name}")
    if head.partition != partition or partition >= PARTITIONS_MAX:
        raise ValueError(f"a frame of partition {head.partition} in partition {partition}")
    if head.received_ns < STAMP_NS_MIN:
        raise ValueError(f"received_ns {head.received_ns} is before 1900")
    if batch is None:
        return
    if int(_numbers(batch, "event_ns", np.int64).min()) < STAMP_NS_MIN:
        raise ValueError("a row with an event_ns before 1900")
    if head.lane is not Lane.TICKS:
        days = _numbers(batch, "expiry_day", np.int32)
        if not EXPIRY_DAYS[0] <= int(days.min()) <= int(days.max()) <= EXPIRY_DAYS[1]:
            raise ValueError(f"a row whose expiry_day is not between {EXPIRY_DAYS[0]} and {EXPIRY_DAYS[1]}")


def _numbers(batch: pa.RecordBatch, name: str, kind: type[np.generic]) -> np.ndarray[Any, Any]:
    """A column as the numbers it is made of."""
    column = batch.column(batch.schema.get_field_index(name))
    return np.frombuffer(column.buffers()[1], kind, len(column), column.offset * np.dtype(kind).itemsize)


def _epoch(record: SinkRecord) -> Epoch | None:
    """What the opening frame of the first partition on the first lane says of its epoch; the others say the same."""
    if record.partition != 0 or record.topic != FIRST_LANE:
        return None
    text = dict(record.headers).get("epoch")
    if text is None:
        return None
    epoch = Epoch(**msgspec.json.decode(text))
    epochs_table([epoch])  # raises where a field does not fit
    return epoch


FIRST_LANE = next(topic.name for topic in TOPICS.values() if topic.lane is not None)


def _ordinal(record: SinkRecord, decision: Decision) -> int:
    """The decision's number at its position; without one its kind's rank: an alert follows its signal."""
    text = dict(record.headers).get("ordinal")
    return int(text) if text is not None else kind_of(decision).rank
