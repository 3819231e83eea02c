"""Stamps of any unit, the moment rows agree on, dates in words."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from services.chain.moments import instant_ns, newest_together, written_moment
from services.core.calendar import NS, ny_ns

DAY = dt.date(2025, 9, 3)


@pytest.mark.parametrize("stamp", [1756927800, 1756927800000, 1756927800000000, 1756927800000000000, 1.7569278e18])
def test_a_stamp_is_read_in_its_unit(stamp: float) -> None:
    assert instant_ns(stamp) == 1756927800 * NS


@pytest.mark.parametrize("stamp", [0, -5, 42, float("nan"), float("inf"), 10**25, True, "1756927800", None])
def test_what_cannot_be_a_time_is_none(stamp: object) -> None:
    assert instant_ns(stamp) is None


def test_a_few_rows_ahead_of_all_others_date_nothing() -> None:
    times = np.array([1000 * NS + i * NS for i in range(99)] + [10**7 * NS], dtype=np.int64)
    assert newest_together(times) == (1098 * NS, 1)
    assert newest_together(times[:99]) == (1098 * NS, 0)
    assert newest_together(np.empty(0, dtype=np.int64)) == (0, 0)


@pytest.mark.parametrize(
    ("text", "hour", "minute"),
    [
        ("September 3, 2025 at 4:15 PM EDT", 16, 15),
        ("September 3, 2025 at 3:15 PM CDT", 16, 15),
        ("3. September 2025 um 22:15 MESZ", 16, 15),
        ("3 de septiembre de 2025, 21:15 GMT+1", 16, 15),
        ("3 septembre 2025 à 22:15 UTC+2", 16, 15),
        ("3 settembre 2025 alle ore 16:15", 16, 15),
        ("September 3, 2025 at 12:05 AM EDT", 0, 5),
    ],
)
def test_a_moment_in_words_is_read_with_its_zone(text: str, hour: int, minute: int) -> None:
    assert written_moment(text) == (DAY, ny_ns(DAY, hour, minute), "")


def test_a_zone_nobody_knows_is_told_and_a_month_nobody_knows_is_no_date() -> None:
    assert written_moment("September 3, 2025 at 4:15 PM WAKT") == (DAY, ny_ns(DAY, 16, 15), "WAKT")
    assert written_moment("27 elokuuta 2023") is None
