"""Opens the warehouse: the embedded engine (chdb) under a data directory.

One process owns an embedded warehouse. chdb answers a second one with an empty error, so a lock file beside it says who
the owner is. chdb also keeps to one path per process and must not be forked after opening.
"""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from services.errors import InputError, StoreBusyError, StoreError
from services.history.migrations import migrate

__all__ = ["WAREHOUSE_DIR", "open_embedded"]

WAREHOUSE_DIR = "warehouse"
LOCK_FILE = "lock"


@contextmanager
def open_embedded(data_dir: Path, *, create: bool, database: str = "strikewire") -> Iterator[Any]:
    """A clickhouse-connect client on the embedded engine, its schema brought up to date.

    With `create=False` a directory without a warehouse is an InputError and nothing is made. Raises StoreBusyError when
    another process owns it.
    """
    path = data_dir / WAREHOUSE_DIR
    if not create and not path.is_dir():
        problem = "there is no such directory" if not data_dir.is_dir() else "nothing was recorded there yet"
        raise InputError(data_dir, f"{problem}; `strikewire demo` or `strikewire up` records history")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(data_dir, f"cannot be used as data directory: {error.strerror}") from None
    with _owned(data_dir):
        client = _connect(path)
        try:
            client.command(f"CREATE DATABASE IF NOT EXISTS {database}")
            client.command(f"USE {database}")
            migrate(client)
            yield client
        finally:
            client.close()


def _connect(path: Path) -> Any:
    try:
        import clickhouse_connect

        return clickhouse_connect.get_client(interface="chdb", path=str(path))
    except ImportError as error:
        raise StoreError(
            f"the embedded engine is missing ({error.name}): chdb has wheels for Linux (glibc) and macOS only"
        ) from None
    except Exception as error:  # chdb raises bare exceptions, some without a message
        raise StoreError(f"{path}: the embedded engine does not open: {str(error) or type(error).__name__}") from error


@contextmanager
def _owned(data_dir: Path) -> Iterator[None]:
    with open(data_dir / LOCK_FILE, "a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise StoreBusyError(data_dir, lock.read().strip()) from None
        lock.seek(0)
        lock.truncate()
        lock.write(f"process {os.getpid()} (strikewire {' '.join(sys.argv[1:2])})\n")
        lock.flush()
        yield  # closing the file releases the lock; kill -9 does so too
