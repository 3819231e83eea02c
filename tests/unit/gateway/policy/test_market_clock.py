"""The market's time on both clocks, and what follows from which clock it is."""

from __future__ import annotations

import pytest

from services.core.calendar import NS
from services.gateway.policy.market_clock import MarketClock

WALL, FEED, STARTED = 900 * NS, 500 * NS, 400 * NS


def test_the_walls_clock_goes_on_whatever_the_feed_says() -> None:
    clock = MarketClock("wall")
    clock.start(STARTED)
    assert clock.now_ns(WALL, FEED) == WALL


def test_the_feeds_clock_is_the_start_until_the_first_event_and_then_the_feeds() -> None:
    clock = MarketClock("feed")
    clock.start(STARTED)
    assert [clock.now_ns(WALL, feed_ns) for feed_ns in (0, FEED)] == [STARTED, FEED]


def test_a_minute_ahead_of_the_wall_and_a_week_ahead_of_the_feed_can_be_believed() -> None:
    assert MarketClock("wall").latest_ns(WALL) == WALL + 60 * NS
    assert MarketClock("feed").latest_ns(FEED) == FEED + 7 * 86_400 * NS


@pytest.mark.parametrize(
    ("clock", "waiting", "judges", "cuts"),
    [("wall", 0, True, True), ("wall", 1, False, False), ("feed", 0, True, False), ("feed", 1, True, False)],
)
def test_on_the_wall_waiting_frames_may_break_a_silence_and_keep_rows_company(
    clock: str, waiting: int, judges: bool, cuts: bool
) -> None:
    it = MarketClock(clock)  # type: ignore[arg-type]
    assert (it.judges_silence(waiting), it.cuts_early(waiting)) == (judges, cuts)
