"""Put wall support: price touches a stable put wall from above and turns back up."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta

from services.contexts.flow import FlowView
from services.contexts.gamma import GammaView
from services.contexts.price import BAR_5M, Bar, PriceView
from services.core.bounds import Count, CountOrNone, Points, Ranges, Share, StandardErrors
from services.core.calendar import Session
from services.core.contract import Detector, Finding, Moment, Parameters, Trigger, Views
from services.core.windows import MINUTE_NS
from services.detectors._kit import Weights, in_session, money, null_probability, seconds_to_close, watched

__all__ = ["PutWallSupport", "PutWallSupportParameters"]

BAR_NS = 5 * MINUTE_NS


class PutWallSupportParameters(Parameters, frozen=True, kw_only=True):
    """Defaults from spec/detectors.md B.5; the weights of its base are ours and add up to 100."""

    # How near counts as a touch: a tenth of a per cent, or a seventh of the move still expected today.
    touch_share: Share = 0.0010
    touch_expected: Share = 0.15
    # How many five-minute bars the turn may take, and how far above the wall it must close (78 are a session).
    reject_bars: Annotated[int, Meta(ge=1, le=78)] = 3
    reject_atr: Ranges = 0.25
    stop_atr: Ranges = 0.5
    broken_atr: Ranges = 0.25
    reward_min: Ranges = 1.5
    # Buyers of puts who hold 1.5 standard errors of the flow are not to be leaned against.
    put_z_max: StandardErrors = 1.5
    signals_per_level_max: Count = 2
    # The underlyings it watches; nobody named, all.
    underlyings: tuple[str, ...] = ()
    # Full marks: two fifths of all put gamma is massive, three times the runner-up stands alone, three times the risk.
    wall_share_full: Annotated[float, Meta(gt=0, le=1)] = 0.40
    wall_lead_full: Annotated[float, Meta(gt=1, le=1000)] = 3.0
    reward_full: Ranges = 3.0
    # The third touch of a level is one too many.
    touches_fresh_max: CountOrNone = 2
    # How much of the confidence hangs on the price's, and what is left of it without flow.
    price_share: Share = 0.5
    no_flow_factor: Share = 0.8
    weight_wall: Points = 30.0
    weight_lead: Points = 15.0
    weight_reject: Points = 20.0
    weight_pinning: Points = 10.0
    weight_reward: Points = 15.0
    weight_untested: Points = 10.0

    added = frozenset(
        {
            "underlyings", "wall_share_full", "wall_lead_full", "reward_full", "touches_fresh_max", "price_share",
            "no_flow_factor",
        }
    )  # fmt: skip


class _Level:
    """One wall's day: its last touch, and what came of earlier ones."""

    __slots__ = ("broken", "inputs", "low_usd", "middle_usd", "signals", "touches", "until_ns")

    def __init__(self) -> None:
        self.touches = 0
        self.signals = 0
        self.until_ns = 0  # start of the last bar that may still turn away from the touch
        self.low_usd = 0.0
        self.middle_usd = 0.0
        self.broken = False
        self.inputs: tuple[tuple[int, int], ...] = ()


class PutWallSupport(Detector):
    """Price comes down to the strike with the most put gamma, holds, and closes back above it.

    Watches `price.bar_5m`. The level is the gamma context's stable put wall: at or below spot, at least 10 % of put
    gamma, 1.2 times the runner-up, the same strike on three marks a quarter of an hour apart.

    *Touch*: a bar whose low is within max(0.10 % of spot, 0.15 of the expected move to the close) of the wall.
    *Reject*: within the next three bars a close at least 0.25 five-minute ATR above the wall and above the middle of
    the touching bar. Then emits LONG with the stop half a 15-minute ATR below the wall and the target the nearest of
    VWAP, the middle of the day's range and the call wall that pays 1.5 times the risk; without such a target there is
    no signal. Horizon: the close.

    Silent until price and gamma are ready, while buyers of puts dominate the flow (put z of 15 minutes above 1.5; an
    input it can do without), after a five-minute close 0.25 fifteen-minute ATR below the wall (broken for the day),
    after two signals of a level in a day, and from the close on. Positive dealer gamma adds 10 points; a third touch
    loses the 10 of a fresh level. Scheduled macro releases are not known here. Placebo: the same rules at strikes
    beside the wall.

    >>> PutWallSupport.triggers, PutWallSupportParameters().reject_bars
    (frozenset({'price.bar_5m'}), 3)

    Source: spec/detectors.md B.5; Ni, Pearson and Poteshman, "Stock price clustering on option expiration
    dates" (2005).
    """

    name = "put_wall_support"
    version = "1"
    triggers = frozenset({BAR_5M})
    requires = (GammaView, PriceView)
    uses = (FlowView,)
    Parameters = PutWallSupportParameters
    parameters: PutWallSupportParameters

    def __init__(self, parameters: PutWallSupportParameters) -> None:
        super().__init__(parameters)
        p = parameters
        self._levels: dict[tuple[str, float], _Level] = {}
        self._weights = Weights(
            {
                "wall_share": p.weight_wall, "wall_lead": p.weight_lead, "rejection": p.weight_reject,
                "pinning": p.weight_pinning, "reward": p.weight_reward, "untested": p.weight_untested,
            }
        )  # fmt: skip

    def open_session(self, day: dt.date, session: Session | None) -> None:
        self._levels.clear()

    def detect(self, trigger: Trigger, moment: Moment, views: Views) -> Sequence[Finding]:
        # The last bar's horizon is over.
        if not in_session(moment) or not watched(trigger.underlying, self.parameters.underlyings):
            return ()
        gamma = views.get(GammaView, trigger.underlying)
        price = views.get(PriceView, trigger.underlying)
        assert gamma is not None, "the pipeline gives what is required"
        assert price is not None, "the pipeline gives what is required"
        wall, atr_5m, atr_15m = gamma.stable_put_wall_usd, price.atr_5m_usd, price.atr_15m_usd
        if wall is None or atr_5m is None or atr_15m is None:
            return ()
        level = self._levels.setdefault((trigger.underlying, wall), _Level())
        bar: Bar = trigger.facts
        if bar.close_usd < wall - self.parameters.broken_atr * atr_15m:
            level.broken = True
        if level.broken or level.signals >= self.parameters.signals_per_level_max:
            return ()
        if bar.start_ns <= level.until_ns:
            level.low_usd = min(level.low_usd, bar.low_usd)
            back = wall + self.parameters.reject_atr * atr_5m
            if bar.close_usd >= back and bar.close_usd > level.middle_usd:
                return self._reject(trigger, level, wall, bar, gamma, price, views, moment)
        self._touch(trigger, level, wall, bar, gamma)
        return ()

    def _touch(self, trigger: Trigger, level: _Level, wall: float, bar: Bar, gamma: GammaView) -> None:
        p = self.parameters
        near = max(p.touch_share * gamma.spot_usd, p.touch_expected * (gamma.expected_move_usd or 0.0))
        if abs(bar.low_usd - wall) > near:
            return
        if bar.start_ns >= level.until_ns:
            level.touches += 1
            level.low_usd = bar.low_usd
        level.until_ns = bar.start_ns + p.reject_bars * BAR_NS
        level.middle_usd = 0.5 * (bar.high_usd + bar.low_usd)
        level.inputs = trigger.inputs

    def _reject(
        self, trigger: Trigger, level: _Level, wall: float, bar: Bar, gamma: GammaView, price: PriceView, views: Views,
        moment: Moment,
    ) -> Sequence[Finding]:  # fmt: skip
        p = self.parameters
        atr_5m, atr_15m = price.atr_5m_usd or 0.0, price.atr_15m_usd or 0.0
        flow = views.get(FlowView, trigger.underlying)
        if flow is not None and flow.ready and flow.put_z_15m >= p.put_z_max:
            return ()
        stop = wall - p.stop_atr * atr_15m
        target = self._target(bar.close_usd, stop, gamma, price)
        level.until_ns = 0
        if target is None:
            return ()
        level.signals += 1
        risk, reward = bar.close_usd - stop, target - bar.close_usd
        pinning = gamma.net_gex_naive_usd >= 0
        lead = gamma.put_wall_lead
        factors = self._weights.factors(
            {
                "wall_share": gamma.put_wall_share / p.wall_share_full,
                "wall_lead": 1.0 if lead is None else (lead - 1.0) / (p.wall_lead_full - 1.0),
                "rejection": (bar.close_usd - wall) / atr_5m,
                "pinning": float(pinning),
                "reward": reward / risk / p.reward_full,
                "untested": float(level.touches <= p.touches_fresh_max),
            }
        )
        known = 1.0 if flow is not None and flow.ready else p.no_flow_factor
        return (
            Finding(
                underlying=trigger.underlying,
                direction="LONG",
                key=f"{wall:g}#{level.signals}",
                label="PRICE_BARRIER",
                thesis="reversal",
                level_usd=wall,
                headline=(
                    f"{trigger.underlying}: bounced off the put wall at {wall:g} ({gamma.put_wall_share:.0%} of put"
                    f" gamma), close {bar.close_usd:.2f}, stop {stop:.2f}, target {target:.2f};"
                    f" dealers {'long' if pinning else 'short'} {money(abs(gamma.net_gex_naive_usd))} per 1%"
                ),
                event_ns=trigger.event_ns,
                inputs=tuple(sorted({*level.inputs, *trigger.inputs})),
                base=sum(factors.values()),
                confidence=gamma.confidence * (1 - p.price_share + p.price_share * price.confidence) * known,
                factors=factors,
                evidence={
                    "level_usd": wall,
                    "touch_low_usd": level.low_usd,
                    "touches": float(level.touches),
                    "wall_share": gamma.put_wall_share,
                    "net_gex_naive_usd": gamma.net_gex_naive_usd,
                    "net_gex_all_short_usd": gamma.net_gex_all_short_usd,
                    "signs_agree": float(gamma.signs_agree),
                    "atr_5m_usd": atr_5m,
                    "atr_15m_usd": atr_15m,
                    "reward_to_risk": reward / risk,
                },
                reference_usd=bar.close_usd,
                stop_usd=stop,
                target_usd=target,
                horizon_s=seconds_to_close(moment),
                null_probability=null_probability(risk, reward),
            ),
        )

    def _target(self, close_usd: float, stop_usd: float, gamma: GammaView, price: PriceView) -> float | None:
        """The nearest of VWAP, mid-range and call wall that pays enough for the risk."""
        middle = None
        if price.high_usd is not None and price.low_usd is not None:
            middle = 0.5 * (price.high_usd + price.low_usd)
        enough = close_usd + self.parameters.reward_min * (close_usd - stop_usd)
        targets = (price.vwap_usd, middle, gamma.call_wall_usd)
        return min((target for target in targets if target is not None and target >= enough), default=None)
