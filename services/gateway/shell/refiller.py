"""Asks REST for the prints of a gap, contract by contract; what a body says is `massive.trade_pages`, when to give
up `gaps.refill_course`; this file waits.

One gap after the other, a bounded number of requests at a time, a bounded number of gaps in line. A gap waits a little
before it is asked for: the prints around its end have to be in REST, and those that the socket brings have to be here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeAlias

from services.gateway.errors import RestRefusedError, RestUnavailableError
from services.gateway.gaps.ledger import Refill
from services.gateway.gaps.refill_course import RefillCourse, RefillOrder, RefillQueue
from services.gateway.massive.trade_pages import TradePage, trade_page, trades_path, trades_query
from services.gateway.shell.rest_client import RestClient

__all__ = ["RefillEnd", "RefillPage", "Refiller", "Sleep"]

SETTLE_S = 3.0
PAGES_MAX = 20  # a million prints of one contract: beyond it a cursor leads in circles
Sleep: TypeAlias = Callable[[float], Awaitable[None]]


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
        self._orders = RefillQueue()
        self._ordered = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def order(self, order: RefillOrder) -> bool:
        """Put a gap in line; False when too many wait already."""
        if not self._orders.put(order):
            return False
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
            order = self._orders.take()
            end = await self._refill(order)
            await self._enqueue(RefillEnd(order.number, end), 0)
            if not len(self._orders):
                self._ordered.clear()
                self._idle.set()

    async def _refill(self, order: RefillOrder) -> Refill:
        course = RefillCourse(order.tickers)
        workers = [asyncio.ensure_future(self._work(order, course)) for _ in range(self._concurrency)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        return course.result

    async def _work(self, order: RefillOrder, course: RefillCourse) -> None:
        """Ask for one contract after the other, beside others who do the same, until none is left or it is hopeless."""
        while (ticker := course.next_ticker()) is not None:
            try:
                await self._ask(order, ticker)
            except (RestRefusedError, RestUnavailableError) as error:
                course.failed(str(error), refused=isinstance(error, RestRefusedError))
            else:
                course.answered()

    async def _ask(self, order: RefillOrder, ticker: str) -> None:
        """Raises RestUnavailableError also for an answer of which something made no sense: it is no whole answer."""
        path = trades_path(ticker)
        body = await self._rest.get(path, trades_query(order.from_ns, order.to_ns))
        for _ in range(PAGES_MAX):
            page = trade_page(body, ticker)
            if page.trades or page.rejects:
                await self._enqueue(RefillPage(order.number, page), len(body))
            if page.rejects:
                raise RestUnavailableError(path, 1, page.rejects[0].detail)
            if page.next_url is None:
                return
            body = await self._rest.follow(page.next_url)
        raise RestUnavailableError(path, 1, f"no end after {PAGES_MAX} pages")
