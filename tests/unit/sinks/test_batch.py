"""Which records make one insert: limits, days, intents that are formed again exactly."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sinks.batch import BatchLimits, Commit, Filling, token

LIMITS = BatchLimits(rows_max=100, age_ns_max=1000)


def test_a_batch_takes_its_first_record_however_big_it_is():
    filling = Filling(0)
    assert filling.takes(0, 10_000, 1, LIMITS)
    filling.add(0, 10_000, 1, 0)
    assert filling.due(1, 0, LIMITS)
    assert not filling.takes(1, 1, 1, LIMITS)


def test_a_batch_is_due_when_it_is_full_or_old_and_never_when_it_is_empty():
    filling = Filling(0)
    assert not filling.due(0, 10**12, LIMITS)
    filling.add(0, 60, 1, now_ns=5000)
    assert not filling.due(1, 5999, LIMITS)
    assert filling.due(1, 6000, LIMITS)
    filling.add(1, 40, 1, now_ns=5500)
    assert filling.due(2, 5500, LIMITS)


def test_one_insert_fills_one_calendar_day():
    filling = Filling(0)
    filling.add(0, 0, None, 0)  # poison, or a repetition
    assert filling.takes(1, 1, 7, LIMITS)
    filling.add(1, 1, 7, 0)
    assert filling.takes(2, 1, None, LIMITS)
    assert not filling.takes(2, 1, 8, LIMITS)
    assert filling.takes(2, 1, 7, LIMITS)


def test_an_intended_range_is_formed_again_whatever_the_limits_are_now():
    filling = Filling(10, end=13)
    strict = BatchLimits(rows_max=1, age_ns_max=0)
    for offset in (10, 11, 12):
        assert not filling.due(offset, 10**12, strict)
        assert filling.takes(offset, 500, offset, strict)
        filling.add(offset, 500, offset, 0)
    assert not filling.takes(13, 1, 12, strict)
    assert filling.due(13, 0, strict)
    assert filling.close() == (10, 13)


def test_an_intended_range_whose_records_have_left_the_topic_ends_where_the_reader_stands():
    filling = Filling(10, end=13)
    filling.add(10, 1, 1, 0)
    assert not filling.due(11, 10**12, LIMITS)
    assert filling.due(20, 0, LIMITS)
    assert filling.close() == (10, 13)


def test_a_partition_nobody_read_before_begins_at_its_first_record():
    filling = Filling(None)
    filling.add(42, 1, 1, 0)
    assert filling.close() == (42, 43)


@pytest.mark.parametrize("text", [None, "", "{}", "nonsense", "[1]", '{"end": "x"}', '{"some": "other program"}'])
def test_metadata_that_is_not_ours_says_nothing(text: str | None):
    assert Commit.read(text) == Commit()


@given(st.none() | st.integers(0, 2**62), st.tuples(st.integers(-1, 2**62), st.integers(-1, 2**62)))
def test_what_was_committed_is_read_back_and_fits(end: int | None, last: tuple[int, int]):
    said = Commit(end, last)
    assert Commit.read(said.text()) == said
    assert len(said.text()) < 4096


records = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 70), st.sampled_from([None, 1, 1, 1, 2])), max_size=60)


@given(records, st.lists(st.booleans(), max_size=60))
def test_batches_cover_every_record_once_and_a_range_is_formed_again_alike(
    steps: list[tuple[int, int, int | None]], aged: list[bool]
):
    """A run cuts a partition into batches as it likes; another, with other limits, forms any of them again."""
    log, offset = [], 0
    for gap, rows, day in steps:  # offsets rise, not always by one
        offset += gap
        log.append((offset, rows, day))
    done: list[tuple[int, int, list[int]]] = []
    filling, members = Filling(None), []
    ages = iter(aged)
    for offset, rows, day in log:
        if filling.records and (next(ages, False) or not filling.takes(offset, rows, day, LIMITS)):
            done.append((*filling.close(), members))
            filling, members = Filling(done[-1][1]), []
        assert filling.takes(offset, rows, day, LIMITS)
        filling.add(offset, rows, day, 0)
        members.append(offset)
    if filling.records:
        done.append((*filling.close(), members))
    assert [offset for _, _, members in done for offset in members] == [offset for offset, _, _ in log]
    assert all(end == start for (_, end, _), (start, _, _) in itertools.pairwise(done))
    for start, end, members in done:
        again = Filling(start, end)
        taken = []
        for offset, rows, day in log:
            if offset >= start:
                if not again.takes(offset, rows, day, BatchLimits(1, 0)):
                    break
                again.add(offset, rows, day, 0)
                taken.append(offset)
        assert taken == members
        assert again.close() == (start, end)


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b.c"]), st.integers(0, 9), st.integers(0, 99), st.integers(0, 99)),
        max_size=9,
        unique=True,
    )
)
def test_no_two_ranges_share_a_token(ranges: list[tuple[str, int, int, int]]):
    names = {token(topic, partition, start, end, "t") for topic, partition, start, end in ranges}
    assert len(names) == len(ranges)
