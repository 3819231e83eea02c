"""Forward and discount from put-call parity, with the dirt real quotes have."""

import numpy as np
import pytest

from services.quant import black, forward


def chain(true_forward=6450.0, rate=0.04, years=0.25, half_spread=0.2, step=25.0, count=60):
    strike = true_forward // step * step + step * (np.arange(count) - count // 2)
    discount = np.exp(-rate * years)
    vol = 0.15 + 0.4 * (strike / true_forward - 1.0) ** 2
    quotes = []
    for right in (1, -1):
        mid = black.price(true_forward, strike, years, discount, vol, right)
        half = np.minimum(half_spread, 0.1 * mid)
        quotes += [mid - half, mid + half]
    return strike, quotes, discount


def test_clean_quotes_give_both_exactly():
    strike, quotes, discount = chain()
    found = forward.implied_forward(strike, *quotes, 0.25, curve_discount=0.97)
    assert found.status == forward.OK
    assert found.forward == pytest.approx(6450.0, abs=1e-6)
    assert found.discount == pytest.approx(discount, abs=1e-9)


def test_a_stale_quote_is_talked_down():
    strike, quotes, _ = chain()
    quotes[0][31] += 40.0
    quotes[1][31] += 40.0
    found = forward.implied_forward(strike, *quotes, 0.25, curve_discount=0.99)
    assert found.forward == pytest.approx(6450.0, abs=0.02)


def test_noise_of_a_tick_moves_the_forward_by_less():
    strike, quotes, _ = chain()
    rng = np.random.default_rng(3)
    noisy = [quote + rng.normal(0.0, 0.05, quote.size) for quote in quotes]
    noisy[1], noisy[3] = np.maximum(noisy[1], noisy[0]), np.maximum(noisy[3], noisy[2])
    found = forward.implied_forward(strike, *noisy, 0.25, curve_discount=np.exp(-0.04 * 0.25))
    assert found.forward == pytest.approx(6450.0, abs=0.1)


def test_with_a_day_left_the_curve_says_the_discount():
    strike, quotes, _ = chain(years=1 / 365)
    rng = np.random.default_rng(5)
    noisy = [quote + rng.normal(0.0, 0.2, quote.size) for quote in quotes]
    noisy = [noisy[0], np.maximum(*noisy[:2]), noisy[2], np.maximum(*noisy[2:])]
    found = forward.implied_forward(strike, *noisy, 1 / 365, curve_discount=0.9999)
    assert found.status == forward.CURVE_DISCOUNT
    assert found.discount == 0.9999


def test_crossed_empty_and_wide_quotes_take_no_part():
    bid, ask = np.array([0.0, 2.0, 1.0, 1.0, 0.05]), np.array([1.0, 1.9, 1.1, 2.0, 0.10])
    assert forward.usable_quotes(bid, ask).tolist() == [False, False, True, False, True]


def test_two_strikes_are_too_few():
    strike, quotes, _ = chain(count=2)
    found = forward.implied_forward(strike, *quotes, 0.25, curve_discount=0.99)
    assert found.status == forward.TOO_FEW
    assert np.isnan(found.forward)
