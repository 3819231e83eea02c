"""Records in memory, as compiled loops like them: on whole cache lines, and not moved when there come to be more."""

from __future__ import annotations

import contextlib
import mmap
from typing import Any

import numpy as np
import numpy.typing as npt

from services.quant.jit import LINE

__all__ = ["doubled", "line_record", "records", "taken"]

# Moving 16,000 contracts and their last prints, a busy partition's in the first minutes, takes 50 ms of a live feed.
RESERVED_FROM_BYTES = 1 << 20
# Three doublings in place: 130,000 contracts a partition are more than trade in a day.
RESERVE = 8


def line_record(fields: dict[str, str]) -> np.dtype[np.void]:
    """A record of whole cache lines, fields in the order given: a random access then costs no line too many."""
    packed = np.dtype(list(fields.items()), align=True)
    offsets = [packed.fields[name][1] for name in fields] if packed.fields is not None else []
    size = -(-packed.itemsize // LINE) * LINE
    return np.dtype(
        {"names": list(fields), "formats": list(fields.values()), "offsets": offsets, "itemsize": size}, align=True
    )


def records(count: int, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """So many empty records, the first at the beginning of a cache line.

    Behind many records lies address space for more: the system gives memory only to what is touched, and `doubled`
    takes it in without moving what is there.
    """
    size = np.dtype(dtype).itemsize * count
    if size < RESERVED_FROM_BYTES:
        room = np.zeros(size + LINE, np.uint8)
        skip = -room.ctypes.data % LINE
        return room[skip : skip + size].view(dtype)
    pages = mmap.mmap(-1, RESERVE * size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):  # a kernel without them has small pages
            pages.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(pages, np.uint8)[:size].view(dtype)


def taken(held: npt.NDArray[Any], which: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """`held[which]`, records copied whole and not field by field, which takes numpy three times as long."""
    whole: npt.NDArray[Any] = held.view(np.dtype((np.void, held.dtype.itemsize)))
    found: npt.NDArray[Any] = whole[which].view(held.dtype)
    return found


def doubled(held: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The same records with as many empty ones behind them: in their place, or moved where there is no room.

    Whoever doubles must not use `held` any more.
    """
    room = held.base
    if isinstance(room, np.ndarray) and _is_reserved(room) and 2 * held.nbytes <= room.nbytes:
        return room[: 2 * held.nbytes].view(held.dtype)
    grown = records(2 * len(held), held.dtype)
    grown[: len(held)] = held
    return grown


def _is_reserved(room: npt.NDArray[Any]) -> bool:
    beneath: object = room.base
    return isinstance(beneath, memoryview) and isinstance(beneath.obj, mmap.mmap)
