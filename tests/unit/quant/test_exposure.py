"""The toy chain of spec/option-arithmetic.md 9, worked out by hand there, and the rules of each figure."""

import numpy as np
import pytest

from services.quant import black, exposure, strike_levels

STRIKE = np.array([90.0, 95.0, 98.0, 100.0, 100.0, 102.0, 105.0, 110.0])
VOL = np.array([0.30, 0.26, 0.24, 0.22, 0.22, 0.21, 0.20, 0.20])
RIGHT = np.array([-1, -1, -1, -1, 1, 1, 1, 1], dtype=np.int8)
OPEN_INTEREST = np.array([9000.0, 12000.0, 4000.0, 3000.0, 3500.0, 5000.0, 14000.0, 8000.0])
YEARS = 5 / 252


def toy(convention):
    raw = black.greeks(100.0, STRIKE, YEARS, 1.0, 0.0, RIGHT, VOL)
    spot_greeks = black.spot_view(raw, 100.0, 100.0, YEARS)
    return exposure.exposure(spot_greeks, 100.0, OPEN_INTEREST, exposure.dealer_sign(RIGHT, convention))


def test_naive_net_gamma_and_its_strikes():
    gex = toy(exposure.NAIVE).gex_usd
    assert gex.sum() == pytest.approx(1_613_484.54, abs=0.005)
    at = strike_levels.listed(STRIKE)
    assert at.strikes.tolist() == [90.0, 95.0, 98.0, 100.0, 102.0, 105.0, 110.0]
    assert strike_levels.sum_by_strike(at, gex).round().tolist() == [
        -360_066,
        -4_777_179,
        -3_908_185,
        643_607,
        5_442_656,
        4_533_801,
        38_851,
    ]


def test_golden_gamma_of_ten_thousand_contracts():
    forward = 5000.0 * np.exp((0.045 - 0.013) * 7 / 365)
    raw = black.greeks(forward, 5050.0, 7 / 365, np.exp(-0.045 * 7 / 365), 0.045, 1, 0.14)
    spot_greeks = black.spot_view(raw, 5000.0, forward, 7 / 365)
    gex = exposure.exposure(spot_greeks, 5000.0, np.array([10_000.0]), np.array([1.0])).gex_usd
    assert gex[0] == pytest.approx(920_215_612.54, abs=0.01)
    inside = exposure.gex_usd(5000.0, forward, 5050.0, 7 / 365, np.exp(-0.045 * 7 / 365), 0.14, 10_000.0, 100.0)
    assert inside == pytest.approx(gex[0], rel=1e-13)


def test_all_short_is_never_positive():
    assert (toy(exposure.ALL_SHORT).gex_usd <= 0.0).all()


def test_flow_sign_starts_naive_and_ends_at_what_was_seen():
    right = np.array([1, 1, 1], dtype=np.int8)
    sign = exposure.flow_sign(right, np.full(3, 100.0), np.array([0.0, 100.0, 250.0]), np.array([0.0, 50.0, 400.0]))
    assert sign.tolist() == [1.0, 0.0, -1.0]


def test_unknown_convention_is_refused_by_name():
    with pytest.raises(ValueError, match="'dealers'"):
        exposure.dealer_sign(RIGHT, "dealers")


def test_vex_and_cex_are_the_change_of_delta_dollars():
    signed = exposure.dealer_sign(RIGHT, exposure.NAIVE)

    def dex(vol, years):
        view = black.spot_view(black.greeks(100.0, STRIKE, years, 1.0, 0.0, RIGHT, vol), 100.0, 100.0, years)
        return exposure.exposure(view, 100.0, OPEN_INTEREST, signed).dex_usd

    figures = toy(exposure.NAIVE)
    up, down = dex(VOL + 1e-5, YEARS), dex(VOL - 1e-5, YEARS)
    assert figures.vex_usd == pytest.approx((up - down) / 2e-5 * 0.01, rel=1e-5)
    tick = 1e-7
    later, earlier = dex(VOL, YEARS - tick), dex(VOL, YEARS + tick)
    assert figures.cex_usd == pytest.approx((later - earlier) / (2 * tick) / 365, rel=1e-5)


def test_expiring_share_is_of_gross_gamma():
    assert exposure.expiring_share(np.array([1.0, -3.0]), np.array([10, 20]), 10) == 0.25


def test_a_contract_without_vol_counts_as_no_exposure():
    raw = black.greeks(100.0, 100.0, YEARS, 1.0, 0.0, 1, [0.2, np.nan])
    figures = exposure.exposure(black.spot_view(raw, 100.0, 100.0, YEARS), 100.0, np.ones(2), np.ones(2))
    assert figures.gex_usd[0] > 0.0
    assert figures.gex_usd[1] == 0.0
