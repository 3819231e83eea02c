"""The contract table: an option ticker becomes a small dense number once, and arrays answer everything else.

A print carries its contract as a string of about twenty characters. Parsing it once per contract instead of once per
print is what makes columns cheap: the ticker's id is one dictionary look-up, and expiry, strike, right, root,
underlying and partition are `numpy.take`s of a whole frame.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from schemas.symbols import Contract, SymbolError, parse_contract, symbol_code

__all__ = ["BAD_TICKER", "CONTRACTS_MAX", "TABLE_FULL", "ContractTable", "underlying_of"]

# 1.4 million options are listed on a day (OPRA instruments, 2025) and 0.4 million trade; beyond two million a feed is
# making tickers up. A row costs some 300 bytes, so the table stays under 600 MB at the very worst.
CONTRACTS_MAX = 2_000_000

# What `ContractTable.id_of` answers instead of an id.
BAD_TICKER, TABLE_FULL = -1, -2

# Weekly and p.m.-settled roots of index options. Minis (XSP, MRUT) are no entry: a tenth of an index is an underlying
# of its own, its strikes are no strikes of the index.
_INDEX_ROOTS = {"SPXW": "SPX", "NDXP": "NDX", "RUTW": "RUT", "VIXW": "VIX"}


def underlying_of(root: str) -> str:
    """The underlying of an OPRA root.

    The digit that a corporate action appends (AAPL1) goes; a root of digits alone is kept.

    >>> [underlying_of(root) for root in ("SPXW", "AAPL", "AAPL1", "XSP")]
    ['SPX', 'AAPL', 'AAPL', 'XSP']
    """
    known = _INDEX_ROOTS.get(root)
    return known if known is not None else root.rstrip("0123456789") or root


class ContractTable:
    """Contracts by dense id, in order of first sight.

    `id_of(ticker)` is the id, `BAD_TICKER` for what cannot be an option ticker, or `TABLE_FULL`; neither of the two is
    remembered, so nonsense cannot fill the memory. `ids` holds the known ones: look there first when there are many.
    The arrays are indexed by id and may be replaced by longer ones when the table grows: take them from the table each
    time. Ids hold until contracts are retired, which `generation` counts.
    """

    def __init__(self, partition_of: Callable[[str], int], contracts_max: int = CONTRACTS_MAX) -> None:
        self.ids: dict[str, int] = {}
        self.tickers: list[str] = []
        self.generation = 0
        self.underlyings: dict[str, int] = {}  # underlying -> partition, in order of first sight
        self._partition_of = partition_of
        self._contracts_max = contracts_max
        self._reserve(min(1024, contracts_max))

    def __len__(self) -> int:
        return len(self.tickers)

    def _reserve(self, capacity: int) -> None:
        def grown(name: str, dtype: npt.DTypeLike) -> npt.NDArray[np.generic]:
            fresh = np.zeros(capacity, dtype)
            if self.tickers:
                fresh[: len(self.tickers)] = getattr(self, name)[: len(self.tickers)]
            return fresh

        self.underlying: npt.NDArray[np.uint64] = grown("underlying", np.uint64)  # type: ignore[assignment]
        self.root: npt.NDArray[np.uint64] = grown("root", np.uint64)  # type: ignore[assignment]
        self.expiry_day: npt.NDArray[np.int32] = grown("expiry_day", np.int32)  # type: ignore[assignment]
        self.strike_mills: npt.NDArray[np.int32] = grown("strike_mills", np.int32)  # type: ignore[assignment]
        self.right: npt.NDArray[np.int8] = grown("right", np.int8)  # type: ignore[assignment]
        self.partition: npt.NDArray[np.int16] = grown("partition", np.int16)  # type: ignore[assignment]

    def id_of(self, ticker: str) -> int:
        """The ticker's id; a ticker not seen before is given the next one."""
        known = self.ids.get(ticker)
        if known is not None:
            return known
        try:
            contract = parse_contract(ticker)
        except SymbolError:
            return BAD_TICKER
        at = len(self.tickers)
        if at >= self._contracts_max:
            return TABLE_FULL
        if at == len(self.root):
            self._reserve(min(2 * at, self._contracts_max))
        self._fill(at, contract)
        self.tickers.append(ticker)
        self.ids[ticker] = at
        return at

    def retire(self, before_day: int) -> npt.NDArray[np.intp]:
        """Forget the contracts that expired before `before_day`; the old ids of those that stay, in their new order.

        A gateway that runs for weeks would otherwise fill its table with what no longer trades.
        """
        kept = np.flatnonzero(self.expiry_day[: len(self.tickers)] >= before_day)
        if len(kept) == len(self.tickers):
            return kept
        self.tickers = [self.tickers[at] for at in kept]
        self.ids = {ticker: at for at, ticker in enumerate(self.tickers)}
        for name in ("underlying", "root", "expiry_day", "strike_mills", "right", "partition"):
            column = getattr(self, name)
            column[: len(kept)] = column[kept]
        self.generation += 1
        return kept

    def _fill(self, at: int, contract: Contract) -> None:
        underlying = underlying_of(contract.root)
        partition = self.underlyings.get(underlying)
        if partition is None:
            partition = self.underlyings[underlying] = self._partition_of(underlying)
        self.underlying[at] = symbol_code(underlying)
        self.root[at] = symbol_code(contract.root)
        self.expiry_day[at] = contract.expiry_day
        self.strike_mills[at] = contract.strike_mills
        self.right[at] = contract.right
        self.partition[at] = partition
