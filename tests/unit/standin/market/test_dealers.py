"""Dealers' hedging: long gamma damps and pins, short gamma amplifies, and without dealers nothing changes."""

from __future__ import annotations

import numpy as np
import pytest

from standin.market.dealers import hedged
from standin.market.paths import day_of
from standin.market.scenario import Scenario, scenario_of
from standin.market.seeded import SeededMarket
from standin.market.universe import position_of

PIN = scenario_of("pin")


def requested(sign: int) -> Scenario:
    return Scenario(name="plain", about="dealers in AAPL", start=PIN.start, dealers=(("AAPL", sign),))


@pytest.fixture(scope="module")
def market() -> SeededMarket:
    """An expiry on which nobody hedges."""
    return SeededMarket(5, scenario=Scenario(name="plain", about="no dealers", start=PIN.start, scheduled=False))


def realised(path: np.ndarray) -> float:
    return float(np.std(np.diff(path[::60].astype(float))))


def test_long_gamma_damps_and_short_gamma_amplifies(market: SeededMarket) -> None:
    day, aapl = market._today.day, position_of["AAPL"]
    plain = realised(day.log_return[:, aapl])
    long = realised(hedged(day, market.listing, requested(1)).log_return[:, aapl])
    short = realised(hedged(day, market.listing, requested(-1)).log_return[:, aapl])
    assert long < 0.85 * plain
    assert short > 1.15 * plain


def test_only_whom_they_hedge_is_moved(market: SeededMarket) -> None:
    day = market._today.day
    pressed = hedged(day, market.listing, requested(1)).log_return
    moved = np.flatnonzero((pressed != day.log_return).any(axis=0))
    assert moved.tolist() == [position_of["AAPL"]]
    assert hedged(day, market.listing, Scenario(name="plain", about="")) is day


def test_an_etf_stays_on_its_index(market: SeededMarket) -> None:
    scenario = Scenario(name="plain", about="", start=PIN.start, dealers=(("SPX", 1),))
    pressed = hedged(market._today.day, market.listing, scenario).log_return
    assert np.array_equal(pressed[:, position_of["SPX"]], pressed[:, position_of["SPY"]])


def test_levels_close_nearer_to_a_strike_that_is_held(market: SeededMarket) -> None:
    """Over thirty paths from one morning: the mean distance of the close to a strike that expires shrinks by a tenth or
    more; each path is its own control."""
    aapl, listing = position_of["AAPL"], market.listing
    rows = listing.slices["AAPL"]
    today = listing.settlement_ns[rows] == market._today.day.session.close_ns
    strikes = np.unique(listing.strike_mills[rows][today]) / 1000.0
    morning = market._today.day.morning
    free, held = [], []
    for seed in range(30):
        normal = np.random.Generator(np.random.PCG64(seed)).standard_normal()
        day = day_of(seed, morning._replace(total=morning.diffusion_sd * normal))
        for each, distances in ((day, free), (hedged(day, listing, requested(1)), held)):
            distances.append(float(np.abs(strikes - each.levels(each.seconds)[aapl]).min()))
    assert np.mean(held) < 0.9 * np.mean(free)
