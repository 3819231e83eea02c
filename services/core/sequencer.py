"""Puts one partition's frames back into the order the gateway gave them, whatever lane each came by.

The gateway numbers the frames of a partition `(epoch, seq)`, contiguous across the three lanes. Each lane keeps its own
order, the lanes drift against each other, and a lane may repeat itself. So:

- a frame whose predecessor has not come is held;
- a frame seen before is dropped;
- the gateway opens a new epoch by one opening frame on every lane. Once a lane has shown an epoch's opening, that lane
  has nothing more of an older one: what still comes is a zombie gateway's, and is dropped. Once all three lanes have
  shown a newer opening, the present epoch is closed: what is held of it is released in order, its holes are counted.

The order in which frames leave is a function of the three lanes' contents alone. State is bounded by `held_max`.
"""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

from schemas.frames import Header, Lane

__all__ = ["Sequencer", "SequencerOverflowError"]


class _Framed(Protocol):
    """Whatever has a frame's header; the rows are none of the sequencer's business."""

    @property
    def header(self) -> Header: ...


Framed = TypeVar("Framed", bound=_Framed)

# A lane that is a minute behind at 50 frames a second on each of the others; beyond that a lane is lost, not late.
PENDING_MAX = 10_000
NO_EPOCH = -1


class SequencerOverflowError(RuntimeError):
    """More frames are held than a late lane explains; the sentence says what is waited for."""


class Sequencer(Generic[Framed]):
    """One partition's order. `expect=(epoch, seq)` starts in the middle of an epoch; without it, nothing leaves before
    every lane has shown an opening, and the oldest epoch of which anything was seen comes first.
    """

    def __init__(self, expect: tuple[int, int] | None = None, pending_max: int = PENDING_MAX) -> None:
        self.epoch, self.next_seq = expect if expect is not None else (NO_EPOCH, 0)
        self._pending: dict[tuple[int, int], Framed] = {}
        self._pending_max = pending_max
        self._opened = dict.fromkeys(Lane, self.epoch)
        self.duplicates = 0
        self.zombies = 0
        self.holes = 0

    @property
    def pending(self) -> int:
        """Frames that wait for a predecessor."""
        return len(self._pending)

    def push(self, frame: Framed) -> list[Framed]:
        """Take one frame; returns those whose turn has come, in order. Raises SequencerOverflowError."""
        head = frame.header
        if head.epoch < self._opened[head.lane]:
            self.zombies += 1
            return []
        if head.opening:
            self._opened[head.lane] = head.epoch
        if (head.epoch, head.seq) < (self.epoch, self.next_seq) or (head.epoch, head.seq) in self._pending:
            self.duplicates += 1
            return []
        if head.epoch == self.epoch and head.seq == self.next_seq and not self._pending and not head.opening:
            self.next_seq += 1  # the common case: nothing waits
            return [frame]
        self._pending[head.epoch, head.seq] = frame
        released = self._release()
        if len(self._pending) > self._pending_max:
            raise SequencerOverflowError(f"partition {head.partition}: {self._overflow()}")
        return released

    def _release(self) -> list[Framed]:
        ready: list[Framed] = []
        while True:
            while (frame := self._pending.pop((self.epoch, self.next_seq), None)) is not None:
                ready.append(frame)
                self.next_seq += 1
            if min(self._opened.values()) <= self.epoch:
                return ready
            ready += self._close_epoch()

    def _close_epoch(self) -> list[Framed]:
        """Every lane has moved on: release the rest of this epoch over its holes, then stand before the next one."""
        rest = sorted(key for key in self._pending if key[0] == self.epoch)
        for _, seq in rest:
            self.holes += seq - self.next_seq
            self.next_seq = seq + 1
        ready = [self._pending.pop(key) for key in rest]
        self.epoch = min((epoch for epoch, _ in self._pending), default=min(self._opened.values()))
        self.next_seq = 0
        return ready

    def _overflow(self) -> str:
        """What is waited for, and which lane is likely to blame."""
        unopened = [lane.topic for lane, epoch in self._opened.items() if epoch == NO_EPOCH]
        if unopened:
            return (
                f"{self.pending} frames wait for an epoch that has opened on every lane; it has not on"
                f" {' and '.join(unopened)}"
            )
        wanted = f"frame {self.next_seq} of epoch {self.epoch}"
        came = {frame.header.lane for frame in self._pending.values()}
        silent = [lane.topic for lane in Lane if lane not in came]
        if not silent:
            return f"{self.pending} frames of every lane wait for {wanted}; it is lost"
        return f"{self.pending} frames wait for {wanted}, and none of them came by {' or '.join(silent)}"
