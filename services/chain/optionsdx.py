"""OptionsDX end-of-day and intraday files: calls and puts side by side, one block a quote time.

[QUOTE_UNIXTIME], [QUOTE_READTIME], [QUOTE_DATE], [QUOTE_TIME_HOURS], [UNDERLYING_LAST], [EXPIRE_DATE], ...
1693944000, 2023-09-05 16:00, 2023-09-05, 16.000000, 4496.830000, 2023-09-05, 1693944000, 0.000000, ...
"""

from __future__ import annotations

import math
from pathlib import Path

from services.chain.files import Row, csv_rows
from services.chain.table import ChainContract, ChainFileError, ChainTable, Expiry, table_of
from services.core.calendar import NS

__all__ = ["read_optionsdx"]

COLUMNS = frozenset(
    {
        "[QUOTE_UNIXTIME]",
        "[QUOTE_DATE]",
        "[UNDERLYING_LAST]",
        "[EXPIRE_DATE]",
        "[STRIKE]",
        "[C_BID]",
        "[C_ASK]",
        "[P_BID]",
        "[P_ASK]",
    }
)


def read_optionsdx(path: Path, text: str) -> ChainTable:
    """The last quote time of the file; the format carries no open interest, so exposure is over volume-less rows."""
    rows = list(csv_rows(path, text, COLUMNS))
    if not rows:
        raise ChainFileError(path, "holds no option contracts")
    newest = max(_seconds(row) for row in rows)
    chosen = [row for row in rows if _seconds(row) == newest]
    contracts: list[ChainContract] = []
    for row in chosen:
        expiry = Expiry(row.date("[EXPIRE_DATE]"))
        for right, side in ((1, "C"), (-1, "P")):
            contracts.append(
                ChainContract(
                    expiry=expiry,
                    right=right,
                    strike=row.strike("[STRIKE]"),
                    bid=row.price(f"[{side}_BID]"),
                    ask=row.price(f"[{side}_ASK]"),
                    volume=_optional(row, f"[{side}_VOLUME]", 0.0),
                    stated_iv=_optional(row, f"[{side}_IV]", math.nan),
                    stated_delta=_optional(row, f"[{side}_DELTA]", math.nan),
                )
            )
    # spx_eod_202309.txt: the underlying is only in the file's name.
    underlying = path.name.split("_")[0].split(".")[0].upper()
    return table_of(
        path,
        "optionsdx",
        underlying,
        chosen[0].number("[UNDERLYING_LAST]"),
        chosen[0].date("[QUOTE_DATE]"),
        contracts,
        as_of_ns=int(newest) * NS,
        notes=("the format has no open interest: no dealer exposure",),
    )


def _seconds(row: Row) -> float:
    value = row.number("[QUOTE_UNIXTIME]")
    if math.isnan(value):
        raise row.error("[QUOTE_UNIXTIME]", "is empty")
    return value


def _optional(row: Row, column: str, missing: float) -> float:
    if column not in row.cells:
        return missing
    value = row.number(column)
    return missing if math.isnan(value) else value
