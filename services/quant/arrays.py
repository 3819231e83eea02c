"""Array types of this room, and how a caller's columns become the flat rows that kernels take."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Signs = NDArray[np.int8]
Statuses = NDArray[np.uint8]
Bools = NDArray[np.bool_]

_FLOAT64 = np.dtype(np.float64)
_INT8 = np.dtype(np.int8)


class Rows(NamedTuple):
    """Columns of one length, and the shape the caller will see."""

    floats: tuple[Floats, ...]
    right: NDArray[np.int8]
    shape: tuple[int, ...]


def rows_of(*columns: ArrayLike, right: ArrayLike) -> Rows:
    """The columns as flat contiguous arrays of one shape; arrays that already are so are passed on untouched."""
    if isinstance(right, np.ndarray) and _already_rows(columns, right):
        return Rows(columns, right, right.shape)  # type: ignore[arg-type]
    floats = [np.atleast_1d(np.asarray(column, dtype=np.float64)) for column in columns]
    sign = np.atleast_1d(np.asarray(right, dtype=np.int8))
    shape = np.broadcast_shapes(sign.shape, *(column.shape for column in floats))
    return Rows(tuple(_flat(column, shape) for column in floats), _flat(sign, shape), shape)


def _already_rows(columns: tuple[ArrayLike, ...], right: NDArray[Any]) -> bool:
    # A live batch is a hundred rows, where numpy's general broadcasting would cost more than the arithmetic.
    if right.dtype is not _INT8 or right.ndim != 1 or not right.flags.c_contiguous:
        return False
    for column in columns:
        if not isinstance(column, np.ndarray) or column.dtype is not _FLOAT64:
            return False
        if column.shape != right.shape or not column.flags.c_contiguous:
            return False
    return True


def _flat(column: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    if column.shape != shape:
        column = np.broadcast_to(column, shape)
    return np.ascontiguousarray(column).reshape(-1)


def flat_out(out: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """A flat view of `out` to write to; a wrong shape is the caller's mistake and raises."""
    if out.shape != shape or not out.flags.c_contiguous:
        raise ValueError(f"out has shape {out.shape}; a contiguous array of shape {shape} is needed")
    return out if out.ndim == 1 else out.reshape(-1)
