"""Handles on this process's embedded engine: a few at a time, a new one for each statement.

chdb allows any number of handles on one engine, each with its own database, settings and temporary tables, and one
statement at a time on each. Several make a long read and the sink's inserts run beside each other. None is used twice:
some settings (`readonly`) cannot be put back, and opening one costs a third of a millisecond.
"""

from __future__ import annotations

import os
import re
import tempfile
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from services.history.statements import Statement, quoted

__all__ = ["Answer", "EngineError", "Handles"]

# Rows on their way into the engine stand in a file, because that is how the engine takes them; in memory where there is
# a file system for it.
_MEMORY = "/dev/shm"


class EngineError(Exception):
    """The engine refused a statement; `code` is ClickHouse's number of the reason."""

    def __init__(self, message: str) -> None:
        start = message.find("Code: ")
        text = message[start:].strip() if start > 0 else message.strip()
        match = re.match(r"Code: (\d+)", text)
        self.code = int(match[1]) if match else 1000  # 1000: Poco's, ClickHouse's word for anything else
        super().__init__(text or "Code: 1000. DB::Exception: the embedded engine gave no reason")


class Answer(NamedTuple):
    """What a statement gave, in one piece."""

    body: bytes
    read_rows: int
    written_rows: int


class Handles:
    """At most `count` handles at once on the engine at `path`, which this process must own."""

    def __init__(self, path: Path, count: int) -> None:
        import chdb

        where = os.path.realpath(path)  # the engine compares paths as text
        connect: Any = chdb.connect
        self._connect = partial(connect, where)
        self._engine = self._connect()  # the engine lives as long as a handle does
        self._free = threading.BoundedSemaphore(count)

    def run(self, statement: Statement, *, reading: bool = False) -> Answer:
        """Run a statement, which can change nothing when `reading`; waits for a handle. Raises EngineError."""
        with self._opened(statement, reading) as handle:
            if statement.data is None:
                result = handle.query(statement.sql, statement.format, statement.parameters)
                return Answer(result.bytes() or b"", result.rows_read(), 0)
            with _rows_file(statement.data) as path:
                settings = ", ".join(f"{key} = {quoted(value)}" for key, value in statement.settings.items())
                clause = f" SETTINGS {settings}" if settings else ""
                sql = f"{statement.sql}\nFROM INFILE {quoted(path)}{clause} FORMAT {statement.format}"
                result = handle.query(sql, "TabSeparated", statement.parameters)
                return Answer(b"", 0, result.rows_read())

    def stream(self, statement: Statement, *, reading: bool = False) -> Generator[bytes, None, None]:
        """Run a reading statement and give its result block by block; holds a handle until the end or `close()`.

        Raises EngineError at the first or any later block.
        """
        with self._opened(statement, reading) as handle:
            result = handle.open_stream(f"{statement.sql}\nFORMAT {statement.format}", statement)
            try:
                while (block := handle.next_block(result)) is not None:
                    if block:
                        yield block
            finally:
                result.close()

    def close(self) -> None:
        """Let the engine go; nothing may run."""
        self._engine.close()

    @contextmanager
    def _opened(self, statement: Statement, reading: bool) -> Iterator[_Handle]:
        with self._free:
            try:
                connection = self._connect()
            except Exception as error:  # chdb raises bare errors
                raise EngineError(str(error)) from None
            try:
                handle = _Handle(connection)
                handle.prepare(statement, reading)
                yield handle
            finally:
                connection.close()


class _Handle:
    """One chdb connection."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def query(self, sql: str, format_name: str, parameters: dict[str, str] | None = None) -> Any:
        try:
            return self._connection.query(sql, format_name, params=parameters or {})
        except Exception as error:  # chdb raises bare errors
            raise EngineError(str(error)) from None

    def open_stream(self, sql: str, statement: Statement) -> Any:
        try:
            return self._connection.send_query(sql, statement.format, params=statement.parameters)
        except Exception as error:
            raise EngineError(str(error)) from None

    def next_block(self, result: Any) -> bytes | None:
        try:
            return next(result).bytes() or b""
        except StopIteration:
            return None
        except Exception as error:
            raise EngineError(str(error)) from None

    def prepare(self, statement: Statement, reading: bool) -> None:
        """Put the statement's database and settings in force."""
        if statement.database:
            name = statement.database.replace("\\", "\\\\").replace("`", "\\`")
            self.query(f"USE `{name}`", "TabSeparated")
        # An INSERT with rows carries its settings in its own text.
        settings = dict(statement.settings) if statement.data is None else {}
        if reading and settings.get("readonly") != "1":
            settings["readonly"] = "2"  # nothing may be written; settings may
        if settings:
            # In one, because the ones behind `readonly = 1` would be refused.
            values = ", ".join(f"{key} = {quoted(value)}" for key, value in settings.items())
            self.query(f"SET {values}", "TabSeparated")


@contextmanager
def _rows_file(data: bytes) -> Iterator[str]:
    folder = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    descriptor, path = tempfile.mkstemp(prefix="strikewire-insert-", dir=folder)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
        yield path
    finally:
        with suppress(FileNotFoundError):
            os.unlink(path)
