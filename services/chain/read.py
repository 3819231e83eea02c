"""Which reader a file wants: by its first lines, unless the user says."""

from __future__ import annotations

from pathlib import Path

from services.chain import cboe, deribit, optionsdx
from services.chain.cboe import read_daily, read_dashboard, read_wide
from services.chain.deribit import read_deribit
from services.chain.files import read_text
from services.chain.massive import read_massive
from services.chain.optionsdx import read_optionsdx
from services.chain.table import ChainFileError, ChainTable

__all__ = ["FORMATS", "read_chain"]

FORMATS = ("cboe-dashboard", "cboe-wide", "cboe-daily", "optionsdx", "massive", "deribit")
_COLUMNS = {
    "cboe-wide": cboe.WIDE_COLUMNS,
    "cboe-daily": cboe.DAILY_COLUMNS,
    "optionsdx": optionsdx.COLUMNS,
    "deribit": deribit.COLUMNS,
}
# The dashboard's table starts after a block of three or four lines; more are looked at for blank ones.
_HEAD_LINES = 12


def read_chain(path: Path, format_name: str | None = None, underlying: str | None = None) -> ChainTable:
    """The chain in `path`; raises ChainFileError with file, line and column."""
    text = read_text(path)
    if not text.strip():
        raise ChainFileError(path, "is empty")
    chosen = format_name or _recognise(path, text)
    if chosen == "massive":
        return read_massive(path, text)
    if chosen == "deribit":
        return read_deribit(path, text, underlying)
    readers = {
        "cboe-dashboard": read_dashboard,
        "cboe-wide": read_wide,
        "cboe-daily": read_daily,
        "optionsdx": read_optionsdx,
    }
    return readers[chosen](path, text)


def _recognise(path: Path, text: str) -> str:
    head = text.lstrip()[:4096].splitlines()[:_HEAD_LINES]
    if head[0].startswith(("{", "[{")) or head[0] in ("[", "{"):
        return "massive"
    names = {cell.strip() for cell in head[0].split(",")}
    for format_name, columns in _COLUMNS.items():
        if names >= columns:
            return format_name
    if any(line.startswith("Expiration Date,Calls,") for line in head):
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
