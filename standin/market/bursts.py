"""Informed traders: what a detector should find, planned at the open, known only to the truth. Pure.

About every two market minutes, more often when everybody trades more, somebody who believes to know something
(`informed.py` says who, when, and whether they do) begins to buy options of one underlying, in one of two ways that the
literature and every flow scanner describe:

* sweeping: three to five sweeps in one contract within five minutes, each for a premium nobody overlooks;
* opening: a dozen plain purchases within five minutes in a contract with little open interest, more than twice of it in
  all, so that most of them must open positions.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from standin.market.book import Book
from standin.market.informed import Informed
from standin.market.kernels.ordering import ORDER
from standin.market.orders import OrderKind
from standin.market.random_streams import BURSTS, stream
from standin.market.universe import CAST

__all__ = ["Burst", "Plan", "plan_of"]

DAYS_MIN, DAYS_MAX = 2, 75
DELTA_MIN, DELTA_MAX = 0.25, 0.55
# Underlyings as busy as this count as mega caps: what stands out there is a quarter of a million dollars.
MEGA_WEIGHT = 30.0
OPENING_CONTRACTS_MIN = 600
OPENING_OVER_OPEN_INTEREST = 2.4
# No order is for less, which nobody would notice, and no burst for more: a contract with so much open interest is not
# where anybody hides.
CONTRACTS_MIN, CONTRACTS_MAX = 10, 15_000


class Burst(NamedTuple):
    """One informed trader. direction: +1 buys calls, -1 buys puts. log_return: how far the underlying then drifts,
    evenly between two seconds; 0 where they knew nothing."""

    underlying: int
    direction: int
    row: int
    opening: bool
    start_s: int
    drift_start_s: int
    drift_end_s: int
    log_return: float

    @property
    def informed(self) -> bool:
        """Whether the underlying follows."""
        return self.log_return != 0.0


class Plan(NamedTuple):
    """All bursts of a day and their orders by second, (n,) each. premium_usd: for how much an order is, and contracts
    the most it may come to; without a premium it is for so many contracts. within_s: how far into its second an order
    comes, as a chance."""

    bursts: tuple[Burst, ...]
    second: NDArray[np.int64]
    burst: NDArray[np.int32]
    row: NDArray[np.int32]
    kind: NDArray[np.int8]
    premium_usd: NDArray[np.float64]
    contracts: NDArray[np.int64]
    within_s: NDArray[np.float64]

    def orders(self, book: Book, second: int) -> NDArray[Any] | None:
        """The informed orders of the span from a second on, as `kernels.ordering` has them, sized by the quotes they
        meet; None without any."""
        low, high = self.second.searchsorted((second, second + book.span_s))
        if low == high:
            return None
        index = np.arange(low, high)
        if book.halted is not None:
            # Who meant to trade in a halt has to let it be.
            index = index[~book.halted[book.underlying[self.row[index]]]]
        orders = np.zeros(len(index), ORDER)
        ms = 1000 * (self.second[index] - second)
        ms += np.floor(700 * self.within_s[index]).astype(np.int64)
        quote = book.quote(self.row[index], ms / (1000.0 * book.span_s))
        most, premium_usd = self.contracts[index], self.premium_usd[index]
        # A contract of a hundred shares costs as many dollars as a share costs cents.
        by_premium = np.ceil(premium_usd / np.maximum(quote.ask_cents, 1)).astype(np.int64)
        size = np.where(premium_usd > 0.0, np.minimum(by_premium, most), most)
        orders["kind"], orders["row"], orders["burst"] = self.kind[index], self.row[index], self.burst[index]
        orders["condition"] = np.where(self.kind[index] == OrderKind.SWEEP, 219, 209)
        orders["side"], orders["ms"] = 1, ms
        orders["size"] = np.maximum(size, CONTRACTS_MIN)
        return orders


def plan_of(seed: int, book: Book, informed: Informed) -> Plan:
    """Choose what the day's informed traders buy. Who finds no contract, or comes in a halt, trades nothing, and the
    level drifts anyway.

    Moves the book about; the caller sets it where it is wanted.
    """
    rng = stream(seed, BURSTS, book.day.session.date.toordinal(), 1)
    daily_sd = book.day.morning.daily_sd
    bursts: list[Burst] = []
    orders: list[tuple[int, int, int, int, float, int]] = []
    for index, (underlying, direction, start_s, opening) in enumerate(
        zip(*map(np.ndarray.tolist, informed[:4]), strict=True)
    ):
        book.move_to(start_s)
        if book.halted is not None and book.halted[underlying]:
            continue
        row = _contract(rng, book, underlying, direction, opening)
        if row is None:
            continue
        moved = float(informed.deviations[index] * daily_sd[informed.moves[index]])
        drifts = int(informed.drift_start_s[index]), int(informed.drift_end_s[index])
        bursts.append(Burst(underlying, direction, row, opening, start_s, *drifts, moved))
        orders += _orders(rng, book, len(bursts) - 1, bursts[-1])
    orders.sort()
    second, burst, rows, kind, premium, contracts = zip(*orders, strict=True) if orders else ((),) * 6
    return Plan(
        tuple(bursts),
        np.array(second, np.int64),
        np.array(burst, np.int32),
        np.array(rows, np.int32),
        np.array(kind, np.int8),
        np.array(premium, np.float64),
        np.array(contracts, np.int64),
        rng.random(len(orders)),
    )


def _contract(rng: np.random.Generator, book: Book, underlying: int, direction: int, opening: bool) -> int | None:
    """A contract an informed trader would choose: some days to months, somewhat out of the money."""
    rows = np.flatnonzero((book.underlying == underlying) & (book.right == direction))
    days = (book.listing.settlement_ns[rows] - book.now_ns) / 86_400e9
    rows = rows[(days >= DAYS_MIN) & (days <= DAYS_MAX)]
    delta = np.abs(book.greeks(rows).delta)
    rows = rows[(delta >= DELTA_MIN) & (delta <= DELTA_MAX)]
    if opening:
        open_interest = book.listing.open_interest[rows]
        rows = rows[open_interest * OPENING_OVER_OPEN_INTEREST < CONTRACTS_MAX]
        # Of what there is, the third with the least open interest.
        rows = rows[np.argsort(book.listing.open_interest[rows], kind="stable")][: max(len(rows) // 3, 1)]
    return int(rng.choice(rows)) if len(rows) else None


def _orders(
    rng: np.random.Generator, book: Book, number: int, burst: Burst
) -> list[tuple[int, int, int, int, float, int]]:
    """(second, burst, row, kind, premium, contracts) of one burst's orders, the first where the burst starts."""
    mega = CAST[burst.underlying].weight >= MEGA_WEIGHT
    if not burst.opening:
        low, high = (280_000.0, 900_000.0) if mega else (120_000.0, 450_000.0)
        gaps = rng.integers(15, 75, int(rng.integers(3, 6)))
        most = CONTRACTS_MAX // len(gaps)
        return [
            (burst.start_s + int(offset), number, burst.row, int(OrderKind.SWEEP), float(rng.uniform(low, high)), most)
            for offset in np.cumsum(gaps) - gaps[0]
        ]
    count = int(rng.integers(9, 18))
    open_interest = int(book.listing.open_interest[burst.row])
    ask = max(int(book.quote(np.array([burst.row]), 0.0).ask_cents[0]), 1)
    for_premium = float(rng.uniform(150_000.0, 600_000.0)) * (2.0 if mega else 1.0) / ask
    total = min(max(OPENING_OVER_OPEN_INTEREST * open_interest, OPENING_CONTRACTS_MIN, for_premium), CONTRACTS_MAX)
    offsets = np.sort(rng.integers(0, int(rng.integers(90, 300)), count))
    offsets -= offsets[0]
    sizes = np.floor(total * (share := rng.uniform(0.5, 1.5, count)) / share.sum()).astype(int)
    return [
        (burst.start_s + int(offset), number, burst.row, int(OrderKind.PLAIN), 0.0, int(size))
        for offset, size in zip(offsets, sizes, strict=True)
    ]
