"""The scanner: bounded points, agreement, coverage, and silences with a reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from schemas.decisions import Alert, Contribution, Signal, Thesis, canonical
from services.core.contract import Context, ContextView, Finding, Moment
from services.core.pipeline import SuppressionReason
from services.errors import ConfigError
from services.runtime.config import RulesConfig
from services.scanner import Scanner, ScannerParameters
from services.wiring import build_pipeline, context_types, resolved_rules
from tests.support.decisions import signal
from tests.support.logs import CALENDAR, DAY, frames
from tests.support.scenarios import everything

NS = 10**9
THESES: tuple[Thesis, ...] = ("momentum", "reversal", "volatility")


class Says:
    """A context that always says the same."""

    def __init__(
        self, points: float, *, confidence: float = 1.0, seen_s: float = 0.0, ready: bool = True, name: str = "flow"
    ) -> None:
        self.name, self.points_max, self.half_life_s = name, 10.0, 900.0
        self._points, self._confidence, self._seen_s, self._ready = points, confidence, seen_s, ready

    def view(self, underlying: str) -> ContextView:
        return ContextView(
            underlying=underlying, as_of_ns=int(self._seen_s * NS), ready=self._ready, reason="", stance="",
            confidence=self._confidence,
        )  # fmt: skip

    def contribution(self, signal: Signal, thesis: Thesis, view: ContextView, now_ns: int) -> Contribution | None:
        age_s = (now_ns - view.as_of_ns) / NS
        return Contribution(
            source=self.name, points=self._points, confidence=self._confidence, age_s=age_s, reason="so"
        )


def found(thesis: Thesis = "momentum", level_usd: float | None = None) -> Finding:
    """What a signal was made of, as far as the scanner reads it."""
    return Finding(
        underlying="SPY", direction="LONG", key="", label="PRICE_BARRIER", thesis=thesis, headline="", event_ns=0,
        inputs=(), base=0.0, confidence=0.0, factors={}, evidence={}, level_usd=level_usd,
    )  # fmt: skip


def judge(
    scanner: Scanner, at_s: float, contexts: Sequence[Any] = (), finding: Finding | None = None, **fields: Any
) -> Alert | SuppressionReason:
    given: dict[str, Any] = {"emitted_ns": int(at_s * NS), "base": 70.0, **fields}
    moment = Moment(int(at_s * NS), 0, 1, 5, DAY, None)
    typed: Sequence[Context] = contexts
    return scanner.judge(signal(f"s{at_s}", **given), finding or found(), typed, moment)


def test_a_base_below_the_threshold_is_silent() -> None:
    assert judge(Scanner(), 1, base=49.9) == "score"


@pytest.mark.parametrize(
    ("contexts", "score"),
    [
        ([], 70.0),
        ([Says(4.0)], 74.0),
        ([Says(400.0)], 80.0),  # a context's points_max
        ([Says(10.0, confidence=0.5)], 75.0),
        ([Says(10.0, seen_s=-900)], 75.0),  # one half-life old
        ([Says(10.0, ready=False)], 70.0),
        ([Says(10.0), Says(10.0), Says(10.0)], 95.0),  # all together 25
        ([Says(-5.0)], 65.0),
    ],
)
def test_points_are_weighed_and_bounded(contexts: list[Says], score: float) -> None:
    alert = judge(Scanner(), 0, contexts)
    assert isinstance(alert, Alert)
    assert alert.score == pytest.approx(score)


def test_boosts_and_penalties_are_listed_apart_with_their_reasons() -> None:
    alert = judge(Scanner(), 0, [Says(4.0), Says(-3.0)])
    assert isinstance(alert, Alert)
    assert [boost.points for boost in alert.boosts] == [4.0]
    assert [(penalty.points, penalty.reason) for penalty in alert.penalties] == [(-3.0, "so")]


def test_little_context_is_flagged() -> None:
    known, unknown = (
        judge(Scanner(), 0, [Says(0.0)]),
        judge(Scanner(), 0, [Says(0.0), Says(0.0, ready=False), Says(0.0, ready=False)]),
    )
    assert isinstance(known, Alert)
    assert isinstance(unknown, Alert)
    assert (known.coverage, known.flags) == (1.0, ())
    assert (unknown.coverage, unknown.flags) == (0.333333, ("low_context",))


@pytest.mark.parametrize("ready", [True, False])
@pytest.mark.parametrize("thesis", ["momentum", "reversal", "volatility"])
def test_a_context_added_for_something_else_changes_nothing_of_an_old_alert(thesis: Thesis, ready: bool) -> None:
    known = [Says(4.0), Says(0.0, name="gamma", ready=False)]
    added = Says(9.0, name="dividends", ready=ready)
    before, after = (judge(Scanner(), 0, contexts, found(thesis)) for contexts in (known, [*known, added]))
    assert isinstance(before, Alert)
    assert isinstance(after, Alert)
    assert canonical(after) == canonical(before)


def test_a_context_is_asked_about_the_theses_the_table_names_it_for() -> None:
    scanner = Scanner(ScannerParameters(contexts_volatility=("surface",)))
    surface = Says(6.0, name="surface", seen_s=len(THESES))
    alerts = [judge(scanner, n, [surface], found(thesis), contract=f"O:{n}") for n, thesis in enumerate(THESES)]
    assert [isinstance(one, Alert) and one.score for one in alerts] == [70.0, 70.0, 76.0]
    assert [isinstance(one, Alert) and one.coverage for one in alerts] == [0.0, 0.0, 1.0]


def test_two_levels_are_two_bets_and_evidence_decides_nothing() -> None:
    scanner = Scanner()
    assert isinstance(judge(scanner, 0, (), found(level_usd=650.0), evidence={"level_usd": 1.0}), Alert)
    assert isinstance(judge(scanner, 1, (), found(level_usd=645.0), evidence={"level_usd": 1.0}), Alert)
    assert judge(scanner, 2, (), found(level_usd=650.0), evidence={"level_usd": 2.0}) == "cooldown"


def test_another_detector_that_agrees_confirms_and_one_that_does_not_contradicts() -> None:
    scanner = Scanner()
    judge(scanner, 0, detector="other")
    confirmed = judge(scanner, 60, detector="sweep")
    contradicted = judge(scanner, 120, detector="third", direction="SHORT")
    assert isinstance(confirmed, Alert)
    assert isinstance(contradicted, Alert)
    assert [boost.source for boost in confirmed.boosts] == ["other"]
    assert [penalty.source for penalty in contradicted.penalties] == ["other", "sweep"]


def test_agreement_is_forgotten_after_ten_minutes() -> None:
    scanner = Scanner()
    judge(scanner, 0, detector="other")
    late = judge(scanner, 600, detector="sweep")
    assert isinstance(late, Alert)
    assert late.boosts == ()


@pytest.mark.parametrize(("underlying", "cooldown_s"), [("XYZ", 1800), ("SPX", 900)])
def test_one_bet_is_told_once_a_cooldown(underlying: str, cooldown_s: int) -> None:
    scanner = Scanner()
    assert isinstance(judge(scanner, 0, underlying=underlying), Alert)
    assert judge(scanner, cooldown_s - 1, underlying=underlying) == "cooldown"
    assert isinstance(judge(scanner, cooldown_s, underlying=underlying), Alert)


def test_other_contracts_and_directions_are_other_bets_but_three_an_hour_are_enough() -> None:
    scanner = Scanner()
    told = [judge(scanner, second, contract=f"O:{second}") for second in range(5)]
    assert [isinstance(one, Alert) or one for one in told] == [True, True, True, "hourly_limit", "hourly_limit"]
    assert isinstance(judge(scanner, 3601, contract="O:9"), Alert)


def test_a_new_session_starts_afresh() -> None:
    scanner = Scanner()
    assert isinstance(judge(scanner, 0), Alert)
    scanner.open_session()
    assert isinstance(judge(scanner, 1), Alert)


def test_an_alert_has_no_record_until_it_is_proved() -> None:
    alert = judge(Scanner(ScannerParameters(score_min=0.0)), 0)
    assert isinstance(alert, Alert)
    assert (alert.record.status, alert.record.n) == ("UNPROVEN", 0)


@pytest.mark.parametrize("silent", ["flow", "gamma"])
def test_a_context_without_points_neither_moves_a_score_nor_counts_in_coverage(silent: str) -> None:
    def alerts(rules: dict[str, Any]) -> list[Alert]:
        pipeline = build_pipeline(msgspec.convert(rules, RulesConfig), CALENDAR, 0, sampling=False)
        return [one for frame in frames(everything()) for one in pipeline.step(frame).alerts]

    usual = alerts({})
    muted = alerts({"contexts": {silent: {"points_max": 0.0}}})
    heard = [{said.source for one in made for said in (*one.boosts, *one.penalties)} for made in (usual, muted)]
    assert silent in heard[0]
    assert silent not in heard[1]
    assert [one.coverage for one in usual] != [one.coverage for one in muted]


def test_every_context_with_points_is_named_in_the_table_and_nobody_else() -> None:
    """A new engine that nobody asks would be silent for ever; one that is gone would be asked in vain."""
    named = {name for thesis in THESES for name in ScannerParameters().asked(thesis)}
    assert named == {name for name, made in context_types().items() if made(made.Parameters()).points_max > 0}


def test_a_context_that_there_is_not_is_refused_by_name() -> None:
    rules = msgspec.convert({"scanner": {"contexts_reversal": ["gamme"]}}, RulesConfig)
    for make in (resolved_rules, lambda rules: build_pipeline(rules, CALENDAR, 0)):
        with pytest.raises(ConfigError, match=r"scanner\.contexts_reversal: there is no context 'gamme'; known: flow"):
            make(rules)
