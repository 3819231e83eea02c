"""The exercise boundary: its limits, its shape, and that it is where holding and exercising are worth the same."""

import numpy as np
import pytest

from services.quant import american
from services.quant.exercise_boundary import DEGREE, boundary_at, boundary_limit, fit_boundary

CASES = [(1.0, 0.05, 0.0, 0.2), (3.0, 0.06, 0.02, 0.4), (0.5, 0.03, 0.08, 0.3), (5.0, 0.08, 0.12, 0.2)]


def fitted(years, rate, dividend_yield, vol):
    places, coefficients = np.empty(DEGREE + 1), np.empty(DEGREE + 1)
    fit_boundary(100.0, years, rate, dividend_yield, vol, places, coefficients)
    return places, coefficients


@pytest.mark.parametrize("case", CASES)
def test_starts_at_its_limit_and_falls_with_time_left(case):
    places, coefficients = fitted(*case)
    limit = boundary_limit(100.0, case[1], case[2])
    along = [boundary_at(root, limit, coefficients) for root in np.linspace(0.0, 1.0, 50)]
    assert along[0] == pytest.approx(limit, rel=1e-6)
    assert (np.diff(along) < 0.0).all()
    assert along[-1] == pytest.approx(places[DEGREE], rel=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_holding_is_worth_what_exercising_is_and_as_steeply(case):
    boundary = fitted(*case)[0][DEGREE]
    above = boundary * (1.0 + np.array([1e-6, 1e-3]))
    kept = american.price(above, 100.0, *case, -1) - (100.0 - above)
    assert 0.0 <= kept[0] < 1e-4
    # Smooth pasting: what holding adds grows with the square of the distance.
    assert kept[1] < 1e-3 * 1e-3 * boundary * 100.0


def test_almost_no_vol_exercises_at_the_strike():
    places, _ = fitted(1.0, 0.05, 0.0, 1e-3)
    assert np.isfinite(places).all()
    assert places[DEGREE] == pytest.approx(100.0, rel=1e-3)
