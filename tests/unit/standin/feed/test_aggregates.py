"""Bars: what counts, where windows begin, and the same answer as a plain loop."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.core.calendar import NEW_YORK
from standin.feed.aggregates import Timespan, candles, ticks_of_bars, ticks_of_prints, ticks_of_values, window_ms
from standin.feed.source import Prints, SecondBars, Values

NOON_MS = 1_402_070_400_000  # 2014-06-06 12:00 in New York


def prints(*rows: tuple[int, float, int, int]) -> Prints:
    """(ms after noon, price, size, condition) of each."""
    t_ms, price, size, condition = (np.array(column) for column in zip(*rows, strict=True))
    count = len(rows)
    return Prints(
        np.zeros(count, np.int32), np.full(count, 302, np.int32), price.astype(float), size.astype(np.int64),
        condition.astype(np.int32), NOON_MS + t_ms.astype(np.int64), np.arange(count),
    )  # fmt: skip


def bars_of(given_prints: Prints, width_ms: int = 60_000) -> list[tuple[float, ...]]:
    ticks = ticks_of_prints(given_prints)
    found = candles(ticks, ticks.t_ms // width_ms * width_ms)
    return list(zip(*(column.tolist() for column in found[1:]), strict=True))


def test_a_bar_is_first_high_low_last_and_the_average_by_volume() -> None:
    assert bars_of(prints((0, 2.0, 1, 209), (10, 3.0, 2, 219), (20, 1.0, 1, 232), (30, 2.5, 4, 209))) == [
        (2.0, 3.0, 1.0, 2.5, 8, 2.375, 4)
    ]


def test_cancels_and_late_reports_count_for_nothing() -> None:
    assert bars_of(prints((0, 2.0, 5, 209), (5, 9.0, 5, 203), (6, 0.1, 5, 202))) == [(2.0, 2.0, 2.0, 2.0, 5, 2.0, 1)]


def test_a_compression_trade_counts_for_volume_only() -> None:
    assert bars_of(prints((0, 2.0, 5, 209), (5, 9.0, 5, 247))) == [(2.0, 2.0, 2.0, 2.0, 10, 5.5, 2)]


def test_a_window_in_which_nothing_counts_has_no_bar() -> None:
    rows = prints((0, 2.0, 5, 209), (60_000, 9.0, 5, 203), (120_000, 3.0, 1, 209))
    assert [bar[3] for bar in bars_of(rows)] == [2.0, 3.0]
    assert bars_of(prints((0, 2.0, 5, 203))) == []


@pytest.mark.parametrize("timespan", ["day", "week", "month", "quarter", "year"])
@pytest.mark.parametrize("multiplier", [1, 2000, 3000, 9000, 10_000])
def test_a_window_as_wide_as_history_begins_with_our_era(timespan: Timespan, multiplier: int) -> None:
    (start,) = window_ms(np.array([NOON_MS]), multiplier, timespan).tolist()
    assert dt.datetime(1, 1, 1, tzinfo=NEW_YORK).timestamp() * 1000 <= start <= NOON_MS


def test_nothing_makes_nothing() -> None:
    empty = ticks_of_values(Values.empty())
    assert len(candles(empty, empty.t_ms).t_ms) == 0


@given(
    st.lists(
        st.tuples(
            st.integers(0, 600_000), st.integers(1, 50), st.integers(1, 9), st.sampled_from((209, 219, 203, 246, 202))
        ),
        min_size=1,
        max_size=60,
    )
)
def test_bars_are_those_of_a_plain_loop(rows: list[tuple[int, int, int, int]]) -> None:
    rows = sorted(rows)
    found = bars_of(prints(*rows))
    wanted = []
    for minute in sorted({(NOON_MS + row[0]) // 60_000 for row in rows}):
        inside = [row for row in rows if (NOON_MS + row[0]) // 60_000 == minute]
        priced = [row[1] for row in inside if row[3] in (209, 219)]
        volume = [(row[1], row[2]) for row in inside if row[3] in (209, 219, 246)]
        if priced:
            total = sum(size for _, size in volume)
            vwap = sum(price * size for price, size in volume) / total
            wanted.append((priced[0], max(priced), min(priced), priced[-1], total, pytest.approx(vwap), len(volume)))
    assert found == wanted


@pytest.mark.parametrize(
    ("multiplier", "timespan", "begins"),
    [
        (1, "second", "2014-06-06T12:34:56"),
        (5, "minute", "2014-06-06T12:30"),
        (1, "hour", "2014-06-06T12:00"),
        (1, "day", "2014-06-06"),
        (1, "week", "2014-06-01"),  # a Sunday
        (1, "month", "2014-06-01"),
        (1, "quarter", "2014-04-01"),
        (1, "year", "2014-01-01"),
    ],
)
def test_windows_begin_on_the_clock_and_on_new_yorks_days(multiplier: int, timespan: Timespan, begins: str) -> None:
    moment = dt.datetime(2014, 6, 6, 12, 34, 56, tzinfo=NEW_YORK)
    wanted = dt.datetime.fromisoformat(begins).replace(tzinfo=NEW_YORK)
    found = window_ms(np.array([int(moment.timestamp() * 1000)]), multiplier, timespan)
    assert found.tolist() == [int(wanted.timestamp() * 1000)]


def test_a_stocks_bars_keep_their_highs_and_lows() -> None:
    one, count, time = np.array([1.0, 2.0]), np.array([10, 30]), np.array([NOON_MS, NOON_MS + 1000])
    given_bars = SecondBars(
        np.zeros(2, np.int32), one, one + 5, one - 1, one, count, one, count, one, time, time + 1000
    )
    ticks = ticks_of_bars(given_bars)
    (bar,) = zip(*(column.tolist() for column in candles(ticks, ticks.t_ms // 60_000)[1:6]), strict=True)
    assert bar == (1.0, 7.0, 0.0, 2.0, 40)
