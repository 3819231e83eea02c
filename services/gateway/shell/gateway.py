"""The gateway: the vendor's sockets and REST in, sequenced frames out.

Readers stamp and enqueue; one task, the consumer, drains the inbox and is the only one that decodes, writes and
publishes. So the log has one order, and awaiting `on_frames` there is the backpressure that reaches the sockets.

In lockstep (a tape or market that waits for us) the consumer also polls the chains, when the feed's clock says that
they are due; meanwhile nobody drains the inbox, the readers stop, and the market stands still.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable
from contextlib import aclosing
from typing import TypeAlias

from schemas.frames import Int64, Lane
from schemas.gaps import EarlierGaps
from services.core.calendar import NS, Calendar
from services.core.partitioner import Partitioner
from services.gateway.decoding.plain_frames import warm_up
from services.gateway.decoding.tabulate import Tabulator, TickTable, TradeTable
from services.gateway.errors import FeedRefusedError, RestRefusedError, RestUnavailableError
from services.gateway.gaps.feed_watchdog import FeedWatchdog, SilentChannel, WatchdogVerdict
from services.gateway.gaps.ledger import NOTHING, cause_of
from services.gateway.gaps.losses import SILENCE, LossMeaning, meaning_of_loss
from services.gateway.massive.messages import BROKEN, Decoded, Status
from services.gateway.massive.rest_pages import ChainPage, index_snapshot, server_time_ns
from services.gateway.massive.subscriptions import Note
from services.gateway.policy.contract_ranking import ContractRanking
from services.gateway.policy.market_clock import MarketClock
from services.gateway.policy.quote_subscriptions import TRADES, QuoteSubscriptions
from services.gateway.policy.reconnect_backoff import ReconnectBackoff
from services.gateway.shell.chains import Chains
from services.gateway.shell.gap_tracker import GapTracker, OnGap
from services.gateway.shell.publisher import OnDeadLetter, OnFrames, Publisher
from services.gateway.shell.receive_queue import ReceiveQueue
from services.gateway.shell.refiller import RefillEnd, Refiller, RefillPage, Sleep
from services.gateway.shell.rest_client import RestClient
from services.gateway.shell.sockets import Arrived, FeedSocket, Lost
from services.gateway.shell.stats import GatewayStats
from services.settings.gateway import GatewaySettings

Item: TypeAlias = Arrived | Lost | ChainPage | RefillPage | RefillEnd

__all__ = ["Gateway"]

log = logging.getLogger("strikewire.gateway")

# Frames between readers and consumer. Two seconds of the busiest minute (some 50 frames a second on three sockets)
# is time enough for a garbage collection or a disk, and 64 MiB is four frames of the biggest size.
INBOX_FRAMES_MAX, INBOX_BYTES_MAX = 300, 64 * 1024 * 1024
# In lockstep every frame held here is market time that has run ahead of us.
LOCKSTEP_FRAMES_MAX = 1
WATCH_NS = NS
# How long an ended feed waits for what is being refilled.
REFILL_GRACE_S = 5.0
# What a page of a chain weighs in the inbox: 250 rows of some 130 bytes.
PAGE_BYTES = 32 * 1024
NOTE_LEVELS = {"live": logging.INFO, "quote_limit": logging.WARNING, "closing": logging.WARNING}
WILDCARDS = {"options": TRADES, "indices": "V.*", "stocks": "A.*"}


class Gateway:
    """One feed account.

    `on_frames` is awaited with every batch of frames, in order; `on_dead_letter` with each thing that was not
    understood, `on_gap` with each entry of the gap ledger (these may be plain functions); `on_metric` is told (name,
    value) pairs: `lag_s`, `inbox_frames`. Without a calendar no silence is an alarm. `past` is what earlier epochs
    left. `sleep` waits between connections and between tries of a request.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        on_frames: OnFrames,
        on_dead_letter: OnDeadLetter,
        on_metric: Callable[[str, float], None] | None = None,
        *,
        on_gap: OnGap | None = None,
        calendar: Calendar | None = None,
        past: EarlierGaps = NOTHING,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.settings = settings
        self.stats = GatewayStats()
        self._clock = MarketClock(settings.clock)
        self._on_metric = on_metric
        partitioner = Partitioner(settings.partitions, settings.partition_overrides)
        self._table = Tabulator(partitioner)
        self._interest = ContractRanking(self._table.contracts)
        self._outlet = Publisher(settings, self.stats, on_frames, on_dead_letter)
        self._quoting = QuoteSubscriptions(
            self._table, self._interest, settings.quote_contracts_max, int(settings.quote_rerank_s * NS)
        )
        self._gaps = GapTracker(settings, calendar, self._table, self._interest, self.stats, on_gap, past)
        # In lockstep the market waits for us; what is silent there is we.
        watched = calendar if not settings.lockstep else None
        silence_ns = int(settings.silence_s * NS)
        self._silence = None if watched is None else FeedWatchdog(watched, silence_ns, settings.delay_ns)
        self._sleep = sleep
        self._sockets: dict[str, FeedSocket] = {}
        self._stopping = False
        self._until_closed = False
        self._next_watch_ns = 0

    async def run(self, until_closed: bool = False) -> None:
        """Until cancelled or, if asked, until the server has closed every socket normally. Once.

        What arrived before the end is written and published. Raises FeedRefusedError when the options cluster does not
        let this key in (without the others it goes on), and whatever `on_frames` raises.
        """
        settings = self.settings
        self._until_closed = until_closed
        inbox: ReceiveQueue[Item] = ReceiveQueue(
            LOCKSTEP_FRAMES_MAX if settings.lockstep else INBOX_FRAMES_MAX, INBOX_BYTES_MAX
        )
        for cluster in settings.clusters:
            ladder = ReconnectBackoff(random.Random(f"{settings.seed} {cluster}").random)
            socket = FeedSocket(
                cluster, settings.ws_url, settings.api_key, ladder, inbox.put,
                lockstep=settings.lockstep, until_closed=until_closed, sleep=self._sleep,
            )  # fmt: skip
            socket.pairs = (WILDCARDS[cluster],)
            self._sockets[cluster] = socket
        await asyncio.to_thread(warm_up)
        dice = random.Random(settings.seed)
        async with RestClient(settings.rest_url, settings.api_key, dice, sleep=self._sleep) as rest:
            chains = Chains(settings, rest, self._table, self.stats, self._now_ns)
            refiller = Refiller(rest, settings.poll_concurrency, inbox.put, self._sleep)
            self._gaps.refiller = refiller if settings.refill else None
            try:
                await self._start(rest, chains)
                await self._run_tasks(inbox, chains, refiller)
            finally:
                self.stats.rest_bytes = rest.bytes_read

    async def _start(self, rest: RestClient, chains: Chains) -> None:
        """What is known before the first trade: the market's time, index values and, where it waits for us, chains."""
        started_ns = time.time_ns()
        if self._clock.is_wall:
            await self._outlet.open(started_ns)
        else:
            started_ns = server_time_ns(await self._ask(rest, "/v1/marketstatus/now")) or started_ns
        self._clock.start(started_ns)
        self._believe()
        for cluster in self.settings.clusters:
            await self._gaps.start(cluster, started_ns)
        if self.settings.indices:
            tickers = ",".join(f"I:{name}" for name in self.settings.indices)
            asked = {"ticker.any_of": tickers, "limit": "250"}
            body = await self._ask(rest, "/v3/snapshot/indices", asked)
            if body:
                ticks = index_snapshot(body, started_ns, self._table.latest_ns, self._table.place_index)
                await self._write_ticks("rest/indices", ticks, started_ns)
                # What is known is out before the chains are asked for, which takes seconds.
                await self._outlet.flush(started_ns)
        # A tape or a made-up market starts when it is subscribed to: let it find open interest and greeks known.
        chains_known = not self._clock.is_wall and self.settings.poll
        self._quoting.begin(started_ns, chains_known=chains_known)
        if chains_known:
            await self._poll_now(chains)
            await self._rank(self._now_ns())

    async def _ask(self, rest: RestClient, path: str, parameters: dict[str, str] | None = None) -> bytes:
        """A body, or nothing with a line in the log: what is asked here makes the start better, not possible."""
        try:
            return await rest.get(path, parameters)
        except (RestRefusedError, RestUnavailableError) as error:
            self.stats.disabled[path] = str(error)
            log.warning("%s", error)
            return b""

    async def _run_tasks(self, inbox: ReceiveQueue[Item], chains: Chains, refiller: Refiller) -> None:
        consumer = asyncio.create_task(self._consume(inbox, chains), name="gateway-consumer")
        feeds = [asyncio.create_task(self._feed(socket)) for socket in self._sockets.values()]
        polls = [asyncio.create_task(refiller.run(), name="gateway-refill")]
        if self._polls_by_itself():
            polls.append(asyncio.create_task(chains.poll_forever(lambda page: inbox.put(page, PAGE_BYTES))))
        try:
            pending = {consumer, *feeds, *polls}
            while pending.intersection(feeds):
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()  # a failure of any of them ends the gateway
            # The feed has ended; what it left out may still be found.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(refiller.idle(), REFILL_GRACE_S)
        finally:
            for task in (*feeds, *polls):
                task.cancel()
            await asyncio.gather(*feeds, *polls, return_exceptions=True)
            self._stopping = True
            inbox.close()
            await consumer

    def _polls_by_itself(self) -> bool:
        return self.settings.poll and not self.settings.lockstep

    async def _feed(self, socket: FeedSocket) -> None:
        try:
            await socket.run()
        except FeedRefusedError as error:
            if socket.cluster == "options":
                raise
            self.stats.disabled[f"/{socket.cluster}"] = str(error)
            log.error("%s; going on without it", error)

    async def _consume(self, inbox: ReceiveQueue[Item], chains: Chains) -> None:
        """The only task that writes and publishes."""
        wait_s = self.settings.flush_ms / 1000.0
        while True:
            item = await inbox.get(wait_s)
            if item is None and inbox.closed:
                break
            self._believe()
            if type(item) is Arrived:
                await self._arrived(item)
                if self.settings.lockstep and self.settings.poll and chains.due:
                    await self._poll_now(chains)
                item.socket.handled(item.session)
            elif type(item) is ChainPage:
                await self._write_page(item)
            elif type(item) is Lost:
                await self._lost(item)
            elif type(item) is RefillPage:
                await self._refilled(item)
            elif type(item) is RefillEnd:
                await self._gaps.ended(item)
            await self._tick(inbox)
            if self._clock.cuts_early(len(inbox)):
                await self._outlet.flush(time.time_ns())
            if self._on_metric is not None:
                self._on_metric("inbox_frames", len(inbox))
            # When the inbox is never empty nothing above waits, and the readers' answers to pings would.
            await asyncio.sleep(0)
        await self._outlet.finish(time.time_ns())
        await self._gaps.end(self._now_ns(), time.time_ns())

    async def _arrived(self, item: Arrived) -> None:
        socket, session, data, now_ns = item
        self.stats.socket_frames += 1
        self.stats.socket_bytes += len(data)
        trades = self._table.plain(data) if socket.cluster == "options" else None
        if trades is not None:  # nothing in it concerns the session
            await self._write_trades(trades, now_ns)
            await self._heard(socket, trades.rows.event_ns, now_ns)
            return
        decoded, notes = session.receive_frame(data, now_ns)
        await self._say(socket, notes)
        await self._outlet.reject(f"ws/{socket.cluster}", decoded.rejects, now_ns)
        if decoded.events and decoded.kind is not Status:
            await self._market(socket, decoded, now_ns)
        for reject in decoded.rejects:
            if reject.reason in BROKEN:
                if socket.cluster == "options":  # what was lost of it may have been quotes
                    self._table.quotes.clear()
                await self._gaps.lost(socket.cluster, reject.reason, now_ns)

    async def _market(self, socket: FeedSocket, decoded: Decoded, now_ns: int) -> None:
        """Events of a frame, in their order, into the log."""
        if socket.cluster == "options":
            trades = self._table.trades(decoded)
            await self._write_trades(trades, now_ns)
            await self._heard(socket, trades.rows.event_ns, now_ns)
        else:
            ticks = self._table.ticks(decoded.events)
            await self._write_ticks(f"ws/{socket.cluster}", ticks, now_ns)
            await self._heard(socket, ticks.rows.event_ns, now_ns)

    async def _heard(self, socket: FeedSocket, event_ns: Int64, now_ns: int) -> None:
        """Tell those who listen for silence that something came, with these exchange times."""
        socket.ladder.data(now_ns)
        if len(event_ns):
            if self._silence is not None:
                came_ns = now_ns if self._clock.is_wall else self._now_ns()
                self._silence.heard(socket.cluster, came_ns, len(event_ns))
            await self._gaps.heard(socket.cluster, int(event_ns.max()), now_ns, len(event_ns))

    async def _say(self, socket: FeedSocket, notes: list[Note]) -> None:
        """Pass on what a session has to say, and send what it wants to send."""
        for note in notes:
            self.stats.notes[note.kind] += 1
            if note.kind == "live":
                await self._connected(socket.cluster)
            if note.kind not in ("subscribed", "unsubscribed"):
                pairs = f" ({len(note.pairs)} pairs, {note.pairs[0]} ...)" if note.pairs else ""
                level = NOTE_LEVELS.get(note.kind, logging.WARNING)
                said = f": {note.message}" if note.message else ""
                log.log(level, "/%s %s%s%s", socket.cluster, note.kind, said, pairs)
        if socket.session is not None:
            await socket.send(socket.session.data_to_send())

    async def _connected(self, cluster: str) -> None:
        """Tell those who listen for silence that events are due."""
        if self._silence is not None:
            self._silence.connected(cluster, self._now_ns())
        if self._clock.is_wall:  # the feed's clock stands still while nothing comes
            await self._gaps.connected(cluster, self._now_ns(), time.time_ns())

    async def _write_trades(self, trades: TradeTable, now_ns: int) -> None:
        rows = trades.rows
        self.stats.trades += len(rows.event_ns)
        self.stats.quotes += trades.quotes
        self.stats.repeated += trades.repeated
        self.stats.backward += trades.backward
        if len(rows.event_ns):
            self._interest.prints(trades.contracts, rows.price_usd, rows.size_contracts)
            if self._on_metric is not None and self._clock.is_wall:
                self._on_metric("lag_s", (now_ns - self.settings.delay_ns - int(rows.event_ns[-1])) / NS)
        await self._outlet.write(Lane.TRADES, "ws/options", trades, now_ns)

    async def _write_ticks(self, source: str, ticks: TickTable, now_ns: int) -> None:
        self.stats.ticks += len(ticks.partitions)
        if self._table.unplaced:
            self.stats.notes["unplaced"] = self._table.unplaced
        await self._outlet.write(Lane.TICKS, source, ticks, now_ns)

    async def _write_page(self, page: ChainPage) -> None:
        page = page.until(self._table.latest_ns)
        self.stats.greeks += len(page.partitions)
        if page.generation == self._table.contracts.generation:  # else its ids are of another day
            self._interest.chain(page.contracts, page.rows)
        await self._outlet.write(Lane.GREEKS, "rest/chain", page, time.time_ns())

    async def _refilled(self, item: RefillPage) -> None:
        trades = self._gaps.found(item)
        now_ns = time.time_ns()
        await self._outlet.reject("rest/trades", item.page.rejects, now_ns)
        if trades is not None:
            await self._outlet.write(Lane.TRADES, "rest/trades", trades, now_ns)

    async def _lost(self, item: Lost) -> None:
        retry = item.session.closed(item.code, item.reason)
        cluster = item.socket.cluster
        if cluster == "options":
            self._table.quotes.clear()
        if self._silence is not None:
            self._silence.lost(cluster)
        cause = cause_of(item.session.last_status, item.code)
        meaning = meaning_of_loss(
            cluster, retry, cause, item.code,
            until_closed=self._until_closed, gap_is_open=self._gaps.is_open(cluster),
        )  # fmt: skip
        if meaning is LossMeaning.SWITCHED_OFF:
            self._gaps.switched_off(cluster)
        elif meaning is LossMeaning.GAP:
            await self._gaps.lost(cluster, cause, time.time_ns())
        if not item.decided.done():
            item.decided.set_result(retry)

    async def _tick(self, inbox: ReceiveQueue[Item]) -> None:
        """What time alone brings: aged frames, heartbeats, time-outs, the next choice of quoted contracts."""
        wall_ns = time.time_ns()
        await self._outlet.tick(wall_ns)
        if wall_ns < self._next_watch_ns:
            return
        self._next_watch_ns = wall_ns + WATCH_NS
        self.stats.reconnects = sum(socket.reconnects for socket in self._sockets.values())
        for socket in self._sockets.values():
            socket.watch(wall_ns)
            if socket.session is not None:
                await self._say(socket, socket.session.tick(wall_ns))
                self.stats.subscriptions[socket.cluster] = socket.session.subscriptions.coverage
        if self._clock.judges_silence(len(inbox)):
            for silence in self._silence.look(self._now_ns()) if self._silence is not None else ():
                await self._judge(silence)
            await self._gaps.closed(self._now_ns(), wall_ns)
        self._gaps.count(self._now_ns())
        for kind, code in self._table.codes.take_unknown():
            self.stats.unknown_ids[f"{kind} {code}"] += 1
            log.warning("unknown %s id %d; its prints pass", kind, code)
        if self._quoting.due(self._now_ns()):
            await self._rank(wall_ns)

    async def _judge(self, silence: SilentChannel) -> None:
        cluster, seconds = silence.cluster, silence.silent_ns / NS
        if silence.verdict is WatchdogVerdict.HALTED:
            log.warning("/%s silent for %.0f s, and so is its witness: the market seems to be halted", cluster, seconds)
            return
        self.stats.silences += 1
        log.warning("/%s silent for %.0f s of a session; connecting anew", cluster, seconds)
        self._sockets[cluster].give_up(f"{SILENCE}: {seconds:.0f} s without an event")
        await self._gaps.lost(cluster, SILENCE, time.time_ns())

    async def _rank(self, wall_ns: int) -> None:
        """Choose the contracts to quote."""
        now_ns = self._now_ns()
        self._quoting.turn(now_ns)
        socket = self._sockets.get("options")
        if socket is None:
            return
        socket.pairs = self._quoting.choose(socket.pairs, now_ns)
        if socket.session is not None:
            socket.session.want(socket.pairs, wall_ns)
            await socket.send(socket.session.data_to_send())

    async def _poll_now(self, chains: Chains) -> None:
        """Every chain that is due, while the market waits."""
        async with aclosing(chains.pages()) as pages:
            async for page in pages:
                await self._write_page(page)
                if self._stopping:
                    break

    def _believe(self) -> None:
        """Move on what time of an event can be believed."""
        self._table.latest_ns = self._clock.latest_ns(self._now_ns())

    def _now_ns(self) -> int:
        """The market's time."""
        return self._clock.now_ns(time.time_ns(), self._outlet.clock_ns)
