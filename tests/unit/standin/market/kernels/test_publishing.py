"""The feed's order: quotes at instants of their own, merged before prints."""

from __future__ import annotations

import numpy as np

from standin.feed.source import Prints, taken
from standin.market.kernels.printing import PRINTS, Q_PER_MS
from standin.market.kernels.publishing import QUOTES, Desk, merge_quotes, new_desk, time_quotes
from standin.market.kernels.quoting import QUOTE
from standin.market.random_streams import key_of, uniform

BASE_MS, DAY_MS = 1_765_809_000_000, 34_200_000


def printed(contracts: list[int], ms: list[int]) -> Prints:
    """Prints of these contracts at these times, numbered as `print_executions` does."""
    prints = PRINTS.room(len(ms))
    rank = [ms[:at].count(ms[at]) for at in range(len(ms))]
    prints.contract[:] = contracts
    prints.t_ms[:] = BASE_MS + np.array(ms, np.int64)
    prints.q[:] = (DAY_MS + np.array(ms, np.int64)) * Q_PER_MS + 2 * np.array(rank, np.int64) + 2
    return prints


def quotes(bids: list[int]) -> np.ndarray:
    made = np.zeros(len(bids), QUOTE)
    made["bid_cents"], made["ask_cents"] = bids, np.array(bids) + 5
    return made


def desk(rows: list[int], ms: list[int], bids: list[int], wanted: list[int]) -> Desk:
    """Where these contracts have quotes of their own at these times, and these are wanted."""
    made = new_desk(len(rows), 20)
    made.moments["row"], made.moments["ms"] = rows, ms
    made.quotes[:] = quotes(bids)
    made.wanted[wanted] = True
    return made


def test_own_quotes_come_at_their_hashed_instants_in_order() -> None:
    quoted = np.arange(0, 3000, 7, dtype=np.int32)
    for span_ms in (1000, 60_000):
        made = new_desk(len(quoted), 3000)
        time_quotes(quoted, key_of(5, 16), 99, span_ms, made.moments, made.ordered)
        hashed = np.floor(span_ms * uniform(key_of(5, 16), quoted.astype(np.int64) * 86_400 + 99)).astype(np.int64)
        order = np.argsort(hashed, kind="stable")
        assert made.moments["row"].tolist() == quoted[order].tolist()
        assert made.moments["ms"].tolist() == hashed[order].tolist()


def test_quotes_merge_by_number_and_only_wanted_contracts_lead() -> None:
    prints = printed([10, 11, 10], [2, 2, 5])
    own = desk([1, 2, 3], [2, 4, 9], [110, 120, 130], wanted=[10])
    out = QUOTES.room(6)
    count = merge_quotes(own, 3, prints, 3, quotes([210, 211, 212]), BASE_MS, DAY_MS, out)
    merged = taken(out, slice(0, count))
    assert merged.contract.tolist() == [1, 10, 2, 10, 3]
    assert merged.bid.tolist() == [1.10, 2.10, 1.20, 2.12, 1.30]
    assert (merged.t_ms - BASE_MS).tolist() == [2, 2, 4, 5, 9]
    assert np.all(np.diff(merged.q) > 0)
    assert set((prints.q - 1).tolist()) & set(merged.q.tolist()) == {int(prints.q[0]) - 1, int(prints.q[2]) - 1}


def test_without_quotes_of_their_own_prints_still_have_theirs() -> None:
    prints, own = printed([4, 5], [0, 999]), desk([], [], [], wanted=[4, 5])
    assert merge_quotes(own, 0, prints, 2, quotes([10, 20]), BASE_MS, DAY_MS, QUOTES.room(2)) == 2
