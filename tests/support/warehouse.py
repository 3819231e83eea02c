"""The embedded engine for tests. chdb keeps to one path at a time in a process, so a file of tests shares one engine,
closed at its end for whoever opens another, and each test has a database of its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.history.engine import open_embedded
from services.history.migrations import migrate

_NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def warehouse_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A client on this process's one embedded engine, in a directory of its own."""
    folder: Path = tmp_path_factory.mktemp("engine")
    with open_embedded(folder, create=True) as client:
        yield client


@pytest.fixture
def empty_database(warehouse_engine: Any) -> Iterator[Any]:
    """The engine's client in a new database without tables."""
    name = f"test_{next(_NUMBERS)}"
    warehouse_engine.command(f"CREATE DATABASE {name}")
    warehouse_engine.command(f"USE {name}")
    try:
        yield warehouse_engine
    finally:
        warehouse_engine.command("USE default")
        warehouse_engine.command(f"DROP DATABASE {name}")


@pytest.fixture
def warehouse_client(empty_database: Any) -> Any:
    """The engine's client in a new database with the schema applied."""
    migrate(empty_database)
    return empty_database
