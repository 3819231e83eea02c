"""The thin shell around a vendor socket: connect, read, stamp, enqueue. It decides nothing.

The one file here that imports websockets. What a frame means is the business of `massive.protocol` and of the gateway,
which drain the inbox; what follows an end is that of `policy.session_end`, how long to wait of
`policy.reconnect_backoff`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from websockets.asyncio.client import ClientConnection, connect
from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
from websockets.frames import Frame, Opcode

from services.gateway.errors import FeedRefusedError
from services.gateway.massive.protocol import FeedProtocol, Retry
from services.gateway.policy.reconnect_backoff import ReconnectBackoff
from services.gateway.policy.session_end import NextStep, SettleTimeout, next_step

__all__ = ["Arrived", "FeedSocket", "LockstepConnection", "Lost"]

log = logging.getLogger("strikewire.gateway")

FRAME_BYTES_MAX = 16 * 1024 * 1024  # bursts of `T.*` pass the library's default of 1 MiB
PING_INTERVAL_S, PING_TIMEOUT_S = 20.0, 60.0  # a burst must not make us drop a healthy socket
OPEN_TIMEOUT_S = 10.0
CLOSE_TIMEOUT_S = 5.0
FAREWELL_S = 1.0
_DATA = frozenset({Opcode.TEXT, Opcode.BINARY, Opcode.CONT})


class Arrived(NamedTuple):
    """A frame of a socket, as read at `now_ns` on the wall clock."""

    socket: FeedSocket
    session: FeedProtocol
    data: bytes
    now_ns: int


class Lost(NamedTuple):
    """A session's socket is gone. The consumer answers by `decided`, after every frame that came before."""

    socket: FeedSocket
    session: FeedProtocol
    code: int | None
    reason: str
    decided: asyncio.Future[Retry]


class LockstepConnection(ClientConnection):
    """Says that it has caught up only when it has: holds each pong until `handled` was called for every message before.

    A market in lockstep moves on when its ping is answered. The library answers as it reads, while frames before the
    ping may still wait for the writer, and the chains that are due with them have not been asked for; then the market
    runs minutes ahead, and what REST answers is of another time than the prints it is to explain.
    """

    def __init__(self, protocol: ClientProtocol, **how: Any) -> None:
        super().__init__(protocol, **how)
        self._arrived = 0
        self._handled = 0
        # The market sends the next ping after the last answer, so there is one of these, or two at a close.
        self._held: deque[tuple[int, Frame]] = deque()
        # The protocol is sans-I/O and calls these two of its own methods for every frame in and out.
        self._receive, self._send = protocol.recv_frame, protocol.send_frame
        protocol.recv_frame = self._count  # type: ignore[method-assign]
        protocol.send_frame = self._hold  # type: ignore[method-assign]

    def handled(self) -> None:
        """The program is done with the oldest message it had not been done with."""
        self._handled += 1
        while self._held and self._held[0][0] <= self._handled:
            self._send(self._held.popleft()[1])
            self.send_data()

    def _count(self, frame: Frame) -> None:
        self._arrived += frame.opcode in _DATA and frame.fin
        self._receive(frame)

    def _hold(self, frame: Frame) -> None:
        if frame.opcode is Opcode.PONG and self._arrived > self._handled:
            self._held.append((self._arrived, frame))
        else:
            self._send(frame)


class FeedSocket:
    """Keeps one cluster connected: one session after another, with the waits of a `ReconnectBackoff` between them.

    `until_closed`: a normal closure (1000) by the server ends it, as at the end of a tape.
    """

    def __init__(
        self,
        cluster: str,
        url: str,
        api_key: str,
        ladder: ReconnectBackoff,
        enqueue: Callable[[Arrived | Lost, int], Awaitable[None]],
        *,
        lockstep: bool = False,
        until_closed: bool = False,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.cluster = cluster
        self.pairs: tuple[str, ...] = ()  # what the next session asks for from the start, the most important first
        self.ladder = ladder
        self.session: FeedProtocol | None = None
        self.reconnects = 0
        self._url = f"{url.rstrip('/')}/{cluster}"
        self._api_key = api_key
        self._enqueue = enqueue
        self._lockstep = lockstep
        self._until_closed = until_closed
        self._sleep = sleep
        self._given_up = False
        self._connection: ClientConnection | None = None
        self._settle = SettleTimeout(0)
        self._closing: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Until cancelled, or closed normally when asked to.

        Raises FeedRefusedError when the key or plan is refused.
        """
        while True:
            session = FeedProtocol(self.cluster, self._api_key, self.pairs)
            code, reason = await self._one_session(session)
            retry = await self._decision(session, code, reason)
            step = next_step(retry, code, until_closed=self._until_closed)
            if step is NextStep.REFUSED:
                status, _, message = session.last_status.partition(": ")
                raise FeedRefusedError(self.cluster, status, message)
            if step is NextStep.FINISHED:
                return
            delay_s = self.ladder.delay_s(retry)
            if retry is Retry.CONTENDED:
                log.error("/%s: another program is using this key; next try in %.0f s", self.cluster, delay_s)
            log.warning("/%s lost (%s); next try in %.1f s", self.cluster, session.last_status or reason, delay_s)
            self.reconnects += 1
            await self._sleep(delay_s)

    async def send(self, messages: list[bytes]) -> None:
        """Send each as one text message; a socket that is gone says so elsewhere."""
        if self._connection is not None:
            with contextlib.suppress(ConnectionClosed):
                for message in messages:
                    await self._connection.send(message, text=True)

    def handled(self, session: FeedProtocol) -> None:
        """The consumer is done with a frame of that session; in lockstep the market waits to hear it."""
        if session is self.session and isinstance(self._connection, LockstepConnection):
            self._connection.handled()

    def watch(self, now_ns: int) -> None:
        """Close a connection that neither greets nor, once it said why it goes, goes. Call it every second or so."""
        session = self.session
        if session is None or self._connection is None:
            return
        if self._settle.expired(session.state, now_ns) and self._closing is None:
            self._closing = asyncio.create_task(self._connection.close())

    def give_up(self, why: str) -> None:
        """Close the connection, for a reason of ours; another follows."""
        if self.session is not None and self._connection is not None and self._closing is None:
            self._given_up = True
            self.session.last_status = why
            self._closing = asyncio.create_task(_farewell(self._connection))

    async def _one_session(self, session: FeedProtocol) -> tuple[int | None, str]:
        """Read until the connection ends; its close code, if there was one, and why."""
        try:
            async with connect(
                self._url,
                max_size=FRAME_BYTES_MAX,
                max_queue=1 if self._lockstep else 16,
                compression=None,
                open_timeout=OPEN_TIMEOUT_S,
                close_timeout=CLOSE_TIMEOUT_S,
                # In lockstep we stop reading for as long as a poll takes, and our pongs would wait there too.
                ping_interval=None if self._lockstep else PING_INTERVAL_S,
                ping_timeout=PING_TIMEOUT_S,
                create_connection=LockstepConnection if self._lockstep else ClientConnection,
            ) as connection:
                self.session, self._connection = session, connection
                self._settle, self._closing = SettleTimeout(time.time_ns()), None
                self._given_up = False
                while True:
                    data = await connection.recv(decode=False)
                    await self._enqueue(Arrived(self, session, data, time.time_ns()), len(data))
        except ConnectionClosed as error:
            if self._given_up:
                return None, session.last_status
            return (error.rcvd.code, error.rcvd.reason) if error.rcvd is not None else (None, "no close frame")
        except (InvalidHandshake, InvalidURI, OSError, TimeoutError) as error:
            return None, f"{type(error).__name__} {error}".strip()
        finally:
            self.session = self._connection = None

    async def _decision(self, session: FeedProtocol, code: int | None, reason: str) -> Retry:
        decided: asyncio.Future[Retry] = asyncio.get_running_loop().create_future()
        await self._enqueue(Lost(self, session, code, reason, decided), 0)
        return await decided


async def _farewell(connection: ClientConnection) -> None:
    """A close frame frees the slot at the vendor; who is dead does not answer it, and is not waited for."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(connection.close(), FAREWELL_S)
    connection.transport.abort()
