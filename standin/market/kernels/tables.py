"""What the loops look up: a record a contract, a record an underlying, and columns by slot, with their numba types.

A contract's record is half a cache line, for a print looks one up at random among hundreds of thousands.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Generic, NamedTuple, TypeVar

import numba
import numpy as np
import numpy.typing as npt
from numba import types

from services.quant.jit import F64_IN, F64_OUT, I8_IN, I64_IN

__all__ = [
    "AHEAD",
    "BOOL_IN",
    "CONTRACT",
    "F64_IN",
    "F64_OUT",
    "I8_IN",
    "I32_IN",
    "I64_IN",
    "MEMBER",
    "NOW",
    "SHEET",
    "SLOT",
    "TABLE",
    "VENUE_BITS",
    "VENUE_DRAWS",
    "Layout",
    "OrderKind",
    "Table",
    "new_table",
    "records_of",
]  # fmt: skip

BOOL_IN = types.Array(types.boolean, 1, "C", readonly=True)
I32_IN = types.Array(types.int32, 1, "C", readonly=True)
# A venue is drawn by so many bits of chance, from a table that stays in the first cache.
VENUE_BITS = 12
VENUE_DRAWS = 1 << VENUE_BITS
# A sheet's columns of so many rows stay in the processor's first cache.
SHEET, SHEET_COLUMNS = 128, 20

# Records so far ahead are asked of memory: one contract's is far from the next one's.
AHEAD = 8

Records = npt.NDArray[Any]
# Any NamedTuple of equally long columns.
Columns = TypeVar("Columns", bound=tuple[Any, ...])

# mirror: the row of the other right at the same strike, or the row itself.
CONTRACT = np.dtype(
    [
        ("strike_usd", "f8"), ("open_interest", "i8"), ("slot", "i4"), ("mirror", "i4"), ("underlying", "i2"),
        ("right", "i1"),
    ],
    align=True,
)  # fmt: skip
# level_usd at the beginning of the span and move_usd through it; home: the only venue, 0 for all of them.
MEMBER = np.dtype(
    [
        ("level_usd", "f8"), ("move_usd", "f8"), ("rho", "f8"), ("width", "f8"), ("depth", "f8"), ("tick_low", "f8"),
        ("tick_high", "f8"), ("per_tick_low", "f8"), ("per_tick_high", "f8"), ("home", "i4"),
        ("american", "i1"), ("halted", "i1"),
    ],
    align=True,
)  # fmt: skip
# growth: forward over level; theta: total variance at the money; phi of SSVI; away: how much wider this far from now is
# quoted.
SLOT = np.dtype([("growth", "f8"), ("discount", "f8"), ("theta", "f8"), ("phi", "f8"), ("away", "f8")], align=True)
# key and moment hash a quote; opening: how much wider everybody quotes now.
NOW = np.dtype([("key", "u8"), ("moment", "i8"), ("opening", "f8")], align=True)


class OrderKind(IntEnum):
    """What an order is. The numbers are part of the ground truth's file."""

    PLAIN = 0
    SWEEP = 1
    AUCTION = 2
    CROSS = 3
    FLOOR = 4
    SPREAD = 5
    STOCK_TIED = 6
    BLOCK = 7
    LATE = 8


class Table(NamedTuple):
    """One day's contracts at the beginning of a span. venues: ids in order; places: which of them each of PLACES
    equally likely chances draws. sheet: where values are worked out (`pricing.py`)."""

    contracts: Records
    members: Records
    now: Records
    slots: Records
    venues: npt.NDArray[np.int32]
    venue_draws: npt.NDArray[np.int8]
    sheet: npt.NDArray[np.float64]


def new_table(contracts: int, members: int, slots: int) -> Table:
    """Room for so many of each, all zero."""
    return Table(
        np.zeros(contracts, CONTRACT),
        np.zeros(members, MEMBER),
        np.zeros(1, NOW),
        np.zeros(slots, SLOT),
        np.zeros(1, np.int32),
        np.zeros(VENUE_DRAWS, np.int8),
        np.zeros(SHEET * SHEET_COLUMNS),
    )


def records_of(dtype: np.dtype[np.void]) -> Any:
    """What numba knows an array of such records by."""
    return types.Array(numba.from_dtype(dtype), 1, "C")


class Layout(Generic[Columns]):
    """How the columns of a NamedTuple are laid out: numpy's names of their types, in order.

    `type` is what numba knows them by, and `room` makes such columns.
    """

    def __init__(self, kind: type[Columns], types_: str) -> None:
        self._make: Any = kind
        self._dtypes = [np.dtype(name) for name in types_.split()]
        arrays = tuple(types.Array(numba.from_dtype(dtype), 1, "C") for dtype in self._dtypes)
        self.type: Any = types.NamedTuple(arrays, kind)  # type: ignore[no-untyped-call]

    def room(self, count: int) -> Columns:
        """Columns for so many rows, with anything in them."""
        columns: Columns = self._make(*[np.empty(count, dtype) for dtype in self._dtypes])
        return columns


TABLE: Any = numba.typeof(new_table(1, 1, 1))  # type: ignore[no-untyped-call]
