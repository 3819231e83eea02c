"""Unusual activity: a contract trades more than its open interest, mostly from one side."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta

from schemas.symbols import Contract, contract_ticker
from services.contexts.flow import CONTRACT_MINUTE, ContractMinute, FlowView, MinuteFilter
from services.contexts.price import PriceView
from services.core.bounds import Count, CountOrNone, Days, Points, Ranges, Share, Times, UsdSome
from services.core.calendar import Session
from services.core.contract import Detector, Finding, Moment, Parameters, Trigger, TriggerKind, Views
from services.detectors._kit import (
    Growth,
    Weights,
    barriers,
    contract_words,
    direction,
    money,
    side_certainty,
    side_words,
    warm,
    watched,
    with_barriers,
)

__all__ = ["UnusualActivity", "UnusualActivityParameters"]

DAY_S = 86_400


class UnusualActivityParameters(Parameters, frozen=True, kw_only=True):
    """Defaults from spec/detectors.md B.14; the weights of its score are ours and add up to 100."""

    volume_min: Count = 500
    volume_over_oi_min: Times = 2.0
    premium_usd: UsdSome = 100_000.0
    single_share_min: Share = 0.70
    # Spec: 70, with twenty sessions of history and sides from quotes. Here history stays at half of its 10 points, and
    # one-sided buying told by the tick rule earns 7 of 25 for its side: with all else full that is 62.
    score_min: Points = 60.0
    # On its last day a contract trades multiples of its open interest as a matter of course.
    dte_min: Days = 1
    # Below a fifth of the signed volume there is activity but no side.
    imbalance_min: Share = 0.20
    weight_volume: Points = 20.0
    weight_history: Points = 10.0
    weight_premium: Points = 25.0
    weight_imbalance: Points = 25.0
    weight_opening: Points = 5.0
    weight_hits: Points = 15.0
    # Open interest below this is as good as none; without the floor any trade in a new strike would be infinite.
    open_interest_floor: Count = 100
    # Repeated hits (runs of more than five prints in 100 ms) for full marks.
    hits_full: Count = 3
    # The underlying must have been seen trading, so that a start in mid-session is not itself unusual.
    prints_min: CountOrNone = 50
    stop_atr: Ranges = 1.0
    target_r: Ranges = 1.5
    horizon_days_max: Annotated[int, Meta(ge=1, le=7_300)] = 7  # five sessions
    # The underlyings it watches; nobody named, all.
    underlyings: tuple[str, ...] = ()
    # Premium earns nothing up to here, and full marks at ten times that.
    premium_floor_usd: UsdSome = 25_000.0
    # What the missing history earns of its points, and what is left of the confidence without it.
    history_neutral: Share = 0.5
    no_history_factor: Share = 0.8
    # It speaks of a contract again when the premium has doubled.
    again_times: Times = 2.0

    added = frozenset({"underlyings", "premium_floor_usd", "history_neutral", "no_history_factor", "again_times"})


class UnusualActivity(Detector):
    """One contract's day volume runs past twice its open interest, with premium and from one side.

    Watches `flow.contract_minute`. Scores u, 0 to 100, of: log2 of volume over open interest; volume against history
    (see below); log10 of premium over $25k; side imbalance; volume above open interest; repeated hits. Emits when
    volume >= 500, volume >= 2 x open interest, premium >= $100k, single-leg share >= 70 %, a day or more to expiry and
    u >= 60 (the specification's 70 counts on history that a first day lacks). LONG or SHORT by the sign of the
    contract's delta-weighted net buying, NEUTRAL when less than a fifth of it is one-sided.

    Barriers are a swing's: one session range (26 fifteen-minute ranges, by the root of time) and 1.5 times that,
    horizon half the days to expiry, at most seven calendar days. NEUTRAL signals carry no barriers and are labelled by
    the contract's own profit and loss.

    Silent before `prints_min` prints of the underlying today and while the contract's open interest is unknown. Twenty
    sessions of history are not there on a first day: that term is neutral (half its weight) and the confidence carries
    a factor of 0.8. Opening trades on the tape have no customer flag, so expect less than Pan and Poteshman found. One
    signal a contract a day, and another each time its premium has doubled. The score's logarithms are rounded before
    they decide anything.

    >>> UnusualActivity.triggers
    frozenset({'flow.contract_minute'})

    Source: spec/detectors.md B.14; Pan and Poteshman, "The Information in Option Volume for Future Stock
    Prices" (2006).
    """

    name = "unusual_activity"
    version = "1"
    triggers = frozenset({CONTRACT_MINUTE})
    uses = (FlowView, PriceView)
    Parameters = UnusualActivityParameters
    parameters: UnusualActivityParameters

    def __init__(self, parameters: UnusualActivityParameters) -> None:
        super().__init__(parameters)
        p = parameters
        self._told: Growth[Contract] = Growth(p.again_times)
        self._weights = Weights(
            {
                "volume_over_oi": p.weight_volume, "history": p.weight_history, "premium": p.weight_premium,
                "imbalance": p.weight_imbalance, "opening": p.weight_opening, "repeat_hits": p.weight_hits,
            }
        )  # fmt: skip

    def open_session(self, day: dt.date, session: Session | None) -> None:
        self._told.clear()

    def filter(self, kind: TriggerKind) -> MinuteFilter:
        return MinuteFilter(self.parameters.premium_usd, dte_min=self.parameters.dte_min)

    def detect(self, trigger: Trigger, moment: Moment, views: Views) -> Sequence[Finding]:
        facts, p = trigger.facts, self.parameters
        if not watched(trigger.underlying, p.underlyings) or not self._passes(facts):
            return ()
        if not self._told.armed(facts.contract, facts.premium_usd):
            return ()
        factors = self._factors(facts)
        base = sum(factors.values())
        if base < p.score_min:
            return ()
        flow = views.get(FlowView, trigger.underlying)  # asked for last: it sums an hour of minutes
        if not warm(flow, p.prints_min):
            return ()
        self._told.disarm(facts.contract, facts.premium_usd)
        return (self._finding(trigger, factors, base, moment, views),)

    def _passes(self, facts: ContractMinute) -> bool:
        p = self.parameters
        return (
            facts.volume >= p.volume_min
            and facts.open_interest >= 0
            and facts.volume >= p.volume_over_oi_min * facts.open_interest
            and facts.single_share >= p.single_share_min
        )

    def _factors(self, facts: ContractMinute) -> dict[str, float]:
        p = self.parameters
        return self._weights.factors(
            {
                "volume_over_oi": round(math.log2(facts.volume / max(facts.open_interest, p.open_interest_floor)), 9),
                "history": p.history_neutral,
                "premium": round(math.log10(facts.premium_usd / p.premium_floor_usd), 9),
                "imbalance": abs(facts.imbalance),
                "opening": float(facts.volume > facts.open_interest),
                "repeat_hits": facts.repeat_hits / p.hits_full,
            }
        )

    def _finding(
        self, trigger: Trigger, factors: dict[str, float], base: float, moment: Moment, views: Views
    ) -> Finding:
        p, facts, underlying = self.parameters, trigger.facts, trigger.underlying
        side = (1 if facts.imbalance > 0 else -1) if abs(facts.imbalance) >= p.imbalance_min else 0
        way = side * facts.contract.right
        bars = barriers(views.get(PriceView, underlying), moment.now_ns, way, p.stop_atr, p.target_r, session=True)
        ticker = contract_ticker(facts.contract)
        times = facts.volume / facts.open_interest if facts.open_interest > 0 else None
        against = f"{times:.1f}x its open interest" if times is not None else "with no open interest before"
        finding = Finding(
            underlying=underlying,
            direction=direction(way),
            key=ticker,
            label="PRICE_BARRIER" if way else "OPTION_PNL",
            thesis="momentum",
            headline=(
                f"{contract_words(facts.contract)}: {facts.volume:,} contracts {side_words(side)}, {against},"
                f" {money(facts.premium_usd)} premium, at least {facts.opening_share_min:.0%} new positions"
            ),
            event_ns=trigger.event_ns,
            inputs=trigger.inputs,
            base=base,
            # Certain of the side by the best rule's measure, less for the history that is not there.
            confidence=side_certainty(facts.p_side, facts.p_best) * p.no_history_factor,
            factors=factors,
            evidence={
                "volume": float(facts.volume),
                "open_interest": float(facts.open_interest),
                "premium_usd": facts.premium_usd,
                "opening_share_min": facts.opening_share_min,
                "single_share": facts.single_share,
                "imbalance": facts.imbalance,
                "p_side": facts.p_side,
                "repeat_hits": float(facts.repeat_hits),
                "net_delta_usd": facts.delta_usd,
                "dte_days": float(facts.dte_days),
                "last_price_usd": facts.last_price_usd,
            },
            contract=ticker,
            horizon_s=DAY_S * max(1, min(facts.dte_days // 2, p.horizon_days_max)),
        )
        return with_barriers(finding, bars)
