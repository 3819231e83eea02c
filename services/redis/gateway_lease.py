"""One gateway at a time: a lease in Redis, where there is a Redis.

The lease is a courtesy, not the guarantee: two gateways on one key would only throw each other off the feed. That a
paused gateway which comes back does no harm follows from the epochs alone (every reader drops an older epoch's frames
behind a newer one's opening), with a lease or without.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from services.errors import StrikewireError
from services.runtime.config import Config

if TYPE_CHECKING:
    from services.redis.lease import Lease

__all__ = ["GatewayLease", "LeaseLostError", "hold_lease"]

log = logging.getLogger("strikewire.gateway")


class LeaseLostError(StrikewireError):
    """Another gateway has the lease now."""


class GatewayLease:
    """The lease while we have it; `number` rises with every holder, 0 without Redis."""

    def __init__(self, number: int = 0, lost: asyncio.Event | None = None) -> None:
        self.number = number
        self._lost = lost or asyncio.Event()

    async def lost(self) -> None:
        """Waits for ever, or raises LeaseLostError."""
        await self._lost.wait()
        raise LeaseLostError("the gateway's lease went to another; it ends here")


@contextlib.asynccontextmanager
async def hold_lease(
    config: Config, name: str, on_wait: Callable[[], None] = lambda: None
) -> AsyncIterator[GatewayLease]:
    """Wait for the lease and keep it while the context is open; without a Redis there is nothing to wait for.

    `on_wait` is called when another holds it. Whoever does not want to wait any longer cancels.
    """
    if not config.redis.url:
        yield GatewayLease()
        return
    from services.redis.client import open_redis
    from services.redis.lease import Lease

    client = open_redis(config.redis)
    assert client is not None
    key = config.redis.prefix + config.kafka.prefix + name
    lease = Lease(client, key)
    renewing: asyncio.Task[None] | None = None
    try:
        number = await _at_once(lease)
        if number is None:
            log.warning("another gateway holds the lease %s; this one waits for it to end", key)
            on_wait()
            number = await lease.await_turn()
        renewing = asyncio.create_task(lease.run(), name="lease-renewal")
        yield GatewayLease(number, lease.lost)
    finally:
        if renewing is not None:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)
        with contextlib.suppress(Exception):
            await lease.release()
        await client.aclose()


async def _at_once(lease: Lease) -> int | None:
    """The lease's number, 0 while Redis is away; None when another holds it."""
    try:
        return await lease.acquire()
    except Exception as error:  # whatever Redis has: it is not worth standing still for
        log.warning("no lease (%s): two gateways would not know of each other", error)
        return 0
