"""Which reader a file wants: by its first lines, unless the user says."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from services.chain import cboe, deribit, optionsdx
from services.chain.cboe import read_daily, read_dashboard, read_wide
from services.chain.cboe_api import read_cboe_api
from services.chain.deribit import read_deribit
from services.chain.files import comma_separated, read_text
from services.chain.massive import read_massive
from services.chain.optionsdx import read_optionsdx
from services.chain.table import ChainFileError, ChainTable

__all__ = ["FORMATS", "read_chain"]

FORMATS = ("cboe-dashboard", "cboe-api", "cboe-wide", "cboe-daily", "optionsdx", "massive", "deribit")
_COLUMNS = {
    "cboe-wide": cboe.WIDE_COLUMNS,
    "cboe-daily": cboe.DAILY_COLUMNS,
    "optionsdx": optionsdx.COLUMNS,
    "deribit": deribit.COLUMNS,
}
# {"timestamp": "2025-09-03 19:30:00", "symbol": "_SPX", "data": {"symbol": "SPX", "current_price": ..., "options": [
_CBOE_API = re.compile(r'"current_price"|"data"\s*:\s*\{.*"options"\s*:', re.DOTALL)
# The dashboard's table starts after a block of three or four lines; more are looked at for blank ones.
_HEAD_LINES = 12


def read_chain(
    path: Path,
    format_name: str | None = None,
    underlying: str | None = None,
    *,
    at_ns: int | None = None,
    spot: float | None = None,
) -> ChainTable:
    """The chain in `path`; raises ChainFileError with file, line and column.

    `at_ns` and `spot` are what the user names: they stand before what a header says, which then need not be readable.
    """
    table = _read(path, format_name, underlying, at_ns)
    return table if spot is None else replace(table, spot=spot)


def _read(path: Path, format_name: str | None, underlying: str | None, at_ns: int | None) -> ChainTable:
    text = read_text(path)
    if not text.strip():
        raise ChainFileError(path, "is empty")
    if not text.lstrip().startswith(("{", "[")):
        text = comma_separated(text)
    chosen = format_name or _recognise(path, text)
    if chosen == "massive":
        return read_massive(path, text)
    if chosen == "cboe-api":
        return read_cboe_api(path, text)
    if chosen == "cboe-dashboard":
        return read_dashboard(path, text, at_ns)
    if chosen == "deribit":
        return read_deribit(path, text, underlying)
    readers = {
        "cboe-wide": read_wide,
        "cboe-daily": read_daily,
        "optionsdx": read_optionsdx,
    }
    return readers[chosen](path, text)


def _recognise(path: Path, text: str) -> str:
    head = text.lstrip()[:4096].splitlines()[:_HEAD_LINES]
    if head[0].startswith(("{", "[{")) or head[0] in ("[", "{"):
        return "cboe-api" if _CBOE_API.search(text[:4096]) else "massive"
    names = {cell.strip().strip('"') for cell in head[0].split(",")}
    for format_name, columns in _COLUMNS.items():
        if names >= columns:
            return format_name
    if any(line.replace('"', "").startswith("Expiration Date,Calls,") for line in head):
        return "cboe-dashboard"
    raise _unknown(path, head[0], names)


def _unknown(path: Path, first: str, names: set[str]) -> ChainFileError:
    """What a file without a format says: which format it nearly is, or how it begins."""
    nearest = max(_COLUMNS, key=lambda name: len(_COLUMNS[name] & names) / len(_COLUMNS[name]))
    missing = sorted(_COLUMNS[nearest] - names)
    if 2 * len(missing) < len(_COLUMNS[nearest]):
        return ChainFileError(path, f"looks like {nearest}, but lacks the column {', '.join(missing)}", line=1)
    separator = " (semicolons where commas are expected?)" if first.count(";") > first.count(",") else ""
    begins = f"begins {first[:40]!r} and is none of the known chain formats: {', '.join(FORMATS)}{separator}"
    return ChainFileError(path, begins, line=1)
