"""Facts of a history of VIX: on series whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from standin.stylized_facts.vix import LOG_LAGS, ranges_of, vix_facts


def history(sessions: int, decay: float = 0.97, move: float = 0.07, seed: int = 3) -> np.ndarray:
    """Closes whose logarithm comes back by `1 - decay` a session."""
    rng = np.random.Generator(np.random.PCG64(seed))
    log = np.zeros(sessions)
    for at in range(1, sessions):
        log[at] = decay * log[at - 1] + move * rng.standard_normal()
    return 17.0 * np.exp(log)


def test_moves_and_memory_are_those_of_the_series() -> None:
    vix = history(8000)
    facts = vix_facts(vix, {"VIX": vix, "VIX3M": 1.1 * vix**0.6 * 17.0**0.4})
    assert facts.median == pytest.approx(17.0, rel=0.1)
    assert facts.move == pytest.approx(0.07, rel=0.05)
    assert facts.skew == pytest.approx(0.0, abs=0.15)
    assert facts.kurtosis == pytest.approx(3.0, abs=0.3)
    lags, acf = facts.log_acf
    assert len(lags) == LOG_LAGS
    assert acf[[0, 4, 21]] == pytest.approx(0.97 ** np.array([1, 5, 22]), abs=0.05)
    assert facts.moves["VIX3M"] == pytest.approx(0.6 * facts.moves["VIX"])
    # VIX is above VIX3M where its logarithm is above ln(1.1) / 0.4.
    assert facts.inverted == pytest.approx(np.mean(np.log(vix / 17.0) > np.log(1.1) / 0.4))


def test_a_history_without_vix3m_has_no_ratio() -> None:
    facts = vix_facts(history(300), {"VIX": history(300)})
    assert facts.over_vix3m is None
    assert facts.inverted is None


def test_ranges_hold_nine_in_ten_stretches_and_need_a_dozen() -> None:
    vix = history(6000)
    known = ranges_of(vix, 750)
    assert known is not None
    assert known.move[0] < 0.07 < known.move[1] < 0.08
    # A short history makes memory look shorter.
    assert known.acf[0] < 0.97
    assert known.log_acf[0].shape == (LOG_LAGS,)
    assert np.all(known.log_acf[0] <= known.log_acf[1])
    assert ranges_of(vix[:1500], 750) is None
