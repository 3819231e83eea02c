"""Which part of which chain is due."""

from __future__ import annotations

import datetime as dt

from services.core.calendar import NS, ny_ns
from services.gateway.policy.poll_schedule import CHECK_NS, RELEARN_NS, RETRY_NS, PollSchedule, PollTurn

T0 = ny_ns(dt.date(2025, 12, 17), 10)
NEAR_S, FAR_S = 30.0, 300.0


def schedule(*underlyings: str, room: int = 10) -> PollSchedule:
    it = PollSchedule(NEAR_S, FAR_S, room)
    it.follow(underlyings)
    return it


def test_a_chain_is_learned_before_it_is_asked_for() -> None:
    it = schedule("SPY", "QQQ")
    assert it.unlearned(T0) == ["SPY", "QQQ"]
    assert it.due(T0) == []
    it.learn("SPY", {"2025-12-17": 200}, T0)
    assert it.unlearned(T0) == ["QQQ"]
    assert [piece.underlying for piece in it.due(T0)] == ["SPY"]


def test_small_expiries_share_a_request_and_big_ones_do_not() -> None:
    it = schedule("SPY")
    it.learn("SPY", {"2026-01-16": 100, "2026-02-20": 100, "2026-03-20": 100, "2026-06-18": 400}, T0)
    assert [(piece.first, piece.last) for piece in it.due(T0)] == [
        ("2026-01-16", "2026-02-20"), ("2026-03-20", "2026-03-20"), ("2026-06-18", "2026-06-18"),
    ]  # fmt: skip


def test_near_and_far_expiries_never_share_a_request_and_near_ones_come_first() -> None:
    it = schedule("SPY", "QQQ")
    it.learn("SPY", {"2025-12-24": 10, "2025-12-26": 10}, T0)
    it.learn("QQQ", {"2025-12-17": 10, "2026-01-16": 10}, T0)
    assert [(piece.underlying, piece.first, piece.near) for piece in it.due(T0)] == [
        ("SPY", "2025-12-24", True), ("QQQ", "2025-12-17", True),
        ("SPY", "2025-12-26", False), ("QQQ", "2026-01-16", False),
    ]  # fmt: skip


def test_near_expiries_are_due_more_often() -> None:
    it = schedule("SPY")
    it.learn("SPY", {"2025-12-17": 10, "2026-01-16": 10}, T0)
    counts = {True: 0, False: 0}
    for second in range(601):
        for piece in it.due(T0 + second * NS):
            counts[piece.near] += 1
    assert counts == {True: 21, False: 3}


def test_a_chain_is_learned_anew_each_day() -> None:
    it = schedule("SPY")
    it.learn("SPY", {"2025-12-17": 10}, T0)
    assert it.unlearned(T0 + RELEARN_NS // 4) == []
    assert it.unlearned(T0 + RELEARN_NS * 3 // 4) == ["SPY"], "midnight has passed in New York"


def test_a_chain_the_vendor_does_not_have_is_asked_for_no_more_that_day() -> None:
    it = schedule("NOPE")
    it.drop("NOPE", T0)
    it.follow(["NOPE"])
    assert it.unlearned(T0 + RELEARN_NS // 4) == []
    assert it.due(T0) == []
    assert it.unlearned(T0 + RELEARN_NS) == ["NOPE"], "it may have been listed overnight"


def test_no_more_chains_are_followed_than_there_is_room_for() -> None:
    it = schedule("A", "B", room=2)
    it.follow(["A", "C"])
    assert it.followed == ("A", "B")


def test_a_chain_whose_answers_fail_is_asked_for_ever_more_seldom() -> None:
    it = schedule("SPY", "QQQ")
    asked = []
    for second in range(3600):
        if "SPY" in it.unlearned(T0 + second * NS):
            asked.append(second)
            it.failed("SPY", T0 + second * NS)
    assert asked[:7] == [0, 10, 30, 70, 150, 310, 610]
    assert len(asked) == 6 + (3600 - 310) // 300
    assert it.unlearned(T0 + 5 * NS) == ["QQQ"], "the others do not wait for it"


def test_after_a_failure_one_slice_is_tried_until_answers_come() -> None:
    it = schedule("SPY", "QQQ")
    expiries = {"2025-12-17": 250, "2025-12-18": 250, "2025-12-19": 250}
    it.learn("SPY", expiries, T0)
    it.learn("QQQ", expiries, T0)
    it.failed("SPY", T0)
    it.failed("SPY", T0)
    assert {piece.underlying for piece in it.due(T0)} == {"QQQ"}
    back_ns = T0 + RETRY_NS[1]
    counts = []
    for _ in range(3):
        counts.append(sum(piece.underlying == "SPY" for piece in it.due(back_ns)))
        it.answered("SPY")
    assert counts == [1, 1, 1]
    assert len([piece for piece in it.due(back_ns + 30 * NS) if piece.underlying == "SPY"]) == 3


def test_the_schedule_is_looked_at_every_second_until_the_vendor_refuses() -> None:
    turn = PollTurn()
    assert turn.due(T0)
    turn.taken(T0, refused=False)
    assert [turn.due(T0 + after_ns) for after_ns in (CHECK_NS - 1, CHECK_NS)] == [False, True]
    turn.taken(T0 + CHECK_NS, refused=True)
    assert turn.over
    assert not turn.due(T0 + 3600 * NS)
