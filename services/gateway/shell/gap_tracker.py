"""Keeps the gap ledger of a running gateway: opens and closes gaps, has them refilled, tells of each in one line."""

from __future__ import annotations

import datetime as dt
import inspect
import logging
from collections.abc import Awaitable, Callable

from schemas.gaps import Gap
from services.core.calendar import NEW_YORK, NS, Calendar
from services.gateway.decoding.deduplicator import Deduplicator
from services.gateway.decoding.tabulate import Tabulator, TradeTable
from services.gateway.gaps.ledger import CHANNELS, NOTHING, OPTIONS, EarlierGaps, GapLedger, Refill
from services.gateway.policy.contract_ranking import ContractRanking
from services.gateway.shell.refiller import RefillEnd, Refiller, RefillOrder, RefillPage
from services.gateway.shell.stats import GatewayStats
from services.settings.gateway import GatewaySettings

__all__ = ["GapTracker", "OnGap"]

log = logging.getLogger("strikewire.gateway")

OnGap = Callable[[Gap], Awaitable[None] | None]
# Prints of one moment come in no strict order of their times; what REST repeats of this second is known and dropped.
EDGE_NS = NS
MS = 1_000_000
TOO_MANY = "too many gaps wait already"
FORGOTTEN = "too much was heard since; what REST returns could not be told from it"


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
        self._table = table
        self._interest = interest
        self._stats = stats
        self._on_gap = on_gap
        self._past = past
        self._marks: dict[int, int] = {}  # gap -> where in the memory of prints it begins
        self._forgotten: set[int] = set()
        self._counted = 0  # the last gap that was; their numbers rise

    @property
    def _repeats(self) -> Deduplicator:
        return self._table.repeats

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
        mark = self._marks.get(item.number)
        if mark is None or not self._repeats.reaches(mark):
            self._forgotten.add(item.number)
            return None
        trades, known = self._table.refilled(item.page.trades)
        self._ledger.found(item.number, len(trades.contracts), known)
        self._stats.refilled += len(trades.contracts)
        return trades

    async def ended(self, item: RefillEnd) -> None:
        """A gap was asked for to the end."""
        self._marks.pop(item.number, None)
        self._stats.refilling -= 1
        refill = item.refill
        if item.number in self._forgotten:
            self._forgotten.discard(item.number)
            refill = refill._replace(note=FORGOTTEN)
        await self._tell(self._ledger.filled(item.number, refill))

    async def _tell(self, entries: list[Gap]) -> None:
        for gap in entries:
            if gap.epoch == self._settings.epoch and gap.number > self._counted:
                self._counted = gap.number
                self._stats.gaps[gap.channel, gap.cause] += 1
            log.log(logging.INFO if gap.state == "refilled" else logging.WARNING, "%s", _sentence(gap))
            if self._on_gap is not None:
                told = self._on_gap(gap)
                if inspect.isawaitable(told):
                    await told
            if gap.channel == OPTIONS and gap.epoch == self._settings.epoch:
                await self._follow(gap)

    async def _follow(self, gap: Gap) -> None:
        """Note where an options gap begins, and have it refilled once it is over."""
        from_ns = gap.from_ns + MS if gap.cause == "restart" else gap.from_ns - EDGE_NS
        if gap.state in ("open", "restored") and gap.number not in self._marks:
            self._marks[gap.number] = self._repeats.mark(from_ns)
        if gap.state != "restored":
            return
        if self.refiller is None or gap.to_ns is None or not self._ledger.matters(gap, gap.to_ns):
            self._marks.pop(gap.number)
            return
        tickers = self._interest.ranked(self._settings.refill_contracts_max, frozenset(), gap.to_ns)
        self._ledger.fill(gap)
        self._stats.refilling += 1
        if not self.refiller.order(RefillOrder(gap.number, from_ns, gap.to_ns + EDGE_NS, tickers)):
            await self.ended(RefillEnd(gap.number, Refill(0, 0, TOO_MANY)))


def _sentence(gap: Gap) -> str:
    name = f"gap {gap.number} of {gap.channel} ({gap.cause})"
    if gap.to_ns is None:
        return f"{name}: nothing heard since {_clock(gap.from_ns)}; connections lost so far: {gap.losses}"
    span = f"{_clock(gap.from_ns)} to {_clock(gap.to_ns)}, {(gap.to_ns - gap.from_ns) / NS:.1f} s"
    if gap.state == "restored":
        return f"{name}: over, {span}"
    why = f"; {gap.note}" if gap.note else ""
    asked = f"{gap.prints_refilled} prints from {gap.contracts_asked} contracts, {gap.contracts_failed} unanswered"
    return f"{name}: {gap.state.replace('_', ' ')}, {span}, {asked}{why}"


def _clock(time_ns: int) -> str:
    """New York's wall time, as people read a tape."""
    return dt.datetime.fromtimestamp(time_ns / NS, NEW_YORK).strftime("%H:%M:%S.%f")[:-3]
