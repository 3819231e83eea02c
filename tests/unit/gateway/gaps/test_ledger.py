"""The gap ledger, entry by entry."""

from __future__ import annotations

import datetime as dt

import pytest

from schemas.gaps import EarlierGaps, Gap
from services.core.calendar import NS, Calendar, ny_ns
from services.gateway.gaps.ledger import (
    CLOSE_GRACE_NS,
    LAST_SILENCE_NS,
    OPENING_NOTED_NS,
    SILENCE_NOTED_NS,
    GapLedger,
    Refill,
)  # fmt: skip

DAY = dt.date(2025, 12, 17)
CALENDAR = Calendar.load(dt.date(2025, 12, 15), dt.date(2025, 12, 31))
NOON = ny_ns(DAY, 12)
S = NS
MORNING = ny_ns(dt.date(2025, 12, 18), 9, 30)
MORNING_AFTER = ny_ns(dt.date(2025, 12, 19), 9, 30)


def started(epoch: int = 3, every_ns: int = S // 50, until_ns: int = NOON) -> GapLedger:
    """A ledger whose options have been heard, at regular times, until noon."""
    ledger = GapLedger(epoch, CALENDAR)
    assert ledger.start("options", 0, until_ns - 300 * every_ns) == []
    for step in range(300):
        assert ledger.heard("options", until_ns - (299 - step) * every_ns, until_ns) == []
    return ledger


def closed(ledger: GapLedger) -> Gap:
    """A gap from noon to 40 seconds past."""
    ledger.lost("options", "dropped", NOON + S)
    (gap,) = ledger.heard("options", NOON + 40 * S, NOON + 41 * S)
    return gap


def test_a_loss_opens_a_gap_at_the_last_event_and_the_next_event_closes_it() -> None:
    ledger = started()
    (gap,) = ledger.lost("options", "slow_consumer", NOON + 2 * S)
    assert (gap.epoch, gap.number, gap.channel, gap.cause) == (3, 1, "options.T", "slow_consumer")
    assert (gap.from_ns, gap.to_ns, gap.state) == (NOON, None, "open")
    (gap,) = ledger.heard("options", NOON + 9 * S, NOON + 10 * S)
    assert (gap.number, gap.from_ns, gap.to_ns, gap.state) == (1, NOON, NOON + 9 * S, "restored")
    assert (gap.lost_ns, gap.restored_ns) == (NOON + 2 * S, NOON + 10 * S)
    assert ledger.heard("options", NOON + 10 * S, NOON + 11 * S) == []


def test_losses_before_anything_is_heard_are_one_gap() -> None:
    ledger = started()
    ledger.lost("options", "dropped", NOON + S)
    ledger.lost("options", "max_connections", NOON + 3 * S)
    (gap,) = ledger.heard("options", NOON + 60 * S, NOON + 60 * S)
    assert (gap.cause, gap.losses) == ("dropped", 2)


def test_channels_have_gaps_of_their_own_numbered_together() -> None:
    ledger = started()
    (options,) = ledger.lost("options", "dropped", NOON)
    (stocks,) = ledger.lost("stocks", "dropped", NOON)
    assert (options.number, stocks.number) == (1, 2)
    assert ledger.heard("stocks", NOON + S, NOON + S)[0].channel == "stocks.A"
    assert list(ledger.open) == ["options.T"]


def test_times_that_jump_within_a_session_are_a_gap_found_afterwards() -> None:
    ledger = started()
    assert ledger.heard("options", NOON + SILENCE_NOTED_NS - 1, NOON) == []
    (gap,) = ledger.heard("options", NOON + 2 * SILENCE_NOTED_NS, NOON)
    assert (gap.cause, gap.from_ns, gap.to_ns) == ("silence", NOON + SILENCE_NOTED_NS - 1, NOON + 2 * SILENCE_NOTED_NS)


def test_what_is_usual_for_a_slow_channel_is_no_gap() -> None:
    ledger = started(every_ns=30 * S)
    assert ledger.heard("options", NOON + 180 * S, NOON) == []
    assert ledger.heard("options", NOON + 360 * S, NOON, events=5) == []
    assert ledger.heard("options", NOON + 2000 * S, NOON) != []


def test_a_tape_whose_prints_all_stand_at_the_ends_of_minutes_has_no_gaps() -> None:
    ledger = GapLedger(1, CALENDAR)
    ledger.start("options", 0, NOON)
    assert [gap for minute in range(200) for gap in ledger.heard("options", NOON + minute * 60 * S, NOON, 500)] == []


def test_a_channel_that_was_hardly_heard_has_no_silence() -> None:
    ledger = GapLedger(1, CALENDAR)
    ledger.start("stocks", 0, NOON)
    assert ledger.ended("stocks", NOON + 60 * S, NOON) == []


@pytest.mark.parametrize("next_day_ns", [ny_ns(dt.date(2025, 12, 18), 9, 30), ny_ns(DAY, 16, 14)])
def test_nothing_is_missed_between_sessions(next_day_ns: int) -> None:
    ledger = started(until_ns=ny_ns(DAY, 16) - S // 50)
    assert ledger.heard("options", next_day_ns, next_day_ns) == []
    assert ledger.closed(ny_ns(DAY, 22), 0) == []


HALF_DAY = dt.date(2025, 12, 24)


@pytest.mark.parametrize("close_ns", [ny_ns(DAY, 16), ny_ns(HALF_DAY, 13)], ids=["full day", "half day"])
@pytest.mark.parametrize("by", ["the next event", "the next morning", "time", "the end of the epoch"])
def test_a_silence_that_lasts_to_the_close_is_a_gap_that_ends_there(close_ns: int, by: str) -> None:
    ledger = started(until_ns=close_ns - 26 * S)
    assert ledger.closed(close_ns + CLOSE_GRACE_NS - 1, 7) == [], "what happened before it may be on its way"
    if by == "the next event":
        (gap,) = ledger.heard("options", close_ns + 3 * S, 7)
    elif by == "the next morning":
        (gap,) = ledger.heard("options", close_ns + 63_000 * S, 7)
    elif by == "time":
        (gap,) = ledger.closed(close_ns + CLOSE_GRACE_NS, 7)
    else:
        (gap,) = ledger.ended("options", close_ns + 2 * S, 7)
    told = (gap.cause, gap.state, gap.from_ns, gap.to_ns, gap.restored_ns)
    assert told == ("silence", "restored", close_ns - 26 * S, close_ns, 7)
    assert ledger.closed(close_ns + 2 * CLOSE_GRACE_NS, 8) == ledger.heard("options", close_ns + 60 * S, 8) == []


def test_a_silence_at_the_open_begins_with_the_session() -> None:
    ledger = started(until_ns=ny_ns(DAY, 16, 14))
    assert ledger.heard("options", ny_ns(DAY, 16, 14) + S, 0) == []
    for step in range(9):  # a session of which something is known
        ledger.heard("options", MORNING + step * S, 0)
    ledger.heard("options", MORNING_AFTER - 300 * S, 0)
    assert ledger.heard("options", MORNING_AFTER + 28 * S, 7)[-1].from_ns == MORNING_AFTER


def test_an_opening_takes_some_seconds() -> None:
    evening_ns = ny_ns(DAY, 16) - S // 50
    for late_ns, gaps in ((OPENING_NOTED_NS - 1, 0), (OPENING_NOTED_NS, 1)):
        assert len(started(until_ns=evening_ns).heard("options", MORNING + late_ns, 0)) == gaps


def test_two_edges_missed_in_one_silence_are_two_gaps() -> None:
    close_ns = ny_ns(DAY, 16)
    evening, morning = started(until_ns=close_ns - 26 * S).heard("options", MORNING + 28 * S, 0)
    assert (evening.number, evening.from_ns, evening.to_ns) == (1, close_ns - 26 * S, close_ns)
    assert (morning.number, morning.from_ns, morning.to_ns) == (2, MORNING, MORNING + 28 * S)


def test_a_slow_channel_may_be_silent_at_a_close_and_at_an_open() -> None:
    ledger = started(until_ns=ny_ns(DAY, 16) - 60 * S, every_ns=30 * S)
    assert ledger.closed(ny_ns(DAY, 17), 0) == []
    assert ledger.heard("options", MORNING + 60 * S, 0) == []


def test_what_was_never_heard_is_not_missed_at_a_close() -> None:
    ledger = GapLedger(1, CALENDAR)
    ledger.start("stocks", 0, NOON)
    assert ledger.closed(ny_ns(DAY, 17), 0) == ledger.ended("stocks", ny_ns(DAY, 17), 0) == []


def test_a_cluster_that_was_switched_off_is_not_missed_at_a_close() -> None:
    ledger = started()
    ledger.switched_off("options")
    assert ledger.closed(ny_ns(DAY, 17), 0) == []


def test_a_gap_that_is_open_at_the_close_goes_on() -> None:
    ledger = started()
    ledger.lost("options", "dropped", NOON)
    assert ledger.closed(ny_ns(DAY, 17), 0) == []
    assert ledger.heard("options", MORNING, 0)[0].from_ns == NOON


def test_a_silence_that_lasts_to_the_end_is_a_gap_without_an_end() -> None:
    ledger = started()
    assert ledger.ended("options", NOON + LAST_SILENCE_NS - 1, NOON) == []
    (gap,) = ledger.ended("options", NOON + LAST_SILENCE_NS, NOON + 5 * S)
    assert (gap.cause, gap.from_ns, gap.to_ns, gap.state) == ("silence", NOON, None, "open")
    assert ledger.ended("options", NOON + 60 * S, NOON) == [], "it is open already"


def test_without_a_calendar_no_silence_is_noted() -> None:
    ledger = GapLedger(1)
    for step in range(20):
        ledger.heard("options", NOON + step * S, NOON)
    assert ledger.heard("options", NOON + 600 * S, NOON) == []


EVENING, NIGHT = ny_ns(DAY, 16, 14), ny_ns(DAY, 22)


def test_a_loss_at_night_is_over_with_the_next_connection() -> None:
    ledger = started()
    ledger.heard("options", EVENING, EVENING)
    (gap,) = ledger.lost("options", "dropped", NIGHT)
    assert not ledger.matters(gap, NIGHT)
    (gap,) = ledger.connected("options", NIGHT + 2 * S, NIGHT + 3 * S)
    assert (gap.from_ns, gap.to_ns, gap.restored_ns, gap.state) == (EVENING, NIGHT + 2 * S, NIGHT + 3 * S, "restored")
    assert not ledger.matters(gap, MORNING + S), "it has ended"
    assert ledger.heard("options", MORNING + S, MORNING + S) == []


def test_a_loss_at_night_that_lasts_into_a_session_matters_from_the_open_on_until_events_come() -> None:
    ledger = started()
    ledger.heard("options", EVENING, EVENING)
    (gap,) = ledger.lost("options", "dropped", NIGHT)
    assert [ledger.matters(gap, at_ns) for at_ns in (MORNING - 1, MORNING)] == [False, True]
    assert ledger.connected("options", MORNING + S, MORNING + S) == []
    (gap,) = ledger.heard("options", MORNING + 2 * S, MORNING + 2 * S)
    assert ledger.matters(gap, gap.to_ns or 0)


def test_a_loss_within_a_session_ends_with_events_only_and_matters_at_once() -> None:
    ledger = started()
    (gap,) = ledger.lost("options", "dropped", NOON)
    assert ledger.matters(gap, NOON)
    assert ledger.connected("options", NOON + S, NOON + S) == []


def test_nobody_waits_for_the_end_of_a_gap_that_the_plan_does_not_have() -> None:
    ledger = GapLedger(2, CALENDAR)
    ledger.start("indices", NOON, NOON + 30 * S)
    assert list(ledger.open) == ["indices.V"]
    ledger.switched_off("indices")
    assert not ledger.open


def test_a_restart_is_a_gap_from_where_the_log_ended() -> None:
    ledger = GapLedger(2, CALENDAR)
    (gap,) = ledger.start("options", NOON, NOON + 30 * S)
    assert (gap.cause, gap.from_ns) == ("restart", NOON)
    assert ledger.heard("options", NOON + 31 * S, NOON + 31 * S)[0].to_ns == NOON + 31 * S


def test_a_restart_on_another_day_is_none() -> None:
    assert GapLedger(2, CALENDAR).start("options", NOON, NOON + 86_400 * S) == []


OPEN = ny_ns(DAY, 9, 30)


def left_open(channel: str, from_ns: int, epoch: int = 1) -> Gap:
    """An entry that an epoch which was killed left as it was."""
    return Gap(
        epoch=epoch, number=4, channel=channel, cause="dropped", from_ns=from_ns, to_ns=None, lost_ns=from_ns,
        restored_ns=None, losses=2, state="open",
    )  # fmt: skip


@pytest.mark.parametrize("cluster", ["options", "indices", "stocks"])
def test_a_restart_begins_at_the_last_event_in_the_log_not_where_its_time_ended(cluster: str) -> None:
    """The log's time goes on by heartbeats while a socket is half open, or the feed is behind."""
    channel = {"options": "options.T", "indices": "indices.V", "stocks": "stocks.A"}[cluster]
    ledger = GapLedger(2, CALENDAR)
    (gap,) = ledger.start(cluster, NOON, NOON + 30 * S, EarlierGaps({channel: NOON - 25 * S}, ()))
    assert (gap.cause, gap.from_ns) == ("restart", NOON - 25 * S)
    assert ledger.heard(cluster, NOON + 31 * S, NOON + 31 * S)[0].from_ns == NOON - 25 * S


def test_a_restart_reaches_back_to_the_open_and_no_further() -> None:
    past = EarlierGaps({"options.T": ny_ns(dt.date(2025, 12, 16), 16, 14)}, ())
    (gap,) = GapLedger(2, CALENDAR).start("options", OPEN + 25 * S, OPEN + 40 * S, past)
    assert gap.from_ns == OPEN


def test_a_gap_that_was_open_when_its_epoch_was_killed_ends_where_the_restart_takes_over() -> None:
    ledger = GapLedger(2, CALENDAR)
    past = EarlierGaps({"options.T": NOON}, [left_open("options.T", NOON), left_open("stocks.A", NOON)])
    before, restart = ledger.start("options", NOON + 60 * S, NOON + 90 * S, past)
    assert (before.epoch, before.number, before.cause, before.losses) == (1, 4, "dropped", 2)
    assert (before.state, before.to_ns, before.note) == ("not_refilled", NOON, "its epoch ended; see epoch 2")
    assert (restart.epoch, restart.from_ns, restart.state) == (2, NOON, "open")


def test_of_a_channel_that_the_log_does_not_know_the_open_gap_says_since_when() -> None:
    past = EarlierGaps({}, [left_open("indices.V", NOON)])
    _, restart = GapLedger(2, CALENDAR).start("indices", NOON + 60 * S, NOON + 90 * S, past)
    assert restart.from_ns == NOON


def test_an_index_asked_for_over_rest_at_a_start_is_not_the_end_of_an_older_gap() -> None:
    past = EarlierGaps({"indices.V": NOON + 50 * S}, [left_open("indices.V", NOON)])
    _, restart = GapLedger(3, CALENDAR).start("indices", NOON + 60 * S, NOON + 90 * S, past)
    assert restart.from_ns == NOON


def test_prints_that_are_in_the_log_after_an_open_gap_are_not_asked_for_again() -> None:
    """Killed after the first prints were written and before the ledger heard of them."""
    past = EarlierGaps({"options.T": NOON + 20 * S}, [left_open("options.T", NOON)])
    before, restart = GapLedger(2, CALENDAR).start("options", NOON + 60 * S, NOON + 90 * S, past)
    assert (before.to_ns, restart.from_ns) == (NOON + 20 * S, NOON + 20 * S)


def test_an_open_gap_of_another_day_ends_with_its_session() -> None:
    past = EarlierGaps({"options.T": NOON}, [left_open("options.T", NOON)])
    (before,) = GapLedger(2, CALENDAR).start("options", NOON + 60 * S, NOON + 86_400 * S, past)
    assert (before.state, before.to_ns) == ("not_refilled", ny_ns(DAY, 16))


def test_a_late_report_moves_nothing_back() -> None:
    ledger = started()
    ledger.heard("options", NOON - 60 * S, NOON)
    (gap,) = ledger.lost("options", "dropped", NOON)
    assert gap.from_ns == NOON
    assert ledger.heard("options", NOON - 5 * S, NOON)[0].to_ns == NOON


@pytest.mark.parametrize(
    ("refill", "state"),
    [
        (Refill(10, 0, ""), "refilled"),
        (Refill(10, 3, "REST gave no answer"), "partial"),
        (Refill(10, 0, "given up"), "partial"),
        (Refill(10, 10, "403"), "not_refilled"),
        (Refill(0, 0, "switched off"), "not_refilled"),
    ],
)
def test_a_refill_is_counted_and_its_end_told(refill: Refill, state: str) -> None:
    ledger = started()
    gap = closed(ledger)
    ledger.fill(gap)
    ledger.found(gap.number, 5, 2)
    ledger.found(gap.number, 1, 0)
    (gap,) = ledger.filled(gap.number, refill)
    assert (gap.state, gap.prints_refilled, gap.prints_known) == (state, 6, 2)
    assert (gap.contracts_asked, gap.contracts_failed, gap.note) == refill
