"""When chains are polled, and of what: by a task of their own, or while the market waits for the consumer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from services.core.calendar import NS
from services.gateway.decoding.tabulate import Tabulator
from services.gateway.massive.rest_pages import ChainPage
from services.gateway.policy.poll_schedule import CHECK_NS, PollSchedule, PollTurn
from services.gateway.shell.chain_poller import ChainPoller
from services.gateway.shell.rest_client import RestClient
from services.gateway.shell.stats import GatewayStats
from services.settings.gateway import GatewaySettings

__all__ = ["Chains"]

log = logging.getLogger("strikewire.gateway")


class Chains:
    """The chains of a gateway: those it was told to follow or, when it was told none, those whose options trade.

    `now_ns` is asked for the market's time.
    """

    def __init__(
        self, settings: GatewaySettings, rest: RestClient, table: Tabulator, stats: GatewayStats,
        now_ns: Callable[[], int],
    ) -> None:  # fmt: skip
        self._contracts = table.contracts
        self._follow_trades = settings.underlyings is None
        self._schedule = PollSchedule(settings.poll_near_s, settings.poll_far_s, settings.underlyings_max)
        self._schedule.follow(settings.watch if settings.underlyings is None else settings.underlyings)
        self._poller = ChainPoller(
            rest, self._contracts, self._schedule, settings.poll_concurrency, table.vendor_name
        )  # fmt: skip
        self._stats = stats
        self._now_ns = now_ns
        self._turn = PollTurn()

    @property
    def due(self) -> bool:
        """Whether `pages` may have something to ask for."""
        return self._turn.due(self._now_ns())

    async def poll_forever(self, enqueue: Callable[[ChainPage], Awaitable[None]]) -> None:
        """Hand over what is due, until cancelled or until the vendor refuses the feature."""
        while not self._turn.over:
            async with aclosing(self.pages()) as pages:
                async for page in pages:
                    await enqueue(page)
            await asyncio.sleep(CHECK_NS / NS)

    async def pages(self) -> AsyncGenerator[ChainPage, None]:
        """Everything that is due, in order."""
        if self._follow_trades:
            self._schedule.follow(self._contracts.underlyings)
        now_ns = self._now_ns()
        async with aclosing(self._poller.poll(now_ns)) as pages:
            async for page in pages:
                yield page
        self._poller.settle(self._now_ns())
        self._turn.taken(now_ns, refused=bool(self._poller.disabled))
        if self._poller.disabled:
            self._stats.disabled["chains"] = self._poller.disabled
            log.error("%s; going on without chain snapshots", self._poller.disabled)
