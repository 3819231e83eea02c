"""Asks REST for the prints of a gap, contract by contract; what a body says is `massive_trades`, this file waits.

One gap after the other, a bounded number of requests at a time, a bounded number of gaps in line. A gap waits a little
before it is asked for: the prints around its end have to be in REST, and those that the socket brings have to be here.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeAlias

from services.gateway.errors import RestRefusedError, RestUnavailableError
from services.gateway.gaps import Refill
from services.gateway.massive_trades import TradePage, trade_page, trades_path, trades_query
from services.gateway.rest import RestClient

__all__ = ["GAPS_WAITING_MAX", "RefillEnd", "RefillOrder", "RefillPage", "Refiller", "Sleep"]

# A feed that breaks more often than it is mended has nothing to gain from REST.
GAPS_WAITING_MAX = 32
SETTLE_S = 3.0
PAGES_MAX = 20  # a million prints of one contract: beyond it a cursor leads in circles
# Refusals in a row after which nobody asks on: a plan without prints, or a server that does not know them.
REFUSALS_MAX = 3
FAILURES_MAX = 10
Sleep: TypeAlias = Callable[[float], Awaitable[None]]


class RefillOrder(NamedTuple):
    """A gap to be asked for: its number, from when to when (exchange time), in which contracts."""

    number: int
    from_ns: int
    to_ns: int
    tickers: list[str]


class RefillPage(NamedTuple):
    """Prints of one contract that REST returned for a gap."""

    number: int
    page: TradePage


class RefillEnd(NamedTuple):
    """A gap was asked for to the end."""

    number: int
    refill: Refill


class Refiller:
    """Works through the orders given to it; pages and ends go to `enqueue`, in order."""

    def __init__(
        self,
        rest: RestClient,
        concurrency: int,
        enqueue: Callable[[RefillPage | RefillEnd, int], Awaitable[None]],
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._rest = rest
        self._concurrency = concurrency
        self._enqueue = enqueue
        self._sleep = sleep
        self._orders: deque[RefillOrder] = deque()
        self._ordered = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def order(self, order: RefillOrder) -> bool:
        """Put a gap in line; False when too many wait already."""
        if len(self._orders) >= GAPS_WAITING_MAX:
            return False
        self._orders.append(order)
        self._ordered.set()
        self._idle.clear()
        return True

    async def idle(self) -> None:
        """Return when nothing is left to ask for."""
        await self._idle.wait()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._ordered.wait()
            await self._sleep(SETTLE_S)
            order = self._orders.popleft()
            end = await self._refill(order)
            await self._enqueue(RefillEnd(order.number, end), 0)
            if not self._orders:
                self._ordered.clear()
                self._idle.set()

    async def _refill(self, order: RefillOrder) -> Refill:
        asked = failed = refused = 0
        note = ""
        waiting = deque(order.tickers)
        running: deque[asyncio.Task[None]] = deque()
        try:
            while waiting or running:
                while waiting and len(running) < self._concurrency:
                    running.append(asyncio.ensure_future(self._ask(order, waiting.popleft())))
                    asked += 1
                try:
                    await running.popleft()
                    refused = 0
                except (RestRefusedError, RestUnavailableError) as error:
                    failed, note = failed + 1, str(error)
                    refused += isinstance(error, RestRefusedError)
                if refused >= REFUSALS_MAX or failed >= FAILURES_MAX:
                    asked -= len(running)
                    break
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        return Refill(asked, failed, note)

    async def _ask(self, order: RefillOrder, ticker: str) -> None:
        body = await self._rest.get(trades_path(ticker), trades_query(order.from_ns, order.to_ns))
        for _ in range(PAGES_MAX):
            page = trade_page(body, ticker)
            if page.trades or page.rejects:
                await self._enqueue(RefillPage(order.number, page), len(body))
            if page.next_url is None:
                return
            body = await self._rest.follow(page.next_url)
