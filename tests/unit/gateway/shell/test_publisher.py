"""Where rows leave the gateway: refused ones first, frames in order, everything counted."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

import numpy as np

from schemas.decisions import DeadLetter
from schemas.frames import Frame, Int16, Lane, Rows
from services.gateway.massive.messages import Reject
from services.gateway.shell.publisher import Publisher
from services.gateway.shell.stats import GatewayStats
from services.settings.gateway import GatewaySettings
from tests.support.frames import constant_rows
from tests.unit.gateway.sequencing.test_writer import assert_sequenced

T0 = 1_765_981_806_000_000_000


class Table(NamedTuple):
    rows: Rows
    partitions: Int16
    rejects: list[Reject]


def ticks(count: int, *rejects: Reject) -> Table:
    return Table(constant_rows(Lane.TICKS, [T0] * count, event_ns=T0), np.zeros(count, np.int16), list(rejects))


class Heard:
    """An outlet and what came out of it, in the order in which it came."""

    def __init__(self) -> None:
        self.stats = GatewayStats()
        self.told: list[Frame | DeadLetter] = []
        settings = GatewaySettings(ws_url="ws://127.0.0.1:1", rest_url="", api_key="key", partitions=2, epoch=7)
        self.outlet = Publisher(settings, self.stats, self._frames, self.told.append)

    async def _frames(self, frames: list[Frame]) -> None:
        self.told += frames

    @property
    def frames(self) -> list[Frame]:
        return [each for each in self.told if isinstance(each, Frame)]


def test_frames_are_numbered_counted_and_in_order() -> None:
    heard = Heard()

    async def play() -> None:
        await heard.outlet.open(T0)
        await heard.outlet.write(Lane.TICKS, "ws/indices", ticks(3), T0)
        await heard.outlet.flush(T0)
        await heard.outlet.flush(T0)
        await heard.outlet.finish(T0 + 1)

    asyncio.run(play())
    assert_sequenced(heard.frames)
    assert heard.stats.frames == len(heard.frames)
    assert sum(frame.header.rows for frame in heard.frames) == 3


def test_what_was_refused_is_a_dead_letter_before_its_neighbours_are_a_frame() -> None:
    heard = Heard()

    async def play() -> None:
        await heard.outlet.write(Lane.TICKS, "ws/indices", ticks(1, Reject("bad_ticker", "'I:'", b"{}")), T0)
        await heard.outlet.flush(T0)

    asyncio.run(play())
    letter = heard.told[0]
    assert isinstance(letter, DeadLetter)
    assert (letter.source, letter.reason, letter.data, letter.received_ns) == ("ws/indices", "bad_ticker", b"{}", T0)
    assert heard.stats.dead_letters == {"bad_ticker": 1}
    assert heard.frames[-1].header.rows == 1


def test_a_listener_for_dead_letters_may_be_a_coroutine() -> None:
    letters: list[DeadLetter] = []

    async def listen(letter: DeadLetter) -> None:
        await asyncio.sleep(0)
        letters.append(letter)

    async def ignore(_: list[Frame]) -> None:
        """Frames are of no interest here."""

    outlet = Publisher(GatewaySettings(ws_url="", rest_url="", api_key=""), GatewayStats(), ignore, listen)
    asyncio.run(outlet.reject("ws/options", [Reject("malformed", "", b"x")], T0))
    assert [letter.data for letter in letters] == [b"x"]
