"""A lock on a file, held by one process at a time, which says who it is."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

__all__ = ["owned"]


@contextlib.contextmanager
def owned(path: Path, busy: Callable[[str], Exception]) -> Iterator[None]:
    """Hold the lock while the context is open; where another has it, raise `busy` of what the holder wrote there."""
    with open(path, "a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise busy(lock.read().strip()) from None
        lock.seek(0)
        lock.truncate()
        lock.write(f"process {os.getpid()} (strikewire {' '.join(sys.argv[1:2])})\n")
        lock.flush()
        yield  # closing the file releases the lock; kill -9 does so too
