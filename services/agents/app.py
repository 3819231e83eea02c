"""The Faust app: the only file that imports faust.

Three agents, one a lane, hand raw records to `Partitions`, which does the rest. Of the framework we take the group,
the delivery and the flow control; its tables, its serialisation, its web server and its view of what was processed are
left alone (see docs/decisions, and `services.agents.partitions` for how a partition recovers).
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator
from typing import Any

import faust
from aiokafka import AIOKafkaConsumer
from faust.transport.drivers import aiokafka as driver
from mode.services import Service, WaitResults
from mode.utils.futures import maybe_async

from schemas.frames import Lane
from services.agents.assignor import LanesTogether
from services.agents.partitions import Partitions
from services.core.sequencer import SequencerOverflowError
from services.errors import StrikewireError
from services.kafka.client import FETCH_WAIT_MS, REQUEST_BYTES_MAX, client_arguments, reaching
from services.kafka.membership import SESSION_S, Membership
from services.kafka.writer import StaleWriteError
from services.settings.kafka import KafkaSettings

__all__ = ["DELIVERY", "AgentsError", "Begun", "make_app", "run_agents"]

log = logging.getLogger("strikewire.agents")

HEARTBEAT_S = 1.0
# Commits decide nothing here; they only spare a restarted worker frames it would drop.
COMMIT_S = 1.0
# Frames that wait between the framework's reader and an agent. At 64 a backlog spends its time on pausing and resuming
# the reader; 256 of the biggest are 16 MB a lane.
BUFFER_FRAMES = 256
# A rebalance waits this long for a worker that is slow to let go; a dead one is given up after its session.
REBALANCE_S = 30.0
STOP_S_MAX = 10.0
# The framework's coroutine that puts one record into an agent's buffer.
DELIVERY = "on_message"


class AgentsError(StrikewireError):
    """The agents cannot go on; restart them, and they catch up."""


class _ConsumerThread(driver.AIOKafkaConsumerThread):
    """Makes the group's consumer itself, because two of the framework's literals do harm: `fetch_max_wait_ms=1500`
    (with one fetch a broker in flight, a lane that is at its end holds back the others: a factor of five in catching
    up), and an assignor that tears lanes apart.

    And it is no thread. The framework would run its consumer beside us on a loop of its own; every fetch then crosses
    twice, with both sides waiting for the interpreter: a third of a worker's processor. Here it lives on our loop:
    heartbeats go out because we let others run every 5 ms of work, and a worker whose heartbeats are not answered for
    seconds says nothing until they are (`services.kafka.membership`).
    """

    async def start(self) -> None:
        self._thread_started.set()
        await self._default_start()

    async def on_start(self) -> None:
        await super().on_start()
        membership: Membership = self.app.strikewire_membership  # type: ignore[attr-defined]
        membership.watch(self._ensure_consumer()._coordinator)

    async def stop(self) -> None:
        await Service.stop(self)

    async def on_stop(self) -> None:
        await self._shutdown_thread()

    async def crash(self, exc: BaseException) -> None:
        await Service.crash(self, exc)

    def _stopped_set(self) -> None:
        self._stopped.set()

    async def call_thread(self, fun: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any) -> Any:
        return await maybe_async(fun(*args, **kwargs))

    def _create_worker_consumer(self, transport: Any) -> AIOKafkaConsumer:
        self._assignor = LanesTogether
        settings: KafkaSettings = self.app.strikewire_settings  # type: ignore[attr-defined]
        return AIOKafkaConsumer(
            **client_arguments(settings),
            group_id=settings.group_id,
            group_instance_id=settings.instance or None,
            partition_assignment_strategy=[LanesTogether],
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=FETCH_WAIT_MS,
            max_partition_fetch_bytes=REQUEST_BYTES_MAX,
            session_timeout_ms=int(SESSION_S * 1000),
            heartbeat_interval_ms=int(HEARTBEAT_S * 1000),
            rebalance_timeout_ms=int(REBALANCE_S * 1000),
        )


class _Consumer(driver.Consumer):
    def _new_consumer_thread(self) -> _ConsumerThread:
        return _ConsumerThread(self, loop=self.loop, thread_loop=self.loop, beacon=self.beacon)

    def on_buffer_drop(self, tp: Any) -> None:
        """The framework stops asking for a partition whose frames fill an agent's buffer. When there is room again it
        notes so, but whoever waits for records is not told, and sleeps on until another lane has something.
        """
        super().on_buffer_drop(tp)
        fetcher = self._thread._ensure_consumer()._fetcher
        for waiter in fetcher._fetch_waiters:
            fetcher._notify(waiter)

    async def wait_first(self, *coros: Any, timeout: Any = None) -> WaitResults:
        """The framework has each record's delivery race its own end, with four tasks a record. Mostly an agent's buffer
        has room and there is nothing to race: the delivery is begun here, and raced only when it has to wait.
        """
        delivery = coros[0]
        if getattr(delivery, "__name__", "") != DELIVERY:
            return await super().wait_first(*coros, timeout=timeout)
        try:
            blocked_on = delivery.send(None)
        except StopIteration as done:
            for other in coros[1:]:
                other.close()
            return WaitResults([delivery], [done.value], False)
        return await super().wait_first(Begun(delivery, blocked_on), *coros[1:], timeout=timeout)


class Begun:
    """A coroutine that has run up to its first wait, as something that can be awaited to its end."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], blocked_on: Any) -> None:
        self._coroutine = coroutine
        self._blocked_on = blocked_on

    def __await__(self) -> Generator[Any, Any, Any]:
        # What a coroutine yields says to the task that runs it what to wait for; here another task is told the same.
        blocked_on, answer = self._blocked_on, None
        while True:
            try:
                answer = yield blocked_on
            except BaseException as error:
                step = functools.partial(self._coroutine.throw, error)
            else:
                step = functools.partial(self._coroutine.send, answer)
            try:
                blocked_on = step()
            except StopIteration as done:
                return done.value


class _Producer(driver.Producer):
    """Connects nowhere: what is decided goes out by our own writer. It would connect without TLS and password, too."""

    async def on_start(self) -> None:
        """Nothing."""

    async def on_stop(self) -> None:
        """Nothing."""


class _Transport(driver.Transport):
    Consumer = _Consumer
    Producer = _Producer


class _App(faust.App):
    strikewire_settings: KafkaSettings
    strikewire_membership: Membership

    def _create_directories(self) -> None:
        """None: the framework keeps no state for us."""

    async def on_start(self) -> None:
        """The framework counts messages at some ten calls each; we count rows ourselves."""
        await super().on_start()
        self.sensors.remove(self.monitor)


Deliver = Callable[[Lane, int, int, bytes], Awaitable[None]]


def make_app(settings: KafkaSettings, partitions: int, deliver: Deliver, membership: Membership) -> _App:
    """An app of three agents that hand every record to `deliver` (lane, partition, offset, value)."""
    app = _App(
        settings.group_id,
        broker=[f"aiokafka://{address.strip()}" for address in settings.brokers.split(",")],
        store="memory://",
        topic_partitions=partitions,
        key_serializer="raw",
        value_serializer="raw",
        # Topics are made from the registry, by an operator.
        topic_disable_leader=True,
        topic_allow_declare=False,
        web_enabled=False,
        stream_wait_empty=False,
        stream_buffer_maxsize=BUFFER_FRAMES,
        broker_session_timeout=SESSION_S,
        broker_heartbeat_interval=HEARTBEAT_S,
        broker_commit_interval=COMMIT_S,
        consumer_auto_offset_reset="earliest",
    )
    app.strikewire_settings = settings
    app.strikewire_membership = membership
    app.transport = _Transport(app.conf.broker_consumer, app)
    for lane in Lane:
        _add_agent(app, settings, lane, deliver)
    return app


def _add_agent(app: faust.App, settings: KafkaSettings, lane: Lane, deliver: Deliver) -> None:
    topic = app.topic(settings.topic(lane.topic), key_type=bytes, value_type=bytes)

    async def take(stream: Any) -> None:
        async for event in stream.events():
            message = event.message
            await deliver(lane, message.partition, message.offset, message.value)

    # One at a time, or commits and frames would pass each other.
    app.agent(topic, name=f"lane.{lane.name.lower()}", concurrency=1)(take)


@contextlib.asynccontextmanager
async def run_agents(settings: KafkaSettings, partitions: int, hosted: Partitions) -> AsyncIterator[asyncio.Task[None]]:
    """Join the group; gives a task that ends, with an error, when the agents cannot go on."""

    async def deliver(lane: Lane, partition: int, offset: int, data: bytes) -> None:
        try:
            await hosted.deliver(lane, partition, offset, data)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            # The framework would log it, restart the agent and go on behind the record; we would not be exact then.
            if not hosted.failed.done():
                hosted.failed.set_exception(error)
            await asyncio.Event().wait()

    app = make_app(settings, partitions, deliver, hosted.membership)

    async def on_revoked(*_: Any, **__: Any) -> None:
        await hosted.revoke()

    async def on_assigned(_: Any, *given: Any, **__: Any) -> None:
        await hosted.revoke()  # the framework skips the revocation when it held nothing, and we may be told twice
        hosted.assign({assigned.partition for assigned in given[0]})

    app.on_partitions_revoked.connect(on_revoked)
    app.on_partitions_assigned.connect(on_assigned)  # type: ignore[arg-type]
    app.finalize()
    watch = asyncio.create_task(hosted.watch(), name="watch")
    lag = asyncio.create_task(hosted.watch_lag(), name="lag")
    ended = asyncio.create_task(_until_it_cannot_go_on(app, hosted, watch, lag), name="agents")
    try:
        with reaching(settings):
            await app.start()
        yield ended
    finally:
        ended.cancel()
        watch.cancel()
        lag.cancel()
        await asyncio.gather(ended, watch, lag, return_exceptions=True)
        with contextlib.suppress(Exception):
            await hosted.revoke()  # while the group still knows us: what is under way arrives
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(app.stop(), STOP_S_MAX)


async def _until_it_cannot_go_on(app: faust.App, hosted: Partitions, *watches: asyncio.Task[None]) -> None:
    stopped = asyncio.ensure_future(app.wait_until_stopped())
    try:
        await asyncio.wait({stopped, hosted.failed, *watches}, return_when=asyncio.FIRST_COMPLETED)
        try:
            for ended in (hosted.failed, *watches):
                if ended.done():
                    ended.result()
        except StaleWriteError as error:
            raise AgentsError(f"{error}; start again, and it catches up") from None
        except SequencerOverflowError as error:
            raise AgentsError(str(error)) from None
        raise AgentsError(f"the stream framework stopped: {app.crash_reason or 'it does not say why'}")
    finally:
        stopped.cancel()
