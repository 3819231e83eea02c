"""Asks REST for the prints of a gap, contract by contract; what a body says is `massive_trades`, this file waits.

One gap after the other, a bounded number of requests at a time, a bounded number of gaps in line. A gap waits a little
before it is asked for: the prints around its end have to be in REST, and those that the socket brings have to be here.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from services.gateway.errors import RestRefusedError, RestUnavailableError
from services.gateway.gaps.ledger import Refill
from services.gateway.massive.trade_pages import TradePage, trade_page, trades_path, trades_query
from services.gateway.shell.rest_client import RestClient

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


@dataclass(slots=True)
class _Course:
    """How far a gap has been asked for; `refused` counts refusals in a row."""

    left: deque[str]
    asked: int = 0
    failed: int = 0
    refused: int = 0
    note: str = ""


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
        course = _Course(deque(order.tickers))
        workers = [asyncio.ensure_future(self._work(order, course)) for _ in range(self._concurrency)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        return Refill(course.asked, course.failed, course.note)

    async def _work(self, order: RefillOrder, course: _Course) -> None:
        """Ask for one contract after the other, beside others who do the same, until none is left or it is hopeless."""
        while course.left and course.refused < REFUSALS_MAX and course.failed < FAILURES_MAX:
            ticker = course.left.popleft()
            course.asked += 1
            try:
                await self._ask(order, ticker)
            except (RestRefusedError, RestUnavailableError) as error:
                course.failed += 1
                course.note = str(error)
                course.refused += isinstance(error, RestRefusedError)
            else:
                course.refused = 0

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
