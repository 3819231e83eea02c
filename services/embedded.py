"""Everything in one process, no broker: the gateway's frames go to the warehouse and through the pipelines.

Two promises shape this file.

*Nothing gets out before what it stands on is on disk.* Frames and the decisions they led to wait together in a batch;
a committer writes the frames, then delivers and writes the decisions. It commits at once when something was decided,
else once a second.

*Recovery is replay.* At a start the market rows of a commit that was cut off half-way are removed, the day's log is run
through fresh pipelines, and what it decides that is not stored yet is delivered and stored: whatever a kill -9 left
between the two. Then a new epoch opens.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from schemas.decisions import Alert, DeadLetter, View
from schemas.frames import CLOCK_WALL, Frame, Lane
from schemas.gaps import Gap
from schemas.kinds import KINDS, Decision, kind_of
from services.core.calendar import Calendar, ny_date, ny_ns
from services.core.pipeline import Pipeline, SuppressionReason
from services.core.sequencer import Sequencer
from services.errors import ConfigError
from services.history.warehouse import Warehouse
from services.replay.recovery import recovered
from services.replay.runner import rules_document
from services.runtime.config import Config
from services.runtime.metrics import Metrics, count_decision, count_not_ready
from services.sinks.clickhouse import Epoch, Ordinals, WarehouseWriter
from services.wiring import PROGRAM, build_pipeline, rules_digest

__all__ = ["Embedded", "Tallies"]

log = logging.getLogger("strikewire.embedded")

Deliver = Callable[[Alert], Awaitable[None] | None]


class Tallies(NamedTuple):
    """What a run has seen and made so far."""

    events: int
    trades: int
    frames: int
    signals: int
    alerts: int
    dead_letters: int


class Embedded:
    """Hosts one pipeline a partition over one warehouse.

    Call `recover`, then `open_epoch`, then hand frames to `on_frames` (it waits when the disk is behind) and dead
    letters to `on_dead_letter`, while `run` commits; at the end call `stop`, wait for `run`, and call `drain`. Never
    cancel `run`: a commit cut off between its frames and its decisions would forget the latter.
    """

    def __init__(self, config: Config, client: Any, calendar: Calendar, deliver: Deliver, metrics: Metrics) -> None:
        self._config = config
        self._calendar = calendar
        self._deliver = deliver
        self._metrics = metrics
        self._warehouse = Warehouse(client)
        self._writer = WarehouseWriter(client)
        self._ordinals = Ordinals()
        self._pipelines: dict[int, Pipeline] = {}
        self._sequencers: dict[int, Sequencer[Frame]] = {}
        self._batch = _CommitBatch([], [], {}, [], [], [])
        self._pending_rows = 0
        self._wake = asyncio.Event()
        self._urgent = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._failed: BaseException | None = None
        self._stopping = False
        self._counts = dict.fromkeys((*Tallies._fields, *(kind.counted for kind in KINDS.values())), 0)
        self._wall_clock = False
        self.first_frame_at: float | None = None
        self.epoch = 0

    @property
    def tallies(self) -> Tallies:
        """What this run has seen and made so far."""
        return Tallies(*(self._counts[name] for name in Tallies._fields))

    @property
    def log_time_ns(self) -> int:
        """The largest stamp any partition has passed; 0 before the first."""
        return max((p.moment.now_ns for p in self._pipelines.values() if p.started), default=0)

    async def recover(self) -> int:
        """Bring state up to the log's end; rows replayed."""
        self._warehouse.cut_torn_rows()
        epochs = self._warehouse.epochs()
        last_ns = self._warehouse.last_received_ns()
        if not epochs or last_ns is None:
            return 0
        self.epoch = epochs[-1].epoch
        if epochs[-1].partitions != self._config.gateway.partitions:
            raise ConfigError(
                "gateway.partitions",
                f"{self._config.gateway.partitions}, but this data directory was recorded with {epochs[-1].partitions};"
                " use another directory to change it",
            )
        rows = 0
        for one in recovered(
            self._warehouse, self._calendar, self._config.rules(), ny_ns(ny_date(last_ns), 0), sampling=True
        ):
            self._pipelines[one.partition] = one.pipeline
            rows += one.rows
            await self._publish(one.missing, one.silences)
        return rows

    def open_epoch(self, source: str, clock: int, now_ns: int) -> int:
        """Note that the gateway starts anew, under which rules; the number of the epoch it must use."""
        self.epoch += 1
        self._wall_clock = clock == CLOCK_WALL
        rules = self._config.rules()
        partitions = self._config.gateway.partitions
        self._writer.open_epoch(
            Epoch(
                epoch=self.epoch,
                started_ns=now_ns,
                source=source,
                clock=clock,
                partitions=partitions,
                rules=rules_document(rules),
                rules_digest=rules_digest(rules),
                program=PROGRAM,
            )
        )
        for partition in range(partitions):
            self._sequencers[partition] = Sequencer(expect=(self.epoch, 0))
            if partition not in self._pipelines:
                self._pipelines[partition] = build_pipeline(rules, self._calendar, partition)
        return self.epoch

    async def on_frames(self, frames: list[Frame]) -> None:
        """Take frames as the gateway cut them. Waits while too many rows wait for the disk."""
        for frame in frames:
            for ordered in self._sequencers[frame.header.partition].push(frame):
                self._step(ordered)
        self._wake.set()
        self._metrics.set("strikewire_log_pending_rows", self._pending_rows)
        pending = sum(sequencer.pending for sequencer in self._sequencers.values())
        self._metrics.set("strikewire_sequencer_held_frames", pending)
        await self._until_there_is_room()

    async def _until_there_is_room(self) -> None:
        if self._pending_rows > self._config.embedded.pending_rows_max:
            self._room.clear()
            await self._room.wait()
        if self._failed is not None:
            raise self._failed

    async def on_dead_letter(self, letter: DeadLetter) -> None:
        """Take what the gateway could not understand. Waits as `on_frames` does."""
        self._batch.dead_letters.append(letter)
        self._pending_rows += 1
        self._counts["dead_letters"] += 1
        self._metrics.count("strikewire_dead_letters_total", reason=letter.reason)
        self._wake.set()
        await self._until_there_is_room()

    async def on_gap(self, gap: Gap) -> None:
        """Take an entry of the gap ledger. Waits as `on_frames` does."""
        self._batch.gaps.append(gap)
        self._pending_rows += 1
        self._wake.set()
        await self._until_there_is_room()

    async def run(self) -> None:
        """Commit until stopped."""
        limits = self._config.embedded
        try:
            while not self._stopping:
                await self._wake.wait()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._urgent.wait(), limits.commit_ms_max / 1000)
                await asyncio.sleep(limits.commit_ms_min / 1000)
                await self._commit()
        except Exception as error:
            self._failed = error  # the next frames' caller gets it
            self._room.set()
            raise

    def stop(self) -> None:
        """Let `run` end after the commit it is at."""
        self._stopping = True
        self._wake.set()
        self._urgent.set()

    async def drain(self) -> None:
        """Commit what is left."""
        while self._batch.holds_anything:
            await self._commit()

    def _step(self, frame: Frame) -> None:
        head = frame.header
        began = time.perf_counter()
        outputs = self._pipelines[head.partition].step(frame)
        self._metrics.observe("strikewire_pipeline_step_seconds", time.perf_counter() - began)
        self._batch.frames.append(frame)
        self._batch.decisions.extend(self._ordinals.number(outputs.decisions))
        self._batch.silences.update(outputs.silences)
        count_not_ready(self._metrics, outputs.not_ready)
        self._batch.views.extend(outputs.views)
        self._pending_rows += head.rows
        self._counts["frames"] += 1
        self._counts["events"] += head.rows
        self._counts["trades"] += head.rows if head.lane is Lane.TRADES else 0
        if head.rows and self.first_frame_at is None:
            self.first_frame_at = time.monotonic()
            log.info("first frame with rows: %s", frame)
        self._metrics.count("strikewire_log_frames_total", lane=head.lane.topic)
        self._metrics.count("strikewire_log_rows_total", head.rows, lane=head.lane.topic)
        if outputs.decisions:
            self._urgent.set()

    async def _commit(self) -> None:
        batch, self._batch = self._batch, _CommitBatch([], [], {}, [], [], [])
        rows, self._pending_rows = self._pending_rows, 0
        self._wake.clear()
        self._urgent.clear()
        began = time.perf_counter()
        # The engine releases the interpreter lock while it writes, so reading and deciding go on meanwhile.
        await asyncio.to_thread(self._writer.write_frames, batch.frames)
        self._metrics.observe("strikewire_log_commit_seconds", time.perf_counter() - began)
        await self._publish(batch.decisions, batch.silences)
        if batch.views or batch.dead_letters or batch.gaps:
            await asyncio.to_thread(self._write_rest, batch)
        if rows and not self._room.is_set():
            self._room.set()

    def _write_rest(self, batch: _CommitBatch) -> None:
        self._writer.write_views(batch.views)
        self._writer.write_dead_letters(batch.dead_letters)
        self._writer.write_gaps(batch.gaps)

    async def _publish(self, numbered: list[tuple[int, Decision]], silences: dict[str, SuppressionReason]) -> None:
        """Deliver, then note as delivered: a crash between the two delivers again, under the same id."""
        for _, decision in numbered:
            count_decision(self._metrics, decision, silences)
            self._counts[kind_of(decision).counted] += 1
            if isinstance(decision, Alert):
                self._observe_latency(decision)
                delivered = self._deliver(decision)
                if delivered is not None:
                    await delivered
        if numbered:
            await asyncio.to_thread(self._writer.write_decisions, numbered)

    def _observe_latency(self, alert: Alert) -> None:
        """Exchange time to delivery; only where the wall stamps the log, for an accelerated market has no latency."""
        if self._wall_clock:
            latency_s = (time.time_ns() - alert.event_ns) / 1e9
            if latency_s < 0:
                self._metrics.count("strikewire_alert_negative_latency_total")
            else:
                self._metrics.observe("strikewire_alert_latency_seconds", latency_s)


class _CommitBatch(NamedTuple):
    """What waits for the disk."""

    frames: list[Frame]
    decisions: list[tuple[int, Decision]]
    silences: dict[str, SuppressionReason]
    views: list[View]
    dead_letters: list[DeadLetter]
    gaps: list[Gap]

    @property
    def holds_anything(self) -> bool:
        return any(self)
