"""One partition's machine as it stands on Kafka: three lanes' records in, what was decided out.

It knows by offset what it has taken of each lane, so whoever reads for it (the stream framework, or a plain consumer
that catches up) may hand it anything: what it had is dropped, and what is missing is seen at once. Pure but for the
stopwatch.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import NamedTuple

from schemas.decisions import View
from schemas.frames import Frame, FrameError, Header, Lane
from schemas.kinds import Decision
from schemas.sealed import SealedFrame, join_frames, seal
from services.core.pipeline import NO_COUNTS, SAMPLE_NS, NotReady, Pipeline, SuppressionReason
from services.core.sequencer import Sequencer
from services.sinks.clickhouse import Ordinals

__all__ = ["Build", "Decided", "LaneSequencer", "PartitionProcessor", "Stepped"]


class Decided(NamedTuple):
    """What one frame led to: decisions with their ordinals, sampled views, and why signals became no alerts."""

    header: Header
    decisions: list[tuple[int, Decision]]
    views: list[View]
    silences: dict[str, SuppressionReason]
    not_ready: Mapping[tuple[str, str, NotReady], int] = NO_COUNTS


# Frames that are stepped as one have no more rows than this, unless it is one: some 3 ms of work.
RUN_ROWS_MAX = 4_096

# Called with the header of the frame (or of several as one), how many they were, and the seconds the step took.
Stepped = Callable[[Header, int, float], None]
# Frames wait in it unread, or read where another program wrote them.
LaneSequencer = Sequencer[SealedFrame | Frame]
# Makes the pipeline of a partition for a log that begins at that time.
Build = Callable[[int, int], Pipeline]


class PartitionProcessor:
    """A sequencer and a pipeline, and where each lane is to be read from next."""

    def __init__(
        self,
        partition: int,
        build: Build,
        sequencer: LaneSequencer,
        next_offset: Mapping[Lane, int],
        stepped: Stepped,
    ) -> None:
        self.partition = partition
        self._build = build
        # Made at the first frame unless before: only the log says in which year it is, and so which calendar it wants.
        self.pipeline: Pipeline | None = None
        self.sequencer = sequencer
        self.next_offset = dict(next_offset)
        self._stepped = stepped
        self._ordinals = Ordinals()
        self._newest = dict.fromkeys(Lane, (-1, -1))
        self._ready: deque[SealedFrame | Frame] = deque()
        self.damaged = 0
        self.damage = ""

    @property
    def pending(self) -> int:
        """Frames that wait for a predecessor."""
        return self.sequencer.pending

    def is_ahead(self, lane: Lane) -> bool:
        """Whether the newest frame of that lane still waits for one of another lane."""
        return self._newest[lane] >= (self.sequencer.epoch, self.sequencer.next_seq)

    def push(self, lane: Lane, offset: int, data: bytes) -> None:
        """Take the record at `offset` of a lane. Whoever calls this then calls `step` until nothing is `waiting`.

        The caller sees to it that no offset is skipped (`next_offset`); one that was taken before is dropped. Raises
        SequencerOverflowError.
        """
        if offset < self.next_offset[lane]:
            return
        self.next_offset[lane] = offset + 1
        try:
            frame = seal(data)
        except FrameError as error:  # somebody else wrote into our topic: it has no place in the sequence
            self.damaged += 1
            self.damage = f"{lane.topic} partition {self.partition} offset {offset}: {error}"
            return
        head = frame.header
        self._newest[lane] = max(self._newest[lane], (head.epoch, head.seq))
        self._ready.extend(self.sequencer.push(frame))

    @property
    def waiting(self) -> int:
        """Frames whose turn has come. A late lane lets thousands go at once, so they are stepped one by one."""
        return len(self._ready)

    def step(self) -> Decided | None:
        """Step the next frame whose turn has come; what it led to, None for nothing."""
        return self._step([self._ready.popleft()])

    def step_run(self) -> Decided | None:
        """Step as many of the frames whose turn has come as can be read as one; what they led to, None for nothing.

        They are neighbours on one lane within one sampling of the views, so that a view is sampled where it would have
        been; for the rest, decisions do not depend on how a log is cut.
        """
        run = [self._ready.popleft()]
        head, rows = run[0].header, run[0].header.rows
        while self._ready and isinstance(run[0], SealedFrame) and not head.opening:
            following = self._ready[0]
            ahead = following.header
            rows += ahead.rows
            if (
                ahead.lane is not head.lane
                or ahead.partition != head.partition
                or ahead.epoch != head.epoch
                or ahead.seq != head.seq + len(run)
                or ahead.received_ns // SAMPLE_NS != head.received_ns // SAMPLE_NS
                or rows > RUN_ROWS_MAX
                or ahead.opening
                or not isinstance(following, SealedFrame)
            ):
                break
            run.append(self._ready.popleft())
        return self._step(run)

    def _step(self, run: list[SealedFrame | Frame]) -> Decided | None:
        sealed = [one for one in run if isinstance(one, SealedFrame)]
        frame = join_frames(sealed) if sealed else run[0]
        assert isinstance(frame, Frame)
        if self.pipeline is None:
            self.pipeline = self._build(self.partition, run[0].header.received_ns)
        began = time.perf_counter()
        outputs = self.pipeline.step(frame)
        self._stepped(frame.header, len(run), time.perf_counter() - began)
        if not outputs.decisions and not outputs.views and not outputs.not_ready:
            return None
        numbered = self._ordinals.number(outputs.decisions)
        return Decided(run[0].header, numbered, outputs.views, outputs.silences, outputs.not_ready)
