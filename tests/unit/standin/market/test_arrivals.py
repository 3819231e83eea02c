"""Orders bring orders: the Hawkes process, its mean, its branching ratio, and that it can be entered anywhere."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from standin.market.arrivals import BRANCHING, Arrivals
from standin.market.informed import intensity

DAY = dt.date(2025, 12, 15)


def counts(base: object, seconds: int, seed: int = 5) -> np.ndarray:
    arrivals = Arrivals(seed, DAY, base)  # type: ignore[arg-type]
    return np.array([arrivals.counts(second) for second in range(seconds)])


@pytest.fixture(scope="module")
def steady() -> np.ndarray:
    rates = np.array([20.0, 5.0, 1.0, 0.2])
    return counts(lambda second: rates, 36_000)


def test_the_mean_is_the_base_rate(steady: np.ndarray) -> None:
    assert steady.mean(axis=0) == pytest.approx([20.0, 5.0, 1.0, 0.2], rel=0.06)


def test_six_in_ten_orders_answer_to_others(steady: np.ndarray) -> None:
    """The branching ratio from counts in long windows: 1 - sqrt(mean / variance) (Hardiman and Bouchaud 2014);
    36,000 s of ten-minute windows."""
    windows = steady.sum(axis=1).reshape(-1, 600).sum(axis=1)
    ratio = 1.0 - np.sqrt(windows.mean() / windows.var(ddof=1))
    assert ratio == pytest.approx(BRANCHING, abs=0.12)


def test_a_poisson_process_would_have_none() -> None:
    """The same estimate on independent counts is about nothing: the one above can fail."""
    flat = np.random.Generator(np.random.PCG64(3)).poisson(26.2, 36_000).reshape(-1, 600).sum(axis=1)
    assert abs(1.0 - np.sqrt(flat.mean() / flat.var(ddof=1))) < 0.2


def test_a_busy_second_is_followed_by_busy_ones(steady: np.ndarray) -> None:
    total = steady.sum(axis=1)
    after = [np.corrcoef(total[:-lag], total[lag:])[0, 1] for lag in (1, 10, 60)]
    # Independent counts would have 0.005 either way.
    assert after[0] > 0.08
    assert after[0] > after[1] > after[2] > 0.0


def test_the_day_is_u_shaped() -> None:
    shape = intensity(23_400)
    made = counts(lambda second: np.array([2.0 * shape[second]]), 23_400)[:, 0]
    opening, noon, closing = made[:1800].mean(), made[9000:14_400].mean(), made[-1800:].mean()
    assert opening > 2.0 * noon
    assert closing > 1.4 * noon


def test_nobody_orders_while_halted() -> None:
    made = counts(lambda second: np.array([10.0, 0.0 if 60 <= second < 120 else 10.0]), 240)
    assert not made[60:120, 1].any()
    assert made[120:, 1].any()


def test_a_second_does_not_depend_on_when_somebody_looks() -> None:
    rates = np.array([3.0, 1.0])
    whole = counts(lambda second: rates, 600)
    late = Arrivals(5, DAY, lambda second: rates)
    assert np.array_equal(late.counts(599), whole[599])
    assert np.array_equal(late.counts(60), whole[60])
