"""Big print: one block of more than so much premium, on an underlying that is busy."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta

from strikewire import (
    BLOCK_CLOSED,
    SWEEP_CLOSED,
    ClusterFilter,
    Detector,
    Finding,
    FlowCluster,
    Moment,
    Parameters,
    PriceView,
    Session,
    Trigger,
    TriggerKind,
    Views,
    Weights,
    barriers,
    contract_ticker,
    direction,
    money,
    rounded,
    side_certainty,
    with_barriers,
)

from .tempo import TempoView


class BigPrintParameters(Parameters, frozen=True, kw_only=True):
    """Every default has its reason."""

    premium_usd: Annotated[float, Meta(gt=0, le=1e9)] = 250_000.0  # five times the least that flow raises a cluster for
    stop_atr: Annotated[float, Meta(gt=0, le=10)] = 1.0
    target_r: Annotated[float, Meta(ge=1.5, le=10)] = 1.5  # the least reward a risk is worth


class BigPrint(Detector):
    """A closed cluster of at least `premium_usd` with a known side, on an underlying whose tempo is ready.

    LONG when it gains from a rise, SHORT from a fall. Silent while tempo is not ready and where no side is known.
    """

    name = "big_print"
    version = "1"
    triggers = frozenset({BLOCK_CLOSED, SWEEP_CLOSED})
    requires = (TempoView,)
    uses = (PriceView,)
    Parameters = BigPrintParameters
    parameters: BigPrintParameters

    def open_session(self, day: dt.date, session: Session | None) -> None:
        """Nothing is kept from one trigger to the next."""

    def filter(self, kind: TriggerKind) -> ClusterFilter:
        return ClusterFilter(self.parameters.premium_usd, sided=True)

    def detect(self, trigger: Trigger, moment: Moment, views: Views) -> Sequence[Finding]:
        cluster: FlowCluster = trigger.facts
        tempo = views.get(TempoView, trigger.underlying)
        assert tempo is not None, "the pipeline gives what is required"
        strengths = {
            "premium": cluster.premium_usd / (4 * self.parameters.premium_usd),
            "side": side_certainty(cluster.p_side, 1.0),
        }
        factors = Weights({"premium": 60.0, "side": 40.0}).factors(strengths)
        ticker = contract_ticker(cluster.contract)
        finding = Finding(
            underlying=trigger.underlying,
            direction=direction(cluster.leaning),
            key=f"{ticker}:{cluster.first_ns}",
            label="PRICE_BARRIER",
            thesis="momentum",
            headline=f"{trigger.underlying}: {cluster.contracts} contracts at once, {money(cluster.premium_usd)}",
            event_ns=trigger.event_ns,
            inputs=trigger.inputs,
            base=rounded(sum(factors.values())),
            confidence=rounded(cluster.p_side),
            factors={name: rounded(points) for name, points in factors.items()},
            evidence={"premium_usd": rounded(cluster.premium_usd), "prints_today": float(tempo.prints)},
            contract=ticker,
            horizon_s=3600,
        )
        price = views.get(PriceView, trigger.underlying)
        stop_atr, target_r = self.parameters.stop_atr, self.parameters.target_r
        return (with_barriers(finding, barriers(price, moment.now_ns, cluster.leaning, stop_atr, target_r)),)
