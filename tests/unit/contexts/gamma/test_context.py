"""Gamma levels on the golden chain of spec/option-arithmetic.md 9, and the context's sense of what is stable."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from schemas.decisions import Direction, Thesis
from schemas.frames import Lane
from services.contexts.gamma.levels import ChainArrays, at_the_money, flip, levels
from tests.support.conformance import machine
from tests.support.decisions import signal
from tests.support.logs import Row, chain_row, frames, heartbeat, option, stock
from tests.support.scenarios import WALLED, wall

# The toy chain of spec/option-arithmetic.md 9: strike, IV, right, open interest; spot 100, 5/252 years, no rates.
TOY = (
    (90, 0.30, -1, 9_000), (95, 0.26, -1, 12_000), (98, 0.24, -1, 4_000), (100, 0.22, -1, 3_000), (100, 0.22, 1, 3_500),
    (102, 0.21, 1, 5_000), (105, 0.20, 1, 14_000), (110, 0.20, 1, 8_000),
)  # fmt: skip


def toy(sign: int = 1, **columns: float) -> ChainArrays:
    """The golden chain; `sign` -1 swaps calls and puts."""
    strike, iv, right, interest = (np.array(column, float) for column in zip(*TOY, strict=True))
    count = len(strike)
    return ChainArrays(
        strike=strike,
        right=(sign * right).astype(np.int8),
        years=np.full(count, 5 / 252),
        iv_annual=iv,
        gamma=np.full(count, columns.get("gamma", np.nan)),
        open_interest=interest,
        multiplier=np.full(count, columns.get("multiplier", 100.0)),
        expires_today=np.zeros(count, bool),
    )


def test_the_golden_chain_has_its_golden_levels() -> None:
    found = levels(toy(), 100.0)
    assert found.net_naive_usd == pytest.approx(1_613_484.54, abs=0.01)
    assert (found.call_wall_usd, found.put_wall_usd, found.max_pain_usd) == (102.0, 95.0, 100.0)
    assert found.net_all_short_usd == -found.gross_usd
    assert found.priced_share == 1.0


def test_the_golden_chain_flips_at_99_76() -> None:
    found = flip(toy(), 100.0, 0.15)
    assert found.zero_gamma_usd == pytest.approx(99.760, abs=0.02)
    assert found.roots == 1


def test_a_call_heavy_chain_is_long_gamma_and_its_mirror_short() -> None:
    assert levels(toy(), 100.0).net_naive_usd > 0 > levels(toy(-1), 100.0).net_naive_usd


def test_a_chain_of_calls_alone_has_no_flip_and_no_put_wall() -> None:
    calls = toy()._replace(right=np.ones(len(TOY), np.int8))
    assert flip(calls, 100.0, 0.15) == (None, 0)
    assert levels(calls, 100.0).put_wall_usd is None


def test_the_vendors_gamma_is_taken_where_it_is_given() -> None:
    found = levels(toy(gamma=0.01), 100.0)
    signed = sum(right * interest for _, _, right, interest in TOY)
    assert found.net_naive_usd == pytest.approx(signed * 100 * 100**2 * 0.01 * 0.01)


def test_an_adjusted_contracts_multiplier_counts() -> None:
    assert levels(toy(multiplier=10.0), 100.0).net_naive_usd == pytest.approx(161_348.454, abs=0.001)


def test_at_the_money_is_linear_between_strikes() -> None:
    assert at_the_money(toy(), 101.0) == pytest.approx(0.215)


def spot_of(rows: list[Row]) -> float:
    """What the gamma context takes for spot at the end of a log."""
    pipeline = machine()
    for frame in frames(rows):
        pipeline.step(frame)
    gamma = next(context for context in pipeline.contexts if context.name == "gamma")
    view = gamma.view(WALLED)
    assert view is not None
    return float(view.spot_usd)


@pytest.mark.parametrize(
    ("tick_s", "chain_s", "spot_usd"),
    [
        (2640, 2670, 98.5),
        (2639, 2670, 97.0),  # more than a minute old at the measurement
        (2639, 2580, 98.5),  # as old, but what the snapshot says is older
    ],
)
def test_when_no_tick_comes_for_a_minute_a_newer_snapshots_spot_counts(
    tick_s: int, chain_s: int, spot_usd: float
) -> None:
    chain = [row for row in wall(minutes=45) if row.lane is Lane.GREEKS]  # marked, and so measured, at 2700 s
    last = chain_row(chain_s, option(WALLED, 14, 95, "P"), open_interest=40_000, iv_annual=0.3, spot_usd=97.0)
    assert spot_of([*chain, last, stock(tick_s, WALLED, 98.5), heartbeat(2700)]) == spot_usd


def test_a_wall_is_stable_after_three_marks_a_quarter_of_an_hour_apart() -> None:
    pipeline = machine()
    gamma = next(context for context in pipeline.contexts if context.name == "gamma")
    stable_at = []
    for frame in frames(wall(minutes=50) + [heartbeat(60 * minute) for minute in range(50)]):
        pipeline.step(frame)
        view = gamma.view(WALLED)
        if view is not None and view.stable_put_wall_usd is not None:
            stable_at.append(pipeline.moment.minute)
            assert view.stable_put_wall_usd == 95.0
    assert 45.0 <= min(stable_at) < 46.0


# Net over gross gamma is a half here; the weights are the parameters' defaults.
@pytest.mark.parametrize(
    ("net_usd", "thesis", "direction", "points"),
    [
        (5e8, "reversal", "LONG", 5.0),  # long gamma dampens: what turns back is helped
        (5e8, "momentum", "LONG", -4.0),
        (-5e8, "momentum", "SHORT", 5.0),  # short gamma feeds: what rides a move is helped
        (-5e8, "reversal", "SHORT", -4.0),
        (5e8, "volatility", "LONG_VOL", None),
        (5e8, "momentum", "NEUTRAL", None),
    ],
)
def test_it_says_by_the_thesis_and_not_by_who_speaks(
    net_usd: float, thesis: Thesis, direction: Direction, points: float | None
) -> None:
    pipeline = machine()
    (gamma,) = [context for context in pipeline.contexts if context.name == "gamma"]
    for frame in frames(wall(minutes=20)):
        pipeline.step(frame)
    view = gamma.view(WALLED)
    assert view is not None
    view = replace(view, net_gex_naive_usd=net_usd, gross_gex_usd=1e9)
    said = [
        gamma.contribution(signal(detector=who, direction=direction, target_usd=None), thesis, view, view.as_of_ns)
        for who in ("put_wall_support", "a_users_own")
    ]
    assert [None if one is None else one.points for one in said] == [points, points]
