"""The feed's order: prints numbered within their millisecond, quotes merged before them."""

from __future__ import annotations

import numpy as np

from services.standin.market.kernels.quoting import TWO_SIDED, TwoSided
from services.standin.market.kernels.telling import Q_PER_MS, QUOTES, merge_quotes, tell_prints, time_quotes
from services.standin.market.noise import key_of, uniform
from services.standin.source import taken

BASE_MS, DAY_MS = 1_765_809_000_000, 34_200_000


def told(ms: list[int]) -> tuple[np.ndarray, np.ndarray]:
    times, price = np.array(ms, np.int64), np.empty(len(ms))
    t_ms, q = np.empty(len(ms), np.int64), np.empty(len(ms), np.int64)
    tell_prints(times, 100 * times, BASE_MS, DAY_MS, price, t_ms, q)
    assert price.tolist() == times.tolist()
    return t_ms, q


def quotes(bids: list[int]) -> TwoSided:
    cents = np.array(bids, np.int64)
    venue = np.full(len(bids), 302, np.int32)
    return TwoSided(cents, cents + 5, cents, cents, cents, venue, venue)


def test_prints_are_numbered_two_apart_within_their_millisecond() -> None:
    t_ms, q = told([3, 3, 3, 7])
    assert (t_ms - BASE_MS).tolist() == [3, 3, 3, 7]
    assert (q - DAY_MS * Q_PER_MS).tolist() == [3 * 8192 + 2, 3 * 8192 + 4, 3 * 8192 + 6, 7 * 8192 + 2]


def test_own_quotes_come_at_their_hashed_instants_in_order() -> None:
    quoted = np.arange(0, 3000, 7, dtype=np.int32)
    rows, ms, fraction = np.empty(len(quoted), np.int32), np.empty(len(quoted), np.int64), np.empty(len(quoted))
    time_quotes(quoted, key_of(5, 16), 99, 1000, np.zeros(1001, np.int64), rows, ms, fraction)
    hashed = np.floor(1000 * uniform(5, 16, quoted.astype(np.int64) * 86_400 + 99)).astype(np.int64)
    order = np.argsort(hashed, kind="stable")
    assert rows.tolist() == quoted[order].tolist()
    assert ms.tolist() == hashed[order].tolist()
    assert fraction.tolist() == (hashed[order] / 1000).tolist()


def test_quotes_merge_by_number_and_only_wanted_contracts_lead() -> None:
    t_ms, q = told([2, 2, 5])
    printed, wanted = np.array([10, 11, 10], np.int32), np.zeros(20, bool)
    wanted[10] = True
    rows, ms = np.array([1, 2, 3], np.int32), np.array([2, 4, 9])
    out = QUOTES.room(6)
    count = merge_quotes(
        rows, ms, quotes([110, 120, 130]), printed, t_ms, q, quotes([210, 211, 212]), wanted, BASE_MS, DAY_MS, out
    )
    merged = taken(out, slice(0, count))
    assert merged.contract.tolist() == [1, 10, 2, 10, 3]
    assert merged.bid.tolist() == [1.10, 2.10, 1.20, 2.12, 1.30]
    assert (merged.t_ms - BASE_MS).tolist() == [2, 2, 4, 5, 9]
    assert np.all(np.diff(merged.q) > 0)
    assert set((q - 1).tolist()) & set(merged.q.tolist()) == {int(q[0]) - 1, int(q[2]) - 1}


def test_without_quotes_of_their_own_prints_still_have_theirs() -> None:
    t_ms, q = told([0, 999])
    out = QUOTES.room(2)
    nobody = np.empty(0, np.int32), np.empty(0, np.int64), TWO_SIDED.room(0)
    printed = np.array([4, 5], np.int32)
    assert merge_quotes(*nobody, printed, t_ms, q, quotes([10, 20]), np.ones(6, bool), BASE_MS, DAY_MS, out) == 2
