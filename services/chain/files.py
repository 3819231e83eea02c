"""Opening a chain file, packed or not, and reading its cells with errors that point at the cell."""

from __future__ import annotations

import csv
import datetime as dt
import functools
import gzip
import io
import lzma
import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from services.chain.table import ChainFileError

__all__ = ["Row", "cells_of", "csv_rows", "parse_date", "read_text"]

# The widest real file here (all SPX expiries, five-cent strikes) is 12 MB unpacked; more than this is not a chain.
_BYTES_MAX = 512 * 1024 * 1024


def read_text(path: Path) -> str:
    """The file's text; .gz and .xz are unpacked, a byte-order mark is dropped."""
    try:
        packed = path.read_bytes()
        if path.suffix == ".gz":
            with gzip.GzipFile(fileobj=io.BytesIO(packed)) as unpacked:
                packed = unpacked.read(_BYTES_MAX + 1)
        elif path.suffix == ".xz":
            with lzma.LZMAFile(io.BytesIO(packed)) as unpacked_xz:
                packed = unpacked_xz.read(_BYTES_MAX + 1)
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise ChainFileError(path, _reason(error)) from None
    if len(packed) > _BYTES_MAX:
        raise ChainFileError(path, f"is larger than {_BYTES_MAX // 2**20} MiB: not one chain")
    try:
        return packed.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = packed[: error.start].count(b"\n") + 1
        raise ChainFileError(path, "is not UTF-8 text", line=line) from None


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, IsADirectoryError):
        return "is a folder; a chain file is needed"
    if isinstance(error, PermissionError):
        return "may not be read"
    return f"cannot be unpacked ({error})"


class Row(NamedTuple):
    """One line of a table; cells are fetched by column name and complain with their place."""

    path: Path
    line: int
    cells: dict[str, str]

    def text(self, column: str) -> str:
        """The cell without surrounding blanks."""
        return self.cells[column].strip()

    def number(self, column: str) -> float:
        """The cell as a finite number; thousands separators are accepted, an empty cell is NaN."""
        text = self.text(column).replace(",", "")
        if not text:
            return math.nan
        try:
            value = float(text)
        except ValueError:
            raise self.error(column, f"{self.text(column)!r} is not a number") from None
        if math.isinf(value):
            raise self.error(column, "is infinite")
        return value

    def size(self, column: str) -> float:
        """A size; an empty cell is zero."""
        value = self.number(column)
        return 0.0 if math.isnan(value) else value

    def price(self, column: str) -> float:
        """A quote; an empty cell is no quote, which is zero."""
        return self.size(column)

    def strike(self, column: str) -> float:
        """A strike, which must be positive."""
        value = self.number(column)
        if not value > 0.0:
            raise self.error(column, f"{self.text(column)!r} is not a strike")
        return value

    def date(self, column: str) -> dt.date:
        """A date in one of the forms exchanges write."""
        found = parse_date(self.text(column))
        if found is None:
            raise self.error(column, f"{self.text(column)!r} is not a date")
        return found

    def error(self, column: str, problem: str) -> ChainFileError:
        """The error that names this cell."""
        return ChainFileError(self.path, problem, line=self.line, column=column)


_DATE_FORMATS = ("%Y-%m-%d", "%m/%d/%Y", "%a %b %d %Y", "%B %d, %Y", "%b %d, %Y", "%Y%m%d", "%d%b%y")


@functools.lru_cache(maxsize=4096)
def parse_date(text: str) -> dt.date | None:
    """A date as exchanges write it, None if it is none.

    >>> parse_date("Wed Sep 03 2025"), parse_date("04/26/2019"), parse_date("soon")
    (datetime.date(2025, 9, 3), datetime.date(2019, 4, 26), None)
    """
    for form in _DATE_FORMATS:
        try:
            return dt.datetime.strptime(text, form).date()
        except ValueError:
            continue
    return None


def csv_rows(path: Path, text: str, needed: frozenset[str], first_line: int = 1) -> Iterator[Row]:
    """Rows below a header that starts at `first_line`; names every column that is missing."""
    lines = cells_of(path, text.splitlines(), first_line)
    _, found = next(lines, (first_line, []))
    header = [name.strip() for name in found]
    missing = sorted(needed - set(header))
    if missing:
        raise ChainFileError(path, f"lacks the column {', '.join(missing)}", line=first_line)
    for line, cells in lines:
        if len(cells) < len(header):
            column = header[len(cells)]
            raise ChainFileError(path, f"the row ends after {len(cells)} of {len(header)} cells", line, column)
        yield Row(path, line, dict(zip(header, cells, strict=False)))


def cells_of(path: Path, lines: list[str], first_line: int) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of a comma-separated table from `first_line` on; blank lines are left out."""
    reader = csv.reader(lines[first_line - 1 :])
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            line = first_line - 1 + reader.line_num
            raise ChainFileError(path, f"is not comma-separated text ({error})", line=line) from None
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield first_line - 1 + reader.line_num, cells
