"""What is asked of the past: instants in three spellings, windows, cursors that stay where they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from standin.protocol.history_query import AggregatesQuery, TicksQuery
from standin.protocol.rest_query import BadQueryError, UniversalQuery

NOW_NS = 1_402_070_400_000_000_000
PATH = {"multiplier": "5", "timespan": "minute", "from": "2014-06-06", "to": "2014-06-07"}


@pytest.mark.parametrize(
    ("parameters", "first_ns", "last_ns"),
    [
        ({}, 0, NOW_NS),
        ({"timestamp.gte": "5"}, 5, NOW_NS),
        ({"timestamp.gt": "5", "timestamp.lt": "9"}, 6, 8),
        ({"timestamp": "7"}, 7, 7),
        ({"timestamp.gte": "2014-06-06"}, 1_402_027_200_000_000_000, NOW_NS),
        ({"timestamp.gt": "2014-06-05"}, 1_402_027_200_000_000_000, NOW_NS),
        ({"timestamp.lte": "2014-06-05T12:00:00-04:00"}, 0, 1_401_984_000_000_000_000),
        ({"timestamp.lte": "9999999999999999999999"}, 0, NOW_NS),
    ],
)
def test_instants_are_dates_times_or_nanoseconds(parameters: dict[str, str], first_ns: int, last_ns: int) -> None:
    query = TicksQuery.parse(parameters, NOW_NS)
    assert (query.first_ns, query.last_ns, query.order, query.limit) == (first_ns, last_ns, "desc", 1000)


def test_a_cursor_goes_on_with_the_same_question_whatever_time_it_is() -> None:
    query = TicksQuery.parse({"timestamp.gte": "5", "sort": "timestamp.asc", "limit": "2"}, NOW_NS)
    following = TicksQuery.parse({"cursor": query.cursor(2)}, NOW_NS + 1)
    assert (following.first_ns, following.last_ns, following.order, following.offset) == (5, NOW_NS, "asc", 2)


@given(st.text(max_size=20), st.sampled_from(["timestamp", "timestamp.gte", "order", "sort", "limit", "cursor"]))
def test_no_odd_parameter_is_more_than_a_bad_query(text: str, name: str) -> None:
    refused, query = "", None
    try:
        query = TicksQuery.parse({name: text}, NOW_NS)
    except BadQueryError as error:
        refused = str(error)
    assert name.partition(".")[0] in refused or (query is not None and query.limit >= 1)


def test_a_window_is_from_the_first_instant_to_the_last() -> None:
    query = AggregatesQuery.parse(PATH, {"sort": "desc", "limit": "7"})
    day_ms = 86_400_000
    assert query.last_ms - query.first_ms == 2 * day_ms - 1
    assert (query.multiplier, query.timespan, query.order, query.limit) == (5, "minute", "desc", 7)
    assert AggregatesQuery.parse(PATH | {"from": "5", "to": "9"}, {}).last_ms == 9


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"multiplier": "0"}, "multiplier"), ({"multiplier": "x"}, "multiplier"), ({"timespan": "decade"}, "timespan"),
        ({"from": "once"}, "from"), ({"to": "2014-13-01"}, "to"), ({"to": "2014-06-05"}, "before"),
    ],
)  # fmt: skip
def test_a_bad_path_is_named(change: dict[str, str], named: str) -> None:
    with pytest.raises(BadQueryError, match=named):
        AggregatesQuery.parse(PATH | change, {})


def test_what_a_page_left_over_is_the_next_question() -> None:
    query = AggregatesQuery.parse(PATH, {})
    assert AggregatesQuery.parse(PATH, {"cursor": query.beyond(77)}).first_ms == 77
    backwards = AggregatesQuery.parse(PATH, {"sort": "desc"})
    assert AggregatesQuery.parse(PATH, {"cursor": backwards.beyond(88)}).last_ms == 88


def test_the_universal_snapshot_pages_over_what_its_ranges_hold() -> None:
    query = UniversalQuery.parse({"ticker.gte": "B", "ticker.lt": "E", "limit": "2", "order": "desc"}, 250)
    page, cursor = query.page(["A", "D", "B", "C", "E"])
    assert (page, cursor is None) == (["D", "C"], False)
    rest, end = UniversalQuery.parse({"cursor": cursor or ""}, 250).page(["A", "D", "B", "C", "E"])
    assert (rest, end) == (["B"], None)


@pytest.mark.parametrize("parameters", [{"type": "bonds"}, {"order": "up"}, {"sort": "size"}, {"limit": "251"}])
def test_the_universal_snapshot_names_what_it_does_not_take(parameters: dict[str, str]) -> None:
    with pytest.raises(BadQueryError, match=next(iter(parameters))):
        UniversalQuery.parse(parameters, 250)
    with pytest.raises(BadQueryError, match="any_of"):
        UniversalQuery.parse({"ticker.any_of": ",".join(["A"] * 251)}, 250)
