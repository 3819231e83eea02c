"""One of many by weight: what a guide leads to is what a search through all would find."""

from __future__ import annotations

import numpy as np
import pytest

from standin.market.kernels.choosing import guided, write_guide


@pytest.mark.parametrize("parts", [1, 7, 40, 500])
@pytest.mark.parametrize("places", [1, 2, 33])
def test_a_guide_leads_to_what_a_search_finds(places: int, parts: int) -> None:
    rng = np.random.default_rng(places)
    weights = rng.pareto(0.6, places)
    weights[rng.random(places) < 0.2] = 0.0
    weights[0] += 1e-6
    first, before = 5, 3.0
    cumulative = np.concatenate((np.full(first, before), before + np.cumsum(weights)))
    guide = np.zeros(2 + parts + 1, np.int32)
    write_guide(cumulative, first, first + places, before, guide, 2, parts)
    total = cumulative[-1] - before
    for share in (*np.linspace(0.0, 1.0, 257)[:-1], *rng.random(500), 1.0 - 2.0**-32):
        wanted = before + share * total
        found = guided(cumulative, guide, 2, parts, wanted, share)
        assert found == min(np.searchsorted(cumulative, wanted, side="right"), first + places - 1)
