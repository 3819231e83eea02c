"""Interpolation across expiries is linear in total variance and stops where quotes stop."""

import numpy as np
import pytest

from services.quant import term


def test_golden_constant_maturity():
    cm30 = term.constant_maturity_vol(np.array([32, 25]) / 365, np.array([0.20, 0.18]), 30 / 365)
    assert cm30 == pytest.approx(0.1954238374, abs=1e-10)


def test_at_an_expiry_it_is_that_expirys_vol():
    years, vol = np.array([10, 30, 60]) / 365, np.array([0.3, 0.2, 0.25])
    assert term.constant_maturity_vol(years, vol, 30 / 365) == pytest.approx(0.2, abs=1e-15)


def test_nothing_is_extrapolated_beyond_a_quarter():
    years, vol = np.array([60, 90]) / 365, np.array([0.2, 0.2])
    assert np.isnan(term.constant_maturity_vol(years, vol, 30 / 365))
    assert term.constant_maturity_vol(years, vol, 50 / 365) == pytest.approx(0.2)


def test_last_week_expiries_and_missing_vols_take_no_part():
    years, vol = np.array([1, 20, 25, 35]) / 365, np.array([0.9, np.nan, 0.2, 0.2])
    assert term.constant_maturity_vol(years, vol, 30 / 365) == pytest.approx(0.2)


def test_forward_vol_returns_the_far_vol():
    between = term.forward_vol(0.1, 0.2, 0.3, 0.25)
    assert 0.2**2 * 0.1 + between**2 * 0.2 == pytest.approx(0.25**2 * 0.3)
    assert np.isnan(term.forward_vol(0.1, 0.5, 0.3, 0.1))


def test_golden_event_move():
    assert term.event_move(5 / 252, 0.60, 0.35) == pytest.approx(0.0686462, abs=5e-8)
    assert term.event_move(5 / 252, 0.30, 0.35) == 0.0
