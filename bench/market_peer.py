"""What a stretch of market draws, kind by kind, and numpy drawing the same and doing nothing with it.

The market draws, with `standin/market/kernels`:

* a second and an underlying: how many orders come (Poisson, at a mean of its own);
* an order: which of some forty thousand contracts (by weights), of which flavour (by twenty weights), how large
  (log-normal, with a median and a deviation by kind), who buys (even odds), when (two uniform numbers), and where it
  begins (eighteen venues by weights);
* a sweep besides: how many venues and how far apart (uniform), and how it is cut (uniform, one a print);
  a spread besides: its structure (four weights);
* a print: how its price lies in the quote (two uniform numbers), and whether either side opens (two odds);
* a quote, be it a contract's own or the one a print meets: its place and two sizes (uniform, of which the sizes are
  cubes), and two venues by weights; one of its own has an instant (uniform) too.

Here each is drawn in as large a batch as the market draws it in, in whatever way is numpy's fastest for its kind: many
weights by `searchsorted` of cumulative ones, made before, as `Generator.choice` does; few of them by a table of places,
as the market does itself; log-normal numbers by the ziggurat and `exp`; even odds a byte each.
"""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from standin.market.orders import OrderKind

__all__ = ["Drawn", "Laws", "drawn_by_kind", "drawn_uniform"]

VENUE_DRAWS = 4096


class Drawn(NamedTuple):
    """How much of everything one batch drew. rates: underlyings times seconds; own: quotes not before a print."""

    rates: int
    orders: int
    sweeps: int
    swept: int
    spreads: int
    prints: int
    own: int

    @property
    def variates(self) -> int:
        """How many random numbers that is."""
        orders = 7 * self.orders + 2 * self.sweeps + self.swept + self.spreads
        return self.rates + orders + (4 + 5) * self.prints + (1 + 5) * self.own

    @classmethod
    def of(cls, rates: int, parent: NDArray[np.int64], kind: NDArray[np.int8], own: int) -> Drawn:
        """What was drawn for prints of these orders and kinds, cancels left out."""
        first = np.unique(parent, return_index=True)[1]
        sweeps, spreads = (int(np.count_nonzero(kind[first] == of)) for of in (OrderKind.SWEEP, OrderKind.SPREAD))
        swept = int(np.count_nonzero(kind == OrderKind.SWEEP))
        return cls(rates, len(first), sweeps, swept, spreads, len(parent), own)


class Laws(NamedTuple):
    """What is drawn from: mean orders a second by underlying; cumulative weights of contracts, flavours and structures;
    the kind of each flavour, and the log median and log deviation of sizes by kind; venues by place."""

    rates: NDArray[np.float64]
    contracts: NDArray[np.float64]
    flavours: NDArray[np.float64]
    kinds: NDArray[np.int8]
    size_mean: NDArray[np.float64]
    size_sigma: NDArray[np.float64]
    structures: NDArray[np.float64]
    venues: NDArray[np.int32]


def drawn_by_kind(batches: list[Drawn], laws: Laws) -> float:
    """CPU seconds numpy takes for the same variates in the same batches."""
    rng = np.random.Generator(np.random.PCG64(1))
    began = time.process_time()
    for batch in batches:
        _draw(rng, batch, laws)
    return time.process_time() - began


def _draw(rng: np.random.Generator, batch: Drawn, laws: Laws) -> None:
    rng.poisson(laws.rates, (batch.rates // len(laws.rates), len(laws.rates)))
    laws.contracts.searchsorted(rng.random(batch.orders))
    flavour = laws.flavours.searchsorted(rng.random(batch.orders))
    kind = laws.kinds[flavour]
    size = rng.standard_normal(batch.orders)
    size *= laws.size_sigma[kind]
    size += laws.size_mean[kind]
    np.exp(size, out=size)
    rng.integers(0, 2, batch.orders, np.int8)
    rng.random(2 * batch.orders)
    laws.venues[rng.integers(0, VENUE_DRAWS, batch.orders, np.uint16)]
    rng.random(2 * batch.sweeps + batch.swept)
    laws.structures.searchsorted(rng.random(batch.spreads))
    rng.random(4 * batch.prints)
    quotes = batch.prints + batch.own
    rng.random(3 * quotes + batch.own)
    laws.venues[rng.integers(0, VENUE_DRAWS, 2 * quotes, np.uint16)]


def drawn_uniform(batches: list[Drawn]) -> float:
    """CPU seconds numpy takes for as many numbers in the same batches, all of them uniform: the cheapest kind."""
    rng = np.random.Generator(np.random.PCG64(1))
    began = time.process_time()
    for batch in batches:
        rng.random(batch.variates)
    return time.process_time() - began
