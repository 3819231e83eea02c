"""A gap is asked for contract by contract until none is left or it is hopeless; few gaps wait in line."""

from __future__ import annotations

from services.gateway.gaps.ledger import Refill
from services.gateway.gaps.refill_course import (
    FAILURES_MAX,
    GAPS_WAITING_MAX,
    REFUSALS_MAX,
    RefillCourse,
    RefillOrder,
    RefillQueue,
)

TICKERS = [f"contract {number}" for number in range(100)]


def test_contracts_come_in_order_until_none_is_left() -> None:
    course = RefillCourse(TICKERS[:2])
    assert [course.next_ticker() for _ in range(3)] == [*TICKERS[:2], None]
    assert course.result == Refill(2, 0, "")


def test_refusals_in_a_row_end_it_and_an_answer_between_them_does_not() -> None:
    course = RefillCourse(TICKERS)
    for number in range(REFUSALS_MAX):
        assert course.next_ticker()
        course.failed(f"refusal {number}", refused=True)
    assert course.next_ticker() is None
    assert course.result == Refill(REFUSALS_MAX, REFUSALS_MAX, f"refusal {REFUSALS_MAX - 1}")

    course = RefillCourse(TICKERS)
    for _ in range(REFUSALS_MAX):
        course.next_ticker()
        course.failed("refused", refused=True)
        course.answered()
    assert course.next_ticker()


def test_failures_end_it_however_many_answers_come_between() -> None:
    course = RefillCourse(TICKERS)
    asked = 0
    while course.next_ticker() is not None:
        asked += 1
        if asked % 2:
            course.failed("503", refused=False)
        else:
            course.answered()
    assert course.result == Refill(2 * FAILURES_MAX - 1, FAILURES_MAX, "503")


def test_a_bounded_number_of_gaps_waits_and_the_oldest_comes_first() -> None:
    queue = RefillQueue()
    accepted = [queue.put(RefillOrder(number, 0, 1, [])) for number in range(GAPS_WAITING_MAX + 1)]
    assert accepted == [True] * GAPS_WAITING_MAX + [False]
    assert queue.take().number == 0
    assert len(queue) == GAPS_WAITING_MAX - 1
