"""What detectors may ask of flow's triggers, so that nobody is woken for what nobody acts on."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from services.contexts.flow.context import ContractMinute, FlowCluster

__all__ = ["DTE_ANY", "NO_CLUSTER", "NO_MINUTE", "ClusterFilter", "MinuteFilter"]

# More days than any option has to live.
DTE_ANY = 100_000


class ClusterFilter(NamedTuple):
    """Of sweeps, blocks and splits: the least premium, whether somebody is known to have bought or sold, no legs."""

    premium_usd: float = 0.0
    sided: bool = False
    single_leg: bool = False
    dte_min: int = -DTE_ANY
    dte_max: int = DTE_ANY

    def passes(self, facts: FlowCluster) -> bool:
        """Whether the cluster is one of these."""
        return (
            facts.premium_usd >= self.premium_usd
            and self.dte_min <= facts.dte_days <= self.dte_max
            and (facts.side != 0 or not self.sided)
            and not (facts.multi_leg and self.single_leg)
        )

    def either(self, other: ClusterFilter) -> ClusterFilter:
        """What satisfies this one or the other, or a little more.

        >>> ClusterFilter(premium_usd=5.0, sided=True, dte_min=1).either(ClusterFilter(3.0, sided=True)).premium_usd
        3.0
        """
        return ClusterFilter(
            min(self.premium_usd, other.premium_usd),
            self.sided and other.sided,
            self.single_leg and other.single_leg,
            min(self.dte_min, other.dte_min),
            max(self.dte_max, other.dte_max),
        )


class MinuteFilter(NamedTuple):
    """Of a contract's minutes: the day's least premium, and days to expiry."""

    premium_usd: float = 0.0
    dte_min: int = -DTE_ANY
    dte_max: int = DTE_ANY

    def passes(self, facts: ContractMinute) -> bool:
        """Whether the minute is one of these."""
        return facts.premium_usd >= self.premium_usd and self.dte_min <= facts.dte_days <= self.dte_max

    def either(self, other: MinuteFilter) -> MinuteFilter:
        """What satisfies this one or the other, or a little more."""
        return MinuteFilter(
            min(self.premium_usd, other.premium_usd),
            min(self.dte_min, other.dte_min),
            max(self.dte_max, other.dte_max),
        )


NO_CLUSTER, NO_MINUTE = ClusterFilter(math.inf), MinuteFilter(math.inf)
