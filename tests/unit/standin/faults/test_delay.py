"""A quarter of an hour late, in order, nothing lost."""

from __future__ import annotations

import numpy as np

from standin.faults.delay import DELAY_NS, Delay
from standin.files.tape import Tape

MINUTE_NS = 60_000_000_000


def test_batches_come_out_in_order_and_never_early(tape: Tape) -> None:
    delay = Delay()
    told = []
    while not tape.ended:
        batch = tape.advance(MINUTE_NS, np.empty(0, np.int32))
        told += [(tape.clock_ns, old.batch) for old in delay.passed(batch, tape.clock_ns)]
    q = [
        (clock_ns, t_ms, number)
        for clock_ns, old in told
        for t_ms, number in zip(old.prints.t_ms, old.prints.q, strict=True)
    ]
    assert [number for _, _, number in q] == [2, 4, 6]
    assert all(clock_ns - t_ms * 1_000_000 >= DELAY_NS for clock_ns, t_ms, _ in q)


def test_a_batch_keeps_its_time_and_waits_as_long_as_something_happened_in_it(tape: Tape) -> None:
    delay = Delay(2 * MINUTE_NS)
    assert not delay.waiting
    first = tape.advance(MINUTE_NS, np.empty(0, np.int32))
    open_ns = tape.session.open_ns
    assert delay.passed(first, open_ns + MINUTE_NS) == []
    assert delay.waiting
    nothing = tape.advance(1, np.empty(0, np.int32))
    (ripe,) = delay.passed(nothing, open_ns + 3 * MINUTE_NS)
    assert (ripe.clock_ns, ripe.batch.prints.q.tolist()) == (open_ns + MINUTE_NS, [2])
    assert not delay.waiting, "nothing happened in what is held"
