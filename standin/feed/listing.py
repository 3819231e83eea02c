"""Contracts as columns: what is listed on one trading day, whoever trades it.

Rows are grouped by underlying and, within one, sorted by ticker, which is the vendor's default order, so that a chain
is a slice and a page is a slice of that. Rows never move during a trading day; a new day is a new `Listing`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.symbols import EPOCH_ORDINAL, Contract, contract_ticker
from services.core.calendar import Calendar, ny_ns

__all__ = ["Kind", "ListedContracts", "Listing", "Underlying", "settlement_ns"]

Kind = Literal["index", "etf", "stock"]

# The SIP's own clock for p.m. settled contracts is the close; a.m. settled ones are fixed by the opening prints.
AM_SETTLED_ROOTS = frozenset({"SPX", "NDX", "RUT", "VIX", "VIXW"})


@dataclass(frozen=True, slots=True)
class Underlying:
    """What options are written on. `ticker` is bare (`SPX`, never `I:SPX`)."""

    ticker: str
    kind: Kind
    name: str

    @property
    def wire_ticker(self) -> str:
        """The name on the vendor's wire: indices carry the prefix `I:`."""
        return f"I:{self.ticker}" if self.kind == "index" else self.ticker

    @property
    def exercise_style(self) -> str:
        """Index options here are all European, the rest American."""
        return "european" if self.kind == "index" else "american"


class ListedContracts(NamedTuple):
    """One contract before it becomes a row: its underlying's position, its terms, and this morning's open interest."""

    underlying: int
    contract: Contract
    open_interest: int


def settlement_ns(root: str, expiry_day: int, calendar: Calendar) -> int:
    """The instant a contract stops having a future: 16:00 New York (13:00 on a half day), 09:30 when a.m. settled.

    An expiry that is no session (Saturday expiries before 2015, Good Friday) settles at the session before it. Dates
    beyond the calendar count as ordinary weekdays.
    """
    day = dt.date.fromordinal(EPOCH_ORDINAL + expiry_day)
    for back in range(5):
        session = calendar.session_on(day - dt.timedelta(days=back))
        if session is not None:
            return session.open_ns if root in AM_SETTLED_ROOTS and not back else session.close_ns
    return ny_ns(day, 9, 30) if root in AM_SETTLED_ROOTS else ny_ns(day, 16)


@dataclass(frozen=True, slots=True, eq=False)
class Listing:
    """All contracts of one trading day, as columns of equal length.

    strike_mills int64, thousandths of a dollar; right int8, +1 call, -1 put; settlement_ns int64; open_interest int64,
    contracts, as of the evening before; underlying int16, a position in `underlyings`.
    """

    underlyings: tuple[Underlying, ...]
    tickers: tuple[str, ...]
    roots: tuple[str, ...]
    underlying: NDArray[np.int16]
    expiry_day: NDArray[np.int32]
    settlement_ns: NDArray[np.int64]
    strike_mills: NDArray[np.int64]
    right: NDArray[np.int8]
    open_interest: NDArray[np.int64]
    row_of: dict[str, int] = field(repr=False)
    slices: dict[str, slice] = field(repr=False)

    def __len__(self) -> int:
        return len(self.tickers)

    def with_open_interest(self, open_interest: NDArray[np.int64]) -> Listing:
        """The same contracts with other open interest, (rows,)."""
        return replace(self, open_interest=open_interest)

    @classmethod
    def build(
        cls,
        underlyings: Sequence[Underlying],
        listed: Sequence[ListedContracts],
        settles: Callable[[str, int], int],
    ) -> Listing:
        """Sort and lay out; `settles(root, expiry_day)` gives the settlement instant (asked once per root and day)."""
        rows = sorted(zip((entry.underlying for entry in listed), _tickers(listed), listed, strict=True))
        tickers = tuple(row[1] for row in rows)
        settled: dict[tuple[str, int], int] = {}
        for _, _, entry in rows:
            key = (entry.contract.root, entry.contract.expiry_day)
            if key not in settled:
                settled[key] = settles(*key)
        position = np.array([row[0] for row in rows], np.int16)
        starts = np.searchsorted(position, np.arange(len(underlyings) + 1))
        contracts = [row[2].contract for row in rows]
        return cls(
            underlyings=tuple(underlyings),
            tickers=tickers,
            roots=tuple(contract.root for contract in contracts),
            underlying=position,
            expiry_day=np.array([contract.expiry_day for contract in contracts], np.int32),
            settlement_ns=np.array([settled[c.root, c.expiry_day] for c in contracts], np.int64),
            strike_mills=np.array([contract.strike_mills for contract in contracts], np.int64),
            right=np.array([contract.right for contract in contracts], np.int8),
            open_interest=np.array([row[2].open_interest for row in rows], np.int64),
            row_of={ticker: row for row, ticker in enumerate(tickers)},
            slices={
                underlying.ticker: slice(int(starts[i]), int(starts[i + 1])) for i, underlying in enumerate(underlyings)
            },
        )


def _tickers(listed: Sequence[ListedContracts]) -> list[str]:
    """Tickers of the contracts; those of one root, expiry and right differ only in the strike's eight digits."""
    beginnings: dict[tuple[str, int, int], str] = {}
    tickers = []
    for _, contract, _ in listed:
        key = (contract.root, contract.expiry_day, contract.right)
        if key not in beginnings:
            beginnings[key] = contract_ticker(contract)[:-8]
        tickers.append(f"{beginnings[key]}{contract.strike_mills:08d}")
    return tickers
