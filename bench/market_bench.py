"""The seeded market: prints with the quotes before them and their truth, on one core.

Two peers draw the random numbers that the same prints take, in the same batches, and do nothing with them. One draws
each as what it is (`market_peer.py` lists the kinds), the other as many uniform numbers, which are the cheapest kind:
what numpy's generator alone costs. What else a print needs, a price by the day's surface, a quote, the order of time,
positions, statistics, truth, comes on top.
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import Any, NamedTuple

import numpy as np

from bench.harness import entry
from bench.market_peer import VENUE_DRAWS, Drawn, Laws, drawn_by_kind, drawn_uniform
from standin.market import orders
from standin.market.activity import BaseRate, row_weights
from standin.market.seeded import SECOND_NS, SeededMarket
from standin.market.universe import CAST
from standin.market.venues import SORTED_VENUES, venue_draw_table

__all__ = ["run"]

ROUNDS = 5
SECONDS = 120
QUOTED = 950
TARGET_PRINTS_PER_S = 300_000.0


class Round(NamedTuple):
    """One stretch of market: prints, the numbers they took, and prints a CPU second of the market and its peers."""

    prints: int
    variates: int
    market: float
    by_kind: float
    uniform: float


def run() -> list[dict[str, Any]]:
    """Second by second as it is served, and in minutes as history is made."""
    return [
        *_entries("standin_prints_per_s", [_round(1) for _ in range(ROUNDS)], TARGET_PRINTS_PER_S),
        *_entries("standin_history_prints_per_s", [_round(60) for _ in range(ROUNDS)], None),
    ]


def _round(span_s: int) -> Round:
    """The first minutes after the open, with quotes for as many contracts as a gateway asks for; CPU time."""
    market = SeededMarket(7, keep_truth=True, span_s=span_s)
    quoted = np.sort(np.argsort(-market.listing.open_interest, kind="stable")[:QUOTED]).astype(np.int32)
    market.advance(60 * SECOND_NS, quoted)
    assert market.truth is not None
    before = len(market.truth.table().q)
    began = time.process_time()
    counts = [len(market.advance(span_s * SECOND_NS, quoted).prints.q) for _ in range(0, SECONDS, span_s)]
    seconds = time.process_time() - began
    batches, laws = _drawn(market, before, counts, span_s), _laws(market)
    prints = sum(counts)
    return Round(
        prints,
        sum(batch.variates for batch in batches),
        prints / seconds,
        prints / drawn_by_kind(batches, laws),
        prints / drawn_uniform(batches),
    )


def _drawn(market: SeededMarket, before: int, counts: list[int], span_s: int) -> list[Drawn]:
    """What each batch drew, by the truth about it."""
    assert market.truth is not None
    truth, batches, start = market.truth.table(), [], before
    for count in counts:
        parent, kind = truth.parent[start : start + count], truth.kind[start : start + count]
        stands = parent >= 0
        batches.append(Drawn.of(span_s * len(CAST), parent[stands], kind[stands], QUOTED))
        start += count
    return batches


def _laws(market: SeededMarket) -> Laws:
    """What the market draws from, as numpy wants it."""
    book = market._today.book
    return Laws(
        rates=BaseRate(book.day, 1.0)(180),
        contracts=_whole(row_weights(book).cumulative),
        flavours=_whole(orders._RULES.cumulative),
        kinds=orders._RULES.kind,
        size_mean=np.log(orders.SIZE_MEDIAN),
        size_sigma=orders.SIZE_SIGMA,
        structures=_whole(orders._STRUCTURES.cumulative),
        venues=SORTED_VENUES[venue_draw_table(VENUE_DRAWS)],
    )


def _whole(cumulative: np.ndarray) -> np.ndarray:
    return cumulative / cumulative[-1]


def _entries(name: str, rounds: list[Round], target: float | None) -> list[dict[str, Any]]:
    rates = [round_.market for round_ in rounds]
    ours, by_kind, uniform = (statistics.median(column) for column in list(zip(*rounds, strict=True))[2:])
    each = rounds[0].variates / rounds[0].prints
    print(
        f"{name}: {rounds[0].prints:,} prints, {each:.0f} random numbers a print; numpy draws the same"
        f" {by_kind / ours:.1f} times as fast, as many uniform ones {uniform / ours:.1f} times",
        file=sys.stderr,
    )
    return [
        entry(name, rates, "prints/s", "numpy drawing the same random variates, kind by kind", by_kind, target=target),
        entry(f"{name}_uniform", rates, "prints/s", "numpy drawing as many uniform numbers", uniform),
    ]
