"""What the price context remembers: one record a symbol, its running bars, and a ring of completed ones."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from services.market.hash_table import new_table, refill
from services.market.records import doubled

__all__ = ["BAR_RING", "FRAMES", "MINUTES_OF", "PriceState", "grow", "new_state"]

# Bars of one, five and fifteen minutes.
MINUTES_OF = (1, 5, 15)
FRAMES = len(MINUTES_OF)
# Completed bars kept of each: a session has 26 of fifteen minutes; an hour and a half of minutes suffices detectors.
BAR_RING = 96

Records = npt.NDArray[Any]

SCALARS = np.dtype(
    [
        ("symbols", "i8"), ("symbols_max", "i8"), ("need", "i8"), ("overflow", "i8"), ("bad", "i8"),
    ],
    align=True,
)  # fmt: skip
SYMBOL = np.dtype(
    [
        ("mixed", "u8"), ("code", "u8"), ("last_usd", "f8"), ("seen_ns", "i8"), ("event_ns", "i8"), ("epoch", "i8"),
        ("position", "i8"),
        ("open_usd", "f8"), ("high_usd", "f8"), ("low_usd", "f8"), ("volume", "i8"), ("dollars", "f8"),
        ("touched", "i1"),
    ],
    align=True,
)  # fmt: skip
BAR = np.dtype(
    [
        ("start_ns", "i8"), ("open_usd", "f8"), ("high_usd", "f8"), ("low_usd", "f8"), ("close_usd", "f8"),
        ("volume", "i8"), ("ticks", "i8"),
    ],
    align=True,
)  # fmt: skip
RANGE = np.dtype(
    [
        ("bars", "i8"), ("close_usd", "f8"), ("atr_usd", "f8"), ("returns", "i8"), ("return_sum", "f8"),
        ("return_sq", "f8"),
    ],
    align=True,
)  # fmt: skip


class PriceState(NamedTuple):
    """All arrays of the context."""

    scalars: Records
    symbols: Records
    table: npt.NDArray[np.int32]
    running: Records
    rings: Records
    ranges: Records


def new_state(symbols: int) -> PriceState:
    """Empty state with room for so many symbols."""
    return PriceState(
        scalars=np.zeros(1, SCALARS),
        symbols=np.zeros(symbols, SYMBOL),
        table=new_table(symbols),
        running=np.zeros(symbols * FRAMES, BAR),
        rings=np.zeros(symbols * FRAMES * BAR_RING, BAR),
        ranges=np.zeros(symbols * FRAMES, RANGE),
    )


def grow(state: PriceState) -> PriceState:
    """The state with room for twice as many symbols."""
    state.scalars["need"] = 0
    symbols = doubled(state.symbols)
    table = new_table(len(symbols))
    refill(np.ascontiguousarray(symbols["mixed"][: int(state.scalars["symbols"][0])]), table)
    return state._replace(
        symbols=symbols,
        table=table,
        running=doubled(state.running),
        rings=doubled(state.rings),
        ranges=doubled(state.ranges),
    )
