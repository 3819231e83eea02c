"""Cboe's option chains as CSV: the dashboard's download, its wide end-of-day file, and the one-row-a-contract file."""

from __future__ import annotations

import datetime as dt
import math
import re
from pathlib import Path

from schemas.instruments import AM_ROOTS, instrument_of, osi_symbol
from services.chain.files import Row, cells_of, csv_rows, number_of
from services.chain.moments import written_moment
from services.chain.table import ChainContract, ChainFileError, ChainTable, Expiry, table_of
from services.core.calendar import ny_date

__all__ = ["read_daily", "read_dashboard", "read_wide"]

# S&P 500 INDEX,Last: 6448.26,Change:  32.7202
# "Date: September 3, 2025 at 4:15 PM EDT",Bid: 6446.3,Ask: 6448.9,Size: 1*1,"Volume: 0"
# Expiration Date,Calls,Last Sale,Net,Bid,Ask,Volume,IV,Delta,Gamma,Open Interest,Strike,Puts,Last Sale,...
_DASHBOARD_HEADER = "Expiration Date,Calls,"
# After the strike the header repeats the call's names; these are the cells of each side, counted from its symbol.
_SIDE = ("symbol", "last", "net", "bid", "ask", "volume", "iv", "delta", "gamma", "open_interest")
_DASHBOARD_CELLS = 22
_DASHBOARD_PLACES = {0: "Expiration Date", 1: "Calls", 11: "Strike", 12: "Puts"} | {
    first + place: name
    for first in (1, 12)
    for place, name in ((3, "Bid"), (4, "Ask"), (5, "Volume"), (6, "IV"), (7, "Delta"), (9, "Open Interest"))
}
_LAST = re.compile(r"Last:\s*([-0-9.,]+?)\s*(?:,\s*(?:Change|Net)|$)", re.MULTILINE)
_DATE = re.compile(r"Date:\s*(.*?)\s*(?:,\s*Bid:|$)", re.MULTILINE)


def read_dashboard(path: Path, text: str, at_ns: int | None = None) -> ChainTable:
    """`spx_quotedata.csv` as the delayed-quotes page gives it: a header block with spot and time, then both sides.

    Where `at_ns` is given the block's date need not be readable; a block without a readable spot leaves it unknown.
    """
    lines = text.splitlines()
    header = next((i for i, line in enumerate(lines) if line.replace('"', "").startswith(_DASHBOARD_HEADER)), None)
    if header is None:
        raise ChainFileError(path, f"lacks the line that begins {_DASHBOARD_HEADER!r}")
    block = "\n".join(lines[:header]).replace('"', "")
    notes: list[str] = []
    date, as_of_ns = _block_time(path, block, _line_of(lines, "Date:"), at_ns, notes)
    spot = _LAST.search(block)
    last = number_of(spot[1]) if spot is not None else None
    if last is None:
        last = math.nan
        notes.append("the block above the table gives no readable 'Last:' (--spot gives it)")
    underlying = ""
    contracts: list[ChainContract] = []
    rows = cells_of(path, lines, header + 1)
    _check_dashboard_header(path, *next(rows))
    for line, cells in rows:
        if len(cells) < _DASHBOARD_CELLS:
            raise ChainFileError(path, f"the row ends after {len(cells)} of {_DASHBOARD_CELLS} cells", line, "Puts")
        for right, first in ((1, 1), (-1, 12)):
            side = dict(zip(_SIDE, cells[first : first + 10], strict=True))
            row = Row(path, line, {**side, "Strike": cells[11], "Expiration Date": cells[0]})
            root, am_settled = _root(row, "symbol")
            underlying = underlying or root
            contracts.append(
                ChainContract(
                    expiry=Expiry(row.date("Expiration Date"), am_settled),
                    root=root,
                    right=right,
                    strike=row.strike("Strike"),
                    bid=row.price("bid"),
                    ask=row.price("ask"),
                    open_interest=row.number("open_interest"),
                    volume=row.size("volume"),
                    stated_iv=row.number("iv"),
                    stated_delta=row.number("delta"),
                )
            )
    return table_of(
        path, "cboe-dashboard", instrument_of(underlying).underlying, last, date, contracts, as_of_ns=as_of_ns
    )


def _block_time(path: Path, block: str, line: int, at_ns: int | None, notes: list[str]) -> tuple[dt.date, int]:
    """(date, nanoseconds or 0 without a clock) of the block, or of `at_ns` where it cannot be read."""
    stamp = _DATE.search(block)
    written = written_moment(stamp[1]) if stamp is not None else None
    if written is not None:
        if written[2]:
            notes.append(f"the zone {written[2]!r} of {stamp[1]!r} is not known: New York's is taken" if stamp else "")
        return written[0], written[1]
    if at_ns is not None:
        return ny_date(at_ns), at_ns
    found = f"its date {stamp[1]!r} cannot be read" if stamp is not None else f"no 'Date:' in {block[:120]!r}"
    raise ChainFileError(path, f"{found}; --at TIME says when the quotes are from", line=line, column="Date")


def _check_dashboard_header(path: Path, line: int, names: list[str]) -> None:
    """Both sides share their names, so cells are taken by place: every place in use must be what it should."""
    for place, name in _DASHBOARD_PLACES.items():
        found = names[place].strip() if place < len(names) else "nothing"
        if found != name:
            raise ChainFileError(path, f"has {found!r} in place {place + 1} of the header", line=line, column=name)


def _line_of(lines: list[str], mark: str) -> int:
    return next((i for i, line in enumerate(lines, 1) if mark in line), 1)


def _root(row: Row, column: str) -> tuple[str, bool]:
    symbol = osi_symbol(row.text(column))
    if symbol is None:
        raise row.error(column, f"{row.text(column)!r} is not an option symbol")
    return symbol.root, symbol.root in AM_ROOTS


# Date,ExpDate,Strike,CallBid,CallAsk,CallPrice,CallVolume,CallOI,PutBid,PutAsk,PutPrice,PutVolume,PutOI
# 2025-09-03,2025-09-04,2600,3838.6,3855.6,3829.35,3,0,0,0.05,0.1,0,21
WIDE_COLUMNS = frozenset(
    {
        "Date",
        "ExpDate",
        "Strike",
        "CallBid",
        "CallAsk",
        "CallVolume",
        "CallOI",
        "PutBid",
        "PutAsk",
        "PutVolume",
        "PutOI",
    }
)


def read_wide(path: Path, text: str) -> ChainTable:
    """End-of-day file with calls and puts side by side and no spot; its root is taken from the file's name."""
    contracts: list[ChainContract] = []
    date: dt.date | None = None
    # The file says nothing of settlement. Weeklies (SPXW) settle at the close; the name tells which root it is.
    root = re.sub(r"[^A-Z].*$", "", path.name.upper()) or "SPXW"
    am_settled = root in AM_ROOTS
    for row in csv_rows(path, text, WIDE_COLUMNS):
        date = _same_date(date, row, "Date")
        expiry = Expiry(row.date("ExpDate"), am_settled)
        strike = row.strike("Strike")
        for right, side in ((1, "Call"), (-1, "Put")):
            contracts.append(
                ChainContract(
                    expiry=expiry,
                    right=right,
                    strike=strike,
                    bid=row.price(f"{side}Bid"),
                    ask=row.price(f"{side}Ask"),
                    open_interest=row.number(f"{side}OI"),
                    volume=row.size(f"{side}Volume"),
                )
            )
    if date is None:
        raise ChainFileError(path, "holds no option contracts")
    return table_of(path, "cboe-wide", instrument_of(root).underlying, math.nan, date, contracts)


# underlying,underlying_last,exchange,optionroot,type,expiration,quotedate,strike,last,net,bid,ask,volume,...
# SPX,2919.04,CBOE,SPXW190426C00800000,call,04/26/2019,04/25/2019,800.0,0.0,0.0,2109.9,2128.2,0,2,7.9432,0.9985,0.0
DAILY_COLUMNS = frozenset(
    {
        "underlying",
        "underlying_last",
        "optionroot",
        "type",
        "expiration",
        "quotedate",
        "strike",
        "bid",
        "ask",
        "volume",
        "openinterest",
    }
)


def read_daily(path: Path, text: str) -> ChainTable:
    """One row a contract with the underlying's last price in each."""
    contracts: list[ChainContract] = []
    date: dt.date | None = None
    underlying, spot = "", math.nan
    for row in csv_rows(path, text, DAILY_COLUMNS):
        date = _same_date(date, row, "quotedate")
        underlying, spot = row.text("underlying"), row.number("underlying_last")
        kind = row.text("type").lower()
        if kind not in ("call", "put"):
            raise row.error("type", f"{kind!r} is neither call nor put")
        stated_iv = row.number("impliedvol") if "impliedvol" in row.cells else math.nan
        root, am_settled = _root(row, "optionroot")
        contracts.append(
            ChainContract(
                expiry=Expiry(row.date("expiration"), am_settled),
                root=root,
                right=1 if kind == "call" else -1,
                strike=row.strike("strike"),
                bid=row.price("bid"),
                ask=row.price("ask"),
                open_interest=row.number("openinterest"),
                volume=row.size("volume"),
                stated_iv=stated_iv,
                stated_delta=row.number("delta") if "delta" in row.cells else math.nan,
            )
        )
    if date is None:
        raise ChainFileError(path, "holds no option contracts")
    return table_of(path, "cboe-daily", underlying, spot, date, contracts)


def _same_date(seen: dt.date | None, row: Row, column: str) -> dt.date:
    date = row.date(column)
    if seen is not None and date != seen:
        raise row.error(column, f"{date} after {seen}: one file is one day's chain")
    return date
