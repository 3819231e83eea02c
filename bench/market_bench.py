"""The seeded market: prints with the quotes before them and their truth, on one core.

The peer draws the random numbers that the same prints take, in the same batches, and does nothing with them: what
numpy's generator alone costs. They are uniform, as the market's are: it makes normal and Poisson numbers of such. What
else a print needs, a contract, a price by the day's surface, a quote, a venue, an aggressor, open or close, comes on
top.
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import Any, NamedTuple

import numpy as np

from bench.harness import entry
from services.standin.market.seeded import SECOND_NS, SeededMarket

__all__ = ["run"]

ROUNDS = 5
SECONDS = 120
QUOTED = 950
TARGET_PRINTS_PER_S = 300_000.0
# Uniform numbers of an order (what, which, how large, when, how it is worked), of a print (price, positions, cancels)
# and of a quote (place, sizes, venues), as the kernels for ordering, executing, counting and quoting draw them.
AN_ORDER, A_PRINT, A_QUOTE = 10, 5, 4


class Round(NamedTuple):
    """One stretch of market: CPU seconds, prints, and random numbers by batch."""

    seconds: float
    prints: int
    variates: list[int]


def run() -> list[dict[str, Any]]:
    """Second by second as it is served, and in minutes as history is made."""
    served = [_round(SeededMarket(7, keep_truth=True), 1) for _ in range(ROUNDS)]
    history = [_round(SeededMarket(7, keep_truth=True, span_s=60), 60) for _ in range(ROUNDS)]
    return [
        _entry("standin_prints_per_s", served, TARGET_PRINTS_PER_S),
        _entry("standin_history_prints_per_s", history, None),
    ]


def _round(market: SeededMarket, span_s: int) -> Round:
    """The first minutes after the open, with quotes for as many contracts as a gateway asks for; CPU time."""
    quoted = np.sort(np.argsort(-market.listing.open_interest, kind="stable")[:QUOTED]).astype(np.int32)
    market.advance(60 * SECOND_NS, quoted)
    assert market.truth is not None
    before = len(market.truth.table().q)
    prints, batches = 0, []
    began = time.process_time()
    for _ in range(0, SECONDS, span_s):
        batch = market.advance(span_s * SECOND_NS, quoted)
        prints += len(batch.prints.q)
        batches.append((len(batch.prints.q), len(batch.quotes.q)))
    seconds = time.process_time() - began
    truth = market.truth.table()
    orders = len(np.unique(truth.parent[before:])) / prints
    variates = [int(made * (AN_ORDER * orders + A_PRINT + A_QUOTE)) + QUOTED * A_QUOTE for made, _ in batches]
    return Round(seconds, prints, variates)


def _entry(name: str, rounds: list[Round], target: float | None) -> dict[str, Any]:
    peers = [_drawn(round_.variates) for round_ in rounds]
    rates = [round_.prints / round_.seconds for round_ in rounds]
    peer = statistics.median(round_.prints / seconds for round_, seconds in zip(rounds, peers, strict=True))
    each = sum(rounds[0].variates) / rounds[0].prints
    print(
        f"{name}: {rounds[0].prints:,} prints, {each:.0f} random numbers a print; numpy draws them"
        f" {peer / statistics.median(rates):.1f} times as fast",
        file=sys.stderr,
    )
    return entry(name, rates, "prints/s", "numpy drawing as many random variates", peer, target=target)


def _drawn(variates: list[int]) -> float:
    """CPU seconds numpy takes for as many numbers in as many batches."""
    rng = np.random.Generator(np.random.PCG64(1))
    began = time.process_time()
    for count in variates:
        rng.random(count)
    return time.process_time() - began
