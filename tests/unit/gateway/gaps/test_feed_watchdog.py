"""When silence is an alarm, and when it is none."""

from __future__ import annotations

import datetime as dt
import itertools

import pytest

from services.core.calendar import NS, Calendar, ny_ns
from services.gateway.gaps.feed_watchdog import PATIENCE_NS_MAX, FeedWatchdog, WatchdogVerdict

DAY = dt.date(2025, 12, 17)
HALF_DAY = dt.date(2025, 12, 24)
HOLIDAY = dt.date(2025, 12, 25)
CALENDAR = Calendar.load(dt.date(2025, 12, 15), dt.date(2025, 12, 31))
S = NS


def watch(*clusters: str, at_ns: int, delay_s: int = 0) -> FeedWatchdog:
    """A watch over connections that have just spoken."""
    it = FeedWatchdog(CALENDAR, 30 * S, delay_s * S)
    for cluster in clusters:
        it.connected(cluster, at_ns)
        it.heard(cluster, at_ns)
    return it


def verdicts(it: FeedWatchdog, from_ns: int, seconds: int) -> list[tuple[int, str, WatchdogVerdict]]:
    """(second, cluster, verdict), looking every second."""
    return [
        (second, found.cluster, found.verdict)
        for second in range(seconds)
        for found in it.look(from_ns + second * S)
    ]  # fmt: skip


NOON = ny_ns(DAY, 12)


def test_half_a_minute_without_a_print_at_noon_is_a_dead_connection() -> None:
    it = watch("options", at_ns=NOON)
    assert verdicts(it, NOON, 31) == [(30, "options", WatchdogVerdict.DEAD)]


def test_a_print_in_time_is_enough() -> None:
    it = watch("options", at_ns=NOON)
    for at in range(0, 300, 29):
        it.heard("options", NOON + at * S)
        assert verdicts(it, NOON + at * S, 29) == []


@pytest.mark.parametrize(
    "at_ns",
    [ny_ns(DAY, 8), ny_ns(DAY, 16, 0), ny_ns(DAY, 20), ny_ns(HALF_DAY, 13, 0), ny_ns(HALF_DAY, 15), ny_ns(HOLIDAY, 12)],
    ids=["before the open", "at the close", "evening", "half day's close", "half day's afternoon", "holiday"],
)
def test_outside_the_session_silence_is_no_alarm(at_ns: int) -> None:
    it = watch("options", "stocks", "indices", at_ns=at_ns)
    assert verdicts(it, at_ns, 600) == []


def test_the_wait_begins_at_the_open_not_the_evening_before() -> None:
    it = watch("options", at_ns=ny_ns(dt.date(2025, 12, 16), 15, 59))
    nine_thirty = ny_ns(DAY, 9, 30)
    assert verdicts(it, nine_thirty - 10 * S, 39) == []
    assert verdicts(it, nine_thirty + 29 * S, 2) == [(1, "options", WatchdogVerdict.DEAD)]


def test_a_delayed_feed_may_be_silent_for_the_first_quarter_of_an_hour() -> None:
    open_ns = ny_ns(DAY, 9, 30)
    it = watch("options", at_ns=open_ns - 3600 * S, delay_s=900)
    assert verdicts(it, open_ns, 900 + 30) == []
    assert verdicts(it, open_ns + 930 * S, 1) == [(0, "options", WatchdogVerdict.DEAD)]


def test_when_stocks_fall_silent_too_the_market_is_halted_and_that_is_told_once() -> None:
    it = watch("options", "stocks", at_ns=NOON)
    assert verdicts(it, NOON, 900) == [(30, "options", WatchdogVerdict.HALTED), (30, "stocks", WatchdogVerdict.HALTED)]


def test_when_stocks_go_on_the_options_connection_is_dead() -> None:
    it = watch("options", "stocks", at_ns=NOON)
    it.heard("stocks", NOON + 25 * S)
    assert verdicts(it, NOON, 31) == [(30, "options", WatchdogVerdict.DEAD)]


def test_after_a_halt_a_dead_connection_is_an_alarm_again() -> None:
    it = watch("options", "stocks", at_ns=NOON)
    verdicts(it, NOON, 900)
    for second in range(900, 940):
        it.heard("stocks", NOON + second * S)
    assert [found.verdict for found in it.look(NOON + 940 * S)] == [WatchdogVerdict.DEAD]


def test_without_a_witness_a_long_halt_costs_a_few_connections() -> None:
    it = watch("options", at_ns=NOON)
    alarms = []
    for second in range(3600):
        for found in it.look(NOON + second * S):
            alarms.append(second)
            assert found.verdict is WatchdogVerdict.DEAD
            it.lost("options")
            it.connected("options", NOON + second * S)
    assert len(alarms) <= 10
    gaps = [b - a for a, b in itertools.pairwise(alarms)]
    assert gaps == sorted(gaps)
    assert gaps[-1] == PATIENCE_NS_MAX // S


def test_on_a_quiet_tape_a_minute_between_two_prints_is_usual() -> None:
    it = watch("options", at_ns=NOON)
    for minute in range(1, 20):
        it.heard("options", NOON + minute * 60 * S)
    assert verdicts(it, NOON + 19 * 60 * S, 900) == []


def test_a_connection_that_is_gone_is_not_silent() -> None:
    it = watch("options", at_ns=NOON)
    it.lost("options")
    assert verdicts(it, NOON, 300) == []


def test_what_never_spoke_today_need_not_speak_but_options_must() -> None:
    it = FeedWatchdog(CALENDAR, 30 * S)
    for cluster in ("options", "indices", "stocks"):
        it.connected(cluster, NOON)
    assert verdicts(it, NOON, 31) == [(30, "options", WatchdogVerdict.DEAD)]
