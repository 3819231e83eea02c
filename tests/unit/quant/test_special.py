"""The elementary functions against mpmath at 40 digits."""

import mpmath as mp
import numpy as np
import pytest

from services.quant import special


@pytest.fixture(autouse=True)
def forty_digits():
    with mp.workdps(40):
        yield


def relative_errors(ours, exact, arguments):
    return [abs(mp.mpf(ours(*pair)) / exact(*pair) - 1) for pair in arguments]


def test_exp_is_within_two_ulp_where_results_are_normal():
    arguments = [(float(x),) for x in np.linspace(-707.9, 708.9, 4001)]
    assert max(relative_errors(special.exp, lambda x: mp.exp(mp.mpf(x)), arguments)) < 4.5e-16


def test_exp_is_exact_at_zero_and_clamped_outside():
    assert special.exp(0.0) == 1.0
    assert special.exp(-1e9) == special.exp(-708.0)


def test_exp2_negative_is_within_two_ulp():
    arguments = [(float(q),) for q in np.linspace(0.0, 1019.9, 4001)]
    assert max(relative_errors(special.exp2_negative, lambda q: mp.power(2, -mp.mpf(q)), arguments)) < 5e-16
    assert special.exp2_negative(0.0) == 1.0
    assert special.exp2_negative(1e9) == 2.0**-1020


def test_log_ratio_is_within_two_ulp_also_next_to_one():
    rng = np.random.default_rng(5)
    near = [
        (float(p), float(p * (1.0 + e)))
        for p, e in zip(rng.uniform(1, 1e4, 500), rng.normal(0, 1e-6, 500), strict=True)
    ]
    wide = [(float(p), float(q)) for p, q in np.exp(rng.uniform(-300, 300, (2000, 2)))]
    exact = lambda p, q: mp.log(mp.mpf(p) / mp.mpf(q))  # noqa: E731
    assert max(relative_errors(special.log_ratio, exact, near + wide)) < 4.5e-16


def test_log_ratio_of_equals_is_zero():
    assert special.log_ratio(6012.25, 6012.25) == 0.0


def test_erfcx_holds_from_minus_one_to_infinity():
    arguments = [(float(y),) for y in np.concatenate([np.linspace(-1, 8, 1500), np.geomspace(8, 1e6, 200)])]
    exact = lambda y: mp.exp(mp.mpf(y) ** 2) * mp.erfc(y) if y < 1e3 else mp.mpf(1) / (y * mp.sqrt(mp.pi))  # noqa: E731
    errors = relative_errors(special.erfcx, exact, [a for a in arguments if a[0] < 1e3])
    assert max(errors) < 2e-15
    far = relative_errors(special.erfcx, exact, [a for a in arguments if a[0] >= 1e3])
    assert max(far) < 1e-6  # the exact side is the leading term here, good to 1 / (2 y**2)


def test_normal_distribution_keeps_its_tail():
    arguments = [(float(x),) for x in np.linspace(-37.0, 8.0, 901)]
    errors = relative_errors(special.norm_cdf, lambda x: mp.erfc(-mp.mpf(x) / mp.sqrt(2)) / 2, arguments)
    assert max(errors) < 1e-13


def test_floor_and_nearest_are_numpys():
    numbers = np.concatenate(
        (np.linspace(-3.0, 3.0, 49), np.random.default_rng(1).normal(0.0, 1e6, 500), [2.0**50 + 0.5])
    )
    assert [special.floor(x) for x in numbers] == np.floor(numbers).tolist()
    assert [special.nearest(x) for x in numbers] == np.rint(numbers).tolist()
