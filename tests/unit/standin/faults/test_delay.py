"""A quarter of an hour late, in order, nothing lost."""

from __future__ import annotations

import numpy as np

from services.standin.faults.delay import DELAY_NS, Delay
from services.standin.tapes.tape import Tape

MINUTE_NS = 60_000_000_000


def test_batches_come_out_in_order_and_never_early(tape: Tape) -> None:
    delay = Delay()
    told = []
    while not tape.ended:
        batch = tape.advance(MINUTE_NS, np.empty(0, np.int32))
        told += [(tape.clock_ns, old) for old in delay.passed(batch, tape.clock_ns)]
    q = [
        (clock_ns, t_ms, number)
        for clock_ns, old in told
        for t_ms, number in zip(old.prints.t_ms, old.prints.q, strict=True)
    ]
    assert [number for _, _, number in q] == [2, 4, 6]
    assert all(clock_ns - t_ms * 1_000_000 >= DELAY_NS for clock_ns, t_ms, _ in q)
