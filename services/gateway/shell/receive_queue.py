"""The bounded queue between the sockets and the one task that writes the log.

Its limit is how backpressure travels: when the writer's consumer is slow the inbox fills, the readers wait, TCP's
window closes, and the vendor notices before our memory does.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

__all__ = ["ReceiveQueue"]

Item = TypeVar("Item")


class ReceiveQueue(Generic[Item]):
    """A queue of at most `items_max` items and, but for a single bigger one, `bytes_max` bytes; one consumer."""

    def __init__(self, items_max: int, bytes_max: int) -> None:
        self.closed = False
        self._items: deque[tuple[Item, int]] = deque()
        self._items_max, self._bytes_max = items_max, bytes_max
        self._bytes = 0
        self._filled = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    def __len__(self) -> int:
        return len(self._items)

    async def put(self, item: Item, size: int = 0) -> None:
        """Append, waiting for room. Who is cancelled meanwhile has put it all the same: it has arrived."""
        try:
            while not self._room.is_set():
                await self._room.wait()
        except asyncio.CancelledError:
            self._append(item, size)
            raise
        self._append(item, size)

    def _append(self, item: Item, size: int) -> None:
        self._items.append((item, size))
        self._bytes += size
        self._filled.set()
        self._measure()

    async def get(self, timeout_s: float) -> Item | None:
        """The next item, or None when none came in time, or at once when the inbox is closed and empty."""
        if not self._items and not self.closed:
            try:
                async with asyncio.timeout(timeout_s):
                    await self._filled.wait()
            except TimeoutError:
                return None
        if not self._items:
            return None
        item, size = self._items.popleft()
        self._bytes -= size
        self._measure()
        if not self._items and not self.closed:
            self._filled.clear()
        return item

    def close(self) -> None:
        """Nothing more will be put in."""
        self.closed = True
        self._filled.set()

    def _measure(self) -> None:
        if len(self._items) < self._items_max and self._bytes < self._bytes_max:
            self._room.set()
        else:
            self._room.clear()
