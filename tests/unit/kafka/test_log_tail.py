"""What the end of the log says of each channel, and which gaps the ledger's end leaves open."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from msgspec.structs import replace

from schemas.decisions import canonical
from schemas.frames import Frame, Lane, encode_frame
from schemas.gaps import Gap
from services.kafka.log_tail import FRAMES_LOOKED_AT, _last_events, _open_gaps
from tests.support.logs_small import START_NS, LogBuilder

S = 1_000_000_000


class Record(NamedTuple):
    offset: int
    value: bytes


class Topic:
    """One partition of a topic, as a consumer shows it, a few hundred records at a time."""

    def __init__(self, values: list[bytes]) -> None:
        self.values = values
        self.read = 0
        self._at = 0

    def assign(self, places: list[Any]) -> None:
        (self._place,) = places

    async def beginning_offsets(self, places: list[Any]) -> dict[Any, int]:
        return dict.fromkeys(places, 0)

    async def end_offsets(self, places: list[Any]) -> dict[Any, int]:
        return dict.fromkeys(places, len(self.values))

    def seek(self, place: Any, offset: int) -> None:
        self._at = offset

    async def position(self, place: Any) -> int:
        return self._at

    async def getmany(self, place: Any, timeout_ms: int) -> dict[Any, list[Record]]:
        start, self._at = self._at, min(self._at + 300, len(self.values))
        self.read += self._at - start
        return {place: [Record(offset, self.values[offset]) for offset in range(start, self._at)]}


async def last_events(frames: list[Frame | bytes]) -> tuple[dict[str, int], int]:
    topic = Topic([frame if isinstance(frame, bytes) else encode_frame(frame) for frame in frames])
    return await _last_events(topic, "a-topic", 0), topic.read  # type: ignore[arg-type]


async def test_the_largest_time_of_the_last_prints_counts_and_not_when_they_came() -> None:
    log = LogBuilder()
    times = ([START_NS, START_NS + 7 * S], [START_NS - 60 * S])
    frames = [log.frame(Lane.TRADES, len(event_ns), event_ns=event_ns) for event_ns in times]
    assert await last_events([*log.opening(), *frames, b"nobody's"]) == ({"options.T": START_NS + 7 * S}, 6)


async def test_index_values_and_stock_bars_are_told_apart() -> None:
    log = LogBuilder()
    both = log.frame(Lane.TICKS, 3, kind=[1, 2, 1], event_ns=[START_NS, START_NS + S, START_NS + 2 * S])
    found, _ = await last_events([both, log.frame(Lane.TICKS, 0)])
    assert found == {"indices.V": START_NS + 2 * S, "stocks.A": START_NS + S}


async def test_behind_heartbeats_the_last_rows_are_found() -> None:
    log = LogBuilder()
    told = log.frame(Lane.TICKS, 1, event_ns=START_NS)
    beats = [log.frame(Lane.TICKS, 0, step_ns=S)] * (FRAMES_LOOKED_AT[0] + 5)
    found, _ = await last_events([told, *beats])
    assert found == {"stocks.A": START_NS}


async def test_what_the_end_tells_is_all_that_is_read() -> None:
    log = LogBuilder()
    frames = [log.frame(Lane.TRADES, 1) for _ in range(2 * FRAMES_LOOKED_AT[0])]
    assert await last_events(frames) == ({"options.T": log.now_ns - 1_000_000}, FRAMES_LOOKED_AT[0])
    assert await last_events(list(log.opening())) == ({}, 2 * len(Lane))


async def test_a_gap_whose_last_entry_says_open_is_open() -> None:
    gap = Gap(
        epoch=1, number=1, channel="options.T", cause="dropped", from_ns=START_NS, to_ns=None, lost_ns=0,
        restored_ns=None, losses=1, state="open",
    )  # fmt: skip
    more = replace(gap, number=2, losses=1)
    entries = [gap, more, replace(gap, state="restored", to_ns=START_NS + S), replace(more, losses=2)]
    topic = Topic([*map(canonical, entries), b"nobody's"])
    assert await _open_gaps(topic, "feed.gaps", 0) == [replace(more, losses=2)]  # type: ignore[arg-type]
    assert np.all(topic.read == len(topic.values))
