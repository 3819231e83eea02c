"""exp, log and powers of arrays against numpy's, whose last place may differ."""

from __future__ import annotations

import numpy as np
import pytest

from services.quant import exact


def test_they_are_numpys_but_for_the_last_place() -> None:
    values = np.random.default_rng(1).uniform(-30.0, 30.0, (7, 13))
    assert exact.exp(values) == pytest.approx(np.exp(values), rel=4e-16)
    assert exact.log(np.exp(values)) == pytest.approx(values, rel=1e-14)


@pytest.mark.parametrize("whole", [1, 2, 3, 9, 10, 14])
def test_powers_are_multiplications(whole: int) -> None:
    values = np.random.default_rng(2).uniform(0.0, 1.0, 1000)
    assert exact.power(values, whole) == pytest.approx(values**whole, rel=3e-15)


def test_shapes_are_kept_and_read_only_views_are_taken() -> None:
    values = np.arange(12.0).reshape(3, 4).T
    values.flags.writeable = False
    assert exact.exp(values).shape == (4, 3)
    assert exact.exp(values)[1, 2] == exact.exp(9.0)
    assert float(exact.log(1.0)) == 0.0
