"""Where a gateway's rows leave it: as numbered frames, in order, and what was refused as dead letters; all counted.

Only the consumer calls this, so the log has one order, and its waiting for `on_frames` is the backpressure.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Protocol

from schemas.decisions import DeadLetter
from schemas.frames import Frame, Int16, Lane, Rows
from services.gateway.massive.messages import Reject
from services.gateway.sequencing.writer import Writer
from services.gateway.shell.stats import GatewayStats
from services.settings.gateway import GatewaySettings

__all__ = ["OnDeadLetter", "OnFrames", "Publisher"]

OnFrames = Callable[[list[Frame]], Awaitable[None]]
OnDeadLetter = Callable[[DeadLetter], Awaitable[None] | None]


class _Table(Protocol):
    """Rows with their partitions, and what was refused on the way to them."""

    @property
    def rows(self) -> Rows: ...
    @property
    def partitions(self) -> Int16: ...
    @property
    def rejects(self) -> list[Reject]: ...


class Publisher:
    """Awaits `on_frames` with every batch of frames; `on_dead_letter` may be a plain function."""

    def __init__(
        self, settings: GatewaySettings, stats: GatewayStats, on_frames: OnFrames, on_dead_letter: OnDeadLetter
    ) -> None:
        self._writer = Writer(
            settings.partitions,
            settings.epoch,
            settings.frame_clock,
            settings.frame_rows_max,
            settings.flush_ms,
            settings.start_ns,
        )
        self._stats = stats
        self._on_frames = on_frames
        self._on_dead_letter = on_dead_letter

    @property
    def clock_ns(self) -> int:
        """On the feed's clock the largest exchange time written; 0 before the first, and on the wall clock."""
        return self._writer.clock_ns

    async def open(self, now_ns: int) -> None:
        """The epoch's opening frames, where they need not wait for the first row to know the time."""
        await self._emit(self._writer.opening(now_ns))

    async def write(self, lane: Lane, source: str, table: _Table, now_ns: int) -> None:
        """What `source` brought: first what was refused of it, then the rows."""
        await self.reject(source, table.rejects, now_ns)
        await self._emit(self._writer.write(lane, table.rows, table.partitions, now_ns))

    async def reject(self, source: str, rejects: list[Reject], now_ns: int) -> None:
        """Dead letters."""
        for reject in rejects:
            self._stats.dead_letters[reject.reason] += 1
            letter = DeadLetter(
                source=source, reason=reject.reason, detail=reject.detail, received_ns=now_ns, data=reject.data
            )
            told = self._on_dead_letter(letter)
            if inspect.isawaitable(told):
                await told

    async def tick(self, now_ns: int) -> None:
        """Frames that are due by age, and heartbeats."""
        await self._emit(self._writer.tick(now_ns))

    async def flush(self, now_ns: int) -> None:
        """Everything that waits for company, now."""
        await self._emit(self._writer.flush(now_ns))

    async def finish(self, now_ns: int) -> None:
        """The epoch's last frames."""
        await self._emit(self._writer.finish(now_ns))

    async def _emit(self, frames: list[Frame]) -> None:
        if frames:
            self._stats.frames += len(frames)
            await self._on_frames(frames)
