"""Asks for chains over REST: which part is due says `policy.poll_schedule`, what a failed answer means
`policy.chain_answers`, what a body says `massive.rest_pages`; this file waits.

Slices are fetched side by side, a bounded number at a time, and their pages are given out in the order in which the
slices were due, so that one and the same market polled twice makes one and the same log.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from contextlib import aclosing
from typing import Any, TypeVar

from services.core.calendar import ny_date, ny_ns
from services.gateway.decoding.contracts import ContractTable
from services.gateway.errors import RestRefusedError, RestUnavailableError
from services.gateway.massive.rest_pages import (
    CHAIN_PAGE_ROWS,
    ChainPage,
    chain_page,
    chain_path,
    contract_page,
)
from services.gateway.policy.chain_answers import AnswerMeaning, ChainAnswers
from services.gateway.policy.poll_schedule import ChainSlice, PollSchedule
from services.gateway.shell.rest_client import RestClient

__all__ = ["ChainPoller"]

log = logging.getLogger("strikewire.gateway")

# SPX lists some 20,000 contracts: 80 chain pages or 20 of the reference. A cursor that leads on for longer is a loop.
PAGES_MAX = 200
CONTRACTS_LIMIT = "1000"
REFERENCE = "/v3/reference/options/contracts"
Answer = TypeVar("Answer")


class ChainPoller:
    """Polls the chains of a `PollSchedule`.

    After each `poll` call `settle`. `vendor_name` turns our underlying (BRKB) into the vendor's (BRK.B).
    """

    def __init__(
        self,
        rest: RestClient,
        contracts: ContractTable,
        schedule: PollSchedule,
        concurrency: int,
        vendor_name: Callable[[str], str],
    ) -> None:
        self.schedule = schedule
        self._answers = ChainAnswers(schedule)
        self._now_ns = 0
        self._rest = rest
        self._contracts = contracts
        self._concurrency = concurrency
        self._vendor_name = vendor_name

    @property
    def disabled(self) -> str:
        """Empty, or the sentence in which the vendor refused the feature for this key: nothing is asked any more."""
        return self._answers.disabled

    @property
    def failures(self) -> int:
        """How many answers did not come."""
        return self._answers.failures

    async def poll(self, now_ns: int) -> AsyncGenerator[ChainPage, None]:
        """Every page that is due at `now_ns`, in order. An answer that does not come is left out."""
        self._now_ns = now_ns
        unlearned = ((name, self._learn(name, now_ns)) for name in self.schedule.unlearned(now_ns))
        async with aclosing(self._side_by_side(unlearned)) as learned:
            async for _ in learned:
                pass
        if self.disabled:
            return
        day_start_ns = ny_ns(ny_date(now_ns), 0)
        due = ((piece.underlying, self._fetch(piece, now_ns, day_start_ns)) for piece in self.schedule.due(now_ns))
        async with aclosing(self._side_by_side(due)) as fetched:
            async for pages in fetched:
                for page in pages:
                    yield page

    def settle(self, now_ns: int) -> None:
        """The poll ended at `now_ns`: of which underlyings most answers failed, those are asked for more seldom."""
        for underlying in self._answers.settle(now_ns):
            log.info("chain of %s: answers come again", underlying)

    async def _side_by_side(
        self, jobs: Iterable[tuple[str, Coroutine[Any, Any, Answer]]]
    ) -> AsyncGenerator[Answer, None]:
        """Run jobs, each named by its underlying, at most `concurrency` at a time.

        Their answers in order, without those that failed; none is begun once the feature is refused.
        """
        running: deque[tuple[str, asyncio.Task[Answer]]] = deque()
        try:
            for underlying, job in jobs:
                running.append((underlying, asyncio.ensure_future(job)))
                if len(running) >= self._concurrency:
                    for answer in await self._settled(*running.popleft()):
                        yield answer
                if self.disabled:
                    break
            while running:
                for answer in await self._settled(*running.popleft()):
                    yield answer
        finally:
            for _, task in running:
                task.cancel()
            await asyncio.gather(*(task for _, task in running), return_exceptions=True)

    async def _settled(self, underlying: str, task: asyncio.Task[Answer]) -> list[Answer]:
        """The answer of one job, or none and a line in the log."""
        try:
            answer = await task
        except (RestRefusedError, RestUnavailableError) as error:
            status = error.http_status if isinstance(error, RestRefusedError) else 0
            meaning = self._answers.failed(underlying, status, str(error), self._now_ns)
            if meaning is AnswerMeaning.ABSENT:
                log.warning("no chain of %s today: %s", underlying, error)
            elif meaning is AnswerMeaning.LATE:  # told once, until answers come again
                log.warning("chain of %s is late, and asked for less often: %s", underlying, error)
            return []
        self._answers.came(underlying)
        return [answer]

    async def _learn(self, underlying: str, now_ns: int) -> None:
        parameters = {"underlying_ticker": self._vendor_name(underlying), "limit": CONTRACTS_LIMIT}
        expiries: dict[str, int] = {}
        body = await self._rest.get(REFERENCE, parameters)
        for _ in range(PAGES_MAX):
            page = contract_page(body)
            if page.rejects:  # a part of the chain would be taken for the whole until tomorrow
                raise RestUnavailableError(REFERENCE, 1, page.rejects[0].detail)
            for expiry, count in page.expiries.items():
                expiries[expiry] = expiries.get(expiry, 0) + count
            if page.next_url is None:
                break
            body = await self._rest.follow(page.next_url)
        else:
            log.warning("contracts of %s: no end after %d pages, the rest is left out", underlying, PAGES_MAX)
        self.schedule.learn(underlying, expiries, now_ns)

    async def _fetch(self, piece: ChainSlice, now_ns: int, day_start_ns: int) -> list[ChainPage]:
        parameters = {"limit": str(CHAIN_PAGE_ROWS)}
        parameters["expiration_date.gte"], parameters["expiration_date.lte"] = piece.first, piece.last
        pages: list[ChainPage] = []
        body = await self._rest.get(chain_path(self._vendor_name(piece.underlying)), parameters)
        while True:
            page = chain_page(body, self._contracts, now_ns, day_start_ns)
            pages.append(page)
            if page.next_url is None:
                return pages
            if len(pages) >= PAGES_MAX:
                log.warning("chain of %s: no end after %d pages, the rest is left out", piece.underlying, PAGES_MAX)
                return pages
            body = await self._rest.follow(page.next_url)
