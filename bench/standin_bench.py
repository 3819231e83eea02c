"""How fast the stand-in feeds a client that does nothing but read, over a loopback socket, as fast as it is read.

The reader is a process of its own and times itself, from its first frame to the end; it counts trades and parses
nothing. The peer is a bare WebSocket server that sends the very same frames to the very same reader, so the ratio is
what is left after a session, a clock in lockstep and the encoding of every event.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import statistics
from collections.abc import Callable
from multiprocessing.queues import Queue
from typing import Any

import numpy as np
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from bench.harness import entry
from standin.feed.listing import Listing
from standin.feed.source import Batch, IndexState, Snapshot, Source
from standin.market.seeded import SECOND_NS, SeededMarket
from standin.protocol.wire import frames, option_events, status_frame
from standin.server.server import StandIn

__all__ = ["run"]

RUNS = 5
SECONDS = 300
TARGET_TRADES_PER_S = 150_000.0
START = frozenset({"options.T"})

Reader = Callable[[str], float]


class Recorded:
    """Seconds of a market that were made before, so that only telling them is timed."""

    def __init__(self, market: SeededMarket, seconds: list[Batch]) -> None:
        self._market, self._seconds, self._sent = market, seconds, 0
        self._start_ns = market.clock_ns
        self.index_tickers, self.stock_tickers = market.index_tickers, market.stock_tickers
        self.quantum_ns = SECOND_NS
        self.is_open = True

    @property
    def clock_ns(self) -> int:
        """One second a batch."""
        return self._start_ns + self._sent * SECOND_NS

    @property
    def ended(self) -> bool:
        """True when every second has been told."""
        return self._sent >= len(self._seconds)

    @property
    def listing(self) -> Listing:
        """The day's."""
        return self._seconds[0].listing

    def advance(self, step_ns: int, quoted: np.ndarray[Any, Any]) -> Batch:
        """The next second, whatever the step."""
        self._sent += 1
        return self._seconds[self._sent - 1]

    def snapshot(self, rows: np.ndarray[Any, Any]) -> Snapshot:
        """The market's."""
        return self._market.snapshot(rows)

    def index_state(self, ticker: str) -> IndexState | None:
        """The market's."""
        return self._market.index_state(ticker)


def read(url: str, found: Queue[float]) -> None:
    """Read to the end; put the trades a second."""

    async def reading() -> float:
        loop = asyncio.get_running_loop()
        async with connect(url, compression=None, max_size=None) as socket:
            await socket.recv()
            await socket.send('{"action":"auth","params":"demo-key"}')
            await socket.recv()
            await socket.send('{"action":"subscribe","params":"T.*"}')
            trades, began = (await socket.recv(decode=False)).count(b'"ev":"T"'), loop.time()
            try:
                while True:
                    trades += (await socket.recv(decode=False)).count(b'"ev":"T"')
            except ConnectionClosed:
                return trades / (loop.time() - began)

    found.put(asyncio.run(reading()))


async def reader_of(url: str) -> float:
    """Trades a second of a reader in a process of its own."""
    apart = multiprocessing.get_context("spawn")
    found: Queue[float] = apart.Queue()
    process = apart.Process(target=read, args=(url, found))
    process.start()
    rate = await asyncio.to_thread(found.get, True, 120.0)
    await asyncio.to_thread(process.join)
    return rate


async def published_by_the_standin(source: Source, duration_s: float | None = None) -> float:
    """The stand-in, in lockstep with the reader."""
    async with StandIn(source, speed=None, at_end="close", start_when=START, duration_s=duration_s) as standin:
        return await reader_of(standin.ws_url + "/options")


async def published_bare(sent: list[bytes]) -> float:
    """The peer: a server that has its frames ready."""

    async def publish(socket: ServerConnection) -> None:
        await socket.send(status_frame("connected", "").decode())
        await socket.recv()
        await socket.send(status_frame("auth_success", "").decode())
        await socket.recv()
        for frame in sent:
            await socket.send(frame, text=True)

    async with serve(publish, "127.0.0.1", 0, compression=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        return await reader_of(f"ws://127.0.0.1:{port}/options")


def run() -> list[dict[str, Any]]:
    """The stand-in's entries of `make bench`."""
    market = SeededMarket(7)
    seconds = [market.advance(SECOND_NS, np.empty(0, np.int32)) for _ in range(SECONDS)]
    sent = [
        frame for second in seconds for frame in frames(option_events(second.listing, second.prints, second.quotes))
    ]
    rates: dict[str, list[float]] = {"told": [], "made": [], "bare": []}
    for _ in range(RUNS):
        rates["told"].append(asyncio.run(published_by_the_standin(Recorded(market, seconds))))
        rates["bare"].append(asyncio.run(published_bare(sent)))
        rates["made"].append(asyncio.run(published_by_the_standin(SeededMarket(7), duration_s=3.0)))
    bare = statistics.median(rates["bare"])
    peer = "a bare WebSocket server sending the same frames to the same reader"
    return [
        entry("standin_socket_trades_per_s", rates["told"], "trades/s", peer, bare, target=TARGET_TRADES_PER_S),
        # The same with the seeded market at work in the server's process: what a client of `--speed max` gets.
        entry("standin_made_and_sent_trades_per_s", rates["made"], "trades/s", peer, bare),
    ]
