"""Who comes in: one conversation a socket, from greeting to goodbye, and who has to go when there are too many."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Sequence
from socket import SO_SNDBUF, SOL_SOCKET

import msgspec
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from standin.faults.named import AbsentIndices, Cluster, Fault, LateStatuses, StickySessions
from standin.faults.protocol_options import ProtocolOptions
from standin.faults.timeline import Receptions, found
from standin.protocol.fault_injector import FaultInjector
from standin.protocol.session import ClientSession, Hangup, SessionState
from standin.protocol.slots import Slots
from standin.server.connection import Connection

__all__ = ["CLUSTERS", "ConnectionAcceptor"]

CLUSTERS: dict[str, Cluster] = {"/options": "options", "/indices": "indices", "/stocks": "stocks"}
# The kernel would grow its send buffer to megabytes and hide how late a client is; the buffer that counts is ours.
KERNEL_BUFFER_BYTES = 256 * 1024
# A newcomer that has to go again is told after its subscriptions were acknowledged, or after this without any.
NEWCOMER_S = 1.0


class ConnectionAcceptor:
    """Lets clients in. `connections` holds those with a slot, in the order of connecting, so that nothing depends on
    how a set iterates; `changed` is set whenever they or their subscriptions change. Once the market is `over`, who
    still comes is acknowledged and sent home with 1000, or they would wait for ever.
    """

    def __init__(self, keys: frozenset[str], options: ProtocolOptions, faults: Sequence[Fault], seed: int) -> None:
        self.connections: dict[Connection, None] = {}
        self.changed = asyncio.Event()
        self.over = False
        self._keys, self._options, self._faults, self._seed = keys, options, faults, seed
        self._late = found(faults, LateStatuses)
        absent = found(faults, AbsentIndices)
        self._absent = frozenset(() if absent is None else absent.tickers)
        self._receptions = Receptions(faults)
        sticky = found(faults, StickySessions)
        self._slots: Slots[Connection] = Slots(options, 0.0 if sticky is None else sticky.for_s, seed)
        self._numbers = itertools.count()

    async def serve(self, socket: ServerConnection) -> None:
        """A client of the real-time host."""
        await self._serve(socket, self._options, delayed=False)

    async def serve_delayed(self, socket: ServerConnection) -> None:
        """A client of the delayed host, which has no quotes."""
        options = msgspec.structs.replace(self._options, entitled=self._options.entitled - {"Q"}, business=False)
        await self._serve(socket, options, delayed=True)

    async def _serve(self, socket: ServerConnection, options: ProtocolOptions, *, delayed: bool) -> None:
        assert socket.request is not None
        kernel_socket = socket.transport.get_extra_info("socket")
        kernel_socket.setsockopt(SOL_SOCKET, SO_SNDBUF, KERNEL_BUFFER_BYTES)
        cluster = CLUSTERS[socket.request.path.partition("?")[0]]
        session = ClientSession(cluster, self._keys, options, self._receptions.next(), self._absent)
        injector = FaultInjector(self._faults, self._seed + next(self._numbers), options.frame_events_max)
        connection = Connection(socket, session, injector, delayed=delayed, late=self._late)
        writer = asyncio.create_task(connection.write(), name="standin-writer")
        try:
            connection.put(session.greeting())
            with contextlib.suppress(ConnectionClosed):  # the client left; nothing is owed to it
                await self._converse(socket, connection)
        finally:
            self._forget(connection)
            writer.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionClosed):
                await writer

    async def _converse(self, socket: ServerConnection, connection: Connection) -> None:
        session = connection.session
        auth_due = asyncio.get_running_loop().time() + session.options.auth_timeout_s
        while True:
            try:
                async with asyncio.timeout_at(auth_due if session.state is SessionState.GREETED else None):
                    text = await socket.recv()
            except TimeoutError:
                connection.put(session.auth_timeout())
                await connection.flushed()
                await socket.close(1008, "auth timeout")
                return
            reply = session.receive(text)
            connection.answer(reply.statuses, can_wait=reply.can_wait)
            if reply.hangup is Hangup.ABORT:
                await connection.flushed()
                socket.transport.abort()
                return
            if reply.authenticated:
                self._admit(connection)
            elif connection.unwelcome and reply.statuses:
                connection.dismiss()
            if self.over and session.subscribed:
                await connection.finish()
                return
            self.changed.set()

    def _admit(self, connection: Connection) -> None:
        """Give the newcomer a slot; who loses theirs to it is told and closed with 1008, be it the newcomer itself."""
        session, loop = connection.session, asyncio.get_running_loop()
        assert session.key is not None
        self.connections[connection] = None
        for victim in self._slots.admit(connection, session.key, session.cluster, loop.time()):
            self.connections.pop(victim, None)
            if victim is connection:
                connection.unwelcome = True
                loop.call_later(NEWCOMER_S, connection.dismiss)
            else:
                victim.dismiss()

    def _forget(self, connection: Connection) -> None:
        session = connection.session
        self.connections.pop(connection, None)
        now_s = asyncio.get_running_loop().time()
        self._slots.left(connection, session.key, session.cluster, now_s, clean=connection.closed_cleanly)
        self.changed.set()
