"""What detectors share: pacing, sessions, weights, certainty, barriers, words."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import pytest

from services.core.calendar import NS, Session
from services.core.contract import Finding, Moment
from services.detectors import _kit
from services.detectors._kit import (
    Barriers,
    Cooldown,
    Growth,
    Weights,
    direction,
    in_session,
    seconds_to_close,
    side_certainty,
    side_words,
    warm,
    with_barriers,
)
from services.detectors.sweep_confirmation import SweepConfirmation, SweepConfirmationParameters
from services.wiring import detector_types

DAY = dt.date(2026, 11, 27)
HALF_DAY = Session(DAY, 100 * NS, (100 + 12_600) * NS)  # three hours and a half
NEXT = Session(DAY + dt.timedelta(days=3), 200_000 * NS, 223_400 * NS)


def moment(at_s: int, session: Session | None = HALF_DAY) -> Moment:
    return Moment(at_s * NS, 0, 1, 0, DAY, session, NEXT)


@pytest.mark.parametrize(
    ("at_s", "inside"), [(99, False), (100, True), (12_699, True), (12_700, False), (23_000, False)]
)
def test_a_half_days_session_ends_at_its_own_close(at_s: int, inside: bool) -> None:
    assert in_session(moment(at_s)) is inside


def test_a_window_keeps_away_from_the_open_and_the_close() -> None:
    spoken = [at_s for at_s in (100, 1899, 1900, 11_799, 11_800) if in_session(moment(at_s), 1800, 900)]
    assert spoken == [1900, 11_799]
    assert not in_session(moment(5_000, None))


def test_seconds_to_the_close_are_the_days_own_or_the_next_sessions() -> None:
    assert seconds_to_close(moment(12_000)) == 700
    assert seconds_to_close(moment(12_000), next_session=True) == 211_400
    assert seconds_to_close(moment(13_000)) == -300
    assert seconds_to_close(moment(13_000, None)) == 0


def test_a_cooldown_counts_each_key_for_itself_until_its_very_second() -> None:
    cooldown: Cooldown[str] = Cooldown(60)
    cooldown.start("SPY", 10 * NS)
    assert [cooldown.over("SPY", at_s * NS) for at_s in (10, 69, 70)] == [False, False, True]
    assert cooldown.over("QQQ", 10 * NS)
    cooldown.clear()
    assert cooldown.over("SPY", 10 * NS)


def test_growth_arms_again_at_so_many_times_what_was_told() -> None:
    growth: Growth[str] = Growth(2.0)
    assert growth.armed("O:1", 0.5)
    growth.disarm("O:1", 100.0)
    assert [growth.armed("O:1", size) for size in (199.9, 200.0)] == [False, True]
    assert growth.armed("O:2", 1.0)
    growth.clear()
    assert growth.armed("O:1", 1.0)


def test_weights_that_do_not_add_up_are_refused_where_they_are_made() -> None:
    with pytest.raises(ValueError, match="premium, side add up to 110, not to 100"):
        Weights({"premium": 60, "side": 50})
    with pytest.raises(ValueError, match="add up to 120"):
        SweepConfirmation(SweepConfirmationParameters(weight_premium=50.0))
    for made in detector_types().values():
        made(made.Parameters())


def test_a_factor_without_a_strength_or_of_another_name_is_a_mistake() -> None:
    weights = Weights({"premium": 60, "side": 40})
    assert weights.factors({"side": -1.0, "premium": 0.5}) == {"premium": 30.0, "side": 0.0}
    for strengths in ({"premium": 1.0}, {"premium": 1.0, "speed": 1.0}):
        with pytest.raises(AssertionError, match="side"):
            weights.factors(strengths)


@pytest.mark.parametrize("p_side", [0.5, 0.59, 0.6, 0.65, 0.7123, 0.829999, 0.83, 0.9])
def test_a_sides_certainty_is_measured_by_the_best_rule_there_is(p_side: float) -> None:
    assert side_certainty(p_side, 0.83) == pytest.approx(min(1.0, (2 * p_side - 1) / 0.66), rel=1e-12)
    assert side_certainty(p_side, 0.95) == pytest.approx(min(1.0, (2 * p_side - 1) / 0.9), rel=1e-12)
    assert side_certainty(p_side, 0.5) == 0.0, "where no rule knows better than a coin nobody is certain"


def test_no_detector_holds_a_copy_of_what_flow_knows_of_sides() -> None:
    for path in Path(_kit.__file__).parent.glob("*.py"):
        assert not re.search(r"(?<![\d.])0\.(83|66|33)\b", re.sub(r">>>.*", "", path.read_text())), path.name


def test_nothing_is_warm_that_was_not_seen() -> None:
    assert not warm(None, 0)


def test_barriers_go_onto_a_finding_and_change_nothing_else() -> None:
    bare = Finding(
        underlying="SPY", direction=direction(1), key="k", label="PRICE_BARRIER", thesis="momentum", headline="",
        event_ns=1, inputs=(), base=1.0, confidence=1.0, factors={}, evidence={}, level_usd=7.0,
    )  # fmt: skip
    made = with_barriers(bare, Barriers(1.0, 2.0, 3.0, 0.4))
    assert (made.reference_usd, made.stop_usd, made.target_usd, made.null_probability) == (1.0, 2.0, 3.0, 0.4)
    assert with_barriers(made, Barriers(None, None, None, None)) == bare


def test_words_of_sides() -> None:
    assert [(direction(way), side_words(way)) for way in (1, -1, 0)] == [
        ("LONG", "bought"), ("SHORT", "sold"), ("NEUTRAL", "traded both ways"),
    ]  # fmt: skip
