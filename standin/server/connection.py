"""One client's outbound side: a bounded queue of frames, a writer, and what to do when the client does not keep up."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from socket import SO_LINGER, SOL_SOCKET
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from standin.faults.named import (
    Cluster,
    Disconnect,
    Drop,
    ForceDisconnect,
    HalfOpen,
    LateStatuses,
    MaxConnections,
    SlowConsumer,
    Strike,
)
from standin.feed.listing import Listing
from standin.feed.source import Batch, Prints, Quotes, SecondBars, Source, taken
from standin.protocol.fault_injector import FaultInjector
from standin.protocol.session import ClientSession
from standin.protocol.stock_ticks import ROUND_LOT, stock_ticks
from standin.protocol.wire import (
    Event,
    IndexValueEvent,
    StatusEvent,
    StockBarEvent,
    StockQuote,
    StockTrade,
    encode,
    fair_values,
    index_events,
    option_events,
    stock_events,
)

__all__ = ["Connection", "Publication"]

CLOSE_TIMEOUT_S = 2.0
# Linger on, for no time: closing is then a reset.
RESET = struct.pack("ii", 1, 0)
MAX_CONNECTIONS_REASON = "Maximum number of websocket connections exceeded"

OptionColumns = TypeVar("OptionColumns", Prints, Quotes)


STOCK_CHANNELS: dict[type[Event], str] = {StockTrade: "T", StockQuote: "Q", StockBarEvent: "A"}


class Publication(NamedTuple):
    """What a host tells its clients in a step: what happened, and the bars that are due by cluster and channel."""

    batch: Batch
    bars: Mapping[tuple[Cluster, str], list[Event]]


class Connection:
    """A socket with a session and its queue. Only `write` touches the socket; everything else queues."""

    def __init__(
        self,
        socket: ServerConnection,
        session: ClientSession,
        injector: FaultInjector,
        *,
        delayed: bool = False,
        late: LateStatuses | None = None,
    ) -> None:
        self.session = session
        self.delayed = delayed
        # Nothing comes through any more, though the socket stays.
        self.half_open = False
        # Let in, acknowledged, and to be dismissed all the same.
        self.unwelcome = False
        self._socket = socket
        self._injector = injector
        self._late = late
        self._buffer_bytes = session.options.buffer_bytes
        self._slow = SlowConsumer(close=session.options.slow_consumer)
        self._queue: deque[bytes] = deque()
        self.queued_bytes = 0
        self._work = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._leaving = False
        self._statuses: list[Event] = []
        self._rows_for: tuple[int, int] | None = None
        self._rows: dict[str, NDArray[np.int32]] = {}
        self._stretches: dict[str, int] = {}
        self._closing: asyncio.Task[None] | None = None

    def reachable(self) -> bool:
        """Whether what is queued from now on can still arrive: not when it is leaving, half-open or already gone."""
        return not (self._leaving or self.half_open or self._socket.transport.is_closing())

    def put(self, frame: bytes) -> None:
        """Queue a frame; past the buffer's limit the client is cut off as a slow consumer."""
        if self._leaving or self.half_open:
            return
        self._queue.append(frame)
        self.queued_bytes += len(frame)
        self._empty.clear()
        self._work.set()
        if self.queued_bytes > self._buffer_bytes:
            self._queue.clear()
            self._cut_slow(self._slow)

    def answer(self, statuses: Sequence[StatusEvent], *, can_wait: bool) -> None:
        """Send answers: at once; or with the next events, or alone when none come within a flush; or late."""
        options = self.session.options
        if not statuses:
            return
        if can_wait and self._late is not None:
            self._answer_late(statuses, self._late)
        elif can_wait and options.mix_statuses:
            self._statuses += statuses
            self._after(options.flush_s, self._send_statuses)
        else:
            self.put(encode(statuses))

    def deliver(self, source: Source, step: Publication, clock_ns: int) -> bool:
        """Queue what this client subscribed to of what its host tells; True when there was anything."""
        sent = False
        for frame in self._injector.frames(self._events(source, step), clock_ns, self._statuses):
            self.put(frame)
            sent = True
        return sent and self.reachable()

    def strike(self, fault: Strike, clock_ns: int) -> None:
        """Suffer a fault."""
        if self._injector.strike(fault, clock_ns):
            return
        match fault:
            case Drop():
                self._abort()
            case Disconnect():
                self._leave(fault.code, "")
            case ForceDisconnect():
                self.evict(
                    ClientSession.force_disconnect(), "force disconnect", self.session.options.force_disconnect_code
                )
            case MaxConnections():
                self.dismiss()
            case HalfOpen():
                self._fall_silent()
            case SlowConsumer() if fault.buffer_bytes:
                self._buffer_bytes, self._slow = fault.buffer_bytes, fault
            case SlowConsumer():
                self._cut_slow(fault)
            case _:
                raise AssertionError(f"nobody here suffers {fault}")

    def evict(self, frame: bytes, reason: str, code: int = 1008) -> None:
        """Say why, as far as the socket still takes it, and close."""
        if self._leaving:
            return
        if self.half_open:
            self._abort()
            return
        # First of all: past the limit of its buffer, every further frame would evict it once more.
        self._leaving = True
        if self._statuses:
            self._queue.append(encode(self._statuses))
            self._statuses = []
        self._queue.append(frame)
        self._leave(code, reason)

    def dismiss(self) -> None:
        """There were too many connections, and this one goes."""
        self.evict(ClientSession.max_connections(), MAX_CONNECTIONS_REASON)

    @property
    def closed_cleanly(self) -> bool:
        """True when a close frame went one way or the other."""
        protocol = self._socket.protocol
        return protocol.close_rcvd is not None or protocol.close_sent is not None

    # What of a batch is wanted

    def _events(self, source: Source, step: Publication) -> list[Event]:
        session, batch = self.session, step.batch
        events: list[Event] = []
        if session.cluster == "options":
            prints = self._chosen(batch.listing, "T", batch.prints)
            quotes = self._chosen(batch.listing, "Q", batch.quotes)
            events = option_events(batch.listing, prints, quotes)
            if session.holds("FMV"):
                events += fair_values(batch.listing, self._chosen(batch.listing, "FMV", batch.quotes))
        elif session.cluster == "indices" and session.holds("V"):
            values = index_events(source.index_tickers, batch.values)
            events = [e for e in values if session.wants("V", e.T) and self._is_due(e)]
        elif session.cluster == "stocks":
            events = self._stock_events(source, batch.bars)
        for (cluster, channel), bars in step.bars.items():
            if cluster == session.cluster and session.holds(channel):
                events += [bar for bar in bars if session.wants(channel, bar.sym)]  # type: ignore[union-attr]
        return events

    def _is_due(self, value: IndexValueEvent) -> bool:
        """Whether no value of the index was told in the same stretch of `index_every` seconds."""
        every = self.session.options.index_every
        stretch = value.t // (1000 * every)
        if every > 1 and self._stretches.get(value.T) == stretch:
            return False
        self._stretches[value.T] = stretch
        return True

    def _stock_events(self, source: Source, bars: SecondBars) -> list[Event]:
        """Trades, quotes and bars of stocks, as far as somebody wants them."""
        session = self.session
        made: list[StockTrade | StockQuote | StockBarEvent] = []
        if session.holds("T") or session.holds("Q"):
            unit = ROUND_LOT if session.options.stock_sizes == "lots" else 1
            made += stock_ticks(source.stock_tickers, bars, unit)
        if session.holds("A"):
            made += stock_events(source.stock_tickers, bars)
        return [event for event in made if session.wants(STOCK_CHANNELS[type(event)], event.sym)]

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
            self._rows[channel] = self.session.rows(listing, channel)
        return taken(columns, np.isin(columns.contract, self._rows[channel]))

    # Answers that wait

    def _answer_late(self, statuses: Sequence[StatusEvent], late: LateStatuses) -> None:
        shuffled = self._injector.shuffled(statuses)
        for start in range(0, len(shuffled), late.a_frame):
            frame = encode(shuffled[start : start + late.a_frame])
            # One frame after the other, so that a client sees some of its answers long before the others.
            self._after(late.by_s * (1 + start // late.a_frame), partial(self.put, frame))

    def _send_statuses(self) -> None:
        if self._statuses:
            statuses, self._statuses = self._statuses, []
            self.put(encode(statuses))

    def _after(self, wait_s: float, action: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(wait_s, action)

    # The socket's end

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
        """Deliver what is queued or held back, then close with 1000; a half-open socket is let go without a word."""
        if self.half_open:
            self._abort()
            return
        if self._closing is not None:
            # It was told why it goes, and that stays the last word.
            await asyncio.wait({self._closing})
            return
        self._send_statuses()
        for frame in self._injector.rest():
            self.put(frame)
        await self.flushed()
        await self._socket.close(1000)

    def _cut_slow(self, how: SlowConsumer) -> None:
        if how.close == "abort":
            self._abort()
        else:
            self.evict(ClientSession.slow_consumer(), "slow consumer", self.session.options.slow_consumer_code)

    def _fall_silent(self) -> None:
        """Nothing more is read, so that no ping is answered, and nothing more is sent."""
        self.half_open = True
        self._queue.clear()
        self._empty.set()
        self._socket.transport.pause_reading()

    def _abort(self) -> None:
        """Reset the TCP connection; what the kernel has not sent is lost. One that is gone already stays gone."""
        self._leaving = True
        self._queue.clear()
        transport = self._socket.transport
        if transport.is_closing():
            return
        with contextlib.suppress(OSError):  # the client was faster
            transport.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, RESET)
        transport.abort()

    def _leave(self, code: int, reason: str) -> None:
        """Close after what is queued; nothing is queued any more."""
        self._leaving = True
        self._empty.clear()
        self._work.set()
        self._closing = asyncio.create_task(self._hang_up(code, reason))

    async def _hang_up(self, code: int, reason: str) -> None:
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_TIMEOUT_S):
                    await self._empty.wait()
                    await self._socket.close(code, reason)
        finally:
            # Whatever kept it from leaving in good order, it leaves.
            self._socket.transport.abort()
