"""The detectors against the seeded market's informed bursts: what they find, and how much else they say.

An alert is true when at least a third of the prints it stands on are one burst's (a contract's last eight prints, which
unusual activity stands on, may hold other people's too). A burst can be found once it is over: its last order lies a
minute before the end. The market is invented: these figures say that the machine finds what was hidden for it, and how
loud the rest is; they say nothing about profit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import pytest

from schemas.decisions import Alert, Signal
from services.core.calendar import NS, Calendar
from services.runtime.config import RulesConfig
from services.wiring import build_pipeline
from tests.simulation.played import Played, play

Note = Callable[[str], None]

SEEDS, MINUTES = (2, 3), 6
TRUE_SHARE = 1 / 3

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


class Told(NamedTuple):
    """An alert: when (seconds from the open), by whom, and the burst it stands on (-1: none)."""

    at_s: float
    detector: str
    burst: int


class Morning(NamedTuple):
    """One seed's first minutes."""

    played: Played
    alerts: list[Told]


def _morning(seed: int) -> Morning:
    played = play(seed, MINUTES)
    pipeline = build_pipeline(RulesConfig(), Calendar.around(played.open_ns), 0, sampling=False)
    signals: dict[str, Signal] = {}
    told: list[Told] = []
    for frame in played.frames:
        for decision in pipeline.step(frame).decisions:
            if isinstance(decision, Signal):
                signals[decision.id] = decision
            else:
                at_s = (decision.emitted_ns - played.open_ns) / NS
                told.append(Told(at_s, decision.detector, _burst(played, decision)))
    return Morning(played, told)


def _burst(played: Played, alert: Alert) -> int:
    of = Counter(int(played.truth.burst[played.row_of[position]]) for _, position in alert.inputs)
    del of[-1]
    return next((burst for burst, prints in of.most_common(1) if prints >= TRUE_SHARE * len(alert.inputs)), -1)


@pytest.fixture(scope="module")
def mornings() -> list[Morning]:
    return [_morning(seed) for seed in SEEDS]


@pytest.mark.parametrize(
    ("detector", "opening", "floor"), [("sweep_confirmation", False, 0.5), ("unusual_activity", True, 0.4)]
)
def test_each_detector_finds_most_of_its_kind_of_burst(
    mornings: list[Morning], figure: Note, detector: str, opening: bool, floor: float
) -> None:
    found = there = 0
    for played, alerts in mornings:
        seen = {told.burst for told in alerts if told.detector == detector}
        over = {number for number in _over(played) if played.bursts[number].opening is opening}
        there += len(over)
        found += len(over & seen)
    figure(f"{detector} found {found} of {there} {'opening' if opening else 'sweeping'} bursts")
    assert there >= 3
    assert found >= floor * there


def test_most_alerts_stand_on_a_burst_and_the_rest_is_rare(mornings: list[Morning], figure: Note) -> None:
    alerts = [told for morning in mornings for told in morning.alerts]
    minutes = MINUTES * len(mornings)
    false = [told for told in alerts if told.burst < 0]
    by = {name: sum(told.detector == name for told in false) for name in sorted({told.detector for told in alerts})}
    figure(f"{len(alerts)} alerts in {minutes} market-minutes at the open ({len(alerts) / minutes:.1f} a minute)")
    figure(f"{1 - len(false) / len(alerts):.0%} stand on a burst; {len(false) / minutes:.2f} a minute do not: {by}")
    assert 0.5 < len(alerts) / minutes < 5
    assert len(false) < 0.5 * len(alerts)
    assert len(false) / minutes < 1.0


def test_something_is_told_within_three_market_minutes(mornings: list[Morning], figure: Note) -> None:
    firsts = [morning.alerts[0].at_s for morning in mornings]
    for seed, at_s in zip(SEEDS, firsts, strict=True):
        figure(f"seed {seed}: first alert after {at_s:.0f} s")
    assert max(firsts) < 180


def _over(played: Played) -> set[int]:
    """Bursts whose last order came a minute before the end."""
    return {number for number, ends_s in enumerate(played.burst_ends_s) if ends_s < 60 * (MINUTES - 1)}
