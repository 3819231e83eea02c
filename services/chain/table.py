"""What every chain file becomes: one row a contract, arrays of equal length, prices in dollars (or the coin's)."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from schemas.instruments import EUROPEAN_ROOTS, is_adjusted
from services.errors import InputError
from services.quant.arrays import Floats, Signs

__all__ = ["ChainContract", "ChainFileError", "ChainTable", "Expiry", "table_of"]


class ChainFileError(InputError):
    """A chain file that cannot be read: names the file, the line and the column."""

    def __init__(self, path: Path, problem: str, line: int | None = None, column: str | None = None) -> None:
        self.path, self.line, self.column = path, line, column
        place = str(path)
        if line is not None:
            place += f", line {line}"
        if column is not None:
            place += f", column {column!r}"
        super().__init__(place, problem)


@dataclass(frozen=True, order=True)
class Expiry:
    """When a series ends. Exchanges that publish the instant give `settle_ns`; for others the calendar knows it."""

    date: dt.date
    am_settled: bool = False
    settle_ns: int = 0


@dataclass(frozen=True)
class ChainContract:
    """One row as a reader found it; NaN is `not given`."""

    expiry: Expiry
    right: int  # +1 call, -1 put
    strike: float
    bid: float
    ask: float
    open_interest: float = np.nan
    volume: float = 0.0
    stated_iv: float = np.nan  # as a fraction
    stated_delta: float = np.nan
    forward: float = np.nan  # where the file itself names the forward
    mark: float = np.nan  # the exchange's own value, in the unit of bid and ask
    root: str = ""  # as listed; empty where the file does not say
    multiplier: float = np.nan  # units a contract delivers, where the row says


@dataclass(frozen=True)
class ChainTable:
    """A chain as columns. `as_of_ns` is 0 where the file gives a date only; `quote_date` is always set."""

    path: Path
    format: str
    underlying: str
    spot: float  # NaN where the file does not say
    quote_date: dt.date
    as_of_ns: int
    european: bool
    multiplier: float
    coin_priced: bool  # quotes in units of the underlying (inverse options)
    expiries: tuple[Expiry, ...]
    expiry: NDArray[np.int64]  # index into `expiries`
    right: Signs
    strike: Floats
    bid: Floats
    ask: Floats
    open_interest: Floats  # NaN where not given
    volume: Floats
    stated_iv: Floats
    stated_delta: Floats
    forward: Floats
    mark: Floats
    notes: tuple[str, ...] = field(default=())
    rejected: dict[str, int] = field(default_factory=dict)  # rows left out, by reason

    def __len__(self) -> int:
        return int(self.strike.size)


def table_of(
    path: Path,
    format_name: str,
    underlying: str,
    spot: float,
    quote_date: dt.date,
    contracts: list[ChainContract],
    *,
    as_of_ns: int = 0,
    european: bool | None = None,
    multiplier: float = 100.0,
    coin_priced: bool = False,
    notes: tuple[str, ...] = (),
    rejected: dict[str, int] | None = None,
) -> ChainTable:
    """Columns from a reader's rows; a file without a single contract is an error, not an empty chain.

    Contracts with another deliverable than the standard one (a root with a digit, another count of shares) and rows of
    a contract that was there already are left out and counted; `rejected` is what the reader left out itself.
    """
    if not contracts:
        raise ChainFileError(path, "holds no option contracts")
    left_out = dict(rejected or {})
    standard = [one for one in contracts if not _adjusted(one, multiplier)]
    if not standard:
        raise ChainFileError(path, f"holds adjusted contracts only ({len(contracts)}), whose deliverable is not known")
    contracts, adjusted = standard, len(contracts) - len(standard)
    contracts, repeated, other_quotes = _once(contracts)
    if other_quotes:
        notes = (*notes, f"{other_quotes} rows name a contract again with other quotes: the first row of each stands")
    for reason, count in (("adjusted_deliverable", adjusted), ("repeated", repeated)):
        if count:
            left_out[reason] = left_out.get(reason, 0) + count
    expiries = tuple(sorted({contract.expiry for contract in contracts}))
    place = {expiry: i for i, expiry in enumerate(expiries)}

    def column(name: str) -> Floats:
        return np.array([getattr(contract, name) for contract in contracts], dtype=np.float64)

    return ChainTable(
        path=path,
        format=format_name,
        underlying=underlying,
        spot=spot,
        quote_date=quote_date,
        as_of_ns=as_of_ns,
        european=underlying in EUROPEAN_ROOTS if european is None else european,
        multiplier=multiplier,
        coin_priced=coin_priced,
        expiries=expiries,
        expiry=np.array([place[contract.expiry] for contract in contracts], dtype=np.int64),
        right=np.array([contract.right for contract in contracts], dtype=np.int8),
        strike=column("strike"),
        bid=column("bid"),
        ask=column("ask"),
        open_interest=column("open_interest"),
        volume=column("volume"),
        stated_iv=column("stated_iv"),
        stated_delta=column("stated_delta"),
        forward=column("forward"),
        mark=column("mark"),
        notes=notes,
        rejected=left_out,
    )


def _adjusted(contract: ChainContract, multiplier: float) -> bool:
    """Whether a contract delivers something else than its class: no level of it is a level of the underlying."""
    if is_adjusted(contract.root):
        return True
    return math.isfinite(contract.multiplier) and contract.multiplier != multiplier


def _once(contracts: list[ChainContract]) -> tuple[list[ChainContract], int, int]:
    """(a contract once, rows dropped, of these with other quotes): the first row that has a quote stands."""
    kept: dict[tuple[Expiry, int, float, str], ChainContract] = {}
    other_quotes = 0
    for one in contracts:
        key = (one.expiry, one.right, one.strike, one.root)
        first = kept.setdefault(key, one)
        if first is not one and one.ask > 0.0:
            if first.ask > 0.0:
                other_quotes += (one.bid, one.ask) != (first.bid, first.ask)
            else:
                kept[key] = one
    return list(kept.values()), len(contracts) - len(kept), other_quotes
