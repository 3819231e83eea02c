"""Rows that came over no wire: each in its partition, flagged, ranked for quotes, and numbered without a hole."""

from __future__ import annotations

import numpy as np

from schemas.frames import KIND_INDEX, Frame, Lane, TickRows
from schemas.symbols import symbol_code
from services.core.partitioner import Partitioner
from services.gateway.massive.codes import CodeTable
from services.gateway.sequencing.row_log import RowLog
from services.settings.gateway import GatewaySettings
from tests.support.frames import constant_rows

NS = 1_000_000_000
T0 = 1_765_981_806 * NS
DAY = 20_439  # 2025-12-17
SPY, MU = "O:SPY251219C00600000", "O:MU251219P00212500"
SETTINGS = GatewaySettings(
    clock="feed", partitions=4, epoch=3, quote_contracts_max=1, partition_overrides={"SPY": 1, "MU": 2}
)


def opened() -> RowLog:
    log = RowLog(SETTINGS)
    log.open_day((SPY, MU), DAY)
    return log


def prints(*conditions: int):  # type: ignore[no-untyped-def]
    return constant_rows(
        Lane.TRADES,
        [0] * len(conditions),
        event_ns=T0 + np.arange(len(conditions)),
        price_usd=np.full(len(conditions), 2.5),
        size_contracts=np.full(len(conditions), 10, np.int32),
        condition=np.array(conditions, np.int16),
    )


def rows(frames: list[Frame]) -> list[Frame]:
    return [frame for frame in frames if frame.header.rows]


def test_a_print_goes_into_its_underlyings_partition_with_its_conditions_flag() -> None:
    log = opened()
    frames = rows(log.write_trades(prints(209, 232), np.array([0, 1])) + log.flush())
    found = {frame.header.partition: frame.rows.condition_bits.tolist() for frame in frames}  # type: ignore[union-attr]
    _, flags = CodeTable().conditions([(209,), (232,)])
    assert found == {1: [flags[0]], 2: [flags[1]]}


def test_a_market_wide_index_goes_into_every_partition_and_any_other_into_its_own() -> None:
    log = opened()
    symbol = np.array([symbol_code(name) for name in ("SPX", "NDX", "SPX")], np.uint64)
    level, none = np.full(3, 6_000.0), np.zeros(3, np.int64)
    ticks = TickRows(none[:0], np.full(3, T0), symbol, np.full(3, KIND_INDEX, np.int8), level, level, level, none)
    frames = rows(log.write_ticks(ticks) + log.flush())
    counts = {frame.header.partition: frame.header.rows for frame in frames}
    assert counts == {partition: 2 + (partition == Partitioner(4).of("NDX")) for partition in range(4)}


def test_premium_decides_which_contract_is_quoted_and_a_new_day_begins_without_one() -> None:
    log = opened()
    log.write_trades(prints(209), np.array([1]))
    assert log.quoted(T0) == [MU]
    log.open_day((SPY,), DAY + 3)  # both expired: SPY is listed all the same, and nothing is known of it
    assert log.quoted(T0) == []


def test_frames_are_numbered_without_a_hole_to_the_end() -> None:
    log = opened()
    frames = log.write_trades(prints(209, 209, 209), np.array([0, 1, 0])) + log.flush() + log.finish()
    for partition in range(4):
        heads = [frame.header for frame in frames if frame.header.partition == partition]
        assert [head.seq for head in heads] == list(range(len(heads)))
        assert all(head.epoch == 3 for head in heads)
        assert heads[-1].received_ns == T0 + 2
