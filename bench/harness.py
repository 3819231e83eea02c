"""How things are timed: ours and the peer's rounds alternate, so that what slows the machine slows both; medians."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

__all__ = ["entry", "interleaved"]


def interleaved(works: Mapping[str, Callable[[], object]], rounds: int, warm: int = 1) -> dict[str, list[float]]:
    """Seconds of each work in each round; in a round every work runs once.

    `warm` rounds before are not counted: they fill caches and compile what is compiled at first use. The order turns
    around from round to round, so that nobody is always behind the one that heats the processor or fills the heap.
    Garbage is collected between works and not during them.
    """
    seconds: dict[str, list[float]] = {name: [] for name in works}
    enabled = gc.isenabled()
    try:
        for number in range(-warm, rounds):
            for name in list(works) if number % 2 == 0 else reversed(list(works)):
                gc.collect()
                gc.disable()
                began = time.perf_counter()
                works[name]()
                took = time.perf_counter() - began
                gc.enable()
                if number >= 0:
                    seconds[name].append(took)
    finally:
        (gc.enable if enabled else gc.disable)()
    return seconds


def entry(
    name: str,
    values: Sequence[float],
    unit: str,
    against: str,
    against_value: float,
    *,
    target: float | None = None,
    lower_is_better: bool = False,
) -> dict[str, Any]:
    """One line of the table. `values` are the runs, of which the median counts; `target` is in the same unit.

    `ratio` is always how many times better than the peer: value / peer, or peer / value where lower is better.
    """
    value = statistics.median(values)
    better, worse = (against_value, value) if lower_is_better else (value, against_value)
    met = target is None or (value <= target if lower_is_better else value >= target)
    return {
        "name": name,
        "value": value,
        "unit": unit,
        "runs": len(values),
        "target": target,
        "met": met,
        "against": against,
        "against_value": against_value,
        "ratio": better / worse if worse else 0.0,
    }
