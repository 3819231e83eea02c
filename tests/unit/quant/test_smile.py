"""A fitted expiry: which curve, its checks, and what is read from it."""

import numpy as np
import pytest

from services.quant import black, smile, svi

YEARS = 0.2
TRUE = svi.Svi(a=0.002, b=0.03, rho=-0.5, m=0.01, s=0.06, rmse=0.0)


def quotes(count, low=-0.25, high=0.15):
    k = np.linspace(low, high, count)
    return k, np.sqrt(svi.total_variance(TRUE, k) / YEARS), np.full(count, 0.002)


def test_enough_quotes_make_svi_and_it_goes_through_them():
    k, vol, half = quotes(40)
    fitted = smile.fit_smile(k, vol, half, YEARS)
    assert fitted.kind == smile.SVI
    assert np.abs(smile.vol_at(fitted, k) - vol).max() < 1e-6
    assert fitted.rmse_half_spreads < 0.01


def test_few_quotes_make_a_parabola_with_flat_wings():
    k, vol, half = quotes(6, -0.06, 0.06)
    fitted = smile.fit_smile(k, vol, half, YEARS)
    assert fitted.kind == smile.QUADRATIC
    assert np.abs(smile.vol_at(fitted, k) - vol).max() < 2e-3
    assert smile.vol_at(fitted, np.array([0.5])) == smile.vol_at(fitted, np.array([fitted.k_high]))


def test_a_parabola_returns_from_a_parabola():
    k = np.linspace(-0.05, 0.05, 7)
    vol = np.sqrt((0.01 - 0.02 * k + 0.3 * k * k) / YEARS)
    fitted = smile.fit_smile(k, vol, np.full(7, 0.001), YEARS)
    assert fitted.kind == smile.QUADRATIC
    assert fitted.curve == pytest.approx((0.01, -0.02, 0.3), abs=1e-9)


def test_fewer_quotes_are_flat_and_none_is_nan():
    k, vol, half = quotes(3)
    assert smile.fit_smile(k, vol, half, YEARS).kind == smile.FLAT
    nothing = smile.fit_smile(k[:0], vol[:0], half[:0], YEARS)
    assert nothing.quotes == 0
    assert np.isnan(smile.figures(nothing).atm_iv)


def test_bad_vols_are_left_out():
    k, vol, half = quotes(40)
    vol[7], vol[9] = np.nan, -1.0
    assert smile.fit_smile(k, vol, half, YEARS).quotes == 38


def test_a_wing_of_twenty_deviations_does_not_bend_the_middle():
    """As SPX's weeklies are quoted: a straight left wing far steeper than the curve near the forward goes on to."""
    near, far = quotes(60), np.linspace(-2.0, -0.9, 40)
    k = np.concatenate([far, near[0]])
    vol = np.concatenate([np.full(40, 1.4), near[1]])
    fitted = smile.fit_smile(k, vol, np.full(100, 0.002), YEARS)
    assert fitted.quotes == 60
    assert fitted.k_low == near[0][0]
    assert np.abs(smile.vol_at(fitted, near[0]) - near[1]).max() < 1e-6


def test_far_quotes_are_fitted_where_there_are_no_nearer_ones():
    k, vol, half = quotes(12, -1.5, 1.5)
    fitted = smile.fit_smile(k, vol, half, YEARS)
    assert fitted.kind == smile.SVI
    assert fitted.quotes >= smile.QUOTES_FOR_SVI


@pytest.mark.parametrize("delta", [0.25, -0.25, 0.5, 0.1])
def test_strike_at_delta_has_that_delta(delta):
    fitted = smile.fit_smile(*quotes(40), YEARS)
    k = smile.strike_at_delta(fitted, delta)
    vol = smile.vol_at(fitted, np.array([k]))
    found = black.greeks(1.0, np.exp(k), YEARS, 1.0, 0.0, 1 if delta > 0 else -1, vol).delta[0]
    assert found == pytest.approx(delta, abs=1e-10)


def test_a_steep_wing_beyond_the_quotes_does_not_lend_its_delta():
    """SPX of 13 May 2019, expiry 5 July, as fitted: with Lee's slope on the right the delta of 0.25 comes twice."""
    curve = (-0.0023815958312282197, 1.0238106056106506, 0.9534863079554664, 0.11987589232381377, 0.013297074126983867)
    fitted = smile.Smile(smile.SVI, curve, 0.145273433536276, -0.4, 0.1, 154, 0.0, 0.0)
    assert 0.0 < smile.strike_at_delta(fitted, 0.25) < 0.1
    assert smile.figures(fitted).rr25 == pytest.approx(-0.0717, abs=1e-4)


def test_a_delta_that_no_strike_has_is_nan():
    fitted = smile.Smile(smile.SVI, (4.0, 2.0, 0.0, 0.0, 0.1), 1.0, -1.0, 1.0, 20, 0.0, 0.0)
    assert np.isnan(smile.strike_at_delta(fitted, 0.25))


def test_a_smile_falling_with_strike_has_negative_risk_reversal_and_slope():
    figures = smile.figures(smile.fit_smile(*quotes(40), YEARS))
    assert figures.rr25 < 0.0
    assert figures.slope < 0.0
    assert figures.atm_iv == pytest.approx(
        float(np.sqrt(svi.total_variance(TRUE, np.array([0.0]))[0] / YEARS)), abs=1e-6
    )


def test_a_flat_smile_has_no_skew():
    k = np.linspace(-0.2, 0.2, 20)
    figures = smile.figures(smile.fit_smile(k, np.full(20, 0.3), np.full(20, 0.001), YEARS))
    assert figures == pytest.approx((0.3, 0.0, 0.0, 0.0), abs=1e-6)


def test_what_too_few_quotes_do_not_tell_is_not_called_zero():
    atm, *skew = smile.figures(smile.fit_smile(*quotes(3), YEARS))
    assert atm > 0.0
    assert np.isnan(skew).all()


def test_butterfly_check_finds_gatherals_axel_vogt_example():
    # Gatheral & Jacquier (2014), example 3.1: parameters of Axel Vogt, arbitrage near k = 0.8.
    vogt = smile.Smile(smile.SVI, (-0.0410, 0.1331, 0.3060, 0.3586, 0.4153), 1.0, -1.5, 1.5, 50, 0.0, 0.0)
    assert smile.has_butterfly_arbitrage(vogt)
    assert smile.density_factor(vogt, np.array([0.8]))[0] < 0.0
    assert not smile.has_butterfly_arbitrage(smile.fit_smile(*quotes(40), YEARS))


def test_density_factor_is_the_second_strike_derivative_of_the_call():
    fitted = smile.fit_smile(*quotes(40), YEARS)
    k, h = np.array([-0.1, 0.0, 0.05]), 1e-4

    def call(strike):
        return black.price(1.0, strike, YEARS, 1.0, smile.vol_at(fitted, np.log(strike)), 1)

    strike = np.exp(k)
    second = (call(strike + h) - 2 * call(strike) + call(strike - h)) / h**2
    w = smile.total_variance(fitted, k)
    d2 = -k / np.sqrt(w) - 0.5 * np.sqrt(w)
    density = smile.density_factor(fitted, k) * np.exp(-0.5 * d2 * d2) / np.sqrt(2 * np.pi * w) / strike
    assert second == pytest.approx(density, rel=1e-4)


def test_calendar_check_wants_variance_to_grow():
    k, vol, half = quotes(40)
    near = smile.fit_smile(k, vol, half, YEARS)
    later = smile.fit_smile(k, vol, half, 2 * YEARS)
    cheaper = smile.fit_smile(k, 0.6 * vol, half, 2 * YEARS)
    assert not smile.has_calendar_arbitrage(near, later, k, half)
    assert smile.has_calendar_arbitrage(near, cheaper, k, half)


def test_calendar_check_forgives_what_the_quotes_leave_open():
    k, vol, half = quotes(40)
    near = smile.fit_smile(k, vol, half, YEARS)
    a_little_cheaper = smile.fit_smile(k, 0.99 * vol, half, YEARS)
    assert smile.has_calendar_arbitrage(near, a_little_cheaper, k, np.full(40, 1e-4))
    assert not smile.has_calendar_arbitrage(near, a_little_cheaper, k, np.full(40, 0.005))


def test_quotes_that_allow_a_free_butterfly_are_seen():
    strike = np.array([90.0, 100.0, 110.0])
    assert not smile.prices_bend_the_wrong_way(strike, np.array([11.0, 5.0, 1.0]), np.array([11.2, 5.2, 1.2]))
    assert smile.prices_bend_the_wrong_way(strike, np.array([11.0, 7.0, 1.0]), np.array([11.2, 7.2, 1.2]))
    assert smile.prices_bend_the_wrong_way(strike, np.array([11.0, 5.0, 6.0]), np.array([11.2, 5.2, 6.2]))
