"""History that is made is the log the gateway would have written: the same rows, the same order, the same quotes."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from schemas.frames import Frame, GreekRows, Lane, TickRows, TradeRows
from services.core.partitioner import Partitioner
from services.gateway.decoding.tabulate import Tabulator
from services.gateway.massive.messages import decode_frame
from services.gateway.sequencing.row_log import RowLog
from services.settings.gateway import GatewaySettings
from standin.history.generator import HistoryGenerator, SnapshotPace
from standin.market.seeded import SECOND_NS, SeededMarket
from standin.protocol.wire import frames as wire_frames
from standin.protocol.wire import option_events

SETTINGS = GatewaySettings(clock="feed", partitions=4, epoch=3)
# The last minutes of a half day: a whole session in little time, but for its beginning.
CLOSE_NS = SeededMarket(3, scenario="half_day")._today.day.session.close_ns


def market(minutes: int) -> SeededMarket:
    return SeededMarket(3, CLOSE_NS - minutes * 60 * SECOND_NS, scenario="half_day", intensity=0.1, span_s=60)


def generated() -> list[Frame]:
    generator = HistoryGenerator(market(7), RowLog(SETTINGS), SnapshotPace(3, 2))
    return [frame for frames in generator.session() for frame in frames]


@pytest.fixture(scope="module")
def log() -> list[Frame]:
    return [
        frame
        for frames in HistoryGenerator(market(7), RowLog(SETTINGS), SnapshotPace(3, 2)).session()
        for frame in frames
    ]


def test_every_partitions_frames_are_numbered_without_a_hole_and_time_never_goes_back(log: list[Frame]) -> None:
    for partition in range(4):
        heads = [frame.header for frame in log if frame.header.partition == partition]
        assert [head.seq for head in heads] == list(range(len(heads)))
        assert all(head.epoch == 3 for head in heads)
        stamps = [head.received_ns for head in heads]
        assert stamps == sorted(stamps)
        positions = np.cumsum([0, *(head.rows for head in heads)])[:-1]
        assert [head.position for head in heads] == positions.tolist()


def test_no_frame_knows_of_anything_later_than_its_stamp(log: list[Frame]) -> None:
    assert all(frame.rows.event_ns.max() <= frame.header.received_ns for frame in log if frame.header.rows)


def test_prints_are_what_the_wire_and_the_gateway_make_of_the_same_market(log: list[Frame]) -> None:
    """The same minutes through JSON, decoder and tabulator: equal columns, print by print."""
    source, table = market(7), Tabulator(Partitioner(4))
    expected: dict[int, tuple[object, ...]] = {}
    while source.is_open:
        batch = source.advance(60 * SECOND_NS, np.empty(0, np.int32))
        for data in wire_frames(option_events(batch.listing, batch.prints, batch.quotes)):
            rows = table.trades(decode_frame("options", data)).rows
            expected |= {row[11]: row[:12] for row in zip(*(column.tolist() for column in rows[1:13]), strict=True)}
    made: dict[int, tuple[object, ...]] = {}
    for frame in log:
        if isinstance(frame.rows, TradeRows):
            made |= {r[11]: r[:12] for r in zip(*(column.tolist() for column in frame.rows[1:13]), strict=True)}
    assert len(made) > 5_000
    assert made == expected


def test_quoted_contracts_have_the_quote_before_each_print(log: list[Frame]) -> None:
    rows = [frame.rows for frame in log if isinstance(frame.rows, TradeRows)]
    bid, ask, age, condition = (
        np.concatenate([getattr(row, name) for row in rows])
        for name in ("bid_usd", "ask_usd", "quote_age_ns", "condition")
    )
    known = np.isfinite(bid)
    assert 0.2 < known.mean() < 0.95
    assert np.all(bid[known] < ask[known])
    assert np.array_equal(age >= 0, known)
    # A cancel is nobody's tick.
    assert not known[np.isin(condition, (201, 203, 205, 207))].any()


def test_chains_come_at_the_asked_pace_and_at_the_close(log: list[Frame]) -> None:
    rows = [frame.rows for frame in log if isinstance(frame.rows, GreekRows)]
    moments = np.unique(np.concatenate([row.event_ns for row in rows]))
    assert (CLOSE_NS - moments).tolist() == [minutes * 60 * SECOND_NS for minutes in (7, 4, 1, 0)]
    listed = len(market(7).listing)
    assert sum(len(row.event_ns) for row in rows) == 4 * listed


def test_bars_and_index_values_come_by_the_minute(log: list[Frame]) -> None:
    ticks = [frame.rows for frame in log if isinstance(frame.rows, TickRows) and frame.header.partition == 0]
    assert {int(stamp) % (60 * SECOND_NS) for row in ticks for stamp in row.event_ns} == {0}


def test_the_next_session_follows_with_its_own_contracts() -> None:
    minutes = HistoryGenerator(market(2), RowLog(SETTINGS), SnapshotPace(390, 390))
    for _ in minutes.session():
        pass
    following = minutes.session()
    frames = next(following) + next(following)
    stamps = [frame.header.received_ns for frame in frames if frame.header.lane is Lane.TRADES and frame.header.rows]
    assert dt.datetime.fromtimestamp(min(stamps) / SECOND_NS, dt.UTC).date() == dt.date(2025, 12, 1)


def test_one_seed_makes_one_log(log: list[Frame]) -> None:
    again = generated()
    assert [frame.header for frame in again] == [frame.header for frame in log]
    for one, other in zip(again, log, strict=True):
        assert all(
            np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in zip(one.rows, other.rows, strict=True)
        )
