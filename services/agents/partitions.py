"""The partitions one worker holds: each catches up by replay, then lives on what the stream framework delivers.

Committed offsets say nothing about what was decided (a frame may be acknowledged while its predecessor is still
missing), so they decide nothing here. At an assignment a partition reads what of it is published already, replays the
log by a plain consumer from the day's opening (or from where it stood, when it was here before), publishes what is
lacking, and reads on until it has passed everything that was delivered meanwhile. Then it is live. The same path serves
a gap in the delivery and a lane that falls far behind. Nothing is said while it is not sure that the partitions are
still ours (`membership`).

    catching   deliveries are noted by offset and dropped: the reader will meet them
    closing    deliveries wait, while the reader passes the last one that was dropped
    live       deliveries are taken at once
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter, deque
from typing import Literal

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from schemas.decisions import Alert
from schemas.frames import CLOCK_WALL, Header, Lane
from services.kafka.client import plain_consumer
from services.kafka.lanes import AHEAD_FRAMES_MAX, WorkPace, lane_places, read_lanes, stepped
from services.kafka.membership import SURE_S, Membership
from services.kafka.opening import find_opening
from services.kafka.partition_processor import Build, Decided, LaneSequencer, PartitionProcessor
from services.kafka.published import read_published
from services.kafka.records import Published, records
from services.kafka.writer import KafkaWriter
from services.runtime.metrics import Metrics, count_decision
from services.settings.kafka import KafkaSettings

__all__ = ["Partitions"]

log = logging.getLogger("strikewire.agents")

PULSE_S = 0.25
# What waits for a predecessor so long is not late by a scheduler's whim; it is read again by another way.
STUCK_S = 3.0
LAG_S = 2.0
# A partition that takes nothing while records wait was lost in silence (it happens to the framework's consumer): it is
# read by another way, this often at most, and not ready until something is delivered again.
SILENT_S = 15.0
# Bisection reads single records: fetching more around each would only cost time.
PROBE_BYTES = 256 * 1024

State = Literal["catching", "closing", "live"]


class _Held:
    """One partition here."""

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self.machine: PartitionProcessor | None = None
        self.state: State = "catching"
        self.dropped: dict[Lane, int] = {}
        self.live = asyncio.Event()
        self.outbox: deque[Decided] = deque()
        self.published: Published | None = None
        self.writing = asyncio.Lock()
        self.task: asyncio.Task[None] | None = None
        self.moved_at = time.monotonic()  # when a record came
        self.released_at = self.moved_at  # when none was held, or one that was held had its turn
        self.ends: dict[Lane, int] = {}  # of its lanes, as they were told last
        self.mute = False  # nothing was delivered since it had to be read by another way
        self.damaged = 0
        self.recovered_s = 0.0
        # Rises whenever somebody else takes over the publishing: what an older turn still wants to say is not said.
        self.turn = 0

    @property
    def behind(self) -> int:
        """Records that wait on its lanes. Ends that are old make it too few, never too many."""
        taken = self.machine.next_offset if self.machine is not None else {}
        return sum(max(0, self.ends.get(lane, 0) - offset) for lane, offset in taken.items())


class Partitions:
    """Call `assign` and `revoke` as the group decides, `deliver` with each record, and keep `watch` running.

    `failed` is set to whatever a partition cannot go on from: end the process then, and start again.
    """

    def __init__(self, settings: KafkaSettings, build: Build, writer: KafkaWriter, metrics: Metrics) -> None:
        self._settings = settings
        self._build = build
        self._writer = writer
        self.membership = Membership()
        writer.speak_as(self.membership)
        self._metrics = metrics
        self._here: dict[int, _Held] = {}
        self._left: dict[int, _Held] = {}
        self._pace = WorkPace()
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.assigned_once = False
        self.frames = 0
        self.rows = 0
        # Counted here and told the metrics at each pulse: a labelled counter costs as much as decoding a frame.
        self._stepped_frames: Counter[Lane] = Counter()
        self._stepped_rows: Counter[Lane] = Counter()

    @property
    def partitions(self) -> list[int]:
        """The partitions that are here."""
        return sorted(self._here)

    def recovery_s(self) -> dict[int, float]:
        """How long each partition took to catch up the last time."""
        return {partition: held.recovered_s for partition, held in sorted(self._here.items())}

    def assign(self, partitions: set[int]) -> None:
        """These are ours now, and no others."""
        assert not self._here, "revoke comes before assign"
        self.assigned_once = True
        for partition in sorted(partitions):
            held = self._left.pop(partition, None) or _Held(partition)
            held.mute = False
            self._here[partition] = held
            self._start_catching(held, "assigned")
        self._metrics.set("strikewire_agents_partitions", len(partitions))

    async def revoke(self) -> None:
        """None are ours any more. Returns when nothing of ours is under way; what is unsaid, the next one says."""
        leaving, self._here = self._here, {}
        for held in leaving.values():
            await _stop(held)
            if held.machine is not None:
                self._left[held.partition] = held
        self._metrics.set("strikewire_agents_partitions", 0)
        try:
            # Whoever is next reads what is published: that must be all that we ever say.
            await self._writer.settle(SURE_S if self.membership.sure else 0.0)
        except Exception as error:  # what was handed over and not sent is in no outbox any more
            self._fail(error)

    async def deliver(self, lane: Lane, partition: int, offset: int, data: bytes) -> None:
        """Take one record of a lane. Whatever is here no more, or was taken before, is dropped."""
        held = self._here.get(partition)
        if held is None:
            return
        held.mute = False
        if held.state == "closing":
            await held.live.wait()
            if self._here.get(partition) is not held:
                return
        machine = held.machine
        if held.state != "live" or machine is None:
            held.dropped[lane] = max(offset, held.dropped.get(lane, -1))
            return
        if offset > machine.next_offset[lane] or machine.held > AHEAD_FRAMES_MAX:
            held.dropped[lane] = offset
            self._start_catching(held, "gap" if machine.held <= AHEAD_FRAMES_MAX else "held")
            return
        machine.push(lane, offset, data)
        held.moved_at = time.monotonic()
        if machine.waiting or not machine.held:
            held.released_at = held.moved_at
        turn = held.turn
        while machine.waiting and held.turn == turn:
            decided = machine.step()
            if decided is not None:
                held.outbox.append(decided)
                await self._publish(held, turn)
                if decided.decisions:  # somebody waits for it; the next frame can
                    await self._writer.hasten()
            await self._pace.breathe()

    async def watch(self) -> None:
        """Run for ever: feel the pulse, and lead a partition that is stuck or silent around the obstacle."""
        while True:
            await asyncio.sleep(PULSE_S)
            waiting = 0
            for held in self._here.values():
                if held.machine is None:
                    continue
                waiting += held.machine.held
                if held.state == "live" and _is_stuck(held):
                    self._start_catching(held, "stuck")
                elif _is_silent(held) and self.membership.sure:
                    held.mute = True
                    self._start_catching(held, "silent")
                if held.machine.damaged > held.damaged:
                    held.damaged = held.machine.damaged
                    log.warning("a record that is no frame was left out: %s", held.machine.damage)
            self._metrics.set("strikewire_sequencer_held_frames", waiting)
            self._tell_counts()
            if self._writer.failed is not None:
                self._fail(self._writer.failed)

    async def watch_lag(self) -> None:
        """Run for ever: how far the lanes' ends are ahead of us, asked for by a consumer of our own."""
        async with plain_consumer(self._settings, max_partition_fetch_bytes=PROBE_BYTES) as probe:
            while True:
                await asyncio.sleep(LAG_S)
                asked = {
                    place: (held, lane)
                    for held in self._here.values()
                    if held.machine is not None
                    for lane, place in lane_places(self._settings, held.partition).items()
                }
                try:
                    ends = await probe.end_offsets(list(asked)) if asked else {}
                except KafkaError:
                    continue  # a broker is away; what was known last still holds
                for place, (held, lane) in asked.items():
                    held.ends[lane] = ends[place]
                self._metrics.set("strikewire_agents_lag_records", sum(held.behind for held in self._here.values()))

    def not_ready(self) -> str | None:
        """Why this worker is not doing its work, or None when it is."""
        if not self.assigned_once:
            return "the group has not assigned partitions yet"
        if not self.membership.sure:
            return "the group does not answer, and nothing is said until it does"
        for partition, held in sorted(self._here.items()):
            if held.state != "live":
                return f"partition {partition} is catching up"
            if held.machine is not None and _is_stuck(held):
                return f"partition {partition}: {held.machine.held} frames wait for one that does not come"
            if _is_silent(held):
                return f"partition {partition}: {held.behind} records wait, and none was taken for {SILENT_S:g} s"
            if held.mute:
                return f"partition {partition} had to be read by another way, and nothing was delivered since"
        return None

    def next_offsets(self) -> dict[tuple[Lane, int], int]:
        """Where each lane of each partition here is to be read from next."""
        return {
            (lane, partition): offset
            for partition, held in self._here.items()
            if held.machine is not None
            for lane, offset in held.machine.next_offset.items()
        }

    def _start_catching(self, held: _Held, reason: str) -> None:
        before, held.task = held.task, None
        held.turn += 1
        held.state = "catching"
        held.live.clear()
        held.published = None
        held.task = asyncio.create_task(self._catching(held, before, reason), name=f"catch-up {held.partition}")

    async def _catching(self, held: _Held, before: asyncio.Task[None] | None, reason: str) -> None:
        if before is not None and not before.done():
            before.cancel()
            await asyncio.wait({before})
        began = time.monotonic()
        try:
            await self._catch_up(held)
        except Exception as error:  # whatever it is, this partition cannot go on: the process ends, and says why
            self._fail(error)
            return
        held.moved_at = held.released_at = time.monotonic()
        held.recovered_s = held.moved_at - began
        self._metrics.count("strikewire_agents_recoveries_total", reason=reason)
        self._metrics.observe("strikewire_agents_recovery_seconds", held.recovered_s)
        log.info("partition %d caught up (%s) in %.2f s", held.partition, reason, held.recovered_s)

    async def _catch_up(self, held: _Held) -> None:
        await self._writer.flush()  # what is under way cannot be seen at the topics' ends yet
        lanes = lane_places(self._settings, held.partition)
        places = list(lanes.values())
        async with plain_consumer(self._settings, max_partition_fetch_bytes=PROBE_BYTES) as probe:
            held.published = await read_published(probe, self._settings, held.partition)
            probe.assign(places)
            begins = await probe.beginning_offsets(places)
            machine = held.machine
            if machine is None or any(begins[lanes[lane]] > at for lane, at in machine.next_offset.items()):
                opening = await find_opening(probe, lanes, held.published.log_ns)
                sequencer = LaneSequencer(opening.expect)
                machine = PartitionProcessor(held.partition, self._build, sequencer, opening.offsets, self._stepped)
                if opening.last_ns:  # apart, for it may load a calendar, and our pulse must not stop for that
                    machine.pipeline = await asyncio.to_thread(self._build, held.partition, opening.last_ns)
                held.machine = machine
        async with plain_consumer(self._settings) as consumer:
            consumer.assign(places)
            ends = await consumer.end_offsets(places)
            await self._read(held, consumer, lanes, {lane: ends[place] for lane, place in lanes.items()})
            held.state = "closing"
            await self._read(held, consumer, lanes, {lane: offset + 1 for lane, offset in held.dropped.items()})
            held.dropped.clear()
        held.published = None
        held.state = "live"
        held.live.set()

    async def _read(
        self,
        held: _Held,
        consumer: AIOKafkaConsumer,
        lanes: dict[Lane, TopicPartition],
        until: dict[Lane, int],
    ) -> None:
        """Read every lane up to the offset it has in `until`."""
        machine = held.machine
        assert machine is not None

        def passed() -> bool:
            return all(machine.next_offset[lane] >= offset for lane, offset in until.items())

        turn = held.turn
        await self._publish(held, turn)  # what was decided before we were interrupted
        for decisions in (stepped(machine, self._pace), read_lanes(consumer, lanes, machine, passed)):
            async for decided in decisions:
                held.outbox.append(decided)
                await self._publish(held, turn)

    async def _publish(self, held: _Held, turn: int) -> None:
        """Write what waits in the outbox, in order, whoever put it there; nothing once the turn is another's."""
        async with held.writing:
            while held.outbox and held.turn == turn:
                if not self.membership.sure:
                    await self._news()
                    continue
                decided = held.outbox[0]
                for record in records(decided, held.published):
                    await self._writer.write(record)
                held.outbox.popleft()
                self._note(decided, held)

    async def _news(self) -> None:
        """Return when the group has said something, and soon anyhow: a turn may have passed to another."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PULSE_S):
                await self.membership.news()

    def _note(self, decided: Decided, held: _Held) -> None:
        live = held.state == "live"
        for _, decision in decided.decisions:
            if held.published is not None and not held.published.lacks_decision(decision):
                continue  # it was out, and counted by whoever wrote it
            count_decision(self._metrics, decision, decided.silences)
            if not isinstance(decision, Alert):
                continue
            if live and decided.header.clock == CLOCK_WALL:
                latency_s = (time.time_ns() - decision.event_ns) / 1e9
                if latency_s < 0:
                    self._metrics.count("strikewire_alert_negative_latency_total")
                else:
                    self._metrics.observe("strikewire_alert_latency_seconds", latency_s)

    def _stepped(self, head: Header, frames: int, step_s: float) -> None:
        self.frames += frames
        self.rows += head.rows
        held = self._here.get(head.partition)
        if held is None or held.state != "live":
            return  # what is read again was counted when it was new
        self._stepped_frames[head.lane] += frames
        self._stepped_rows[head.lane] += head.rows
        self._metrics.observe("strikewire_pipeline_step_seconds", step_s)
        if head.clock == CLOCK_WALL:
            self._metrics.observe("strikewire_frame_age_seconds", max(0.0, (time.time_ns() - head.received_ns) / 1e9))

    def _tell_counts(self) -> None:
        for lane, count in self._stepped_frames.items():
            self._metrics.count("strikewire_log_frames_total", count, lane=lane.topic)
            self._metrics.count("strikewire_log_rows_total", self._stepped_rows[lane], lane=lane.topic)
        self._stepped_frames.clear()
        self._stepped_rows.clear()

    def _fail(self, error: BaseException) -> None:
        if not self.failed.done():
            self.failed.set_exception(error)


def _is_stuck(held: _Held) -> bool:
    """Whether frames wait for one that does not come, however many others do."""
    return held.machine is not None and held.machine.held > 0 and time.monotonic() - held.released_at > STUCK_S


def _is_silent(held: _Held) -> bool:
    """Whether records wait and none is delivered. What we were given and have not said yet is our own slowness."""
    idle = held.state == "live" and held.machine is not None and not held.machine.waiting and not held.outbox
    return idle and held.behind > 0 and time.monotonic() - held.moved_at > SILENT_S


async def _stop(held: _Held) -> None:
    """Cancel its catching up and let nobody wait for it. A record that is being written is written whole."""
    held.turn += 1
    if held.task is not None:
        held.task.cancel()
        await asyncio.wait({held.task})
        with contextlib.suppress(asyncio.CancelledError):
            held.task.result()
        held.task = None
    held.state = "catching"
    held.live.set()
    async with held.writing:
        pass
