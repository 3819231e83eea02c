"""Deribit's option snapshot as CSV: inverse options, quoted in the coin, each row with its own forward.

timestamp,instrument_name,underlying,...,option_type,strike,expiry_datetime,...,bid_price,ask_price,mark_price,...
2025-12-30T17:31:15.944181+00:00,BTC-16JAN26-82000-C,88728.94,...,call,82000.0,2026-01-16T08:00:00+00:00,...
"""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path

from services.chain.files import Row, csv_rows
from services.chain.table import ChainContract, ChainFileError, ChainTable, Expiry, table_of
from services.core.calendar import NS

__all__ = ["read_deribit"]

COLUMNS = frozenset(
    {
        "timestamp",
        "instrument_name",
        "option_type",
        "strike",
        "expiry_datetime",
        "bid_price",
        "ask_price",
        "futures_price",
        "index_price",
        "implied_volatility",
        "delta",
        "open_interest",
        "volume",
        "currency",
    }
)


def read_deribit(path: Path, text: str, underlying: str | None = None) -> ChainTable:
    """One currency of the snapshot: `underlying`, or the one with most contracts."""
    rows = list(csv_rows(path, text, COLUMNS))
    if not rows:
        raise ChainFileError(path, "holds no option contracts")
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.text("currency")] = counts.get(row.text("currency"), 0) + 1
    wanted = underlying or max(sorted(counts), key=lambda name: counts[name])
    if wanted not in counts:
        raise ChainFileError(path, f"holds {', '.join(sorted(counts))}, not {wanted}", column="currency")
    chosen = [row for row in rows if row.text("currency") == wanted]
    as_of_ns = max(_instant(row, "timestamp") for row in chosen)
    contracts = [_contract(row) for row in chosen]
    others = sorted(set(counts) - {wanted})
    return table_of(
        path,
        "deribit",
        wanted,
        chosen[0].number("index_price"),
        dt.datetime.fromtimestamp(as_of_ns // NS, dt.UTC).date(),
        contracts,
        as_of_ns=as_of_ns,
        european=True,
        multiplier=1.0,
        coin_priced=True,
        notes=(f"also in the file: {', '.join(others)} (choose with --underlying)",) if others else (),
    )


def _contract(row: Row) -> ChainContract:
    kind = row.text("option_type")
    if kind not in ("call", "put"):
        raise row.error("option_type", f"{kind!r} is neither call nor put")
    settle_ns = _instant(row, "expiry_datetime")
    return ChainContract(
        expiry=Expiry(dt.datetime.fromtimestamp(settle_ns // NS, dt.UTC).date(), True, settle_ns),
        right=1 if kind == "call" else -1,
        strike=row.strike("strike"),
        bid=row.price("bid_price"),
        ask=row.price("ask_price"),
        open_interest=row.number("open_interest"),
        volume=row.size("volume"),
        stated_iv=row.number("implied_volatility"),
        stated_delta=row.number("delta"),
        forward=row.number("futures_price"),
        mark=row.number("mark_price") if "mark_price" in row.cells else math.nan,
    )


def _instant(row: Row, column: str) -> int:
    try:
        moment = dt.datetime.fromisoformat(row.text(column))
    except ValueError:
        raise row.error(column, f"{row.text(column)!r} is not a time") from None
    if moment.tzinfo is None:
        raise row.error(column, "has no time zone")
    return int(moment.timestamp() * 1_000_000) * (NS // 1_000_000)
