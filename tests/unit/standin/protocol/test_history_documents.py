"""Pages of the past: nothing twice, nothing missed, whatever the page size."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from standin.feed.aggregates import Ticks
from standin.feed.source import Quotes
from standin.protocol.history_documents import aggregates_page, quotes_page, ticks_page, with_received
from standin.protocol.history_query import NS_PER_MS, AggregatesQuery, TicksQuery

PATH = {"multiplier": "5", "timespan": "minute", "from": "0", "to": "9999999999"}
TIMES = st.lists(st.integers(0, 40), max_size=40).map(sorted)


def quotes(times: list[int], first_q: int = 1) -> Quotes:
    count = len(times)
    ones, venue, price = np.ones(count, np.int64), np.full(count, 302, np.int32), np.ones(count)
    q = np.arange(first_q, first_q + count)
    return Quotes(np.zeros(count, np.int32), venue, price, ones, venue, price, ones, np.array(times, np.int64), q)


@given(TIMES, st.integers(1, 7), st.sampled_from(["asc", "desc"]))
def test_pages_of_ticks_join_to_the_whole(times: list[int], limit: int, order: str) -> None:
    query: TicksQuery | None = TicksQuery.parse({"order": order, "limit": str(limit)}, 50 * NS_PER_MS)
    found: list[int] = []
    while query is not None:
        page, cursor = ticks_page(quotes(times), query)
        assert len(page.q) <= limit
        found += page.q.tolist()
        query = None if cursor is None else TicksQuery.parse({"cursor": cursor}, 0)
    whole = list(range(1, len(times) + 1))
    assert found == (whole if order == "asc" else whole[::-1])


@given(TIMES, st.integers(5, 9), st.sampled_from(["asc", "desc"]))
def test_pages_of_quotes_join_to_the_whole_and_never_split_an_instant(times: list[int], limit: int, order: str) -> None:
    times = sorted(t for t in set(times) for _ in range(min(times.count(t), 4)))
    query: TicksQuery | None = TicksQuery.parse({"order": order}, 50 * NS_PER_MS)
    found: list[int] = []
    while query is not None:
        every = quotes(times)
        inside = (every.t_ms * NS_PER_MS >= query.first_ns) & (every.t_ms * NS_PER_MS <= query.last_ns)
        known = Quotes(*(column[inside] for column in every))
        near = slice(-limit - 1, None) if order == "desc" else slice(0, limit + 1)
        page, cursor = quotes_page(Quotes(*(column[near] for column in known)), query, limit)
        found += page.q.tolist()
        query = None if cursor is None else TicksQuery.parse({"cursor": cursor}, 0)
    whole = list(range(1, len(times) + 1))
    assert found == (whole if order == "asc" else whole[::-1])


def test_what_was_heard_and_what_is_known_are_each_told_once() -> None:
    known, received = quotes([1, 2, 3, 4]), quotes([2, 3, 9], first_q=2)
    assert with_received(known, received, 10, newest=True).q.tolist() == [1, 2, 3, 4]
    assert with_received(Quotes.empty(), received, 2, newest=True).q.tolist() == [3, 4]
    assert with_received(Quotes.empty(), received, 2, newest=False).q.tolist() == [2, 3]


@given(TIMES, st.integers(1, 7), st.sampled_from(["asc", "desc"]))
def test_pages_of_bars_join_to_the_bars_of_one_page(minutes: list[int], limit: int, order: str) -> None:
    t_ms = np.array(minutes, np.int64) * 60_000
    price = np.arange(1.0, len(minutes) + 1)
    ticks = Ticks(t_ms, price, price, price, price, np.ones(len(minutes), np.int64), price)
    query: AggregatesQuery | None = AggregatesQuery.parse(PATH, {"sort": order, "limit": str(limit)})
    assert query is not None
    whole = aggregates_page(ticks, AggregatesQuery.parse(PATH, {"sort": order, "limit": "50000"}))
    assert whole.cursor is None
    found: list[tuple[float, ...]] = []
    while query is not None:
        page = aggregates_page(ticks, query)
        assert page.base_bars <= max(limit, 5), "a window is five base bars and is never split"
        found += zip(*(column.tolist() for column in page.bars), strict=True)
        query = None if page.cursor is None else AggregatesQuery.parse(PATH, {"cursor": page.cursor})
    assert found == list(zip(*(column.tolist() for column in whole.bars), strict=True))
