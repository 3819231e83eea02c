"""REST's bad luck: paced by wall time, drawn by a seed, always the same contracts."""

from __future__ import annotations

import numpy as np

from standin.faults.named import EmptyDay, HttpError, MissingGreeks, NotEntitled, RateLimit, SlowHttp
from standin.faults.rest_faults import RestFaults
from standin.files.tape import Tape
from standin.protocol.rest_documents import chain_rows

MINUTE_NS = 60_000_000_000


def test_without_faults_nothing_goes_wrong() -> None:
    assert RestFaults().refusal("chain", 0.0) is None
    assert RestFaults().delay_s() == 0.0
    assert RestFaults().has("I:VIX6M")


def test_a_pace_counts_what_was_served_in_the_period_before() -> None:
    rest_faults = RestFaults([RateLimit(requests=2, per_s=10.0)])
    answers = [rest_faults.refusal("chain", at) for at in (0.0, 4.0, 5.0, 9.9, 10.0, 10.1, 14.0)]
    assert [None if answer is None else answer.code for answer in answers] == [None, None, 429, 429, None, 429, None]
    assert answers[2] is not None
    assert answers[2].retry_after_s == 5


def test_errors_and_delays_have_their_share_and_their_seed() -> None:
    faults = [HttpError(share=0.3, code=500, body="json"), SlowHttp(share=0.5, by_s=2.0)]

    def course(seed: int) -> list[object]:
        rest_faults = RestFaults(faults, seed)
        return [(rest_faults.refusal("chain", 0.0), rest_faults.delay_s()) for _ in range(500)]

    assert course(3) == course(3)
    assert course(3) != course(4)
    refused = [refusal for refusal, _ in course(3) if refusal is not None]  # type: ignore[misc]
    assert 100 < len(refused) < 200
    assert {refusal.code for refusal in refused} == {500}


def test_a_plan_lacks_the_documents_it_lacks() -> None:
    rest_faults = RestFaults([NotEntitled(documents=("trades", "quotes"))])
    assert [rest_faults.refusal(kind, 0.0) is not None for kind in ("trades", "quotes", "chain")] == [True, True, False]


def test_the_same_contracts_have_holes_every_time(tape: Tape) -> None:
    for _ in range(5):
        tape.advance(MINUTE_NS, np.empty(0, np.int32))
    rows = np.arange(len(tape.listing))

    def holes(share: float) -> list[tuple[bool, bool]]:
        rest_faults = RestFaults([MissingGreeks(share=share), EmptyDay(share=share)])
        found = rest_faults.holed(chain_rows(tape, rows))
        return [(row.implied_volatility is None, row.day.volume is None) for row in found]

    assert holes(0.5) == holes(0.5)
    assert holes(1.0) == [(True, True)] * 3
    assert holes(0.0) == [(row.implied_volatility is None, row.day.volume is None) for row in chain_rows(tape, rows)]
