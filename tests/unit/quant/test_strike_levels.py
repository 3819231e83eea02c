"""Walls, the largest strike, concentration and max pain, on the toy chain of spec/option-arithmetic.md 9."""

import math

import numpy as np
import pytest

from services.quant import exposure
from services.quant.strike_levels import Wall, levels, listed, max_pain, pain
from tests.unit.quant.test_exposure import OPEN_INTEREST, RIGHT, STRIKE, toy

AT = listed(STRIKE)
SPOT = 100.0


def toy_levels(convention, chosen=slice(None), right=RIGHT):
    gex = toy(convention).gex_usd[chosen]
    return levels(listed(STRIKE[chosen]), right[chosen], gex, OPEN_INTEREST[chosen], SPOT)


def test_call_wall_is_the_most_gamma_not_the_most_open_interest():
    found = toy_levels(exposure.NAIVE)
    assert (found.call_wall.strike, found.put_wall.strike, found.largest) == (102.0, 95.0, 102.0)
    assert found.net_usd == pytest.approx(1_613_484.54, abs=0.005)


def test_walls_are_the_same_under_every_convention():
    naive, short = toy_levels(exposure.NAIVE), toy_levels(exposure.ALL_SHORT)
    assert (naive.call_wall, naive.put_wall) == (short.call_wall, short.put_wall)


def test_share_and_lead_tell_how_much_of_a_wall_it_is():
    gex = toy(exposure.NAIVE).gex_usd
    calls = {strike: gex[(strike == STRIKE) & (RIGHT > 0)].sum() for strike in (100.0, 102.0, 105.0, 110.0)}
    wall = toy_levels(exposure.NAIVE).call_wall
    assert wall.share == pytest.approx(calls[102.0] / sum(calls.values()))
    assert wall.lead == pytest.approx(calls[102.0] / max(calls[100.0], calls[105.0]))


def test_a_wall_alone_on_its_side_leads_by_infinity():
    found = levels(listed(np.array([100.0])), np.array([1], dtype=np.int8), np.array([5.0]), np.ones(1), 90.0)
    assert found.call_wall == Wall(100.0, 1.0, math.inf)


def test_a_chain_without_gamma_has_no_walls():
    found = levels(AT, RIGHT, np.zeros(STRIKE.size), OPEN_INTEREST, SPOT)
    assert (found.call_wall, found.put_wall, found.largest, found.concentration) == (None, None, None, 0.0)


def test_a_chain_without_contracts_has_nothing():
    nothing = np.empty(0)
    found = levels(listed(nothing), np.empty(0, dtype=np.int8), nothing, nothing, SPOT)
    assert found == (0.0, None, None, None, 0.0, None)


def test_support_and_resistance_are_both_reachable_with_one_side_only():
    found = toy_levels(exposure.NAIVE, RIGHT > 0)
    assert found.call_wall.strike == 102.0
    assert found.put_wall is None


def test_concentration_is_herfindahls():
    def of(values):
        strikes = listed(np.arange(1.0, 1.0 + len(values)))
        right = np.ones(len(values), dtype=np.int8)
        return levels(strikes, right, np.array(values), np.ones(len(values)), SPOT).concentration

    assert of([3.0, 0.0]) == 1.0
    assert of([1.0, -1.0]) == 0.5


def test_max_pain_and_what_each_strike_would_pay():
    by_hand = dict(zip(AT.strikes.tolist(), (pain(AT, RIGHT, OPEN_INTEREST) * 100).tolist(), strict=True))
    assert (by_hand[95.0], by_hand[98.0], by_hand[100.0]) == (2_700_000.0, 600_000.0, 0.0)
    assert (by_hand[102.0], by_hand[105.0]) == (700_000.0, 3_250_000.0)
    assert max_pain(AT, RIGHT, OPEN_INTEREST) == 100.0
    assert max_pain(AT, RIGHT, np.zeros(STRIKE.size)) is None


def test_pain_equals_the_definition():
    for at, ours in zip(AT.strikes, pain(AT, RIGHT, OPEN_INTEREST), strict=True):
        assert ours == pytest.approx((OPEN_INTEREST * np.maximum(RIGHT * (at - STRIKE), 0.0)).sum())


def test_sums_run_in_row_order_whatever_the_strikes():
    rng = np.random.default_rng(3)
    strike, gex = rng.choice([90.0, 100.0, 110.0], 1000), rng.normal(0.0, 1e6, 1000)
    right = rng.choice([1, -1], 1000).astype(np.int8)
    total = 0.0
    by_strike = {at: [0.0, 0.0] for at in (90.0, 100.0, 110.0)}
    for at, side, value in zip(strike.tolist(), right.tolist(), gex.tolist(), strict=True):
        by_strike[at][side < 0] += value
    for calls, puts in by_strike.values():
        total += calls + puts
    assert levels(listed(strike), right, gex, np.ones(1000), SPOT).net_usd == total
