"""The scanner: how much does a signal matter, now? An alert, or silence with a reason.

    score = clip(base + clip(sum of c x f x points, -25, 25), 0, 100)

over everything the contexts say about the signal: `points` bounded by each context's `points_max`, c its confidence,
f = 2^(-age / half-life) its freshness. What is missing adds nothing, and `coverage`, the share of the possible c x f
that was there, says how much was known. Who has something to say follows from what the signal counts on: a table of the
scanner's, so that a context which is added for one thesis changes no alert of another. A score orders alerts; it is no
probability.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from schemas.decisions import Alert, Contribution, Direction, Record, Signal, Thesis, rounded
from services.core.bounds import CountOrNone, Points, Seconds, SecondsOrNone, Share, SignedPoints
from services.core.calendar import NS
from services.core.contract import Context, Finding, Moment
from services.core.identity import identity
from services.core.pipeline import SuppressionReason

__all__ = ["Scanner", "ScannerParameters"]

# Signals remembered an underlying for agreement; ten minutes of a hundred detectors would hold fewer.
RECENT_MAX = 256
OPPOSITE: dict[Direction, Direction] = {
    "LONG": "SHORT", "SHORT": "LONG", "LONG_VOL": "SHORT_VOL", "SHORT_VOL": "LONG_VOL",
}  # fmt: skip


class ScannerParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Defaults from spec/detectors.md B.0 and spec/contexts.md C.0 unless another reason is given."""

    # Half of a detector's 100 points: what only just fires needs somebody to agree with it.
    score_min: Points = 50.0
    adjustment_max: Points = 25.0
    # Another detector saw the same, or the opposite, within ten minutes: as much as half of flow's say.
    agreement_window_s: Seconds = 600
    confirm_points: SignedPoints = 5.0
    contradict_points: SignedPoints = -5.0
    coverage_low: Share = 0.4
    # Which contexts are asked about a signal, by what it counts on; coverage counts these and no others. Of volatility
    # nobody speaks yet.
    contexts_momentum: tuple[str, ...] = ("flow", "gamma")
    contexts_reversal: tuple[str, ...] = ("flow", "gamma")
    contexts_volatility: tuple[str, ...] = ()
    # One bet is told once: an open position's worth of time, shorter for indices, which turn faster.
    cooldown_s: SecondsOrNone = 1800
    cooldown_index_s: SecondsOrNone = 900
    index_underlyings: tuple[str, ...] = ("SPX", "SPY", "NDX", "QQQ", "RUT", "IWM", "VIX", "XSP")
    alerts_per_hour_max: CountOrNone = 3

    def asked(self, thesis: Thesis) -> tuple[str, ...]:
        """The contexts that have something to say about a thesis."""
        match thesis:
            case "momentum":
                return self.contexts_momentum
            case "reversal":
                return self.contexts_reversal
            case "volatility":
                return self.contexts_volatility


class _Seen(NamedTuple):
    emitted_ns: int
    detector: str
    direction: Direction


class _Bet(NamedTuple):
    """What makes two signals one bet."""

    detector: str
    underlying: str
    direction: Direction
    contract: str | None
    level_usd: float | None


class Scanner:
    """Judges one partition's signals, in log time."""

    def __init__(self, parameters: ScannerParameters | None = None) -> None:
        self.parameters = parameters if parameters is not None else ScannerParameters()
        self._recent: dict[str, deque[_Seen]] = {}
        self._alerted_ns: dict[_Bet, int] = {}
        self._hour: dict[str, deque[int]] = {}

    def open_session(self) -> None:
        """Start a trading day afresh."""
        self._recent.clear()
        self._alerted_ns.clear()
        self._hour.clear()

    def judge(
        self, signal: Signal, finding: Finding, contexts: Sequence[Context], moment: Moment
    ) -> Alert | SuppressionReason:
        """An alert, or why there is none. `finding` is what the signal was made of."""
        said, coverage = self._contributions(signal, finding.thesis, contexts, moment.now_ns)
        said += self._agreement(signal, moment.now_ns)
        limit = self.parameters.adjustment_max
        adjustment = max(-limit, min(limit, sum(contribution.points for contribution in said)))
        # Rounded before it is compared: two processors must not disagree about the last bit of a threshold.
        score = rounded(max(0.0, min(100.0, signal.base + adjustment)))
        bet = _bet(signal, finding)
        reason = self._silence(bet, score, moment.now_ns)
        if reason is not None:
            return reason
        self._alerted_ns[bet] = moment.now_ns
        self._hour.setdefault(signal.underlying, deque(maxlen=self.parameters.alerts_per_hour_max)).append(
            moment.now_ns
        )
        return _alert(signal, score, said, coverage, self.parameters.coverage_low)

    def _contributions(
        self, signal: Signal, thesis: Thesis, contexts: Sequence[Context], now_ns: int
    ) -> tuple[list[Contribution], float]:
        said, known, possible = [], 0.0, 0.0
        asked = self.parameters.asked(thesis)
        for context in contexts:
            if context.points_max <= 0 or context.name not in asked:
                continue
            possible += context.points_max
            view = context.view(signal.underlying)
            if view is None or not view.ready:
                continue
            age_s = max(0, now_ns - view.as_of_ns) / NS
            fresh = view.confidence * rounded(2.0 ** (-age_s / context.half_life_s))
            known += context.points_max * fresh
            contribution = context.contribution(signal, thesis, view, now_ns)
            if contribution is not None:
                points = max(-context.points_max, min(context.points_max, contribution.points))
                said.append(_weighed(contribution, rounded(points * fresh)))
        return said, rounded(known / possible) if possible > 0 else 0.0

    def _agreement(self, signal: Signal, now_ns: int) -> list[Contribution]:
        """What other detectors said of the same underlying lately; each detector counts once, by its latest word."""
        p = self.parameters
        recent = self._recent.setdefault(signal.underlying, deque(maxlen=RECENT_MAX))
        while recent and recent[0].emitted_ns <= now_ns - p.agreement_window_s * NS:
            recent.popleft()
        latest = {seen.detector: seen for seen in recent if seen.detector != signal.detector}
        recent.append(_Seen(now_ns, signal.detector, signal.direction))
        said = []
        for seen in sorted(latest.values()):
            agrees = seen.direction == signal.direction
            if not agrees and seen.direction != OPPOSITE.get(signal.direction):
                continue
            said.append(
                Contribution(
                    source=seen.detector,
                    points=p.confirm_points if agrees else p.contradict_points,
                    confidence=1.0,
                    age_s=rounded((now_ns - seen.emitted_ns) / NS),
                    reason=f"{seen.detector} {'agrees' if agrees else 'says the opposite'}",
                )
            )
        return said

    def _silence(self, bet: _Bet, score: float, now_ns: int) -> SuppressionReason | None:
        p = self.parameters
        if score < p.score_min:
            return "score"
        cooldown_s = p.cooldown_index_s if bet.underlying in p.index_underlyings else p.cooldown_s
        alerted_ns = self._alerted_ns.get(bet)
        if alerted_ns is not None and now_ns - alerted_ns < cooldown_s * NS:
            return "cooldown"
        hour = self._hour.get(bet.underlying, ())
        if sum(1 for at_ns in hour if at_ns > now_ns - 3600 * NS) >= p.alerts_per_hour_max:
            return "hourly_limit"
        return None


def _bet(signal: Signal, finding: Finding) -> _Bet:
    level_usd = None if finding.level_usd is None else rounded(finding.level_usd)
    return _Bet(signal.detector, signal.underlying, signal.direction, signal.contract, level_usd)


def _weighed(contribution: Contribution, points: float) -> Contribution:
    return Contribution(
        source=contribution.source,
        points=points,
        confidence=rounded(contribution.confidence),
        age_s=rounded(contribution.age_s),
        reason=contribution.reason,
    )


def _alert(signal: Signal, score: float, said: list[Contribution], coverage: float, coverage_low: float) -> Alert:
    return Alert(
        id=identity("alert", signal.id),
        signal_id=signal.id,
        detector=signal.detector,
        version=signal.version,
        underlying=signal.underlying,
        contract=signal.contract,
        direction=signal.direction,
        score=score,
        base=signal.base,
        boosts=tuple(contribution for contribution in said if contribution.points > 0),
        penalties=tuple(contribution for contribution in said if contribution.points < 0),
        coverage=coverage,
        flags=("low_context",) if coverage < coverage_low else (),
        event_ns=signal.event_ns,
        emitted_ns=signal.emitted_ns,
        partition=signal.partition,
        epoch=signal.epoch,
        position=signal.position,
        inputs=signal.inputs,
        reference_usd=signal.reference_usd,
        stop_usd=signal.stop_usd,
        target_usd=signal.target_usd,
        horizon_s=signal.horizon_s,
        evidence=signal.evidence,
        record=Record(),
        headline=signal.headline,
    )
