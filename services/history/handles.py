"""A few handles on this process's embedded engine, lent to one statement each.

chdb allows any number of handles on one engine, each with its own database and settings, and one statement at a time on
each. Lending them makes a long read and the sink's inserts run beside each other.
"""

from __future__ import annotations

import os
import queue
import re
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
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
    """`count` handles on the engine at `path`, which this process must own."""

    def __init__(self, path: Path, count: int) -> None:
        import chdb

        where = os.path.realpath(path)  # the engine compares paths as text
        self._free: queue.LifoQueue[_Handle] = queue.LifoQueue()
        connect: Any = chdb.connect
        self._all = [_Handle(connect(where)) for _ in range(count)]
        for handle in self._all:
            self._free.put(handle)

    def run(self, statement: Statement) -> Answer:
        """Run a statement; waits for a handle. Raises EngineError."""
        with self._lent() as handle, handle.prepared(statement):
            if statement.data is None:
                result = handle.query(statement.sql, statement.format, statement.parameters)
                return Answer(result.bytes() or b"", result.rows_read(), 0)
            with _rows_file(statement.data) as path:
                settings = ", ".join(f"{key} = {quoted(value)}" for key, value in statement.settings.items())
                clause = f" SETTINGS {settings}" if settings else ""
                sql = f"{statement.sql} FROM INFILE {quoted(path)}{clause} FORMAT {statement.format}"
                result = handle.query(sql, "TabSeparated", statement.parameters)
                return Answer(b"", 0, result.rows_read())

    def stream(self, statement: Statement) -> Generator[bytes, None, None]:
        """Run a reading statement and give its result block by block; holds a handle until the end or `close()`.

        Raises EngineError at the first or any later block.
        """
        with self._lent() as handle, handle.prepared(statement):
            result = handle.open_stream(f"{statement.sql}\nFORMAT {statement.format}", statement)
            try:
                while (block := handle.next_block(result)) is not None:
                    if block:
                        yield block
            finally:
                result.close()

    def close(self) -> None:
        """Close the handles; none may be lent."""
        for handle in self._all:
            handle.close()

    @contextmanager
    def _lent(self) -> Iterator[_Handle]:
        handle = self._free.get()
        try:
            yield handle
        finally:
            self._free.put(handle)


class _Handle:
    """One chdb connection."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._database = ""

    def close(self) -> None:
        self._connection.close()

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

    @contextmanager
    def prepared(self, statement: Statement) -> Iterator[None]:
        """The statement's database and settings in force; settings are put back afterwards."""
        self._use(statement.database or "default")
        # An INSERT with rows carries its settings in its own text.
        settings = statement.settings if statement.data is None else {}
        changed: list[str] = []
        try:
            for key, value in settings.items():
                self.query(f"SET {key} = {quoted(value)}", "TabSeparated")
                changed.append(key)
            yield
        finally:
            for key in changed:
                self.query(f"SET {key} = DEFAULT", "TabSeparated")
            # `USE other` as a statement of its own must not stay for the next one.
            if statement.sql.lstrip()[:3].upper() == "USE":
                self._database = ""

    def _use(self, database: str) -> None:
        if database != self._database:
            self.query("USE `" + database.replace("\\", "\\\\").replace("`", "\\`") + "`", "TabSeparated")
            self._database = database


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
