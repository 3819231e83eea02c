"""A lease in Redis: one holder at a time, with a number that rises from holder to holder.

The vendor allows one connection a key, so a second gateway waits here for the first to end. Correctness does not hang
on it: a holder that was stopped beyond its lease and comes back is harmless, because its epoch is an older one. So a
Redis that is away, or that came back without its memory, ends nobody; only another holder does.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from typing import Any

__all__ = ["Lease"]

log = logging.getLogger("strikewire.gateway")

# Three renewals fit into the time, so one lost packet loses nothing; a dead holder's successor waits ten seconds.
TTL_S = 10.0
RENEWALS = 3

# A holder that was busy beyond its term still has the lease if nobody took it: the number says whether anybody did. No
# number at all is a Redis without its memory, which is told again.
_RENEW = """
local holder = redis.call('GET', KEYS[1])
if holder == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
local last = redis.call('GET', KEYS[2])
if holder or (last and last ~= ARGV[3]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('SET', KEYS[2], ARGV[3])
return 1
"""
_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"
# The number is taken together with the lease, and never falls below the clock: a Redis that lost its memory goes on
# above what it gave before.
_ACQUIRE = """
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return false end
local last = redis.call('GET', KEYS[2])
local now = redis.call('TIME')
local floor = string.format('%d%06d000', now[1], now[2])
if last and (#last > #floor or (#last == #floor and last >= floor)) then
    redis.call('INCR', KEYS[2])
else
    redis.call('SET', KEYS[2], floor)
end
return redis.call('GET', KEYS[2])
"""


class Lease:
    """One contender for the lease `name`, over an asyncio Redis client."""

    def __init__(self, client: Any, name: str, ttl_s: float = TTL_S) -> None:
        self._client, self._ttl_s = client, ttl_s
        self._key, self._counter = f"{name}:lease", f"{name}:fence"
        self._token = secrets.token_hex(16)
        self._acquire_script = client.register_script(_ACQUIRE)
        self._renew_script = client.register_script(_RENEW)
        self._release_script = client.register_script(_RELEASE)
        self._number = 0
        self._away = False
        self.lost = asyncio.Event()

    async def acquire(self) -> int | None:
        """The fencing number, above all given before (nanoseconds of Redis's clock or more); None when it is held.

        Whoever has it must `run` at once. Raises redis.RedisError.
        """
        number = await self._acquire_script([self._key, self._counter], [self._token, self._ttl_ms])
        self._number = int(number or 0)
        return self._number or None

    async def await_turn(self) -> int:
        """Wait for the holder to end, and for a Redis that is away meanwhile; the fencing number."""
        while True:
            await asyncio.sleep(self._ttl_s / 10)
            try:
                number = await self.acquire()
            except Exception as error:
                self._note_away(error)
                continue
            self._away = False
            if number is not None:
                return number

    async def renew(self) -> bool:
        """Keep it for another term; False when it is somebody else's by now. Raises redis.RedisError."""
        keys, values = [self._key, self._counter], [self._token, self._ttl_ms, self._number]
        return bool(await self._renew_script(keys, values))

    async def run(self) -> None:
        """Renew until cancelled, or until it is another's: then `lost` is set and this returns.

        Without the lease, because Redis was away when it was asked for, this takes it as soon as it can.
        """
        while True:
            await asyncio.sleep(self._ttl_s / RENEWALS)
            try:
                is_ours = await self.renew() if self._number else await self.acquire() is not None
            except Exception as error:
                self._note_away(error)
                continue
            self._away = False
            if not is_ours:
                self.lost.set()
                return

    def _note_away(self, error: Exception) -> None:
        if not self._away:
            log.warning("no lease while Redis is away, so gateways do not know of each other: %s", error)
        self._away = True

    async def release(self) -> None:
        """Let go, if it is ours still."""
        await self._release_script([self._key], [self._token])

    @property
    def _ttl_ms(self) -> int:
        return round(self._ttl_s * 1000)
