"""What customers hold of each contract, where somebody captured it: the input of the `flow` dealer convention.

expiration,type,strike,position,volume
2025-09-19,call,6450,-1200,5400
2025-09-19,put,6400,800,2100

`position` is what customers hold net, bought minus sold, in contracts; `volume` what was captured while learning it.
Where a date has an a.m. and a p.m. series, a column `settlement` (am or pm) says which. No vendor's chain file carries
this: a snapshot knows open interest, and open interest has no sign.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from services.chain.files import Row, csv_rows, read_text
from services.chain.table import ChainTable
from services.quant.arrays import Floats

__all__ = ["FlowPositions", "read_flow"]

COLUMNS = frozenset({"expiration", "type", "strike", "position", "volume"})
_RIGHTS = {"call": 1, "put": -1}
_SETTLEMENTS = {"am": True, "pm": False}


class FlowPositions(NamedTuple):
    """One entry a row of the chain's table, zero where nothing was captured."""

    position: Floats
    volume: Floats


def read_flow(path: Path, table: ChainTable) -> FlowPositions:
    """Positions laid out along the table; raises ChainFileError with the place, also for a contract it has not."""
    rows_of: dict[tuple[object, int, float], list[int]] = {}
    for row in range(len(table)):
        key = (table.expiries[table.expiry[row]].date, int(table.right[row]), float(table.strike[row]))
        rows_of.setdefault(key, []).append(row)
    found = FlowPositions(np.zeros(len(table)), np.zeros(len(table)))
    for line in csv_rows(path, read_text(path), COLUMNS):
        kind = line.text("type").lower()
        if kind not in _RIGHTS:
            raise line.error("type", f"{kind!r} is neither call nor put")
        rows = rows_of.get((line.date("expiration"), _RIGHTS[kind], line.strike("strike")), [])
        row = _the_one(line, [one for one in rows if _settles(line, table, one)])
        found.position[row] += line.size("position")
        found.volume[row] += _positive(line, "volume")
    return found


def _settles(line: Row, table: ChainTable, row: int) -> bool:
    """Whether the row's series settles as the line says, if it says."""
    named = line.cells.get("settlement", "").strip().lower()
    if not named:
        return True
    if named not in _SETTLEMENTS:
        raise line.error("settlement", f"{named!r} is neither am nor pm")
    series = table.expiries[int(table.expiry[row])]
    return series.am_settled == _SETTLEMENTS[named]


def _the_one(line: Row, rows: list[int]) -> int:
    if not rows:
        raise line.error("strike", "is no contract of the chain")
    if len(rows) > 1:
        raise line.error("expiration", "names an a.m. and a p.m. series: a column 'settlement' must say which")
    return rows[0]


def _positive(line: Row, column: str) -> float:
    value = line.size(column)
    if value < 0.0:
        raise line.error(column, "is negative")
    return value
