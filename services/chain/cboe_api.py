"""Cboe's delayed-quotes document (`cdn.cboe.com/api/global/delayed_quotes/options/_SPX.json`), which free tools read.

{"timestamp": "2025-09-03 19:30:00", "symbol": "_SPX", "data": {"symbol": "SPX", "current_price": 6448.26, "options": [
 {"option": "SPXW250912C00084000", "bid": 16.06, "ask": 16.1, "iv": 0.25, "open_interest": 100.0, "volume": 50.0,
  "delta": 0.5, ...}]}}

The document's clock is UTC.
"""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path
from typing import Any

from schemas.instruments import AM_ROOTS, instrument_of, osi_symbol
from services.chain.files import json_documents, parse_date
from services.chain.table import ChainContract, ChainFileError, ChainTable, Expiry, table_of
from services.core.calendar import NS, ny_date

__all__ = ["read_cboe_api"]


def read_cboe_api(path: Path, text: str) -> ChainTable:
    """One chain; rows whose symbol is no option symbol are counted."""
    document = json_documents(path, text)[0]
    data = document.get("data") if isinstance(document, dict) else None
    options = data.get("options") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(options, list):
        raise ChainFileError(path, "looks like Cboe's delayed-quotes document, but has no list data.options")
    try:
        moment = dt.datetime.fromisoformat(str(document.get("timestamp"))).replace(tzinfo=dt.UTC)
    except ValueError:
        problem = f"{document.get('timestamp')!r} is not a time such as 2025-09-03 19:30:00"
        raise ChainFileError(path, problem, column="timestamp") from None
    as_of_ns = int(moment.timestamp()) * NS
    contracts: list[ChainContract] = []
    unreadable = 0
    for entry in options:
        symbol = osi_symbol(str(entry.get("option"))) if isinstance(entry, dict) else None
        expiry = parse_date(f"20{symbol.expiry_yymmdd}") if symbol is not None else None
        if symbol is None or expiry is None or not symbol.strike_usd > 0.0:
            unreadable += 1
            continue
        contracts.append(
            ChainContract(
                expiry=Expiry(expiry, symbol.root in AM_ROOTS),
                right=symbol.right,
                strike=symbol.strike_usd,
                bid=_size(entry, "bid"),
                ask=_size(entry, "ask"),
                open_interest=_number(entry, "open_interest"),
                volume=_size(entry, "volume"),
                stated_iv=_number(entry, "iv"),
                stated_delta=_number(entry, "delta"),
                root=symbol.root,
            )
        )
    name = str(data.get("symbol") or document.get("symbol") or "").lstrip("_^")
    return table_of(
        path,
        "cboe-api",
        instrument_of(name).underlying,
        _number(data, "current_price"),
        ny_date(as_of_ns),
        contracts,
        as_of_ns=as_of_ns,
        rejected={"no_option_symbol": unreadable} if unreadable else {},
    )


def _number(entry: dict[str, Any], key: str) -> float:
    """A number; what is absent, null or no number is unknown."""
    value = entry.get(key)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan


def _size(entry: dict[str, Any], key: str) -> float:
    value = _number(entry, key)
    return 0.0 if math.isnan(value) else value
