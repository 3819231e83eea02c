"""The stand-in: one source of market data behind the vendor's WebSocket and REST, on loopback.

    async with StandIn(Tape.open(folder, date, "AAPL"), speed=None, at_end="close") as standin:
        ...  # connect to standin.ws_url + "/options", page standin.rest_url + "/v3/snapshot/options/AAPL"
        await standin.finished.wait()

Two ways of keeping time:

* paced (`speed` a number): market time follows the wall, times `speed`; every flush carries what passed since the last.
  A client that does not keep up fills its bounded buffer and is cut off as a slow consumer, as the vendor would.
* lockstep (`speed=None`): as fast as the clients read. Time moves a quantum at a time; each subscriber is sent the
  quantum's frames and pinged, and the next quantum waits for every pong. A client that stops reading stops the market.
"""

from __future__ import annotations

import asyncio
import contextlib
import http
import time
from socket import SO_SNDBUF, SOL_SOCKET
from types import TracebackType
from typing import Literal

import numpy as np
from aiohttp import web
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from services.standin.connection import Connection
from services.standin.rest import Rest
from services.standin.session import CHANNELS, Cluster, Hangup, Manners, Session, State
from services.standin.source import Batch, Source, rows_of

__all__ = ["DEFAULT_KEYS", "StandIn"]

# What a demo's gateway presents when nobody configured a key; any other key is refused, as at the vendor.
DEFAULT_KEYS = frozenset({"demo-key"})
CLUSTERS: dict[str, Cluster] = {"/options": "options", "/indices": "indices", "/stocks": "stocks"}

LOCKSTEP_ORDER: dict[Cluster, int] = {"indices": 0, "stocks": 1, "options": 2}

AUTH_TIMEOUT_S = 10.0
# The vendor batches events over 10 to 50 ms; the middle keeps frames full and a person's latency unnoticeable.
FLUSH_S = 0.025
# When the machine cannot keep the pace asked for, market time slips behind rather than growing one endless step.
LAG_NS_MAX = 250_000_000
# Faster than real time nobody is owed a pace: the market waits a little for a client this far behind, so that what it
# receives is seconds old and not minutes. One that stays behind longer fills its buffer and goes the slow way.
BEHIND_BYTES_MAX = 512 * 1024
PATIENCE_S = 0.25
# A client in lockstep that has not answered a ping for this long is dead, not slow.
PONG_TIMEOUT_S = 120.0
# A control message of a client: a thousand contracts in one subscription are 25 kB.
MESSAGE_BYTES_MAX = 4 * 1024 * 1024
# The kernel would grow its send buffer to megabytes and hide how late a client is; the buffer that counts is ours.
KERNEL_BUFFER_BYTES = 256 * 1024


class StandIn:
    """Serves `source` while the context is open.

    keys: who may connect (default: `demo-key` only). start_when: cluster.channel names, such as `options.T`; the
    market stands still until each is subscribed. at_end: after the last event close every socket with 1000, or hold.
    duration_s: wall seconds of market, from its start, after which it ends as if the source had.
    """

    def __init__(
        self,
        source: Source,
        *,
        speed: float | None,
        host: str = "127.0.0.1",
        ws_port: int = 0,
        rest_port: int = 0,
        keys: frozenset[str] | None = None,
        start_when: frozenset[str] = frozenset(),
        at_end: Literal["close", "hold"] = "hold",
        duration_s: float | None = None,
        manners: Manners | None = None,
    ) -> None:
        for name in start_when:
            cluster, _, channel = name.partition(".")
            if channel not in CHANNELS.get(cluster, ()):  # type: ignore[call-overload]
                raise ValueError(f"start_when names {name!r}; it takes cluster.channel, such as options.T")
        if speed is not None and speed <= 0:
            raise ValueError(f"speed must be positive or None for lockstep, not {speed}")
        self.source = source
        self.finished = asyncio.Event()
        self._speed = speed
        self._host, self._ws_port, self._rest_port = host, ws_port, rest_port
        self._keys = DEFAULT_KEYS if keys is None else keys
        self._start_when = start_when
        self._at_end = at_end
        self._duration_s = duration_s
        self._manners = manners or Manners()
        # In the order of connecting, so that nothing depends on how a set iterates.
        self._connections: dict[Connection, None] = {}
        self._subscriptions_changed = asyncio.Event()
        self._quoted_for: tuple[object, ...] | None = None
        self._quoted = np.empty(0, np.int32)
        self._server: Server | None = None
        self._runner: web.AppRunner | None = None
        self._pump: asyncio.Task[None] | None = None

    @property
    def ws_url(self) -> str:
        """Where the clusters are: `ws://host:port`, to which `/options`, `/indices` or `/stocks` is added."""
        return f"ws://{self._host}:{self._ws_port}"

    @property
    def rest_url(self) -> str:
        """Where REST is: `http://host:port`."""
        return f"http://{self._host}:{self._rest_port}"

    @property
    def clock_ns(self) -> int:
        """Market time."""
        return self.source.clock_ns

    async def __aenter__(self) -> StandIn:
        self._server = await serve(
            self._serve_client,
            self._host,
            self._ws_port,
            process_request=_check_path,
            compression=None,  # not offered by the vendor as far as is known
            ping_interval=None,  # the vendor does not ping; lockstep pings by itself
            max_size=MESSAGE_BYTES_MAX,
            close_timeout=2.0,
        )
        self._ws_port = next(iter(self._server.sockets)).getsockname()[1]
        self._runner = web.AppRunner(Rest(self.source, self._keys).app(), access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._rest_port)
        await site.start()
        self._rest_port = self._runner.addresses[0][1]
        self._pump = asyncio.create_task(self._run(), name="standin-market")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        assert self._runner is not None
        assert self._pump is not None
        self._pump.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._pump
        self._server.close()
        await self._server.wait_closed()
        await self._runner.cleanup()

    # The market's clock

    async def _run(self) -> None:
        """Wait for the subscribers asked for, let the market run, then end as asked."""
        await self._until(self._all_subscribed)
        deadline = None if self._duration_s is None else time.monotonic() + self._duration_s
        if self._speed is None:
            await self._run_lockstep(deadline)
        else:
            await self._run_paced(self._speed, deadline)
        if self._at_end == "close":
            await asyncio.gather(*(connection.finish() for connection in self._connections))
        self.finished.set()

    async def _run_lockstep(self, deadline: float | None) -> None:
        while not self.source.ended and not _past(deadline):
            if not self._subscribers():
                # As fast as asked, and nobody asks.
                await self._until(self._subscribers, deadline)
                continue
            batch = self.source.advance(self.source.quantum_ns, self._quoted_rows())
            # One cluster after another, prices before options: so a client's log has the same order every time.
            for connection in sorted(self._connections, key=lambda client: LOCKSTEP_ORDER[client.session.cluster]):
                if connection.deliver(self.source, batch):
                    await connection.caught_up(PONG_TIMEOUT_S)
            # A step without events still lets REST and control messages in.
            await asyncio.sleep(0)

    async def _run_paced(self, speed: float, deadline: float | None) -> None:
        then = time.monotonic_ns()
        while not self.source.ended and not _past(deadline):
            await asyncio.sleep(FLUSH_S)
            now = time.monotonic_ns()
            owed_ns = int(min(now - then, LAG_NS_MAX) * speed)
            then = now
            while owed_ns > 0 and not self.source.ended:
                # At high speeds a flush is many quanta; between them readers and REST have their turn.
                step_ns = min(owed_ns, self.source.quantum_ns)
                sent = self._deliver(self.source.advance(step_ns, self._quoted_rows()))
                owed_ns -= step_ns
                await asyncio.sleep(0)
                if speed > 1:
                    behind = [connection for connection in sent if connection.queued_bytes > BEHIND_BYTES_MAX]
                    await asyncio.gather(*(connection.flushed(PATIENCE_S) for connection in behind))

    def _deliver(self, batch: Batch) -> list[Connection]:
        """Queue the batch for whoever subscribed to any of it; returns those connections."""
        return [connection for connection in tuple(self._connections) if connection.deliver(self.source, batch)]

    def _quoted_rows(self) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
        """Rows of the contracts somebody has quotes of; worked out again only when that can have changed."""
        listing = self.source.listing
        options = [c for c in self._connections if c.session.cluster == "options"]
        state = (id(listing), *((id(c), c.session.version) for c in options))
        if state != self._quoted_for:
            wanted: dict[str, None] = {}
            for connection in options:
                wanted |= connection.session.tickers.get("Q", {})
            self._quoted, self._quoted_for = rows_of(listing, wanted), state
        return self._quoted

    def _subscribers(self) -> bool:
        return any(connection.session.wildcards or connection.session.tickers for connection in self._connections)

    def _all_subscribed(self) -> bool:
        held = {
            f"{connection.session.cluster}.{channel}"
            for connection in self._connections
            for channel in CHANNELS[connection.session.cluster]
            if connection.session.holds(channel)
        }
        return self._start_when <= held

    async def _until(self, condition: object, deadline: float | None = None) -> None:
        """Wait until `condition()` holds, looking again at every change of subscriptions, or until the deadline."""
        assert callable(condition)
        while not condition() and not _past(deadline):
            self._subscriptions_changed.clear()
            timeout = None if deadline is None else max(0.0, deadline - time.monotonic())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._subscriptions_changed.wait(), timeout)

    # One client

    async def _serve_client(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        kernel_socket = socket.transport.get_extra_info("socket")
        kernel_socket.setsockopt(SOL_SOCKET, SO_SNDBUF, KERNEL_BUFFER_BYTES)
        session = Session(CLUSTERS[socket.request.path.partition("?")[0]], self._keys, self._manners)
        connection = Connection(socket, session)
        writer = asyncio.create_task(connection.write(), name="standin-writer")
        try:
            connection.put(session.greeting())
            await self._converse(socket, connection)
        except ConnectionClosed:
            pass  # the client left; nothing is owed to it
        finally:
            self._connections.pop(connection, None)
            self._subscriptions_changed.set()
            writer.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionClosed):
                await writer

    async def _converse(self, socket: ServerConnection, connection: Connection) -> None:
        session = connection.session
        loop = asyncio.get_running_loop()
        auth_due = loop.time() + AUTH_TIMEOUT_S
        while True:
            try:
                async with asyncio.timeout_at(auth_due if session.state is State.GREETED else None):
                    text = await socket.recv()
            except TimeoutError:
                connection.put(session.auth_timeout())
                await connection.flushed()
                await socket.close(1008, "auth timeout")
                return
            reply = session.receive(text)
            for frame in reply.frames:
                connection.put(frame)
            if reply.hangup is Hangup.ABORT:
                await connection.flushed()
                socket.transport.abort()
                return
            if reply.authenticated:
                self._admit(connection)
            self._subscriptions_changed.set()

    def _admit(self, connection: Connection) -> None:
        """One connection a key and cluster: the newer stays, the older is told and closed with 1008."""
        older = [
            other
            for other in self._connections
            if other.session.cluster == connection.session.cluster and other.session.key == connection.session.key
        ]
        for other in older:
            del self._connections[other]
            other.evict(Session.max_connections(), "Maximum number of websocket connections exceeded")
        self._connections[connection] = None


def _check_path(connection: ServerConnection, request: Request) -> Response | None:
    """Clusters are paths; any other is 404."""
    if request.path.partition("?")[0] in CLUSTERS:
        return None
    return connection.respond(http.HTTPStatus.NOT_FOUND, "404 page not found\n")


def _past(deadline: float | None) -> bool:
    return deadline is not None and time.monotonic() >= deadline
