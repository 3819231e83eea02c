"""How far apart the events of a channel usually are, so that a silence can be told from a slow channel. Pure."""

from __future__ import annotations

__all__ = ["EventRate"]

# A whole market's prints are milliseconds apart. What comes at random with mean m is silent for 20 m once in e^20
# times, that is never in a session; clustered arrivals need more than the ten or so that would do for single ones.
UNUSUAL_TIMES = 20
# A tape of minutes has hundreds of prints at each minute's end and nothing between: there the steps themselves say what
# is usual. They are regular, so few of them are enough.
UNUSUAL_STEPS = 3
# What is usual is forgotten over so many steps; a handful say it roughly, which twenty times over is enough.
MEMORY_STEPS, KNOWN_STEPS = 256, 4


class EventRate:
    """A running mean of the time between events."""

    def __init__(self) -> None:
        self._time_ns = 0.0
        self._events = 0.0
        self._recent_steps = 0.0
        self._steps = 0

    @property
    def known(self) -> bool:
        """Whether enough was heard to say what is usual."""
        return self._steps >= KNOWN_STEPS

    def step(self, step_ns: int, events: int = 1) -> None:
        """So many events came within `step_ns` of the events before."""
        kept = 1.0 - 1.0 / MEMORY_STEPS
        self._steps += 1
        self._time_ns = kept * self._time_ns + step_ns
        self._events = kept * self._events + events
        self._recent_steps = kept * self._recent_steps + 1.0

    def unusual_ns(self, least_ns: int) -> int:
        """From how long on a silence is unusual, `least_ns` or more."""
        if not self._events:
            return least_ns
        of_events = UNUSUAL_TIMES * self._time_ns / self._events
        return max(least_ns, int(of_events), int(UNUSUAL_STEPS * self._time_ns / self._recent_steps))
