"""Sweep confirmation: two or more aggressive sweeps on one side of an underlying within ten minutes."""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from services.contexts.flow import FlowCluster, FlowView
from services.contexts.price import PriceView
from services.core.calendar import NS, Session
from services.core.contract import Detector, Finding, Moment, Parameters, Trigger, TriggerFilter, Views
from services.detectors._barriers import barriers, weighted
from services.detectors._words import contract_words, money

__all__ = ["SweepConfirmation", "SweepConfirmationParameters"]

# Sweeps remembered an underlying: ten minutes of the busiest name hold some dozens worth the premium.
SWEEPS_MAX = 256

# Names so liquid that $100k is small change; spec/detectors.md B.12 puts mega caps and ETFs at $250k.
MEGA = (
    "SPX", "SPY", "QQQ", "IWM", "NDX", "RUT", "AAPL", "MSFT", "NVDA", "AMZN", "GOOGL", "GOOG", "META", "TSLA", "AVGO",
)  # fmt: skip


class SweepConfirmationParameters(Parameters, frozen=True, kw_only=True):
    """Defaults from spec/detectors.md B.12."""

    premium_usd: float = 100_000.0
    premium_mega_usd: float = 250_000.0
    mega: tuple[str, ...] = MEGA
    window_s: int = 600
    sweeps_min: int = 2
    # Sweeps both ways cancel out; seven tenths of the delta must point one way.
    delta_share_min: float = 0.70
    p_side_min: float = 0.60
    dte_min: int = 1
    dte_max: int = 90
    # Deep in the money is stock replacement, far out a lottery ticket.
    delta_min: float = 0.15
    delta_max: float = 0.70
    cooldown_s: int = 1200
    # In place of twenty sessions of premium history: the underlying has been seen trading today.
    prints_min: int = 50
    stop_atr: float = 1.0
    target_r: float = 1.5


class _Sweep(NamedTuple):
    closed_ns: int
    inputs: tuple[tuple[int, int], ...]
    facts: FlowCluster


class SweepConfirmation(Detector):
    """Two or more sweeps that pay up for the same side of one underlying within ten minutes.

    Watches `flow.sweep`. Counts a cluster when it is a sweep (an ISO, or three prints on two venues, or a walk
    through the book of a single-venue index root) of at least `premium_usd` (`premium_mega_usd` for the names in
    `mega`), not multi-leg, 1 to 90 days to expiry, |delta| 0.15 to 0.70, side known with p >= 0.6.

    Emits LONG or SHORT, the side that gains, when `sweeps_min` counted sweeps of that side closed within `window_s`
    and their net delta-notional is at least 70 % of the gross. Stop one 15-minute ATR, target 1.5 times that, horizon
    the close (one session more beyond seven days to expiry); without a price of the last minute the signal has no
    barriers.

    Silent before `prints_min` prints of the underlying were seen today (the specification wants twenty sessions of
    premium history, which a first day does not have: the premium is then judged against the fixed tiers alone, and the
    confidence carries a factor of 0.8), and when nothing is left of the horizon. One signal per direction in
    `cooldown_s`. Whoever acts on it should drop it
    when opposite sweeps of half its premium come within 15 minutes: they raise a signal of the other side, which the
    scanner counts as a contradiction.

    >>> detector = SweepConfirmation(SweepConfirmationParameters())
    >>> sorted(detector.triggers), detector.parameters.sweeps_min
    (['flow.sweep'], 2)

    Source: spec/detectors.md B.12; sweeps as Unusual Whales and FlowAlgo group them, premium tiers as flow
    vendors publish them.
    """

    name = "sweep_confirmation"
    version = "1"
    triggers = frozenset({"flow.sweep"})
    needs = (FlowView, PriceView)
    Parameters = SweepConfirmationParameters
    parameters: SweepConfirmationParameters

    def __init__(self, parameters: SweepConfirmationParameters) -> None:
        super().__init__(parameters)
        self._sweeps: dict[str, deque[_Sweep]] = {}
        self._fired_ns: dict[tuple[str, int], int] = {}

    def open_session(self, day: dt.date, session: Session | None) -> None:
        self._sweeps.clear()
        self._fired_ns.clear()

    def asks(self, kind: str) -> TriggerFilter:
        p = self.parameters
        least_usd = min(p.premium_usd, p.premium_mega_usd)
        return TriggerFilter(least_usd, sided=True, single_leg=True, dte_min=p.dte_min, dte_max=p.dte_max)

    def detect(self, trigger: Trigger, moment: Moment, views: Views) -> Sequence[Finding]:
        facts, p = trigger.facts, self.parameters
        if not self._counts(trigger.underlying, facts):
            return ()
        sweeps = self._sweeps.setdefault(trigger.underlying, deque(maxlen=SWEEPS_MAX))
        sweeps.append(_Sweep(moment.now_ns, trigger.inputs, facts))
        while sweeps[0].closed_ns <= moment.now_ns - p.window_s * NS:
            sweeps.popleft()
        way = facts.leaning
        same = [sweep for sweep in sweeps if sweep.facts.leaning == way]
        gross = sum(abs(sweep.facts.delta_usd) for sweep in sweeps)
        net = sum(sweep.facts.delta_usd for sweep in sweeps)
        share = net * way / gross if gross > 0 else 0.0
        if len(same) < p.sweeps_min or share < p.delta_share_min:
            return ()
        flow = views.get(FlowView, trigger.underlying)  # asked for last: it sums an hour of minutes
        if flow is None or flow.prints_day < p.prints_min:
            return ()
        fired_ns = self._fired_ns.get((trigger.underlying, way))
        if fired_ns is not None and moment.now_ns - fired_ns < p.cooldown_s * NS:
            return ()
        horizon_s = _horizon_s(facts, moment)
        if horizon_s <= 0:
            return ()
        self._fired_ns[trigger.underlying, way] = moment.now_ns
        return (self._finding(trigger, same, share, horizon_s, moment, views),)

    def _counts(self, underlying: str, facts: FlowCluster) -> bool:
        p = self.parameters
        return (
            facts.kind == "SWEEP"
            and facts.premium_usd >= (p.premium_mega_usd if underlying in p.mega else p.premium_usd)
            and not facts.multi_leg
            and facts.side != 0
            and facts.p_side >= p.p_side_min
            and p.dte_min <= facts.dte_days <= p.dte_max
            and p.delta_min <= abs(facts.delta) <= p.delta_max
        )

    def _finding(
        self, trigger: Trigger, same: list[_Sweep], share: float, horizon_s: int, moment: Moment, views: Views
    ) -> Finding:
        p, facts, underlying = self.parameters, trigger.facts, trigger.underlying
        way = facts.leaning
        premium = sum(sweep.facts.premium_usd for sweep in same)
        p_side = sum(sweep.facts.p_side * sweep.facts.premium_usd for sweep in same) / premium
        needed = p.sweeps_min * (p.premium_mega_usd if underlying in p.mega else p.premium_usd)
        lead = max(same, key=lambda sweep: (sweep.facts.premium_usd, sweep.closed_ns))
        factors = weighted(
            {
                "premium": (30, (premium / needed - 1) / 2),  # full marks at three times what is asked
                "sweeps": (20, (len(same) - p.sweeps_min + 1) / 3),
                "one_sided": (20, (share - p.delta_share_min) / (1 - p.delta_share_min)),
                "side_confidence": (20, (p_side - 0.5) / 0.33),  # 0.83 is the best rule's
                "intermarket": (10, sum(sweep.facts.iso for sweep in same) / len(same)),
            }
        )
        bars = barriers(views.get(PriceView, underlying), moment.now_ns, way, p.stop_atr, p.target_r)
        contracts = {sweep.facts.contract for sweep in same}
        words = f"{len(same)} {'call' if lead.facts.contract.right > 0 else 'put'} sweeps"
        bought = "bought" if lead.facts.side > 0 else "sold"
        return Finding(
            underlying=underlying,
            direction="LONG" if way > 0 else "SHORT",
            key=f"{same[0].inputs[0][0]}.{same[0].inputs[0][1]}",
            label="PRICE_BARRIER",
            thesis="momentum",
            headline=(
                f"{underlying}: {words} {bought} in {p.window_s // 60} minutes, {money(premium)} premium,"
                f" {share:.0%} one way; biggest {contract_words(lead.facts.contract)} for"
                f" {money(lead.facts.premium_usd)}"
            ),
            event_ns=max(sweep.facts.last_ns for sweep in same),
            inputs=tuple(sorted({at for sweep in same for at in sweep.inputs})[-64:]),
            base=sum(factors.values()),
            confidence=(2 * p_side - 1) / 0.66 * 0.8 if p_side < 0.83 else 0.8,
            factors=factors,
            evidence={
                "sweeps": float(len(same)),
                "contracts_touched": float(len(contracts)),
                "premium_usd": premium,
                "net_delta_usd": sum(sweep.facts.delta_usd for sweep in same),
                "delta_share": share,
                "p_side": p_side,
                "venues_max": float(max(sweep.facts.venues for sweep in same)),
                "iso_sweeps": float(sum(sweep.facts.iso for sweep in same)),
                "book_walks": float(sum(sweep.facts.book_walk for sweep in same)),
                "dte_days": float(lead.facts.dte_days),
                "delta": lead.facts.delta,
            },
            reference_usd=bars.reference_usd,
            stop_usd=bars.stop_usd,
            target_usd=bars.target_usd,
            horizon_s=horizon_s,
            null_probability=bars.null_probability,
        )


def _horizon_s(facts: FlowCluster, moment: Moment) -> int:
    """Seconds to the close, or to the next session's beyond seven days to expiry."""
    last = moment.next_session if facts.dte_days > 7 else moment.session
    return 0 if last is None else (last.close_ns - moment.now_ns) // NS
