"""Re-pricing gamma on a spot grid: the toy chain's flip, every root, and the incremental update."""

import numpy as np
import pytest

from services.quant import black, exposure, gamma_profile
from services.quant import numpy_reference as twin
from tests.unit.quant.test_exposure import OPEN_INTEREST, RIGHT, STRIKE, VOL, YEARS


def toy_cells():
    return gamma_profile.cells(100.0, 100.0, STRIKE, YEARS, 1.0, VOL, RIGHT * OPEN_INTEREST)


def test_toy_chain_flips_at_99_760():
    grid = np.arange(850, 1151) / 10.0
    profile = gamma_profile.profile(toy_cells(), 100.0, grid)
    (root,) = gamma_profile.zero_gamma(grid, profile)
    assert root == pytest.approx(99.760, abs=5e-4)
    (fine,) = gamma_profile.refine(toy_cells(), 100.0, [root], 0.1)
    assert abs(gamma_profile.profile(toy_cells(), 100.0, np.array([fine]))[0]) < 1.0
    assert fine == pytest.approx(root, abs=1e-3)


def test_profile_at_spot_is_the_net_exposure():
    at_spot = gamma_profile.profile(toy_cells(), 100.0, np.array([100.0]))[0]
    assert at_spot == pytest.approx(1_613_484.54, abs=0.005)


def test_profile_elsewhere_is_the_exposure_repriced_there():
    for spot in (93.0, 104.0):
        raw = black.greeks(spot, STRIKE, YEARS, 1.0, 0.0, RIGHT, VOL)
        view = black.spot_view(raw, spot, spot, YEARS)
        direct = exposure.exposure(view, spot, OPEN_INTEREST, exposure.dealer_sign(RIGHT, exposure.NAIVE)).gex_usd.sum()
        assert gamma_profile.profile(toy_cells(), 100.0, np.array([spot]))[0] == pytest.approx(direct, rel=1e-12)


def test_every_root_is_returned_and_the_nearest_named():
    grid = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    roots = gamma_profile.zero_gamma(grid, np.array([-1.0, 1.0, 1.0, -3.0, 1.0]))
    assert roots == [1.5, 3.25, 4.75]
    assert gamma_profile.nearest(roots, 4.0) == 3.25
    assert gamma_profile.nearest([], 4.0) is None


def test_none_is_none():
    grid = np.array([1.0, 2.0, 3.0])
    assert gamma_profile.zero_gamma(grid, np.array([1.0, 2.0, 3.0])) == []
    assert gamma_profile.zero_gamma(grid, np.zeros(3)) == []


def test_underflow_is_not_a_root():
    grid = np.array([1.0, 2.0, 3.0, 4.0])
    assert gamma_profile.zero_gamma(grid, np.array([-1e-30, 1e-30, 1e9, 1e9])) == []


def test_a_zero_on_the_grid_is_one_root():
    assert gamma_profile.zero_gamma(np.array([1.0, 2.0, 3.0]), np.array([-5.0, 0.0, 5.0])) == [2.0]


def test_updating_one_contract_equals_rebuilding():
    rows, grid = toy_cells(), gamma_profile.spot_grid(100.0)
    total = gamma_profile.profile(rows, 100.0, grid)
    ticked = VOL.copy()
    ticked[5] += 0.02
    new = gamma_profile.cells(100.0, 100.0, STRIKE, YEARS, 1.0, ticked, RIGHT * OPEN_INTEREST)
    one = slice(5, 6)
    gamma_profile.change(
        gamma_profile.Cells(*(column[one] for column in rows)),
        gamma_profile.Cells(*(column[one] for column in new)),
        100.0,
        grid,
        total,
    )
    rebuilt = gamma_profile.profile(new, 100.0, grid)
    assert np.abs(total - rebuilt).max() < 1e-12 * np.abs(rebuilt).max()


def test_contracts_without_vol_or_time_weigh_nothing():
    rows = gamma_profile.cells(100.0, 100.0, 100.0, [0.1, 0.0, 0.1], 1.0, [np.nan, 0.2, 0.0], 10.0)
    assert rows.weight.tolist() == [0.0, 0.0, 0.0]
    assert gamma_profile.profile(rows, 100.0, np.array([90.0, 100.0])).tolist() == [0.0, 0.0]


def test_twin_agrees_to_1e_12():
    rng = np.random.default_rng(17)
    strike = 6000.0 * np.exp(rng.normal(0.0, 0.12, 3000))
    rows = gamma_profile.cells(
        6000.0,
        6010.0,
        strike,
        rng.uniform(0.002, 2.0, 3000),
        0.98,
        rng.uniform(0.08, 0.8, 3000),
        rng.normal(0, 500, 3000),
    )
    grid = gamma_profile.spot_grid(6000.0, points=200)
    ours, theirs = gamma_profile.profile(rows, 6000.0, grid), twin.profile(*rows, 6000.0, grid)
    assert np.abs(ours - theirs).max() < 1e-12 * np.abs(theirs).max()
