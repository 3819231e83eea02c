"""What an answer to a poll means for the next: refused for good, no such chain, late, or back again."""

from __future__ import annotations

import datetime as dt

import pytest

from services.core.calendar import NS, ny_ns
from services.gateway.policy.chain_answers import AnswerMeaning, ChainAnswers
from services.gateway.policy.poll_schedule import RETRY_NS, PollSchedule

T0 = ny_ns(dt.date(2025, 12, 17), 10)


def scheduled() -> tuple[PollSchedule, ChainAnswers]:
    schedule = PollSchedule(30.0, 300.0, 10)
    schedule.follow(["QQQ", "SPY"])
    for underlying in ("QQQ", "SPY"):
        schedule.learn(underlying, {"2025-12-17": 10}, T0)
    return schedule, ChainAnswers(schedule)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_switches_the_feature_off(status: int) -> None:
    _, answers = scheduled()
    assert answers.failed("SPY", status, "your plan has no chains", T0) is AnswerMeaning.FORBIDDEN
    assert (answers.disabled, answers.failures) == ("your plan has no chains", 0)


def test_a_chain_the_vendor_does_not_have_is_not_asked_for_today() -> None:
    schedule, answers = scheduled()
    assert answers.failed("SPY", 404, "no such ticker", T0) is AnswerMeaning.ABSENT
    assert [piece.underlying for piece in schedule.due(T0)] == ["QQQ"]
    assert (answers.disabled, answers.failures) == ("", 0)


def test_a_late_chain_is_news_once_until_its_answers_come_again() -> None:
    _, answers = scheduled()
    meanings = [answers.failed("SPY", 0, "503", T0) for _ in range(2)]
    assert meanings == [AnswerMeaning.LATE, AnswerMeaning.STILL_LATE]
    assert answers.settle(T0) == []
    assert answers.failed("SPY", 0, "503", T0) is AnswerMeaning.STILL_LATE
    answers.came("SPY")
    assert answers.settle(T0) == [], "one of two answers failed"
    answers.came("SPY")
    assert answers.settle(T0) == ["SPY"]
    assert answers.failed("SPY", 500, "", T0) is AnswerMeaning.LATE
    assert answers.failures == 4


@pytest.mark.parametrize(("came", "failed", "waits"), [(1, 2, True), (2, 2, False), (2, 1, False), (0, 1, True)])
def test_a_chain_most_of_whose_answers_fail_is_left_alone_for_a_while(came: int, failed: int, waits: bool) -> None:
    schedule, answers = scheduled()
    for _ in range(came):
        answers.came("SPY")
    for _ in range(failed):
        answers.failed("SPY", 0, "timeout", T0)
    answers.settle(T0)
    due = [piece.underlying for piece in schedule.due(T0 + RETRY_NS[0] - NS)]
    assert ("SPY" not in due) == waits
    assert "QQQ" in due


def test_each_poll_is_judged_by_its_own_answers() -> None:
    schedule, answers = scheduled()
    answers.came("SPY")
    answers.settle(T0)
    answers.failed("SPY", 0, "timeout", T0)
    answers.settle(T0)
    assert [piece.underlying for piece in schedule.due(T0)] == ["QQQ"]
