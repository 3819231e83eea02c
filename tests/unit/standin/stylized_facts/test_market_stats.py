"""The made-up market has the facts it should: the figures of its portrait, in ranges that published ones allow."""

from __future__ import annotations

import numpy as np
import pytest

from standin.market.scenario import scenario_of
from standin.stylized_facts.facts import DELTAS, TEN
from standin.stylized_facts.market_stats import MarketStats, measured_stats


@pytest.fixture(scope="module")
def seen() -> MarketStats:
    return measured_stats(7, scenario_of("plain"))


def test_the_day_is_u_shaped_and_sizes_are_small(seen: MarketStats) -> None:
    assert seen.half_hours is not None
    assert seen.sizes is not None
    share = seen.half_hours[1]
    assert share[0] == share.max() > 2 * share[5:8].mean()
    assert share[-1] > 1.5 * share[5:8].mean()
    assert 0.7 < seen.sizes[:TEN].sum() < 0.92
    assert 7 < float(seen.mean_size or 0) < 12


def test_cheap_options_are_quoted_widest_and_puts_are_dearer_than_calls(seen: MarketStats) -> None:
    assert seen.spreads is not None
    assert seen.smile is not None
    assert np.all(np.diff(seen.spreads[1]) < 0)
    ratio = dict(zip(DELTAS.tolist(), seen.smile[1].tolist(), strict=True))
    assert ratio[0.25] < 1.0 < ratio[0.75] < 1.3


def test_vix_has_the_level_the_moves_and_the_slope_it_should(seen: MarketStats) -> None:
    """Against 2010 to 2026: median 16.8, daily log moves of 0.078, skewed by 1.1 with a kurtosis of 9.7,
    autocorrelation 0.96, 0.88 of VIX3M; Whaley's -3.0 to -4.5 % a percent of the index. Where a bound is an end of
    what nine in ten recorded stretches of 750 sessions show, it says so."""
    assert seen.leverage is not None
    assert seen.vix is not None
    assert 14 < seen.vix.median < 21
    assert 0.065 < seen.vix.move < 0.085  # from 0.050
    assert 0.23 < seen.vix.skew < 1.65  # both ends
    assert 3.6 < seen.vix.kurtosis < 14.2  # both ends
    assert 0.94 < seen.vix.acf < 0.985
    assert 0.85 < float(seen.vix.over_vix3m or 0) < 0.94
    assert list(seen.vix.moves.values()) == sorted(seen.vix.moves.values(), reverse=True)
    assert seen.leverage[0] < -0.6
    assert -5.5 < seen.leverage[1] < -3.0
    assert 2.5 < float(seen.vix_less_realised or 0) < 7


def test_returns_are_fat_tailed_and_say_nothing_of_the_next(seen: MarketStats) -> None:
    assert seen.minute_acf is not None
    assert seen.minute_abs_acf is not None
    assert float(seen.kurtosis or 0) > 3.3
    assert abs(seen.minute_acf[1][0]) < 4 / np.sqrt(390)
    assert seen.minute_abs_acf[1][:10].mean() > 2 / np.sqrt(3900)
