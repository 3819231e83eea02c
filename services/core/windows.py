"""Rolling windows as rings of one-minute buckets: bounded, and the same whatever the frames were.

A key owns `MINUTES` consecutive buckets of one record array; minute m lives in bucket m % MINUTES and a bucket says
which minute it holds, so nothing has to be cleared as time passes. A window of n minutes is the sum over the buckets of
the present minute and the n - 1 before it: between n - 1 and n minutes of market, at the price of one record a minute
instead of one a print.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from services.core.calendar import NS

__all__ = ["MINUTES", "MINUTE_NS", "bucket_of", "grouped_sums", "window_sums"]

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


def window_sums(buckets: Records, key: int, minute: int, windows: Sequence[int]) -> list[dict[str, float]]:
    """The sum of every field but the first, `minute`, over each window, oldest first. The others are float64."""
    held, values = _recent(buckets, key, minute, max(windows))
    names = (buckets.dtype.names or ())[1:]
    sums = []
    for minutes in windows:
        within = values[int(np.searchsorted(held, minute - minutes, side="right")) :]
        # Rows are added one after the other: along the first axis numpy keeps their order.
        total = np.add.reduce(within, axis=0) if len(within) else np.zeros(values.shape[1])
        sums.append(dict(zip(names, total.tolist(), strict=True)))
    return sums


def grouped_sums(buckets: Records, key: int, minute: int, minutes: int, field: str, group: int) -> list[float]:
    """Sums of one field over consecutive groups of `group` minutes of a window, oldest first, empty groups included."""
    sums = [0.0] * (minutes // group)
    held, values = _recent(buckets, key, minute, minutes)
    column = (buckets.dtype.names or ()).index(field) - 1
    for at, value in zip(held.tolist(), values[:, column].tolist(), strict=True):
        sums[(at - (minute - minutes + 1)) // group] += value
    return sums


def _recent(buckets: Records, key: int, minute: int, minutes: int) -> tuple[npt.NDArray[np.int64], Records]:
    """(minutes held, (n, fields) values) of the key's buckets up to and including `minute`, oldest first."""
    assert 0 < minutes <= MINUTES, f"a window of {minutes} minutes does not fit a ring of {MINUTES}"
    ring = buckets[key * MINUTES : (key + 1) * MINUTES]
    held = ring["minute"]
    at = np.flatnonzero((held > minute - minutes) & (held <= minute))
    at = at[np.argsort(held[at])]
    return held[at], ring.view(np.float64).reshape(MINUTES, -1)[at, 1:]
