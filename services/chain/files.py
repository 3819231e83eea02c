"""Opening a chain file, packed or not, and reading its cells with errors that point at the cell."""

from __future__ import annotations

import codecs
import csv
import datetime as dt
import functools
import gzip
import io
import json
import lzma
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from services.chain.table import ChainFileError

__all__ = [
    "Row",
    "cells_of",
    "comma_separated",
    "csv_rows",
    "decoded",
    "json_documents",
    "number_of",
    "parse_date",
    "read_text",
]

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
    return decoded(path, packed)


def decoded(path: Path, data: bytes) -> str:
    """Text of a file as spreadsheets save it: UTF-8, UTF-16 with or without its mark, else Windows' Western page."""
    head = data[:512]
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    elif 4 * head[1::2].count(0) > len(head):
        encoding = "utf-16-le"
    elif 4 * head[0::2].count(0) > len(head):
        encoding = "utf-16-be"
    else:
        encoding = "utf-8-sig"
    if encoding.startswith("utf-16"):
        data = data[: len(data) & ~1]  # tools that append a line end to it append one byte
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        # Western text has no control characters; a packed or binary file is full of them.
        if any(byte < 9 or 13 < byte < 32 for byte in data[:4096]):
            raise ChainFileError(path, "is not text", line=line) from None
        return data.decode("cp1252", errors="replace")


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
        text = self.text(column)
        if text.lower() in ABSENT:
            return math.nan
        value = number_of(text)
        if value is None:
            raise self.error(column, f"{text!r} is not a number")
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


# What people's tables write where there is nothing.
ABSENT = frozenset({"", "-", "--", "n/a", "na", "nan", "null", "none"})
_GROUPED = re.compile(r"^[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?$")
_COMMA_DECIMAL = re.compile(r"^[+-]?(\d+|\d{1,3}(?:[. \u00a0\u202f]\d{3})+),\d+$")


def number_of(text: str) -> float | None:
    """A number with thousands marks or a decimal comma; None if it is none.

    A comma followed by three digits at a time marks thousands; any other comma is a decimal one.

    >>> [number_of(text) for text in ("6,448.26", "6448,26", "0,45", "1.234,5", "12,500", "1,2,3")]
    [6448.26, 6448.26, 0.45, 1234.5, 12500.0, None]
    """
    text = text.strip()
    if _GROUPED.match(text):
        text = text.replace(",", "")
    elif _COMMA_DECIMAL.match(text):
        text = re.sub(r"[. \u00a0\u202f]", "", text).replace(",", ".")
    try:
        return float(text)
    except ValueError:
        return None


# A number with a decimal comma within a cell, such as `Last: 4.400,00`.
_IN_CELL = re.compile(r"(?<![\d.,])(\d{1,3}(?:[.\u00a0\u202f]\d{3})+|\d+),(\d+)(?![\d,.])")


def comma_separated(text: str) -> str:
    """Tables of a European spreadsheet (semicolons or tabs, or quoted decimal commas) as what exchanges write.

    Lines stay lines. A file is taken for one with decimal commas if some cell can be read no other way.
    """
    lines = text.splitlines()
    head = next((line for line in lines if line.strip()), "")
    separator = max(";\t,", key=head.count)
    if separator == "," and '"' not in text:
        return text
    try:
        rows = list(csv.reader(lines, delimiter=separator))
    except csv.Error:
        return text  # the reader names the line
    decimal_comma = any(_COMMA_DECIMAL.match(cell) and not _GROUPED.match(cell) for row in rows for cell in row)
    if separator == "," and not decimal_comma:
        return text
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for row in rows:
        writer.writerow([_IN_CELL.sub(_with_point, cell) for cell in row] if decimal_comma else row)
    return out.getvalue()


def _with_point(match: re.Match[str]) -> str:
    return re.sub(r"\D", "", match[1]) + "." + match[2]


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


def json_documents(path: Path, text: str) -> list[Any]:
    """The documents of a JSON file: one, or one after the other, as pages appended to a file are."""
    decoder = json.JSONDecoder(parse_constant=_refused)
    found: list[Any] = []
    at = 0
    try:
        while at < len(text):
            if text[at].isspace():
                at += 1
                continue
            document, at = decoder.raw_decode(text, at)
            found.append(document)
    except json.JSONDecodeError as error:
        raise ChainFileError(path, f"is not JSON ({error.msg})", line=error.lineno) from None
    except _NotANumberError as error:
        line = next((at for at, line in enumerate(text.splitlines(), 1) if str(error) in line), None)
        raise ChainFileError(path, f"is not JSON ({error} is no number there)", line=line) from None
    except (RecursionError, ValueError) as error:
        raise ChainFileError(path, f"is not JSON to be read ({error})") from None
    return found


class _NotANumberError(Exception):
    """NaN or Infinity, which Python would read and JSON does not have."""


def _refused(constant: str) -> Any:
    raise _NotANumberError(constant)
