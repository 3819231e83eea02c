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
from services.kafka.lanes import AHEAD_FRAMES_MAX, WorkPace, lane_partitions, read_lanes, stepped
from services.kafka.membership import SURE_S, Membership
from services.kafka.opening import find_opening
from services.kafka.partition_processor import Build, Decided, LaneSequencer, PartitionProcessor
from services.kafka.published import read_published
from services.kafka.records import Published, records
from services.kafka.writer import KafkaWriter
from services.runtime.metrics import Metrics, count_decision, count_not_ready
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


class _Hosted:
    """One partition here."""

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self.processor: PartitionProcessor | None = None
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
        taken = self.processor.next_offset if self.processor is not None else {}
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
        self._here: dict[int, _Hosted] = {}
        self._left: dict[int, _Hosted] = {}
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
        return {partition: hosted.recovered_s for partition, hosted in sorted(self._here.items())}

    def assign(self, partitions: set[int]) -> None:
        """These are ours now, and no others."""
        assert not self._here, "revoke comes before assign"
        self.assigned_once = True
        for partition in sorted(partitions):
            hosted = self._left.pop(partition, None) or _Hosted(partition)
            hosted.mute = False
            self._here[partition] = hosted
            self._start_catching(hosted, "assigned")
        self._metrics.set("strikewire_agents_partitions", len(partitions))

    async def revoke(self) -> None:
        """None are ours any more. Returns when nothing of ours is under way; what is unsaid, the next one says."""
        leaving, self._here = self._here, {}
        for hosted in leaving.values():
            await _stop(hosted)
            if hosted.processor is not None:
                self._left[hosted.partition] = hosted
        self._metrics.set("strikewire_agents_partitions", 0)
        try:
            # Whoever is next reads what is published: that must be all that we ever say.
            await self._writer.settle(SURE_S if self.membership.sure else 0.0)
        except Exception as error:  # what was handed over and not sent is in no outbox any more
            self._fail(error)

    async def deliver(self, lane: Lane, partition: int, offset: int, data: bytes) -> None:
        """Take one record of a lane. Whatever is here no more, or was taken before, is dropped."""
        hosted = self._here.get(partition)
        if hosted is None:
            return
        hosted.mute = False
        if hosted.state == "closing":
            await hosted.live.wait()
            if self._here.get(partition) is not hosted:
                return
        processor = hosted.processor
        if hosted.state != "live" or processor is None:
            hosted.dropped[lane] = max(offset, hosted.dropped.get(lane, -1))
            return
        if offset > processor.next_offset[lane] or processor.pending > AHEAD_FRAMES_MAX:
            hosted.dropped[lane] = offset
            self._start_catching(hosted, "gap" if processor.pending <= AHEAD_FRAMES_MAX else "held")
            return
        processor.push(lane, offset, data)
        hosted.moved_at = time.monotonic()
        if processor.waiting or not processor.pending:
            hosted.released_at = hosted.moved_at
        turn = hosted.turn
        while processor.waiting and hosted.turn == turn:
            decided = processor.step()
            if decided is not None:
                hosted.outbox.append(decided)
                await self._publish(hosted, turn)
                if decided.decisions:  # somebody waits for it; the next frame can
                    await self._writer.hasten()
            await self._pace.yield_if_due()

    async def watch(self) -> None:
        """Run for ever: feel the pulse, and lead a partition that is stuck or silent around the obstacle."""
        while True:
            await asyncio.sleep(PULSE_S)
            waiting = 0
            for hosted in self._here.values():
                if hosted.processor is None:
                    continue
                waiting += hosted.processor.pending
                if hosted.state == "live" and _is_stuck(hosted):
                    self._start_catching(hosted, "stuck")
                elif _is_silent(hosted) and self.membership.sure:
                    hosted.mute = True
                    self._start_catching(hosted, "silent")
                if hosted.processor.damaged > hosted.damaged:
                    hosted.damaged = hosted.processor.damaged
                    log.warning("a record that is no frame was left out: %s", hosted.processor.damage)
            self._metrics.set("strikewire_sequencer_held_frames", waiting)
            self._publish_counts()
            if self._writer.failed is not None:
                self._fail(self._writer.failed)

    async def watch_lag(self) -> None:
        """Run for ever: how far the lanes' ends are ahead of us, asked for by a consumer of our own."""
        async with plain_consumer(self._settings, max_partition_fetch_bytes=PROBE_BYTES) as probe:
            while True:
                await asyncio.sleep(LAG_S)
                requested = {
                    topic_partition: (hosted, lane)
                    for hosted in self._here.values()
                    if hosted.processor is not None
                    for lane, topic_partition in lane_partitions(self._settings, hosted.partition).items()
                }
                try:
                    ends = await probe.end_offsets(list(requested)) if requested else {}
                except KafkaError:
                    continue  # a broker is away; what was known last still holds
                for topic_partition, (hosted, lane) in requested.items():
                    hosted.ends[lane] = ends[topic_partition]
                self._metrics.set("strikewire_agents_lag_records", sum(hosted.behind for hosted in self._here.values()))

    def not_ready(self) -> str | None:
        """Why this worker is not doing its work, or None when it is."""
        if not self.assigned_once:
            return "the group has not assigned partitions yet"
        if not self.membership.sure:
            return "the group does not answer, and nothing is said until it does"
        for partition, hosted in sorted(self._here.items()):
            if hosted.state != "live":
                return f"partition {partition} is catching up"
            if hosted.processor is not None and _is_stuck(hosted):
                return f"partition {partition}: {hosted.processor.pending} frames wait for one that does not come"
            if _is_silent(hosted):
                return f"partition {partition}: {hosted.behind} records wait, and none was taken for {SILENT_S:g} s"
            if hosted.mute:
                return f"partition {partition} had to be read by another way, and nothing was delivered since"
        return None

    def next_offsets(self) -> dict[tuple[Lane, int], int]:
        """Where each lane of each partition here is to be read from next."""
        return {
            (lane, partition): offset
            for partition, hosted in self._here.items()
            if hosted.processor is not None
            for lane, offset in hosted.processor.next_offset.items()
        }

    def _start_catching(self, hosted: _Hosted, reason: str) -> None:
        before, hosted.task = hosted.task, None
        hosted.turn += 1
        hosted.state = "catching"
        hosted.live.clear()
        hosted.published = None
        hosted.task = asyncio.create_task(self._catching(hosted, before, reason), name=f"catch-up {hosted.partition}")

    async def _catching(self, hosted: _Hosted, before: asyncio.Task[None] | None, reason: str) -> None:
        if before is not None and not before.done():
            before.cancel()
            await asyncio.wait({before})
        began = time.monotonic()
        try:
            await self._catch_up(hosted)
        except Exception as error:  # whatever it is, this partition cannot go on: the process ends, and says why
            self._fail(error)
            return
        hosted.moved_at = hosted.released_at = time.monotonic()
        hosted.recovered_s = hosted.moved_at - began
        self._metrics.count("strikewire_agents_recoveries_total", reason=reason)
        self._metrics.observe("strikewire_agents_recovery_seconds", hosted.recovered_s)
        log.info("partition %d caught up (%s) in %.2f s", hosted.partition, reason, hosted.recovered_s)

    async def _catch_up(self, hosted: _Hosted) -> None:
        await self._writer.flush()  # what is under way cannot be seen at the topics' ends yet
        lanes = lane_partitions(self._settings, hosted.partition)
        assigned = list(lanes.values())
        async with plain_consumer(self._settings, max_partition_fetch_bytes=PROBE_BYTES) as probe:
            hosted.published = await read_published(probe, self._settings, hosted.partition)
            probe.assign(assigned)
            begins = await probe.beginning_offsets(assigned)
            processor = hosted.processor
            if processor is None or any(begins[lanes[lane]] > first for lane, first in processor.next_offset.items()):
                opening = await find_opening(probe, lanes, hosted.published.log_ns)
                sequencer = LaneSequencer(opening.expect)
                processor = PartitionProcessor(hosted.partition, self._build, sequencer, opening.offsets, self._stepped)
                if opening.last_ns:  # apart, for it may load a calendar, and our pulse must not stop for that
                    processor.pipeline = await asyncio.to_thread(self._build, hosted.partition, opening.last_ns)
                hosted.processor = processor
        async with plain_consumer(self._settings) as consumer:
            consumer.assign(assigned)
            ends = await consumer.end_offsets(assigned)
            await self._read(
                hosted, consumer, lanes, {lane: ends[topic_partition] for lane, topic_partition in lanes.items()}
            )
            hosted.state = "closing"
            await self._read(hosted, consumer, lanes, {lane: offset + 1 for lane, offset in hosted.dropped.items()})
            hosted.dropped.clear()
        hosted.published = None
        hosted.state = "live"
        hosted.live.set()

    async def _read(
        self,
        hosted: _Hosted,
        consumer: AIOKafkaConsumer,
        lanes: dict[Lane, TopicPartition],
        until: dict[Lane, int],
    ) -> None:
        """Read every lane up to the offset it has in `until`."""
        processor = hosted.processor
        assert processor is not None

        def passed() -> bool:
            return all(processor.next_offset[lane] >= offset for lane, offset in until.items())

        turn = hosted.turn
        await self._publish(hosted, turn)  # what was decided before we were interrupted
        for decisions in (stepped(processor, self._pace), read_lanes(consumer, lanes, processor, passed)):
            async for decided in decisions:
                hosted.outbox.append(decided)
                await self._publish(hosted, turn)

    async def _publish(self, hosted: _Hosted, turn: int) -> None:
        """Write what waits in the outbox, in order, whoever put it there; nothing once the turn is another's."""
        async with hosted.writing:
            while hosted.outbox and hosted.turn == turn:
                if not self.membership.sure:
                    await self._news()
                    continue
                decided = hosted.outbox[0]
                for record in records(decided, hosted.published):
                    await self._writer.write(record)
                hosted.outbox.popleft()
                self._note(decided, hosted)

    async def _news(self) -> None:
        """Return when the group has said something, and soon anyhow: a turn may have passed to another."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PULSE_S):
                await self.membership.news()

    def _note(self, decided: Decided, hosted: _Hosted) -> None:
        live = hosted.state == "live"
        if live:
            count_not_ready(self._metrics, decided.not_ready)
        for _, decision in decided.decisions:
            if hosted.published is not None and not hosted.published.lacks_decision(decision):
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
        hosted = self._here.get(head.partition)
        if hosted is None or hosted.state != "live":
            return  # what is read again was counted when it was new
        self._stepped_frames[head.lane] += frames
        self._stepped_rows[head.lane] += head.rows
        self._metrics.observe("strikewire_pipeline_step_seconds", step_s)
        if head.clock == CLOCK_WALL:
            self._metrics.observe("strikewire_frame_age_seconds", max(0.0, (time.time_ns() - head.received_ns) / 1e9))

    def _publish_counts(self) -> None:
        for lane, count in self._stepped_frames.items():
            self._metrics.count("strikewire_log_frames_total", count, lane=lane.topic)
            self._metrics.count("strikewire_log_rows_total", self._stepped_rows[lane], lane=lane.topic)
        self._stepped_frames.clear()
        self._stepped_rows.clear()

    def _fail(self, error: BaseException) -> None:
        if not self.failed.done():
            self.failed.set_exception(error)


def _is_stuck(hosted: _Hosted) -> bool:
    """Whether frames wait for one that does not come, however many others do."""
    return (
        hosted.processor is not None
        and hosted.processor.pending > 0
        and time.monotonic() - hosted.released_at > STUCK_S
    )


def _is_silent(hosted: _Hosted) -> bool:
    """Whether records wait and none is delivered. What we were given and have not said yet is our own slowness."""
    idle = (
        hosted.state == "live" and hosted.processor is not None and not hosted.processor.waiting and not hosted.outbox
    )
    return idle and hosted.behind > 0 and time.monotonic() - hosted.moved_at > SILENT_S


async def _stop(hosted: _Hosted) -> None:
    """Cancel its catching up and let nobody wait for it. A record that is being written is written whole."""
    hosted.turn += 1
    if hosted.task is not None:
        hosted.task.cancel()
        await asyncio.wait({hosted.task})
        with contextlib.suppress(asyncio.CancelledError):
            hosted.task.result()
        hosted.task = None
    hosted.state = "catching"
    hosted.live.set()
    async with hosted.writing:
        pass
