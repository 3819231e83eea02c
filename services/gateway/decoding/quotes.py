"""The quotes that stand: each print is joined with the last quote of its contract that came before it in the stream.

All channels of a socket share one ordered stream, so order of arrival is the order of events. A quote stamped later
than the print (a late report) did not stand when the print was made; the join then says unknown. At an equal
millisecond stream order decides, and the age of 0 tells the reader that it was a tie.

The book is a few arrays by contract id, and one compiled pass over a frame's quotes and prints joins them
(`_quotes_kernel`), whether they came straight from bytes or as decoded events.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from schemas.frames import Float64, Int32, Int64
from services.gateway.decoding.contracts import ContractTable
from services.gateway.decoding.quotes_kernel import QUOTE, STANDING, join_quotes
from services.gateway.massive.messages import Event, Quote, Trade

__all__ = ["QUOTES_MAX", "QuoteBook", "QuoteColumns", "unknown_quotes"]

# Twice the vendor's limit of 1,000 quoted contracts a connection: room for the ones just given up.
QUOTES_MAX = 2_000
MS = 1_000_000
NO_SLOT = -1

_NO_QUOTES = np.zeros(0, QUOTE)


class QuoteColumns(NamedTuple):
    """The quote before each print, each `(n,)`; NaN and -1 where none was known."""

    bid_usd: Float64
    ask_usd: Float64
    bid_size: Int32
    ask_size: Int32
    age_ns: Int64


class QuoteBook:
    """Best bid and offer by contract of `contracts`, of as many as fit; then the one that is longest there goes."""

    def __init__(self, contracts: ContractTable, quotes_max: int = QUOTES_MAX) -> None:
        self._contracts = contracts
        self._standing = np.zeros(quotes_max, STANDING)
        self.clear()

    def __len__(self) -> int:
        return int(self._ring[1])

    def clear(self) -> None:
        """Drop everything: the stream broke, and what changed meanwhile nobody knows."""
        self._slot_of = np.full(1024, NO_SLOT, np.int32)
        self._ring = np.zeros(2, np.int64)  # the slot of the contract that is longest there, and how many there are
        self._generation = self._contracts.generation

    def forget(self, tickers: Iterable[str]) -> None:
        """Drop contracts whose quotes no longer come: what stands still would grow stale."""
        self._follow_contracts()
        ids = self._contracts.ids
        for contract in [ids[ticker] for ticker in tickers if ticker in ids]:
            self._slot_of[contract] = NO_SLOT
        oldest, count = self._ring.tolist()
        held = np.roll(self._standing, -oldest)[:count]
        held = held[self._slot_of[held["contract"]] != NO_SLOT]
        self._standing[: len(held)] = held
        self._slot_of[held["contract"]] = np.arange(len(held))
        self._ring[:] = 0, len(held)

    def join(self, quotes: npt.NDArray[Any], contract: Int64, print_ns: Int64) -> QuoteColumns:
        """The quotes that stood before prints in `contract` (-1: none that we know) at `print_ns`, both `(n,)`.

        `quotes` are records of QUOTE, the frame's own in the stream's order; from now on they stand.
        """
        count = len(contract)
        if not len(quotes) and not self._ring[1]:
            return unknown_quotes(count)
        self._follow_contracts()
        price, size, age_ns = np.full(2 * count, np.nan), np.full(2 * count, -1, np.int32), np.full(count, -1, np.int64)
        columns = QuoteColumns(price[:count], price[count:], size[:count], size[count:], age_ns)
        join_quotes(quotes, contract, print_ns, self._slot_of, self._standing, self._ring, *columns)
        return columns

    def walk(self, events: Sequence[Event]) -> tuple[list[Trade], npt.NDArray[Any]]:
        """Decoded events as prints and records of QUOTE. Of a quote whose ticker is none nobody will ask."""
        trades: list[Trade] = []
        found: list[Quote] = []
        prints_before: list[int] = []
        for event in events:
            if type(event) is Trade:
                trades.append(event)
            elif type(event) is Quote:
                found.append(event)
                prints_before.append(len(trades))
        if not found:
            return trades, _NO_QUOTES
        ids, id_of = self._contracts.ids, self._contracts.id_of
        try:
            contract = [ids[quote.sym] for quote in found]
        except KeyError:  # one not seen before, or none at all
            contract = [max(id_of(quote.sym), -1) for quote in found]
        quotes = np.zeros(len(found), QUOTE)
        quotes["prints_before"], quotes["contract"] = prints_before, contract
        quotes["stamp_ns"] = np.array([quote.t for quote in found], np.int64) * MS
        quotes["bid_usd"], quotes["ask_usd"] = [quote.bp for quote in found], [quote.ap for quote in found]
        quotes["bid_size"], quotes["ask_size"] = [quote.bs for quote in found], [quote.as_ for quote in found]
        return trades, quotes

    def _follow_contracts(self) -> None:
        if self._generation != self._contracts.generation:  # ids mean something else now, and a day has passed
            self.clear()
        if len(self._slot_of) < len(self._contracts):
            grown = np.full(2 * len(self._contracts), NO_SLOT, np.int32)
            grown[: len(self._slot_of)] = self._slot_of
            self._slot_of = grown


_NO_PRICE, _NO_SIZE, _NO_AGE = np.full(4096, np.nan), np.full(4096, -1, np.int32), np.full(4096, -1, np.int64)


def unknown_quotes(count: int) -> QuoteColumns:
    """Columns for prints none of which has a quote. They may be views of one another: not to be written to."""
    if count <= len(_NO_AGE):
        price, size, age = _NO_PRICE[:count], _NO_SIZE[:count], _NO_AGE[:count]
    else:
        price, size, age = np.full(count, np.nan), np.full(count, -1, np.int32), np.full(count, -1, np.int64)
    return QuoteColumns(price, price, size, size, age)
