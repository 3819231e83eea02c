# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (compiled functions state their types in the decorator, where numba checks them)
"""One of many by weight, in a step or two whatever their number: cumulative weights and a guide to them.

A guide says for each of so many equal parts of the total where among the cumulative weights it begins; a search is then
over what one part has, mostly a place or two (Chen and Asau 1974; Devroye, "Non-uniform random variate generation"
1986, III.2.4). The result is that of a search by halves through all of them, which misses the processor's guess at each
of its dozen steps.
"""

from __future__ import annotations

import numpy as np

from services.quant.jit import inlined

__all__ = ["guided", "searched", "write_guide"]


@inlined
def searched(cumulative, low, high, wanted):
    """The first place in [low, high] whose cumulative weight is above what is wanted, which the last one's is."""
    while low < high:
        middle = (low + high) >> 1
        if cumulative[middle] <= wanted:
            low = middle + 1
        else:
            high = middle
    return low


@inlined
def guided(cumulative, guide, begins, parts, wanted, share):
    """The first place whose cumulative weight is above what is wanted, which is this share of the whole; the guide to
    the whole has so many parts and one more, and begins there."""
    part = begins + np.int64(share * parts)
    return searched(cumulative, np.int64(guide[part]), np.int64(guide[part + 1]), wanted)


@inlined
def write_guide(cumulative, first, end, before, guide, begins, parts):
    """The guide to the cumulative weights of [first, end), `before` which the weights came to so much: so many parts,
    and one more that says where the last place is."""
    scale = parts / (cumulative[end - 1] - before)
    for part in range(parts):
        guide[begins + part] = first
    # A place after one that ends in a part is where the next part begins, if no later one is.
    for position in range(first, end - 1):
        ends = np.int64((cumulative[position] - before) * scale) + 1
        if ends < parts:
            guide[begins + ends] = position + 1
    reached = np.int64(first)
    for part in range(parts):
        reached = max(reached, np.int64(guide[begins + part]))
        guide[begins + part] = reached
    guide[begins + parts] = end - 1
