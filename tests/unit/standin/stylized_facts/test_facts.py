"""Stylised facts are measured right: each on data whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from standin.stylized_facts import facts
from standin.stylized_facts.facts import ChainFacts


def chain(iv_of_delta: float = 0.0) -> ChainFacts:
    """Two expiries of calls and puts with one volatility, tilted by `iv_of_delta` per call delta away from a half."""
    delta = np.linspace(0.02, 0.98, 49)
    days = np.repeat([10.0, 31.0], 98)
    call_delta = np.tile(np.concatenate((delta, delta)), 2)
    right = np.tile(np.repeat([1, -1], 49), 2).astype(np.int8)
    signed = np.where(right > 0, call_delta, call_delta - 1.0)
    iv = 0.2 + iv_of_delta * (call_delta - 0.5)
    return ChainFacts(days, right, signed, np.full(196, 0.9), np.full(196, 1.1), iv)


def test_a_flat_surface_has_a_flat_smile_and_term_structure() -> None:
    assert facts.smile(chain())[1] == pytest.approx(np.ones(len(facts.DELTAS)))
    days, ratio = facts.term_ratio(chain())
    between = (days >= 10.0) & (days <= 31.0)
    assert ratio[between] == pytest.approx(1.0)
    assert not np.isfinite(ratio[~between]).any()


def test_a_tilted_surface_shows_its_tilt() -> None:
    _, ratio = facts.smile(chain(0.1))
    assert ratio[facts.DELTAS == 0.75][0] == pytest.approx(1.125, rel=1e-3)


def test_spreads_are_relative_to_the_middle() -> None:
    _, medians = facts.spreads(chain())
    assert medians[np.isfinite(medians)] == pytest.approx(0.2)


def test_half_hours_add_up_and_find_the_open() -> None:
    hours, share = facts.half_hours(np.array([0.0, 10.0, 1799.0, 23_399.0]), np.ones(4))
    assert len(hours) == 13
    assert share[0] == 0.75
    assert share[-1] == 0.25


def test_sizes_and_conditions_fall_into_their_buckets() -> None:
    shares_by_size = facts.size_shares(np.array([1, 2, 5, 6, 501]))
    assert shares_by_size == pytest.approx([0.2, 0.2, 0.2, 0.2, 0, 0, 0, 0, 0, 0.2])
    assert shares_by_size[: facts.TEN].sum() == pytest.approx(0.8)
    shares = facts.condition_shares(np.array([209, 219, 232, 238, 201]))
    assert shares["multi-leg"] == pytest.approx(0.4)
    assert sum(shares.values()) == pytest.approx(1.0)


def test_autocorrelation_of_an_alternating_series() -> None:
    lags, acf = facts.autocorrelation(np.tile([1.0, -1.0], 200), 4)
    assert lags.tolist() == [1, 2, 3, 4]
    assert acf == pytest.approx([-1, 1, -1, 1], abs=0.02)
    assert len(facts.autocorrelation(np.arange(20.0))[1]) == 5


def test_a_fan_has_the_middle_and_both_edges_and_says_nothing_where_one_is_not_known() -> None:
    x = np.arange(3.0)
    (_, middle), (low, high) = facts.fan([(x, np.array([1.0, 2.0, np.nan])), (x, x), (x, x + 5.0)])
    assert middle[:2].tolist() == [1.0, 2.0]
    assert low[:2].tolist() == [0.0, 1.0]
    assert high[:2].tolist() == [5.0, 6.0]
    assert np.isnan([middle[2], low[2], high[2]]).all()


def test_skewness_knows_which_tail_is_longer() -> None:
    rng = np.random.Generator(np.random.PCG64(2))
    assert facts.skewness(rng.exponential(size=20_000)) == pytest.approx(2.0, abs=0.3)
    assert facts.skewness(-rng.exponential(size=20_000)) == pytest.approx(-2.0, abs=0.3)


def test_kurtosis_and_leverage_of_made_up_series() -> None:
    rng = np.random.Generator(np.random.PCG64(1))
    returns = 0.01 * rng.standard_normal(4000)
    assert facts.kurtosis(returns) == pytest.approx(3.0, abs=0.3)
    vix = 15.0 * np.exp(np.concatenate(([0.0], np.cumsum(-4.0 * returns))))
    assert facts.leverage(returns, vix) == pytest.approx((-1.0, -4.0))
