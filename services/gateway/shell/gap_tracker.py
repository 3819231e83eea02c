"""The gap ledger of a running gateway: passes on what happens to it, has gaps refilled, and reports each entry."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable

from schemas.gaps import CHANNELS, EarlierGaps, Gap
from services.core.calendar import Calendar
from services.gateway.decoding.tabulate import Tabulator, TradeTable
from services.gateway.gaps.ledger import NOTHING, GapLedger, Refill
from services.gateway.gaps.refill_planner import RefillPlanner
from services.gateway.gaps.sentences import gap_sentence
from services.gateway.policy.contract_ranking import ContractRanking
from services.gateway.shell.refiller import RefillEnd, Refiller, RefillPage
from services.gateway.shell.stats import GatewayStats
from services.settings.gateway import GatewaySettings

__all__ = ["GapTracker", "OnGap"]

log = logging.getLogger("strikewire.gateway")

OnGap = Callable[[Gap], Awaitable[None] | None]
TOO_MANY = "too many gaps wait already"


class GapTracker:
    """`refiller` may be set later, or never: then gaps are noted and stay as they are.

    The market's times that it is told are the clock's; the ledger's are the feed's, which may be behind.
    """

    def __init__(
        self, settings: GatewaySettings, calendar: Calendar | None, table: Tabulator, interest: ContractRanking,
        stats: GatewayStats, on_gap: OnGap | None, past: EarlierGaps = NOTHING,
    ) -> None:  # fmt: skip
        self.refiller: Refiller | None = None
        self._settings = settings
        self._delay_ns = settings.delay_ns
        self._ledger = GapLedger(settings.epoch, calendar)
        self._planner = RefillPlanner(settings.epoch, self._ledger, table, interest, settings.refill_contracts_max)
        self._stats = stats
        self._on_gap = on_gap
        self._past = past
        self._counted = 0  # the last gap that was; their numbers rise

    async def start(self, cluster: str, started_ns: int) -> None:
        """A cluster's first connection is about to be made; the market's time is `started_ns`."""
        log_end_ns = max(self._settings.start_ns - self._delay_ns, 0)
        await self._tell(self._ledger.start(cluster, log_end_ns, started_ns - self._delay_ns, self._past))

    async def lost(self, cluster: str, cause: str, now_ns: int) -> None:
        """A connection is gone, or a frame of it was broken."""
        await self._tell(self._ledger.lost(cluster, cause, now_ns))

    async def connected(self, cluster: str, market_ns: int, now_ns: int) -> None:
        """A connection is authenticated, at `market_ns` of the market."""
        await self._tell(self._ledger.connected(cluster, market_ns - self._delay_ns, now_ns))

    def switched_off(self, cluster: str) -> None:
        """The plan does not have a cluster."""
        self._ledger.switched_off(cluster)

    def count(self, market_ns: int) -> None:
        """Count the gaps that are open and touch a session; call it every second or so."""
        feed_ns = market_ns - self._delay_ns
        self._stats.open_gaps = sum(self._ledger.matters(gap, feed_ns) for gap in self._ledger.open.values())

    async def closed(self, market_ns: int, now_ns: int) -> None:
        """Note what was not heard before a close; call it every second or so, when nothing waits to be heard."""
        await self._tell(self._ledger.closed(market_ns - self._delay_ns, now_ns))

    def is_open(self, cluster: str) -> bool:
        """Whether a gap of the cluster's channel has begun and not ended."""
        return CHANNELS[cluster] in self._ledger.open

    async def heard(self, cluster: str, last_ns: int, now_ns: int, events: int = 1) -> None:
        """Events came, so many, the latest of exchange time `last_ns`."""
        entries = self._ledger.heard(cluster, last_ns, now_ns, events)
        if entries:
            await self._tell(entries)

    async def end(self, market_ns: int, now_ns: int) -> None:
        """The epoch ends, at `market_ns` of the market."""
        for cluster in self._settings.clusters:
            await self._tell(self._ledger.ended(cluster, market_ns - self._delay_ns, now_ns))

    def found(self, item: RefillPage) -> TradeTable | None:
        """The prints of a page that are new; None when that can no longer be known."""
        trades = self._planner.found(item.number, item.page.trades)
        if trades is not None:
            self._stats.refilled += len(trades.contracts)
        return trades

    async def ended(self, item: RefillEnd) -> None:
        """A gap was asked for to the end."""
        self._stats.refilling -= 1
        await self._tell(self._planner.ended(item.number, item.refill))

    async def _tell(self, entries: list[Gap]) -> None:
        for gap in entries:
            if gap.epoch == self._settings.epoch and gap.number > self._counted:
                self._counted = gap.number
                self._stats.gaps[gap.channel, gap.cause] += 1
            log.log(logging.INFO if gap.state == "refilled" else logging.WARNING, "%s", gap_sentence(gap))
            if self._on_gap is not None:
                told = self._on_gap(gap)
                if inspect.isawaitable(told):
                    await told
            order = self._planner.follow(gap, refills=self.refiller is not None)
            if order is not None and self.refiller is not None:
                self._stats.refilling += 1
                if not self.refiller.order(order):
                    await self.ended(RefillEnd(order.number, Refill(0, 0, TOO_MANY)))
