"""Raw SVI: parameters come back from their own curve, constraints hold on any data."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import least_squares

from services.quant import svi

TRUE = svi.Svi(a=0.004, b=0.04, rho=-0.6, m=0.01, s=0.08, rmse=0.0)


def test_parameters_return_from_a_clean_curve():
    k = np.linspace(-0.5, 0.3, 60)
    fit = svi.fit_svi(k, svi.total_variance(TRUE, k), np.ones(60))
    assert np.array(fit[:5]) == pytest.approx(np.array(TRUE[:5]), abs=1e-5)
    assert fit.rmse < 1e-7


def test_the_optimum_is_no_worse_than_scipys():
    rng = np.random.default_rng(2)
    k = np.linspace(-0.4, 0.25, 100)
    weight = np.exp(-((k / 0.2) ** 2)) + 0.02
    w = svi.total_variance(TRUE, k) * (1.0 + rng.normal(0.0, 0.004, 100))
    ours = (weight * (svi.total_variance(svi.fit_svi(k, w, weight), k) - w) ** 2).sum()
    bounds = ([-1, 0, -0.999, -1, 1e-4], [1, 5, 0.999, 1, 2])
    theirs = least_squares(
        lambda x: np.sqrt(weight) * (svi.total_variance(svi.Svi(*x, rmse=0.0), k) - w),
        TRUE[:5], bounds=bounds, xtol=1e-14, ftol=1e-14, gtol=1e-14,
    )  # fmt: skip
    assert ours <= 2.0 * theirs.cost * (1.0 + 1e-6)


def test_expiries_laid_end_to_end_are_fitted_as_if_alone():
    rng = np.random.default_rng(4)
    ks = [np.sort(rng.uniform(-0.3, 0.3, n)) for n in (9, 40, 17)]
    ws = [svi.total_variance(TRUE, k) * (1 + rng.normal(0, 0.01, k.size)) for k in ks]
    starts = np.cumsum([0, *(k.size for k in ks)])
    together = svi.fit_many(np.concatenate(ks), np.concatenate(ws), np.ones(starts[-1]), starts)
    alone = [svi.fit_svi(k, w, np.ones(k.size)) for k, w in zip(ks, ws, strict=True)]
    assert together == alone


def test_derivatives_are_those_of_the_curve():
    k, h = np.linspace(-0.5, 0.5, 11), 1e-5
    slope, curvature = svi.derivatives(TRUE, k)
    left, middle, right = (svi.total_variance(TRUE, k + x) for x in (-h, 0.0, h))
    assert slope == pytest.approx((right - left) / (2 * h), abs=1e-8)
    assert curvature == pytest.approx((right - 2 * middle + left) / h**2, abs=1e-4)


@given(seed=st.integers(0, 10_000), quotes=st.integers(8, 60), scale=st.floats(1e-5, 1.0))
def test_any_data_gives_a_curve_within_the_constraints(seed, quotes, scale):
    rng = np.random.default_rng(seed)
    k = np.sort(rng.uniform(-0.6, 0.6, quotes))
    fit = svi.fit_svi(k, scale * rng.uniform(0.01, 1.0, quotes), rng.uniform(0.1, 1.0, quotes))
    assert np.isfinite(fit).all()
    assert fit.b >= 0.0
    assert abs(fit.rho) <= 1.0 + 1e-12
    assert fit.b * (1.0 + abs(fit.rho)) <= 2.0 + 1e-9
    assert svi.total_variance(fit, np.linspace(-3, 3, 301)).min() >= -1e-12
