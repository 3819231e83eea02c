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
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Literal, NamedTuple

import numpy as np
from aiohttp import web
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from standin.errors import StandInError
from standin.faults.delay import Delay
from standin.faults.named import Cluster, Fault
from standin.faults.protocol_options import ProtocolOptions
from standin.faults.rest_faults import RestFaults
from standin.faults.timeline import Struck, Timeline, under
from standin.feed.source import Batch, Prints, Quotes, SecondBars, Source, Values
from standin.protocol.archive import PRINTS_MAX, Archive
from standin.protocol.live_bars import LiveBars
from standin.protocol.session import CHANNELS
from standin.server.connection import Connection, Publication
from standin.server.connection_acceptor import CLUSTERS, ConnectionAcceptor
from standin.server.routes import Rest

__all__ = ["DEFAULT_KEYS", "StandIn"]

# What a demo's gateway presents when nobody configured a key; any other key is refused, as at the vendor.
DEFAULT_KEYS = frozenset({"demo-key"})
# Channels that are made of quotes.
QUOTE_CHANNELS = ("Q", "FMV")
LOCKSTEP_ORDER: dict[Cluster, int] = {"indices": 0, "stocks": 1, "options": 2}

# When the machine cannot keep the pace asked for, market time slips behind rather than growing one endless step.
LAG_NS_MAX = 250_000_000
# Faster than real time nobody is owed a pace: the market waits a little for a client this far behind, so that what it
# receives is seconds old and not minutes. One that stays behind longer fills its buffer and goes the slow way.
BEHIND_BYTES_MAX = 512 * 1024
PATIENCE_S = 0.25
# How long the clock runs on after a day, whatever is still to be told: far from the next open.
PAST_NS_MAX = 3_600 * 1_000_000_000
# A client in lockstep that has not answered a ping for this long is dead, not slow.
PONG_TIMEOUT_S = 120.0
# A control message of a client: a thousand contracts in one subscription are 25 kB.
MESSAGE_BYTES_MAX = 4 * 1024 * 1024


class _MarketStep(NamedTuple):
    """What the real-time host tells now, and the delayed one."""

    now: Publication
    old: Sequence[Publication]


class StandIn:
    """Serves `source` while the context is open. `finished` is set when the market has ended; when an error ended it,
    leaving the context raises StandInError.

    keys: who may connect (default: `demo-key` only). start_when: cluster.channel names, such as `options.T`; the
    market stands still until each is subscribed. at_end: after the last event close every socket with 1000, or hold.
    duration_s: wall seconds of market, from its start, after which it ends as if the source had.
    faults: bad days, chance in them drawn from fault_seed. delayed: serve a second host, a quarter of an hour late.
    prints_kept: how many of the newest prints REST can tell again, some 45 bytes each.
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
        options: ProtocolOptions | None = None,
        faults: Sequence[Fault] = (),
        fault_seed: int = 0,
        delayed: bool = False,
        delayed_port: int = 0,
        prints_kept: int = PRINTS_MAX,
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
        self._host, self._ws_port, self._rest_port, self._delayed_port = host, ws_port, rest_port, delayed_port
        self._keys = DEFAULT_KEYS if keys is None else keys
        self._start_when = start_when
        self._at_end = at_end
        self._duration_s = duration_s
        self._options = under(faults, options or ProtocolOptions())
        self._faults, self._fault_seed = tuple(faults), fault_seed
        self._timeline = Timeline(self._faults)
        self._acceptor = ConnectionAcceptor(self._keys, self._options, self._faults, fault_seed)
        self._archive = Archive(source.index_tickers, source.stock_tickers, prints_kept)
        rest_faults = RestFaults(self._faults, fault_seed)
        self._rest = Rest(source, self._keys, self._archive, self._options, rest_faults)
        bar_delay_s = self._options.bar_delay_s
        self._bars = LiveBars(source, bar_delay_s)
        self._old_bars = LiveBars(source, bar_delay_s)
        self._past_ns = 0
        self._delay = Delay() if delayed else None
        self._quoted_for: tuple[object, ...] | None = None
        self._quoted = np.empty(0, np.int32)
        self._servers: dict[str, Server] = {}
        self._runner: web.AppRunner | None = None
        self._pump: asyncio.Task[None] | None = None

    @property
    def ws_url(self) -> str:
        """Where the clusters are: `ws://host:port`, to which `/options`, `/indices` or `/stocks` is added."""
        return f"ws://{self._host}:{self._ws_port}"

    @property
    def delayed_url(self) -> str | None:
        """Where the clusters of the delayed host are, when there is one."""
        return f"ws://{self._host}:{self._delayed_port}" if self._delay is not None else None

    @property
    def struck(self) -> Sequence[Struck]:
        """The faults that struck so far."""
        return self._timeline.struck

    @property
    def rest_url(self) -> str:
        """Where REST is: `http://host:port`."""
        return f"http://{self._host}:{self._rest_port}"

    @property
    def clock_ns(self) -> int:
        """Market time; after a day's last event it runs on until everything of the day is told."""
        return self.source.clock_ns + self._past_ns

    async def __aenter__(self) -> StandIn:
        self._servers["now"] = await self._listen(self._acceptor.serve, self._ws_port)
        self._ws_port = _port(self._servers["now"])
        if self._delay is not None:
            self._servers["delayed"] = await self._listen(self._acceptor.serve_delayed, self._delayed_port)
            self._delayed_port = _port(self._servers["delayed"])
        self._runner = web.AppRunner(self._rest.app(), access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._rest_port)
        await site.start()
        self._rest_port = self._runner.addresses[0][1]
        self._pump = asyncio.create_task(self._run(), name="standin-market")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._runner is not None
        assert self._pump is not None
        self._pump.cancel()
        try:
            with contextlib.suppress(asyncio.CancelledError):
                await self._pump
        finally:
            for server in self._servers.values():
                server.close()
            for server in self._servers.values():
                await server.wait_closed()
            await self._runner.cleanup()

    async def _listen(self, client: Callable[[ServerConnection], Awaitable[None]], port: int) -> Server:
        options = self._options
        return await serve(
            client,
            self._host,
            port,
            process_request=_check_path,
            compression="deflate" if options.compression else None,
            ping_interval=options.ping_s or None,  # lockstep pings by itself
            max_size=MESSAGE_BYTES_MAX,
            close_timeout=2.0,
        )

    # The market's clock

    async def _run(self) -> None:
        """Let the market run. When an error ends it, that is its end too: nobody shall wait for another one."""
        try:
            await self._run_to_the_end()
        except Exception as error:
            raise StandInError(f"an error ended the market: {type(error).__name__}: {error}") from error
        finally:
            self.finished.set()

    async def _run_to_the_end(self) -> None:
        """Wait for the subscribers asked for, let the market run, then end as asked."""
        await self._until(self._all_subscribed)
        deadline = None if self._duration_s is None else time.monotonic() + self._duration_s
        if self._speed is None:
            await self._run_lockstep(deadline)
        else:
            await self._run_paced(self._speed, deadline)
        if self._at_end == "close":
            self._acceptor.over = True
            await asyncio.gather(*(connection.finish() for connection in self._acceptor.connections))

    async def _run_lockstep(self, deadline: float | None) -> None:
        while not self._over and not _past(deadline):
            if not self._subscribers():
                if self.source.ended:
                    break
                # As fast as asked, and nobody asks.
                await self._until(self._subscribers, deadline)
                continue
            step = self._advance(self.source.quantum_ns)
            # One cluster after another, prices before options: so a client's log has the same order every time.
            for connection in sorted(
                self._acceptor.connections, key=lambda client: LOCKSTEP_ORDER[client.session.cluster]
            ):
                if self._deliver(step, connection):
                    await connection.caught_up(PONG_TIMEOUT_S)
            # A step without events still lets REST and control messages in.
            await asyncio.sleep(0)

    async def _run_paced(self, speed: float, deadline: float | None) -> None:
        then = time.monotonic_ns()
        while not self._over and not _past(deadline):
            await asyncio.sleep(self._options.flush_s)
            now = time.monotonic_ns()
            owed_ns = int(min(now - then, LAG_NS_MAX) * speed)
            then = now
            while owed_ns > 0 and not self._over:
                # At high speeds a flush is many quanta; between them readers and REST have their turn.
                step_ns = min(owed_ns, self.source.quantum_ns)
                step = self._advance(step_ns)
                sent = [
                    connection for connection in tuple(self._acceptor.connections) if self._deliver(step, connection)
                ]
                owed_ns -= step_ns
                await asyncio.sleep(0)
                if speed > 1:
                    behind = [connection for connection in sent if connection.queued_bytes > BEHIND_BYTES_MAX]
                    await asyncio.gather(*(connection.flushed(PATIENCE_S) for connection in behind))

    def _advance(self, step_ns: int) -> _MarketStep:
        """Move the market on; or only its clock, where a day is over and something of it is still to be told."""
        before_ns = self.clock_ns
        if self._rests and self._owes:
            self._past_ns += step_ns
            batch = Batch(self.source.listing, Prints.empty(), Quotes.empty(), Values.empty(), SecondBars.empty())
        else:
            self._past_ns = 0
            batch = self.source.advance(step_ns, self._quoted_rows())
        now_ns = self.clock_ns
        # A night between two sessions is a jump, not time in which something could have gone wrong.
        self._timeline.passed(min(now_ns - before_ns, step_ns))
        bars = self._bars.made(batch, now_ns, self._wanted_bars(delayed=False))
        self._archive.add(batch)
        return _MarketStep(Publication(batch, bars), self._old(batch, now_ns))

    def _old(self, batch: Batch, now_ns: int) -> Sequence[Publication]:
        """What the delayed host tells now."""
        if self._delay is None:
            return ()
        wanted = self._wanted_bars(delayed=True)
        ripe = self._delay.passed(batch, now_ns)
        return [Publication(each.batch, self._old_bars.made(each.batch, each.clock_ns, wanted)) for each in ripe]

    @property
    def _rests(self) -> bool:
        """Whether the source's next step, if there is one, is another day's."""
        return self.source.ended or not self.source.is_open

    @property
    def _owes(self) -> bool:
        """Whether something of what happened is still to be told."""
        late = self._delay is not None and (self._delay.waiting or self._old_bars.waiting)
        return (late or self._bars.waiting) and self._past_ns < PAST_NS_MAX

    @property
    def _over(self) -> bool:
        """Whether nothing will ever be told again."""
        return self.source.ended and not self._owes

    def _wanted_bars(self, *, delayed: bool) -> list[tuple[Cluster, str]]:
        """Clusters and channels of bars that a client of the host subscribed to, always in the same order."""
        clients = [client.session for client in self._acceptor.connections if client.delayed == delayed]
        return [
            (cluster, channel)
            for cluster in LOCKSTEP_ORDER
            for channel in ("A", "AM")
            if any(session.cluster == cluster and session.holds(channel) for session in clients)
        ]

    def _deliver(self, step: _MarketStep, connection: Connection) -> bool:
        """Let strike what is due, then queue what the client subscribed to; True when there was anything. Who cannot
        be reached is spared: a fault would be spent on nobody."""
        now_ns = self.clock_ns
        if connection.session.subscribed and connection.reachable():
            for fault in self._timeline.due(connection.session.cluster, now_ns):
                connection.strike(fault, now_ns)
                if not connection.reachable():
                    break
        if not connection.reachable():
            return False
        publications = step.old if connection.delayed else (step.now,)
        sent = [connection.deliver(self.source, publication, now_ns) for publication in publications]
        return any(sent)

    def _quoted_rows(self) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
        """Rows of the contracts somebody has quotes of; worked out again only when that can have changed."""
        listing = self.source.listing
        options = [c for c in self._acceptor.connections if c.session.cluster == "options"]
        state = (id(listing), *((id(c), c.session.version) for c in options))
        if state != self._quoted_for:
            rows = [connection.session.rows(listing, channel) for connection in options for channel in QUOTE_CHANNELS]
            self._quoted = np.unique(np.concatenate(rows)) if rows else np.empty(0, np.int32)
            self._quoted_for = state
        return self._quoted

    def _subscribers(self) -> bool:
        """Whether there is anybody who would notice time passing; who leaves or is half-open notices nothing."""
        return any(client.session.subscribed and client.reachable() for client in self._acceptor.connections)

    def _all_subscribed(self) -> bool:
        subscribed = {
            f"{connection.session.cluster}.{channel}"
            for connection in self._acceptor.connections
            for channel in CHANNELS[connection.session.cluster]
            if connection.session.holds(channel)
        }
        return self._start_when <= subscribed

    async def _until(self, condition: object, deadline: float | None = None) -> None:
        """Wait until `condition()` holds, looking again at every change of subscriptions, or until the deadline."""
        assert callable(condition)
        while not condition() and not _past(deadline):
            self._acceptor.changed.clear()
            timeout = None if deadline is None else max(0.0, deadline - time.monotonic())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._acceptor.changed.wait(), timeout)


def _check_path(connection: ServerConnection, request: Request) -> Response | None:
    """Clusters are paths; any other is 404."""
    if request.path.partition("?")[0] in CLUSTERS:
        return None
    return connection.respond(http.HTTPStatus.NOT_FOUND, "404 page not found\n")


def _port(server: Server) -> int:
    port: int = next(iter(server.sockets)).getsockname()[1]
    return port


def _past(deadline: float | None) -> bool:
    return deadline is not None and time.monotonic() >= deadline
