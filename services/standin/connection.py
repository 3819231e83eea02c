"""One client's outbound side: a bounded queue of frames, a writer, and what to do when the client does not keep up."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from services.standin.listing import Listing
from services.standin.session import Session
from services.standin.source import Batch, Prints, Quotes, Source, rows_of, taken
from services.standin.wire import Event, frames, index_events, option_events, stock_events

__all__ = ["BUFFER_BYTES_MAX", "Connection"]

# Half a minute of the busiest options second the vendor is known for (20,000 events of 110 bytes would be 66 MB; a
# vendor's buffer is smaller): beyond it the client is not late but gone.
BUFFER_BYTES_MAX = 32 * 1024 * 1024
CLOSE_TIMEOUT_S = 2.0


OptionColumns = TypeVar("OptionColumns", Prints, Quotes)


class Connection:
    """A socket with a session and its queue. Only `write` touches the socket; everything else queues."""

    def __init__(self, socket: ServerConnection, session: Session) -> None:
        self.session = session
        self._socket = socket
        self._queue: deque[bytes] = deque()
        self.queued_bytes = 0
        self._work = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._leaving = False
        self._rows_for: tuple[int, int] | None = None
        self._rows: dict[str, NDArray[np.int32]] = {}
        self._closing: asyncio.Task[None] | None = None

    def put(self, frame: bytes) -> None:
        """Queue a frame; past the buffer's limit the client is cut off as a slow consumer."""
        if self._leaving:
            return
        self._queue.append(frame)
        self.queued_bytes += len(frame)
        self._empty.clear()
        self._work.set()
        if self.queued_bytes > BUFFER_BYTES_MAX:
            self._queue.clear()
            self.evict(Session.slow_consumer(), "slow consumer")

    def deliver(self, source: Source, batch: Batch) -> bool:
        """Queue what of the batch this client subscribed to; True when there was anything."""
        session = self.session
        events: list[Event] = []
        if session.cluster == "options":
            prints = self._chosen(batch.listing, "T", batch.prints)
            quotes = self._chosen(batch.listing, "Q", batch.quotes)
            events = option_events(batch.listing, prints, quotes)
        elif session.cluster == "indices" and session.holds("V"):
            events = [e for e in index_events(source.index_tickers, batch.values) if self._wants("V", e.T)]  # type: ignore[union-attr]
        elif session.cluster == "stocks" and session.holds("A"):
            events = [e for e in stock_events(source.stock_tickers, batch.bars) if self._wants("A", e.sym)]  # type: ignore[union-attr]
        for frame in frames(events):
            self.put(frame)
        return bool(events)

    def _wants(self, channel: str, ticker: str) -> bool:
        return channel in self.session.wildcards or ticker in self.session.tickers.get(channel, ())

    def _chosen(self, listing: Listing, channel: str, columns: OptionColumns) -> OptionColumns:
        if channel in self.session.wildcards:
            return columns
        tickers = self.session.tickers.get(channel)
        if not tickers or not len(columns.contract):
            return taken(columns, slice(0, 0))
        state = (id(listing), self.session.version)
        if state != self._rows_for:
            self._rows, self._rows_for = {}, state
        if channel not in self._rows:
            self._rows[channel] = rows_of(listing, tickers)
        return taken(columns, np.isin(columns.contract, self._rows[channel]))

    async def write(self) -> None:
        """Send what is queued, for as long as the connection lives."""
        while True:
            await self._work.wait()
            self._work.clear()
            while self._queue:
                frame = self._queue.popleft()
                await self._socket.send(frame, text=True)
                # After the send: bytes count as buffered until the socket has taken them.
                self.queued_bytes -= len(frame)
            self.queued_bytes = 0
            self._empty.set()

    async def flushed(self, timeout_s: float | None = None) -> None:
        """Return when everything queued is in the socket, the connection is gone, or time is up."""
        waiting = asyncio.create_task(self._empty.wait())
        gone = asyncio.create_task(self._socket.wait_closed())
        try:
            await asyncio.wait((waiting, gone), timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            gone.cancel()

    async def caught_up(self, timeout_s: float) -> None:
        """Return when the client's end has taken everything sent so far; cut it off when it does not in time."""
        await self.flushed()
        try:
            async with asyncio.timeout(timeout_s):
                await (await self._socket.ping())
        except TimeoutError:
            self._socket.transport.abort()
        except ConnectionClosed:
            pass  # it left; the market goes on without it

    async def finish(self) -> None:
        """Deliver what is queued, then close with 1000."""
        await self.flushed()
        await self._socket.close(1000)

    def evict(self, frame: bytes, reason: str) -> None:
        """Say why, as far as the socket still takes it, and close with 1008."""
        self._leaving = True
        self._queue.append(frame)
        self._empty.clear()
        self._work.set()
        self._closing = asyncio.create_task(self._hang_up(reason))

    async def _hang_up(self, reason: str) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._empty.wait()
                await self._socket.close(1008, reason)
                return
        self._socket.transport.abort()
