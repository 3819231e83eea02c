"""What time it is in the market, and what time of an event can be believed. Pure: both clocks are handed in."""

from __future__ import annotations

from typing import Literal

from services.core.calendar import NS

__all__ = ["MarketClock"]

# An exchange time further ahead of the market's than this is an error of the feed. On the wall's clock: two clocks that
# are set differ by less. On the feed's: a long weekend with room, because a tape leaps from a Thursday's close to a
# Tuesday's open.
LEAP_NS_MAX = {"wall": 60 * NS, "feed": 7 * 86_400 * NS}


class MarketClock:
    """The wall's time, or on the feed's clock the largest exchange time seen, before the first the start's."""

    def __init__(self, clock: Literal["wall", "feed"]) -> None:
        self._clock = clock
        self._started_ns = 0

    @property
    def is_wall(self) -> bool:
        """Whether the market's time is the wall's."""
        return self._clock == "wall"

    def start(self, now_ns: int) -> None:
        """The market's time before anything was received."""
        self._started_ns = now_ns

    def now_ns(self, wall_ns: int, feed_ns: int) -> int:
        """The market's time; `feed_ns` is the largest exchange time seen, 0 before the first."""
        return wall_ns if self.is_wall else feed_ns or self._started_ns

    def latest_ns(self, now_ns: int) -> int:
        """The latest exchange time that can be believed at the market's time `now_ns`."""
        return now_ns + LEAP_NS_MAX[self._clock]

    def judges_silence(self, waiting: int) -> bool:
        """Whether who sent nothing can be called silent while so many frames wait to be read.

        The wall's clock went on while we were held up, and who sent something meanwhile may stand in the queue.
        """
        return not self.is_wall or not waiting

    def cuts_early(self, waiting: int) -> bool:
        """Whether rows are published before their frame is full or old, so many frames waiting to be read.

        Where nothing more waits, a row that stayed for company would only grow old. On the feed's clock nobody is in a
        hurry, and a frame's cut is part of the recording.
        """
        return self.is_wall and not waiting
