"""Bars of the stocks beside the options: what their path did in a span of seconds, and how much traded. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.standin.noise import uniform
from services.standin.paths import Day
from services.standin.source import Bars
from services.standin.universe import WEIGHTS

__all__ = ["stock_bars"]

NS_PER_MS = 1_000_000
# Salts of hashed numbers; `book.py` and `market.py` have the lower ones.
_NOISE, _SEEN, _VOLUME = 17, 18, 25
# Busy names trade every second, quiet ones every few.
_SEEN_SHARE: NDArray[np.float64] = np.clip(0.2 + WEIGHTS / 10.0, 0.0, 1.0)
_SHARES_A_SECOND = 40.0 + 40.0 * WEIGHTS


def stock_bars(seed: int, day: Day, stocks: NDArray[np.intp], second: int, span_s: int) -> Bars:
    """Bars of the stocks (positions in CAST) that traded in the span from a second on, at its end."""
    position = stocks * 86_400 + second
    seen = uniform(seed, _SEEN, position) < 1.0 - (1.0 - _SEEN_SHARE[stocks]) ** span_s
    halted = day.halted(second)
    if halted is not None:
        seen &= ~halted[stocks]
    at, position = stocks[seen], position[seen]
    path: NDArray[np.float64] = day.open_usd[at] * np.exp(
        day.log_return[second : second + span_s + 1][:, at].astype(np.float64)
    )
    wiggle = 0.0001 * uniform(seed, _NOISE, position)
    opened, closed = np.round(path[0], 2), np.round(path[-1], 2)
    high = np.maximum(np.round(path.max(axis=0) * (1 + wiggle), 2), np.maximum(opened, closed))
    low = np.minimum(np.round(path.min(axis=0) * (1 - wiggle), 2), np.minimum(opened, closed))
    a_second = _SHARES_A_SECOND[at] * (1.0 if span_s == 1 else _SEEN_SHARE[at])
    volume = 100 + np.floor(span_s * a_second * 2 * uniform(seed, _VOLUME, position)).astype(np.int64)
    # The day's volume and average so far follow from time alone, as a bar must not depend on when a run began.
    until = second + span_s
    day_volume = np.floor(_SHARES_A_SECOND[at] * _SEEN_SHARE[at] * until).astype(np.int64) + volume
    start = day.session.open_ns // NS_PER_MS + second * 1000
    return Bars(
        symbol=np.flatnonzero(seen).astype(np.int32),
        open=opened,
        high=high,
        low=low,
        close=closed,
        volume=volume,
        day_open=np.round(day.open_usd[at], 2),
        day_volume=day_volume,
        day_vwap=np.round(0.5 * (day.open_usd[at] + path[-1]), 4),
        start_ms=np.full(len(at), start, np.int64),
        end_ms=np.full(len(at), start + 1000 * span_s, np.int64),
    )
