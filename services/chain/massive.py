"""Massive's REST snapshot of a chain (`/v3/snapshot/options/{underlying}` or `/v3/snapshot`), saved as JSON.

{"results": [{"details": {"contract_type": "call", "exercise_style": "american", "expiration_date": "2023-06-16",
 "shares_per_contract": 100, "strike_price": 150}, "last_quote": {"bid": 28.9, "ask": 29.25, "last_updated": ns},
 "open_interest": 8133, "implied_volatility": 0.357, "underlying_asset": {"price": 159.96, "ticker": "AAPL"}}]}

Pages kept as a list, or one a line, are one chain. What is absent and what is null are the same.
"""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from schemas.instruments import AM_ROOTS, MULTIPLIER, instrument_of, is_adjusted, osi_symbol
from services.chain.files import json_documents
from services.chain.moments import instant_ns, newest_together
from services.chain.table import ChainContract, ChainFileError, ChainTable, Expiry, table_of
from services.core.calendar import ny_date

__all__ = ["read_massive"]


@dataclass
class _Found:
    """What the entries of all pages gave."""

    contracts: list[ChainContract] = field(default_factory=list)
    spots: dict[str, list[float]] = field(default_factory=dict)  # by underlying; unknown names under ""
    roots: set[str] = field(default_factory=set)
    times_ns: list[int] = field(default_factory=list)
    styles: Counter[str] = field(default_factory=Counter)
    shares: Counter[float] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)


def read_massive(path: Path, text: str) -> ChainTable:
    """A snapshot of one underlying; entries that are no options are left out, and counted where they look like one."""
    pages = _pages(path, json_documents(path, text))
    found = _Found()
    entries = [entry for page in pages for entry in page.results]
    for place, entry in enumerate(entries):
        if isinstance(entry, dict) and "details" in entry:
            _take(_Entry(path, place, entry), found)
    if not found.contracts:
        why = ", ".join(f"{reason.replace('_', ' ')} {count}" for reason, count in sorted(found.rejected.items()))
        raise ChainFileError(path, "holds no option contracts" + (f" (left out: {why})" if why else ""))
    underlying, spot = _underlying(path, found)
    as_of_ns, stale = newest_together(np.array(found.times_ns, dtype=np.int64))
    if as_of_ns <= 0:
        raise ChainFileError(path, "no quote says when it is from", column="last_quote.last_updated")
    found.rejected["quote_time_apart"] += stale
    notes = []
    if pages[-1].next_url:
        notes.append(f"unfinished: the last page names a next one (next_url); {len(entries)} rows are not the chain")
    if not any(one.open_interest >= 0.0 for one in found.contracts):
        notes.append("no row gives open interest: it is unknown, not zero, and there is no dealer exposure")
    known = instrument_of(underlying)
    return table_of(
        path,
        "massive",
        underlying,
        spot,
        ny_date(as_of_ns),
        found.contracts,
        as_of_ns=as_of_ns,
        european=known.european if known.is_index else _european(found.styles),
        multiplier=_multiplier(found.shares, known.multiplier),
        notes=tuple(notes),
        rejected={reason: count for reason, count in found.rejected.items() if count},
    )


def _take(entry: _Entry, found: _Found) -> None:
    details, asset, quote = entry.child("details"), entry.child("underlying_asset"), entry.child("last_quote")
    right = {"call": 1, "put": -1}.get(str(details.entry.get("contract_type")))
    if right is None:
        found.rejected["neither_call_nor_put"] += 1
        return
    expiry, strike = details.date("expiration_date"), details.number("strike_price")
    if expiry is None or not strike > 0.0:
        found.rejected["no_expiry_or_strike"] += 1
        return
    symbol = osi_symbol(str(details.entry.get("ticker") or entry.entry.get("ticker") or ""))
    root = symbol.root if symbol else ""
    shares = details.number("shares_per_contract")
    # An adjusted contract's deliverable is not the class's, and the price of its underlying may be another's.
    if not is_adjusted(root):
        name = str(asset.entry.get("ticker") or details.entry.get("underlying_ticker") or "").removeprefix("I:")
        price = asset.number("price")
        found.spots.setdefault(name, []).append(price if price > 0.0 else asset.number("value"))
        found.roots.add(root)
        found.styles[str(details.entry.get("exercise_style"))] += 1
        if shares > 0.0:
            found.shares[shares] += 1
    stamp = quote.entry.get("last_updated")
    if stamp is not None:
        time_ns = instant_ns(stamp)
        if time_ns is None:
            found.rejected["quote_time_unreadable"] += 1
        else:
            found.times_ns.append(time_ns)
    found.contracts.append(
        ChainContract(
            expiry=Expiry(expiry, root in AM_ROOTS),
            right=right,
            strike=strike,
            bid=quote.size("bid"),
            ask=quote.size("ask"),
            open_interest=entry.number("open_interest"),
            volume=entry.child("day").size("volume"),
            stated_iv=entry.number("implied_volatility"),
            stated_delta=entry.child("greeks").number("delta"),
            root=root,
            multiplier=shares,
        )
    )


def _underlying(path: Path, found: _Found) -> tuple[str, float]:
    """The one name the rows give, and the median of its prices: one row without, or with another's, moves neither."""
    names = sorted(name for name in found.spots if name)
    if len(names) > 1:
        raise ChainFileError(path, f"mixes the underlyings {', '.join(names)}")
    prices = [price for some in found.spots.values() for price in some if price > 0.0]
    roots = sorted(instrument_of(root).underlying for root in found.roots if root)
    name = names[0] if names else (roots[0] if roots else "")
    return name, median(prices) if prices else math.nan


def _european(styles: Counter[str]) -> bool:
    """Nearly all stock options are American: only rows that say otherwise, and none that does not, make it European."""
    return set(styles) == {"european"}


def _multiplier(shares: Counter[float], standard: float) -> float:
    """Shares of a standard contract: the table's if any row has them, else what most rows have."""
    if not shares or standard in shares:
        return standard
    return max(sorted(shares), key=lambda one: shares[one]) if shares else MULTIPLIER


@dataclass(frozen=True)
class _Page:
    results: list[Any]
    next_url: str


def _pages(path: Path, documents: list[Any]) -> list[_Page]:
    pages = []
    for document in documents:
        if isinstance(document, list):
            if any(isinstance(one, dict) and "results" in one for one in document):
                pages.extend(_pages(path, document))
            else:
                pages.append(_Page(document, ""))
            continue
        results = document.get("results") if isinstance(document, dict) else None
        if isinstance(results, dict):
            results = [results]
        if isinstance(document, dict) and "details" in document:  # rows one a line
            results = [document]
        if not isinstance(results, list):
            raise ChainFileError(path, "has no list of results", column="results")
        pages.append(_Page(results, str(document.get("next_url") or "")))
    if not pages:
        raise ChainFileError(path, "has no list of results", column="results")
    return pages


class _Entry:
    """One JSON object and where it stands, so that a value of another type is named by its path."""

    def __init__(self, path: Path, place: int, entry: dict[str, Any], prefix: str = "") -> None:
        self.path, self.place, self.entry, self.prefix = path, place, entry, prefix

    def _error(self, key: str, problem: str) -> ChainFileError:
        return ChainFileError(self.path, problem, column=f"results[{self.place}].{self.prefix}{key}")

    def child(self, key: str) -> _Entry:
        """The object of that name; absent and null are an empty one."""
        found = self.entry.get(key)
        if found is None:
            found = {}
        if not isinstance(found, dict):
            raise self._error(key, f"{str(found)[:40]!r} is no object")
        return _Entry(self.path, self.place, found, f"{self.prefix}{key}.")

    def number(self, key: str) -> float:
        """A number; absent and null are NaN."""
        value = self.entry.get(key)
        if value is None:
            return math.nan
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._error(key, f"{value!r} is not a number")
        try:
            return float(value)
        except OverflowError:
            raise self._error(key, "is too large for a number") from None

    def size(self, key: str) -> float:
        """A number for which nothing given is zero: a quote or a volume."""
        value = self.number(key)
        return 0.0 if math.isnan(value) else value

    def date(self, key: str) -> dt.date | None:
        value = self.entry.get(key)
        if value is None:
            return None
        try:
            return dt.date.fromisoformat(str(value))
        except ValueError:
            raise self._error(key, f"{value!r} is not a date") from None
