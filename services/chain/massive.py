"""Massive's REST snapshot of a chain (`/v3/snapshot/options/{underlying}` or `/v3/snapshot`), saved as JSON.

{"results": [{"details": {"contract_type": "call", "exercise_style": "american", "expiration_date": "2023-06-16",
 "shares_per_contract": 100, "strike_price": 150}, "last_quote": {"bid": 28.9, "ask": 29.25, "last_updated": ns},
 "open_interest": 8133, "implied_volatility": 0.357, "underlying_asset": {"price": 159.96, "ticker": "AAPL"}}]}
"""

from __future__ import annotations

import datetime as dt
import json
import math
from pathlib import Path
from typing import Any

from schemas.instruments import AM_ROOTS
from services.chain.table import ChainContract, ChainFileError, ChainTable, Expiry, table_of
from services.core.calendar import ny_date

__all__ = ["read_massive"]


def read_massive(path: Path, text: str) -> ChainTable:
    """A snapshot; pages concatenated into one list are fine. Entries that are no options are left out."""
    document = _document(path, text)
    results = document.get("results") if isinstance(document, dict) else document
    if isinstance(results, dict):
        results = [results]
    if not isinstance(results, list):
        raise ChainFileError(path, "has no list of results", column="results")
    contracts: list[ChainContract] = []
    underlyings: dict[str, float] = {}
    newest_ns, american, multiplier = 0, False, 100.0
    for place, entry in enumerate(results):
        if not isinstance(entry, dict) or "details" not in entry:
            continue
        field = _Entry(path, place, entry)
        details, asset = field.child("details"), field.child("underlying_asset")
        quote = field.child("last_quote", optional=True)
        ticker = str(details.entry.get("ticker") or entry.get("ticker") or "")
        name = str(asset.entry.get("ticker") or details.entry.get("underlying_ticker") or "")
        underlyings.setdefault(name.removeprefix("I:"), asset.number("price", asset.number("value", math.nan)))
        american = american or details.entry.get("exercise_style") != "european"
        multiplier = details.number("shares_per_contract", multiplier)
        newest_ns = max(newest_ns, quote.integer("last_updated", 0))
        day = field.child("day", optional=True)
        contracts.append(
            ChainContract(
                expiry=Expiry(details.date("expiration_date"), _root(ticker) in AM_ROOTS),
                right=details.right("contract_type"),
                strike=details.strike("strike_price"),
                bid=quote.number("bid", 0.0),
                ask=quote.number("ask", 0.0),
                open_interest=field.number("open_interest", 0.0),
                volume=day.number("volume", 0.0),
                stated_iv=field.number("implied_volatility", math.nan),
                stated_delta=field.child("greeks", optional=True).number("delta", math.nan),
            )
        )
    if not contracts:
        raise ChainFileError(path, "holds no option contracts")
    if len(underlyings) > 1:
        raise ChainFileError(path, f"mixes the underlyings {', '.join(sorted(underlyings))}")
    if newest_ns <= 0:
        raise ChainFileError(path, "no quote says when it is from", column="last_quote.last_updated")
    ((underlying, spot),) = underlyings.items()
    return table_of(
        path,
        "massive",
        underlying,
        spot,
        ny_date(newest_ns),
        contracts,
        as_of_ns=newest_ns,
        european=not american,
        multiplier=multiplier,
    )


def _document(path: Path, text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refused)
    except json.JSONDecodeError as error:
        raise ChainFileError(path, f"is not JSON ({error.msg})", line=error.lineno) from None
    except _NotANumberError as error:
        line = next((at for at, line in enumerate(text.splitlines(), 1) if str(error) in line), None)
        raise ChainFileError(path, f"is not JSON ({error} is no number there)", line=line) from None
    except (RecursionError, ValueError) as error:
        raise ChainFileError(path, f"is not JSON to be read ({error})") from None


class _NotANumberError(Exception):
    """NaN or Infinity, which Python would read and JSON does not have."""


def _refused(constant: str) -> Any:
    raise _NotANumberError(constant)


def _root(ticker: str) -> str:
    """SPXW of O:SPXW250903C02800000."""
    return ticker.removeprefix("O:")[:-15]


class _Entry:
    """One JSON object and where it stands, so that a bad value is named by its path."""

    def __init__(self, path: Path, place: int, entry: dict[str, Any], prefix: str = "") -> None:
        self.path, self.place, self.entry, self.prefix = path, place, entry, prefix

    def _error(self, key: str, problem: str) -> ChainFileError:
        return ChainFileError(self.path, problem, column=f"results[{self.place}].{self.prefix}{key}")

    def child(self, key: str, optional: bool = False) -> _Entry:
        found = self.entry.get(key, {} if optional else None)
        if not isinstance(found, dict):
            raise self._error(key, "is missing")
        return _Entry(self.path, self.place, found, f"{self.prefix}{key}.")

    def number(self, key: str, missing: float | None = None) -> float:
        value = self.entry.get(key)
        if value is None and missing is not None:
            return missing
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._error(key, f"{value!r} is not a number")
        try:
            return float(value)
        except OverflowError:
            raise self._error(key, "is too large for a number") from None

    def strike(self, key: str) -> float:
        value = self.number(key)
        if not value > 0.0:
            raise self._error(key, f"{value:g} is not a strike")
        return value

    def integer(self, key: str, missing: int) -> int:
        value = self.entry.get(key, missing)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self._error(key, f"{value!r} is not a whole number")
        return value

    def date(self, key: str) -> dt.date:
        try:
            return dt.date.fromisoformat(str(self.entry.get(key)))
        except ValueError:
            raise self._error(key, f"{self.entry.get(key)!r} is not a date") from None

    def right(self, key: str) -> int:
        value = self.entry.get(key)
        if value not in ("call", "put"):
            raise self._error(key, f"{value!r} is neither call nor put")
        return 1 if value == "call" else -1
