"""Which records make one insert, and what is committed to say so. Pure.

A batch is a range of offsets `[start, end)` of one topic-partition. Before it is inserted the range is committed to
Kafka as an intent: the offset `start` (which acknowledges all before it) with the metadata `{"end": ...}`. The insert
carries a token that names the range. Whoever comes after a crash reads the intent, forms exactly `[start, end)` again,
and inserts with the same token, which the warehouse ignores if it has those rows. So a range once intended is never
cut differently, and a token never stands for other rows.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

__all__ = ["BatchLimits", "Commit", "Filling", "token"]

# Kafka's limit on commit metadata is 4096 bytes; ours takes some 60.
_NOWHERE = (-1, -1)


class BatchLimits(NamedTuple):
    """When a batch is big or old enough."""

    rows_max: int
    age_ns_max: int


class Commit(msgspec.Struct, frozen=True, omit_defaults=True):
    """What stands in a commit's metadata.

    `end` closes the range that is intended from the committed offset on, None when everything before the offset is in
    the warehouse and nothing is intended. `last` is the place (epoch, seq) of the last frame taken before the offset.
    """

    end: int | None = None
    last: tuple[int, int] = _NOWHERE

    def text(self) -> str:
        """As it is committed."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def read(cls, text: str | None) -> Commit:
        """What an earlier commit said; nothing when it is not one of ours."""
        try:
            return msgspec.json.decode(text or "{}", type=cls)
        except msgspec.DecodeError:
            return cls()


class Filling:
    """The batch in hand of one topic-partition. Ask `takes` before each `add`.

    A batch that was intended before (`end` given) takes exactly the records below `end`, whatever the limits say now.
    """

    def __init__(self, start: int | None, end: int | None = None) -> None:
        self.start, self.end = start, end
        self.next_offset = start
        self.rows = 0
        self.records = 0
        self.opened_ns = 0
        self._day: int | None = None

    @property
    def intended(self) -> bool:
        """Whether the range was fixed by an earlier run."""
        return self.end is not None

    def takes(self, offset: int, rows: int, day: int | None, limits: BatchLimits) -> bool:
        """Whether a record belongs to this batch; if not, the batch is complete.

        `day` is the calendar day its rows go to, None when it brings none: one insert fills one day.
        """
        if self.end is not None:
            return offset < self.end
        if self.records == 0:
            return True
        same_day = day is None or self._day is None or day == self._day
        return same_day and self.rows + rows <= limits.rows_max

    def add(self, offset: int, rows: int, day: int | None, now_ns: int) -> None:
        """Take a record."""
        assert self.next_offset is None or offset >= self.next_offset, f"offset {offset} after {self.next_offset}"
        if self.start is None:
            self.start = offset
        if self.records == 0:
            self.opened_ns = now_ns
        self.next_offset = offset + 1
        self.rows += rows
        self.records += 1
        if self._day is None:
            self._day = day

    def due(self, position: int, now_ns: int, limits: BatchLimits) -> bool:
        """Whether to insert now. `position` is the offset up to which the consumer has read."""
        if self.end is not None:
            # Records may have left a compacted topic since; what stands at the consumer's position decides.
            return position >= self.end
        if self.records == 0:
            return False
        return self.rows >= limits.rows_max or now_ns - self.opened_ns >= limits.age_ns_max

    def close(self) -> tuple[int, int]:
        """The range, fixed from here on."""
        assert self.start is not None
        assert self.next_offset is not None
        if self.end is None:
            self.end = self.next_offset
        return self.start, self.end


def token(topic: str, partition: int, start: int, end: int, table: str) -> str:
    """The name of an insert.

    >>> token("options.trades", 3, 100, 250, "frames")
    'options.trades:3:100-250:frames'
    """
    return f"{topic}:{partition}:{start}-{end}:{table}"
