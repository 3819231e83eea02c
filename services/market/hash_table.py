# mypy: disable-error-code="no-untyped-def"
# (compiled functions state their types in the decorator, where numba checks them)
"""Hash tables of symbols and contracts for compiled kernels: open addressing, linear probing, no deletion.

A table is an int32 array whose length is a power of two and at least twice the records it points at, so a probe meets
an empty place after two steps on average; -1 marks a place nobody took. Symbols are the uint64 codes of
`schemas.symbols`; a contract is its root, expiry, strike and right.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from numba import types

from services.quant.jit import kernel

__all__ = [
    "EMPTY", "I16_IN", "I32_IN", "I32_OUT", "U64_IN", "array_of", "contract_hash", "new_table", "refill", "symbol_hash",
]  # fmt: skip

EMPTY = -1

I16_IN = types.Array(types.int16, 1, "C", readonly=True)
I32_IN = types.Array(types.int32, 1, "C", readonly=True)
I32_OUT = types.Array(types.int32, 1, "C")
U64_IN = types.Array(types.uint64, 1, "C", readonly=True)

# Odd constants with well-mixed bits, from the finaliser of SplitMix64 (Steele, Lea, Flood 2014).
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_S27 = np.uint64(27)
_S31 = np.uint64(31)
_S34 = np.uint64(34)
_S1 = np.uint64(1)


# Helpers are inlined by force: a call would hand over every array of a state, a hundred words, to read one field.
# Nothing but kernels calls them, so they get no wrappers for Python or C, a sixth of their compile time.
inlined: Any = numba.njit(  # type: ignore[call-overload]  # numba's stub does not know the last two
    error_model="numpy", nogil=True, forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True
)


def array_of(dtype: np.dtype[np.void]) -> Any:
    """The numba type of a one-dimensional array of records."""
    return types.Array(numba.from_dtype(dtype), 1, "C")


@inlined
def symbol_hash(code):
    """Well-mixed bits of a symbol's code."""
    h = (code ^ (code >> _S31)) * _MIX_1
    h = (h ^ (h >> _S27)) * _MIX_2
    return h ^ (h >> _S31)


@inlined
def contract_hash(root, expiry_day, strike_mills, right):
    """Well-mixed bits of a contract."""
    call = np.uint64(1) if right > 0 else np.uint64(0)
    word = (np.uint64(expiry_day) << _S34) ^ (np.uint64(strike_mills) << _S1) ^ call
    return symbol_hash(symbol_hash(word) ^ root)


def new_table(records: int) -> npt.NDArray[np.int32]:
    """An empty table for up to `records` records."""
    return np.full(2 * (1 << max(records - 1, 1).bit_length()), EMPTY, np.int32)


@kernel(U64_IN, I32_OUT)
def refill(mixed, table):
    """Put records 0, 1, ... into an empty table by their hashes."""
    mask = np.uint64(table.shape[0] - 1)
    for slot in range(mixed.shape[0]):
        at = mixed[slot] & mask
        while table[at] != EMPTY:
            at = (at + np.uint64(1)) & mask
        table[at] = slot
