"""Prints that came before: repeated ones are dropped, those out of order pass and are counted. Pure.

The vendor numbers the prints of a contract by `q`, rising through a session, with gaps that mean nothing. Feeds of its
kind have been seen to repeat prints, and to send one with an older `q` behind a newer (spec/vendor.md 2.10). A print
is the same as another only if contract, `q`, time, price, size and exchange are; so it is looked for only when its `q`
does not rise, which a healthy feed never shows: the test is a few array operations a frame, whatever its length.

The same memory answers which of the prints that REST returns for a gap have been heard already. There equal rows may be
different prints (spec/vendor.md 7.6): they are counted, row against row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from schemas.frames import Int64, TradeRows

__all__ = ["MEMORY_PRINTS", "Deduplicator", "Judged"]

Index: TypeAlias = npt.NDArray[np.intp]
# What socket and REST say alike of a print: contract, time in ms, price, size.
Sight: TypeAlias = tuple[int, int, float, int]
Mask: TypeAlias = npt.NDArray[np.bool_]

# Six minutes of an average day (350 prints a second), three quarters of a minute of an opening's burst (3,000): longer
# than a refill takes. 42 bytes a print, 5 MB; twice as many cost each print 1 % more.
MEMORY_PRINTS = 2**17
# Repeats of the socket come close to their originals; half of the memory is searched for each suspect, in some 40
# microseconds, so that even a feed whose every `q` runs backward is kept up with.
SEARCHED_PRINTS = 2**16
MS = 1_000_000
DAY_NS = 86_400_000_000_000


class Judged(NamedTuple):
    """Which prints of a frame are new `(n,)`, or None when all are; how many were repeated, how many ran backward."""

    new: Mask | None
    repeated: int
    backward: int


class Deduplicator:
    """Remembers the last prints of the options socket, by contract id."""

    def __init__(self, memory_prints: int = MEMORY_PRINTS, searched_prints: int = SEARCHED_PRINTS) -> None:
        self.heard = 0  # prints remembered so far, forgotten ones included
        self._searched = searched_prints
        self._capacity = memory_prints
        self._contract: Index = np.full(memory_prints, -1, np.intp)
        self._q: Int64 = np.zeros(memory_prints, np.int64)
        self._event_ns: Int64 = np.zeros(memory_prints, np.int64)
        self._price_usd = np.zeros(memory_prints)
        self._size = np.zeros(memory_prints, np.int32)
        self._exchange = np.zeros(memory_prints, np.int16)
        self._memory: tuple[npt.NDArray[Any], ...] = (
            self._contract, self._q, self._event_ns, self._price_usd, self._size, self._exchange,
        )  # fmt: skip
        self._last_q: Int64 = np.zeros(1024, np.int64)  # by contract id
        self._day = 0

    def judge(self, contracts: Index, rows: TradeRows) -> Judged:
        """Look at the prints of a frame, in their order, and remember the new ones.

        A print without `q` is never taken for a repeated one.
        """
        if not len(contracts):
            return Judged(None, 0, 0)
        # A session lies within a day of UTC, and `q` starts again with each.
        day = int(rows.event_ns[-1]) // DAY_NS
        if day != self._day:
            self._day = day
            self._last_q[:] = 0
        q = rows.vendor_seq
        try:
            last_q = self._last_q.take(contracts)
        except IndexError:  # a contract not seen before
            self._reserve(int(contracts.max()))
            last_q = self._last_q.take(contracts)
        if np.count_nonzero(q <= last_q) == 0 and _rises(contracts, q):
            self._last_q[contracts] = q
            self._remember(contracts, rows)
            return Judged(None, 0, 0)
        return self._judge_one_by_one(contracts, rows)

    def _judge_one_by_one(self, contracts: Index, rows: TradeRows) -> Judged:
        new = np.ones(len(contracts), np.bool_)
        backward = 0
        last_q, start = self._last_q, self.heard
        within: set[tuple[int | float, ...]] = set()
        for row, (contract, q) in enumerate(zip(contracts.tolist(), rows.vendor_seq.tolist(), strict=True)):
            if q <= 0:
                continue
            key = _key(contracts, rows, row)
            if q > last_q[contract]:
                last_q[contract] = q
            elif key in within or self._known(key, max(start - self._searched, 0)):
                new[row] = False
            else:
                backward += 1
            within.add(key)
        kept = np.flatnonzero(new)
        self._remember(contracts[kept], _taken(rows, kept))
        return Judged(new, len(new) - len(kept), backward)

    def missing(self, contracts: Index, rows: TradeRows) -> Mask:
        """Which of the prints that REST returned were never heard, `(n,)`; those are remembered from now on.

        Prints are compared by contract, time, price and size, and counted: where REST has three and two were heard, one
        is missing. What else the socket may have said differently (`q`, the exchange) then makes no print of two.
        """
        new = np.ones(len(contracts), np.bool_)
        if not len(contracts):
            return new
        self._reserve(int(contracts.max()))
        heard = self._heard(np.unique(contracts))
        numbers: set[tuple[int, int]] = set()
        for row, key in enumerate(_sights(contracts, rows.event_ns, rows.price_usd, rows.size_contracts)):
            q = int(rows.vendor_seq[row])
            if q > 0 and (key[0], q) in numbers:
                new[row] = False  # REST itself repeats it
            elif heard[key]:
                heard[key] -= 1
                new[row] = False
            numbers.add((key[0], q))
        kept = np.flatnonzero(new)
        found = _taken(rows, kept)
        np.maximum.at(self._last_q, contracts[kept], found.vendor_seq)
        self._remember(contracts[kept], found)
        return new

    def mark(self, since_ns: int) -> int:
        """A place in the memory: no print at or after `since_ns` (exchange time) was heard before it."""
        oldest = self._oldest()
        order = np.arange(oldest, self.heard) % self._capacity
        later = np.flatnonzero(self._event_ns[order] >= since_ns)
        return oldest + int(later[0]) if len(later) else self.heard

    def reaches(self, mark: int) -> bool:
        """Whether everything heard since `mark` is remembered still."""
        return mark >= self._oldest()

    def clear(self) -> None:
        """Forget everything: contract ids were given out anew."""
        self._contract[:] = -1
        self._last_q[:] = 0
        self.heard += self._capacity  # no mark reaches behind this

    def _oldest(self) -> int:
        return max(0, self.heard - self._capacity)

    def _heard(self, contracts: Index) -> Counter[Sight]:
        """How often each remembered print of these contracts was heard."""
        # A page of REST is of one contract; the search for one costs a thirtieth of the search for any of a set.
        mine = self._contract == contracts[0] if len(contracts) == 1 else np.isin(self._contract, contracts)
        at = np.flatnonzero(mine)
        return Counter(_sights(self._contract[at], self._event_ns[at], self._price_usd[at], self._size[at]))

    def _known(self, key: tuple[int | float, ...], since: int) -> bool:
        return self._count(key, since) > 0

    def _count(self, key: tuple[int | float, ...], since: int) -> int:
        """How many remembered prints, heard at place `since` or later, are equal."""
        first, last = since % self._capacity, self.heard % self._capacity
        spans = [(first, last)] if first < last else [(first, self._capacity), (0, last)]
        if since == self.heard:
            return 0
        return sum(self._count_in(key, start, stop) for start, stop in spans)

    def _count_in(self, key: tuple[int | float, ...], start: int, stop: int) -> int:
        contract, q, time_ms, price_usd, size, exchange = key
        at = start + np.flatnonzero((self._q[start:stop] == q) & (self._contract[start:stop] == contract))
        same = (self._event_ns[at] // MS == time_ms) & (self._price_usd[at] == price_usd)
        return int(np.count_nonzero(same & (self._size[at] == size) & (self._exchange[at] == exchange)))

    def _remember(self, contracts: Index, rows: TradeRows) -> None:
        """Put prints at the head of the ring."""
        skipped = max(0, len(contracts) - self._capacity)
        start = (self.heard + skipped) % self._capacity
        room = self._capacity - start
        self.heard += len(contracts)
        columns: tuple[npt.NDArray[Any], ...] = (
            contracts, rows.vendor_seq, rows.event_ns, rows.price_usd, rows.size_contracts, rows.exchange,
        )  # fmt: skip
        for memory, column in zip(self._memory, columns, strict=True):
            kept = column[skipped:] if skipped else column
            if len(kept) <= room:
                memory[start : start + len(kept)] = kept
            else:
                memory[start:], memory[: len(kept) - room] = kept[:room], kept[room:]

    def _reserve(self, contract: int) -> None:
        if contract >= len(self._last_q):
            grown = np.zeros(max(2 * len(self._last_q), contract + 1), np.int64)
            grown[: len(self._last_q)] = self._last_q
            self._last_q = grown


def _rises(contracts: Index, q: Int64) -> bool:
    """Whether `q` rises within each contract of a frame."""
    if not np.count_nonzero(q[1:] <= q[:-1]):
        return True
    order = np.argsort(contracts, kind="stable")
    by_contract, by_q = contracts.take(order), q.take(order)
    falls = (by_contract[1:] == by_contract[:-1]) & (by_q[1:] <= by_q[:-1])
    return not np.count_nonzero(falls)


def _key(contracts: Index, rows: TradeRows, row: int) -> tuple[int | float, ...]:
    return (
        int(contracts[row]),
        int(rows.vendor_seq[row]),
        int(rows.event_ns[row]) // MS,
        float(rows.price_usd[row]),
        int(rows.size_contracts[row]),
        int(rows.exchange[row]),
    )


def _sights(
    contracts: Index, event_ns: Int64, price_usd: npt.NDArray[Any], size: npt.NDArray[Any]
) -> Iterator[Sight]:  # fmt: skip
    columns = (contracts, event_ns // MS, price_usd, size)
    return zip(*(column.tolist() for column in columns), strict=True)


def _taken(rows: TradeRows, at: Index) -> TradeRows:
    """Some of the rows; `received_ns` is not there yet."""
    return TradeRows(rows.received_ns, *(column[at] for column in rows[1:]))  # type: ignore[arg-type]
