"""Repeated prints go, backward ones stay, and what a refill brings twice is known."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from schemas.frames import Lane, TradeRows
from services.gateway.decoding.deduplicator import MS, Deduplicator, Index
from tests.support.frames import constant_rows

# (contract, q, time in ms, price): what may differ between two prints of these tests.
Print = tuple[int, int, int, float]


def rows(*prints: Print) -> tuple[Index, TradeRows]:
    """A frame of prints with their contract ids."""
    columns = constant_rows(Lane.TRADES, [0] * len(prints))
    assert isinstance(columns, TradeRows)
    contract, q, time_ms, price = zip(*prints, strict=True) if prints else ((),) * 4
    return np.array(contract, np.intp), columns._replace(
        vendor_seq=np.array(q, np.int64), event_ns=np.array(time_ms, np.int64) * MS, price_usd=np.array(price, float)
    )


def kept(repeats: Deduplicator, *prints: Print) -> list[Print]:
    """The prints of a frame that are taken."""
    new, _, _ = repeats.judge(*rows(*prints))
    return [one for row, one in enumerate(prints) if new is None or new[row]]


A, B, C = (0, 10, 1000, 1.5), (0, 11, 1001, 1.5), (1, 11, 1001, 1.5)


def test_prints_whose_number_rises_within_their_contract_all_pass() -> None:
    assert kept(Deduplicator(), A, C, B) == [A, C, B]


def test_a_repeated_print_goes_whether_it_comes_in_the_same_frame_or_a_later_one() -> None:
    repeats = Deduplicator()
    assert kept(repeats, A, A, B) == [A, B]
    assert kept(repeats, B, A) == []
    assert repeats.judge(*rows(A))[1:] == (1, 0)


def test_equal_numbers_of_different_contracts_are_no_repetition() -> None:
    assert kept(Deduplicator(), B, C) == [B, C]


def test_a_backward_number_is_counted_and_kept() -> None:
    repeats = Deduplicator()
    kept(repeats, B)
    assert repeats.judge(*rows(A))[1:] == (0, 1)


def test_the_same_number_with_another_price_is_another_print() -> None:
    repeats = Deduplicator()
    kept(repeats, A)
    corrected = (0, 10, 1000, 1.55)
    assert kept(repeats, corrected) == [corrected]
    assert kept(repeats, corrected) == []


def test_a_print_without_a_number_is_never_taken_for_a_repetition() -> None:
    nameless = (0, 0, 1000, 1.5)
    repeats = Deduplicator()
    assert kept(repeats, nameless, nameless) == [nameless] * 2
    assert kept(repeats, nameless) == [nameless]


def test_numbers_start_again_with_each_day() -> None:
    repeats = Deduplicator()
    kept(repeats, A, B)
    tomorrow = (0, 1, 86_400_000 + 1000, 1.5)
    new, repeated, backward = repeats.judge(*rows(tomorrow))
    assert (new, repeated, backward) == (None, 0, 0)


prints = st.tuples(st.integers(0, 2), st.integers(1, 6), st.integers(0, 3), st.sampled_from([1.0, 2.0]))


@given(st.lists(st.lists(prints, max_size=8), max_size=8))
def test_exactly_the_first_of_equal_prints_is_taken_however_frames_are_cut(stream: list[list[Print]]) -> None:
    repeats, seen = Deduplicator(memory_prints=256, searched_prints=256), set()
    for frame in stream:
        wanted = [one for one in frame if not (one in seen or seen.add(one))]  # type: ignore[func-returns-value]
        assert kept(repeats, *frame) == wanted


def refilled(repeats: Deduplicator, *prints: Print) -> list[Print]:
    """The prints of a REST page that had not been heard."""
    new = repeats.missing(*rows(*prints))
    return [one for row, one in enumerate(prints) if new[row]]


def test_a_refill_brings_what_was_not_heard_and_nothing_else() -> None:
    repeats = Deduplicator()
    kept(repeats, A)
    missed = (0, 12, 1002, 1.5)
    assert refilled(repeats, A, B, missed) == [B, missed]
    assert refilled(repeats, B, missed) == [], "asked for twice, taken once"


def test_a_refilled_print_that_then_comes_by_the_socket_is_a_repetition() -> None:
    repeats = Deduplicator()
    assert refilled(repeats, A) == [A]
    assert kept(repeats, A, B) == [B]


def test_prints_without_a_number_are_counted_row_against_row() -> None:
    nameless = (0, 0, 1000, 1.5)
    repeats = Deduplicator()
    kept(repeats, nameless, nameless)
    assert refilled(repeats, nameless, nameless, nameless) == [nameless]


def test_a_refill_compares_milliseconds_because_the_socket_knows_no_finer_time() -> None:
    repeats = Deduplicator()
    kept(repeats, A)
    contracts, page = rows(A)
    assert repeats.missing(contracts, page._replace(event_ns=page.event_ns + 123_456)).tolist() == [False]


def test_the_memory_says_how_far_back_it_reaches() -> None:
    repeats = Deduplicator(memory_prints=4, searched_prints=4)
    kept(repeats, *[(0, q, 1000 + q, 1.0) for q in (1, 2, 3)])
    mark = repeats.mark(1002 * MS)
    assert repeats.reaches(mark)
    kept(repeats, *[(0, q, 1000 + q, 1.0) for q in (4, 5)])
    assert repeats.reaches(mark)
    kept(repeats, (0, 6, 1006, 1.0))
    assert not repeats.reaches(mark)
    repeats.clear()
    assert not repeats.reaches(repeats.mark(0) - 1)


def test_a_frame_longer_than_the_memory_leaves_its_end_there() -> None:
    repeats = Deduplicator(memory_prints=4, searched_prints=4)
    long = [(0, q, 1000 + q, 1.0) for q in range(1, 12)]
    assert kept(repeats, *long) == long
    assert kept(repeats, long[-1]) == []
