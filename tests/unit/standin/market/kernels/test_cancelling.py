"""Which prints are taken back, and that a cancel takes back what its print did."""

from __future__ import annotations

import numpy as np
import pytest

from standin.feed.source import Prints
from standin.market.kernels.cancelling import cancel_prints, choose_cancels
from standin.market.kernels.counting import TOTALS, TRUTH
from standin.market.kernels.printing import PRINTS
from standin.market.random_streams import ORDERS, rng_state

ROW = 7


def chosen(share: float, condition: np.ndarray) -> list[int]:
    places = np.empty(len(condition), np.int64)
    return places[: choose_cancels(rng_state(1, ORDERS), share, condition, places)].tolist()


def print_of(size: int, q: int, room: int = 0) -> Prints:
    """One print of a contract, and room behind it."""
    prints = PRINTS.room(1 + room)
    for column, value in zip(prints, (ROW, 302, 1.25, size, 209, 34_200_000, q), strict=True):
        column[0] = value
    return prints


def cancelled(size: int, is_open: int, first_q: int = 0, last_q: int = 0) -> tuple[int, Prints, np.ndarray, int]:
    """Take back print 10, which opened on both sides, behind print 20: how many were, prints, truth, and what is open
    then."""
    told, totals = np.zeros(2, TRUTH), np.zeros(ROW + 1, TOTALS)
    before = np.zeros(1, TRUTH)
    before["buyer"] = before["seller"] = 1
    totals[ROW]["first_q"], totals[ROW]["last_q"] = first_q, last_q
    interest = np.full(ROW + 1, is_open)
    prints = print_of(1, 20, room=1)
    gone = np.zeros(1, np.int64)
    made = cancel_prints(gone, 1, print_of(size, 10), before, totals, interest, 1, prints, told)
    return made, prints, told, int(interest[ROW])


def test_what_was_late_is_not_taken_back() -> None:
    assert chosen(1.0, np.array([209, 202, 219, 204], np.int32)) == [0, 2]


def test_each_print_is_taken_back_with_the_same_chance() -> None:
    places = np.array(chosen(0.05, np.full(200_000, 209, np.int32)))
    assert len(places) == pytest.approx(10_000, rel=0.04)
    assert np.all(np.diff(places) > 0)
    assert np.histogram(places, 10, (0, 200_000))[0] == pytest.approx(np.full(10, 1000), rel=0.15)
    assert np.mean(np.diff(places) == 1) == pytest.approx(0.05, abs=0.01)


def test_nothing_is_taken_back_of_nothing() -> None:
    assert chosen(0.5, np.empty(0, np.int32)) == []


def test_a_cancel_takes_back_what_its_print_did() -> None:
    made, prints, told, left = cancelled(4, 10)
    assert (made, left) == (1, 6)
    assert [column[1] for column in prints] == [ROW, 302, 1.25, 4, 201, 34_200_000, 22]
    assert (told[1]["cancels"], told[1]["buyer"], told[1]["seller"], told[1]["kind"]) == (10, -1, -1, -1)


def test_what_would_leave_less_than_nothing_open_stands() -> None:
    made, _, _, left = cancelled(7, 6)
    assert (made, left) == (0, 6)


@pytest.mark.parametrize(("first", "last", "code"), [(10, 10, 207), (5, 10, 203), (10, 15, 205), (5, 15, 201)])
def test_the_code_says_which_of_its_contracts_prints_it_was(first: int, last: int, code: int) -> None:
    _, prints, _, _ = cancelled(4, 10, first, last)
    assert prints.condition[1] == code
