"""Records a log that is made rather than heard: frames into the warehouse, decisions beside them, as live would have.

Live steps a pipeline frame by frame. Here a minute's frames of a partition are joined first, as a replay joins them:
any cut of the log gives equal decisions. Sampled views are not kept; whoever wants them replays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from schemas.frames import Frame, Lane
from schemas.kinds import KINDS, Decision, kind_of
from services.core.calendar import Calendar, ny_date, ny_ns
from services.core.pipeline import Pipeline
from services.errors import ConfigError
from services.history.warehouse import Warehouse
from services.replay.recovery import recovered
from services.replay.runner import rules_document
from services.replay.source import joined_frames
from services.runtime.config import Config
from services.sinks.clickhouse import Epoch, Ordinals, WarehouseWriter
from services.wiring import PROGRAM, build_pipeline, rules_digest

__all__ = ["Recorder"]

# Rows that wait for the disk: an insert has a fixed cost, and a quarter of a million rows are some fifty megabytes.
PENDING_ROWS_MAX = 250_000


class Recorder:
    """Opens an epoch and takes its frames in the order of the log. Not for two threads; `flush` at the end."""

    def __init__(self, config: Config, client: Any, calendar: Calendar) -> None:
        self._config, self._calendar = config, calendar
        self._warehouse, self._writer = Warehouse(client), WarehouseWriter(client)
        self._ordinals = Ordinals()
        self._pipelines: dict[int, Pipeline] = {}
        self._frames: list[Frame] = []
        self._decisions: list[tuple[int, Decision]] = []
        self._rows = 0
        self.counts = dict.fromkeys(("events", "trades", "frames", *(kind.counted for kind in KINDS.values())), 0)

    def open_epoch(self, source: str, clock: int, now_ns: int) -> int:
        """Go on after what is recorded, under the rules of the configuration; the number of the new epoch.

        Decisions that a killed process owed to the frames it had stored are made again and stored.

        Raises ConfigError when the directory was recorded with another number of partitions.
        """
        partitions = self._config.gateway.partitions
        epochs = self._warehouse.epochs()
        if epochs and epochs[-1].partitions != partitions:
            raise ConfigError("gateway.partitions", f"{partitions}, but {epochs[-1].partitions} were recorded with")
        self._warehouse.cut_torn_rows()
        rules = self._config.rules()
        for partition in range(partitions):
            self._pipelines[partition] = build_pipeline(rules, self._calendar, partition, sampling=False)
        last_ns = self._warehouse.last_received_ns()
        if last_ns is not None:
            day_ns = ny_ns(ny_date(last_ns), 0)
            for one in recovered(self._warehouse, self._calendar, rules, day_ns, sampling=False):
                self._pipelines[one.partition] = one.pipeline
                self._decisions += one.missing
            self.flush()
        number = epochs[-1].epoch + 1 if epochs else 1
        self._writer.open_epoch(
            Epoch(number, now_ns, source, clock, partitions, rules_document(rules), rules_digest(rules), PROGRAM)
        )
        return number

    def take(self, frames: Sequence[Frame]) -> None:
        """Decide on frames and keep both for the disk."""
        by_partition: dict[int, list[Frame]] = {}
        for frame in frames:
            head = frame.header
            by_partition.setdefault(head.partition, []).append(frame)
            self._rows += head.rows
            self.counts["frames"] += 1
            self.counts["events"] += head.rows
            self.counts["trades"] += head.rows if head.lane is Lane.TRADES else 0
        self._frames += frames
        for partition, ordered in sorted(by_partition.items()):
            for joined in joined_frames(ordered):
                decided = self._pipelines[partition].step(joined).decisions
                self._decisions += self._ordinals.number(decided)
                for decision in decided:
                    self.counts[kind_of(decision).counted] += 1
        if self._rows >= PENDING_ROWS_MAX:
            self.flush()

    def flush(self) -> None:
        """Write what is kept: frames first, then what they led to."""
        self._writer.write_frames(self._frames)
        self._writer.write_decisions(self._decisions)
        self._frames, self._decisions, self._rows = [], [], 0
