"""Rolling windows as rings of one-minute buckets: bounded, and the same whatever the frames were.

A key owns `MINUTES` consecutive buckets of one record array; minute m lives in bucket m % MINUTES and a bucket says
which minute it holds, so nothing has to be cleared as time passes. A window of n minutes is the sum over the buckets of
the present minute and the n - 1 before it: between n - 1 and n minutes of market, at the price of one record a minute
instead of one a print.
"""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from services.core.calendar import NS

__all__ = ["MINUTES", "MINUTE_NS", "bucket_of", "grouped_sums", "recent", "window_sums"]

MINUTE_NS = 60 * NS
# The longest window is one hour; older minutes are in the day's totals.
MINUTES = 60

Records = npt.NDArray[Any]


def bucket_of(key: int, minute: int) -> int:
    """Where minute `minute` of key `key` lives.

    >>> bucket_of(2, 61)
    121
    """
    return key * MINUTES + minute % MINUTES


def recent(buckets: Records, key: int, minute: int, minutes: int) -> Records:
    """The key's buckets of the last `minutes` minutes up to and including `minute`, oldest first."""
    assert 0 < minutes <= MINUTES, f"a window of {minutes} minutes does not fit a ring of {MINUTES}"
    at = [bucket_of(key, m) for m in range(minute - minutes + 1, minute + 1)]
    chosen = buckets[at]
    return chosen[chosen["minute"] > minute - minutes]


def window_sums(buckets: Records, key: int, minute: int, minutes: int) -> dict[str, float]:
    """The sum of every field but `minute` over a window, added up oldest first."""
    chosen = recent(buckets, key, minute, minutes)
    return {name: sum(chosen[name].tolist()) for name in buckets.dtype.names or () if name != "minute"}


def grouped_sums(buckets: Records, key: int, minute: int, minutes: int, field: str, group: int) -> list[float]:
    """Sums of one field over consecutive groups of `group` minutes of a window, oldest first, empty groups included."""
    sums = [0.0] * (minutes // group)
    for held, value in zip(
        *(recent(buckets, key, minute, minutes)[name].tolist() for name in ("minute", field)), strict=True
    ):
        sums[(held - (minute - minutes + 1)) // group] += value
    return sums
