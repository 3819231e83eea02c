"""A store in memory that remembers what came in which order."""

from __future__ import annotations

import time
from typing import Any

import pyarrow as pa


class MemoryDisk:
    """Takes inserts as the warehouse's client does; each lasts so many seconds."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.tables: list[tuple[str, int]] = []

    def insert_arrow(self, table: str, rows: pa.Table, settings: dict[str, Any]) -> None:
        """Note how many rows a table has got."""
        time.sleep(self.seconds)
        self.tables.append((table, rows.num_rows))

    def rows(self, table: str) -> int:
        """How many rows a table has got."""
        return sum(count for name, count in self.tables if name == table)
