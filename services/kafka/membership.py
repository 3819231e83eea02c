"""Whether this member of the group may still speak for its partitions.

The coordinator gives a member's partitions to another when it has not heard from it for a session. The member does not
see that clock, but it knows when it sent what was answered last: the session lasts at least as long from then on. So it
speaks for a time that is shorter, falls silent, and goes on when a later word of its own is answered; or never, when it
is told that it is no member any more. It matters not why nothing was heard: this process may have stood still, or the
coordinator, or what is between them (Gray and Cheriton 1989: a lease, counted from its request).
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from typing import Any

from aiokafka import errors
from aiokafka.protocol.group import HeartbeatRequest, SyncGroupRequest

__all__ = ["SESSION_S", "SURE_S", "Membership"]

# Kafka refuses less; after so long without a heartbeat a worker's partitions go to another.
SESSION_S = 6.0
# What was sent before that must reach its broker within the rest of the session; heartbeats are a second apart.
SURE_S = 4.0

# Who is asked to join again is known, and the group waits for him.
_KNOWN = {errors.NoError.errno, errors.RebalanceInProgressError.errno}


class Membership:
    """`on_lost` is called when the group does not know us any more, or not as who we were."""

    def __init__(self) -> None:
        self.on_lost: Callable[[], None] = lambda: None
        self._confirmed_s = -math.inf
        self._news = asyncio.Event()

    @property
    def sure(self) -> bool:
        """Whether nobody else can have our partitions at this moment."""
        return time.monotonic() - self._confirmed_s < SURE_S

    async def news(self) -> None:
        """Return when the group has said something."""
        await self._news.wait()

    def watch(self, coordinator: Any) -> None:
        """Read what the client's coordinator asks the group and is told."""
        send, forget = coordinator._send_req, coordinator.reset_generation

        async def sending(request: Any) -> Any:
            sent_s = time.monotonic()
            answer = await send(request)
            self.note(request, answer, sent_s)
            return answer

        def forgetting() -> None:
            forget()
            self.lose()

        coordinator._send_req, coordinator.reset_generation = sending, forgetting

    def note(self, request: Any, answer: Any, sent_s: float) -> None:
        """Take the answer to a request that was sent at `sent_s` of the monotonic clock."""
        if isinstance(request, HeartbeatRequest | SyncGroupRequest) and answer.error_code in _KNOWN:
            self._confirmed_s = max(self._confirmed_s, sent_s)
            self._notify()

    def lose(self) -> None:
        """Others may have our partitions. What was not sent by now never is."""
        self._confirmed_s = -math.inf
        self.on_lost()
        self._notify()

    def _notify(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
