"""Which gaps are asked for, from when on, and what of the answers is new."""

from __future__ import annotations

import datetime as dt

import pytest
from msgspec.structs import replace

from schemas.gaps import Gap
from services.core.calendar import NS, Calendar, ny_ns
from services.core.partitioner import Partitioner
from services.gateway.decoding.tabulate import Tabulator
from services.gateway.gaps.ledger import GapLedger, Refill
from services.gateway.gaps.refill_course import RefillOrder
from services.gateway.gaps.refill_planner import EDGE_NS, FORGOTTEN, MS, RefillPlanner
from services.gateway.massive.messages import Trade, decode_frame
from services.gateway.policy.contract_ranking import ContractRanking
from tests.support import vendor as v

CALENDAR = Calendar.load(dt.date(2025, 12, 15), dt.date(2025, 12, 19))
OPEN = Gap(
    epoch=1, number=1, channel="options.T", cause="dropped", from_ns=v.T0_NS, to_ns=None, lost_ns=0, restored_ns=None,
    losses=1, state="open",
)  # fmt: skip
OVER = replace(OPEN, state="restored", to_ns=v.T0_NS + 10 * NS)


def planner() -> tuple[RefillPlanner, Tabulator, list[Trade]]:
    """A planner whose table has received one print, and that print."""
    table = Tabulator(Partitioner(1))
    ranking = ContractRanking(table.contracts)
    decoded = decode_frame("options", v.frame(v.trade()))
    trades = table.trades(decoded)
    ranking.prints(trades.contracts, trades.rows.price_usd, trades.rows.size_contracts)
    return RefillPlanner(1, GapLedger(1, CALENDAR), table, ranking, 10), table, list(decoded.events)  # type: ignore[arg-type]


def test_a_gap_that_is_over_is_asked_for_with_a_little_on_either_side() -> None:
    it, *_ = planner()
    assert it.follow(OPEN, refills=True) is None
    wanted = RefillOrder(1, v.T0_NS - EDGE_NS, v.T0_NS + 10 * NS + EDGE_NS, [v.SPY_CALL])
    assert it.follow(OVER, refills=True) == wanted


def test_after_a_restart_nothing_is_asked_for_that_the_log_holds() -> None:
    it, *_ = planner()
    order = it.follow(replace(OVER, cause="restart"), refills=True)
    assert order is not None
    assert order.from_ns == v.T0_NS + MS


@pytest.mark.parametrize(
    ("gap", "refills"),
    [
        (OVER, False),
        (replace(OVER, channel="indices.V"), True),
        (replace(OVER, epoch=2), True),
        (replace(OVER, from_ns=ny_ns(dt.date(2025, 12, 17), 18), to_ns=ny_ns(dt.date(2025, 12, 17), 19)), True),
    ],
    ids=["nobody asks", "indices", "another epoch", "evening"],
)
def test_other_gaps_stay_as_they_are(gap: Gap, refills: bool) -> None:
    it, *_ = planner()
    assert it.follow(gap, refills=refills) is None


def test_what_was_received_is_known_and_the_rest_is_new() -> None:
    it, _, (print_,) = planner()
    it.follow(OVER, refills=True)
    missed = replace(print_, q=print_.q + 1, t=print_.t + 5_000)
    trades = it.found(1, [print_, missed])
    assert trades is not None
    assert trades.rows.vendor_seq.tolist() == [print_.q + 1]
    (entry,) = it.ended(1, Refill(1, 0, ""))
    assert (entry.state, entry.prints_refilled, entry.prints_known) == ("refilled", 1, 1)
    assert it.found(1, [print_]) is None, "its turn is over"


def test_what_can_no_longer_be_compared_is_left_out_and_said_so() -> None:
    it, table, prints = planner()
    it.follow(OVER, refills=True)
    table.repeats.clear()
    assert it.found(1, prints) is None
    (entry,) = it.ended(1, Refill(1, 0, ""))
    assert (entry.state, entry.note) == ("partial", FORGOTTEN)
