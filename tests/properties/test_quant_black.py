"""What option prices must obey whatever the numbers are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.quant import black

FORWARD = st.floats(0.5, 1e5)
LOG_MONEYNESS = st.floats(-2.0, 2.0)
YEARS = st.floats(1e-5, 5.0)
VOL = st.floats(0.01, 3.0)
RATE = st.floats(-0.02, 0.15)
RIGHT = st.sampled_from([1, -1])


@given(forward=FORWARD, x=LOG_MONEYNESS, years=YEARS, vol=VOL, rate=RATE)
def test_put_call_parity(forward, x, years, vol, rate):
    strike, discount = forward * np.exp(x), np.exp(-rate * years)
    call, put = (black.price(forward, strike, years, discount, vol, right)[0] for right in (1, -1))
    assert call - put == pytest.approx(discount * (forward - strike), abs=1e-14 * max(forward, strike) * 10)


@given(forward=FORWARD, x=LOG_MONEYNESS, years=YEARS, vol=VOL, right=RIGHT)
def test_price_lies_between_intrinsic_and_its_ceiling(forward, x, years, vol, right):
    strike = forward * np.exp(x)
    value = black.price(forward, strike, years, 1.0, vol, right)[0]
    assert max(right * (forward - strike), 0.0) <= value <= (forward if right > 0 else strike)


@given(forward=FORWARD, years=YEARS, vol=VOL, right=RIGHT)
def test_price_is_monotone_and_convex_in_strike(forward, years, vol, right):
    strike = forward * np.exp(np.linspace(-1.0, 1.0, 41))
    value = black.price(forward, strike, years, 1.0, vol, right)
    slopes = np.diff(value) / np.diff(strike)
    noise = 1e-13 * forward / np.diff(strike).min()
    assert (right * slopes <= noise).all()
    assert (np.diff(slopes) >= -noise).all()


@given(forward=FORWARD, x=LOG_MONEYNESS, years=YEARS, right=RIGHT)
def test_price_rises_with_vol(forward, x, years, right):
    value = black.price(forward, forward * np.exp(x), years, 1.0, np.linspace(0.01, 3.0, 60), right)
    assert (np.diff(value) >= -1e-14 * forward).all()


@given(forward=FORWARD, x=LOG_MONEYNESS, years=YEARS, vol=VOL, scale=st.sampled_from([2.0**-20, 0.5, 2.0**30]))
def test_prices_scale_with_the_unit_of_money(forward, x, years, vol, scale):
    strike = forward * np.exp(x)
    value = black.price(forward, strike, years, 1.0, vol, 1)
    assert black.price(scale * forward, scale * strike, years, 1.0, vol, 1) == pytest.approx(scale * value, rel=1e-13)


@given(forward=FORWARD, x=LOG_MONEYNESS, years=YEARS, vol=VOL)
def test_vol_inverts_price_to_what_the_price_can_tell(forward, x, years, vol):
    strike = forward * np.exp(x)
    right = 1 if strike >= forward else -1
    value = black.price(forward, strike, years, 1.0, vol, right)
    solved, status = black.implied_vol(value, forward, strike, years, 1.0, right)
    vega = black.greeks(forward, strike, years, 1.0, 0.0, right, vol).vega[0]
    if value[0] > 1e-290 and status[0] == black.OK and vega > 1e-280:
        told = np.spacing(value[0]) / vega
        assert abs(solved[0] - vol) <= 1e-12 * max(vol, 1.0) + 8.0 * told


@given(x=st.floats(-0.4, 0.4), years=st.floats(0.02, 2.0), vol=st.floats(0.1, 1.0), rate=RATE, right=RIGHT)
def test_greeks_are_the_derivatives_of_the_price(x, years, vol, rate, right):
    forward, strike = 100.0, 100.0 * float(np.exp(x))

    def value(f=forward, t=years, v=vol, r=rate):
        return black.price(f, strike, t, np.exp(-r * t), v, right)[0]

    def delta(t=years, v=vol):
        return black.greeks(forward, strike, t, np.exp(-rate * t), rate, right, v).delta[0]

    def central(of, at, step):
        return (of(at + step) - of(at - step)) / (2.0 * step)

    found = black.greeks(forward, strike, years, np.exp(-rate * years), rate, right, vol)
    df, dt, dv = 1e-3, 1e-5, 1e-5
    assert found.delta[0] == pytest.approx(central(lambda f: value(f=f), forward, df), abs=1e-7)
    assert found.gamma[0] == pytest.approx((value(f=100.01) - 2 * value() + value(f=99.99)) / 1e-4, abs=2e-6)
    assert found.vega[0] == pytest.approx(central(lambda v: value(v=v), vol, dv), rel=1e-6, abs=1e-6)
    assert found.theta[0] == pytest.approx(-central(lambda t: value(t=t), years, dt), rel=1e-5, abs=1e-4)
    assert found.rho[0] == pytest.approx(central(lambda r: value(r=r), rate, 1e-6), rel=1e-6, abs=1e-6)
    assert found.vanna[0] == pytest.approx(central(lambda v: delta(v=v), vol, dv), rel=1e-5, abs=1e-6)
    assert found.charm[0] == pytest.approx(-central(lambda t: delta(t=t), years, dt), rel=1e-4, abs=1e-5)

    def vega(v):
        return black.greeks(forward, strike, years, np.exp(-rate * years), rate, right, v).vega[0]

    assert found.vomma[0] == pytest.approx(central(vega, vol, dv), rel=1e-5, abs=1e-4)


@given(x=st.floats(-0.3, 0.3), years=st.floats(0.05, 1.0), vol=st.floats(0.1, 0.8), right=RIGHT)
def test_spot_greeks_are_the_derivatives_in_spot(x, years, vol, right):
    spot, rate, carry = 100.0, 0.05, 0.03
    strike = spot * float(np.exp(x))

    def value(s=spot, t=years, r=rate):
        # At a fixed dividend yield the carry moves with the rate.
        return black.price(s * np.exp((carry + r - rate) * t), strike, t, np.exp(-r * t), vol, right)[0]

    forward = spot * np.exp(carry * years)
    raw = black.greeks(forward, strike, years, np.exp(-rate * years), rate, right, vol)
    found = black.spot_view(raw, spot, forward, years)
    assert found.delta[0] == pytest.approx((value(s=100.001) - value(s=99.999)) / 0.002, abs=1e-7)
    assert found.gamma[0] == pytest.approx((value(s=100.01) - 2 * value() + value(s=99.99)) / 1e-4, abs=2e-6)
    assert found.theta[0] == pytest.approx(-(value(t=years + 1e-5) - value(t=years - 1e-5)) / 2e-5, rel=1e-5, abs=1e-4)
    assert found.rho[0] == pytest.approx((value(r=rate + 1e-6) - value(r=rate - 1e-6)) / 2e-6, rel=1e-5, abs=1e-5)


@given(rows=st.integers(1, 5000), seed=st.integers(0, 100))
def test_every_row_is_worked_out_alone(rows, seed):
    rng = np.random.default_rng(seed)
    forward, x = rng.uniform(1, 1e4, rows), rng.uniform(-1, 1, rows)
    years, vol = rng.uniform(0.001, 2, rows), rng.uniform(0.05, 2, rows)
    right = np.where(rng.random(rows) < 0.5, 1, -1).astype(np.int8)
    columns = forward, forward * np.exp(x), years, np.ones(rows)
    value = black.price(*columns, vol, right)
    whole = black.implied_vol(value, *columns, right)[0]
    one = int(rng.integers(rows))
    alone = black.implied_vol(value[one], *(column[one] for column in columns), right[one])[0]
    assert np.array_equal(alone, whole[one : one + 1], equal_nan=True)
