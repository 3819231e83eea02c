"""Flow print by print: side and its confidence, hygiene, clusters, windows."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from schemas.frames import CONDITION_REFILLED
from services.contexts.flow import ClusterFilter, Flow, FlowCluster, FlowParameters, MinuteFilter
from services.core.contract import Trigger, TriggerFilter, Views
from tests.support.logs import CALENDAR, DAY, Row, chain_row, frames, option, trade
from tests.support.scenarios import sweep

CALL = option("ABC", 20, 100, "C")
PUT = option("ABC", 20, 95, "P")
QUOTE = {"bid": 2.0, "ask": 2.1}


def flow_after(*rows: Row, listened: Mapping[str, TriggerFilter] | None = None, **parameters: float) -> Flow:
    """The context after a log, every due time kept, its triggers left in place."""
    small: dict[str, float] = {
        "cluster_premium_usd": 25_000.0,
        "minute_over_oi_min": 0.0,
        "minute_premium_usd": 10_000.0,
    }
    flow = Flow(FlowParameters(**{**small, **parameters}))  # type: ignore[arg-type]
    flow.listened = listened
    flow.open_session(DAY, CALENDAR.session_on(DAY))
    for frame in frames(rows):
        times, start = frame.rows.received_ns, 0
        while start < len(times):
            while flow.due_ns <= times[start]:
                flow.tick(flow.due_ns, Views([]))
            start = flow.update(frame, start, len(times), Views([]))
    while flow.due_ns < 2**63 - 1:
        flow.tick(flow.due_ns, Views([]))
    return flow


def clusters(*rows: Row) -> list[FlowCluster]:
    return [
        trigger.facts
        for trigger in flow_after(*rows).triggers
        if trigger.kind in ("flow.sweep", "flow.block", "flow.split")
    ]


def net_premium(*rows: Row) -> float:
    """What a log's prints add to the day's signed premium."""
    view = flow_after(*rows).view("ABC")
    assert view is not None
    return view.net_premium_day_usd


@pytest.mark.parametrize(
    ("price", "quote", "signed_share"),
    [
        (2.1, QUOTE, 0.66),  # at the ask: bought, right in 83 of 100
        (2.0, QUOTE, -0.66),
        (2.2, QUOTE, 0.20),  # outside the quote: stale, 60 of 100
        (2.054, QUOTE, 0.0),  # within a tenth of the spread of the middle
        (2.1, {}, 0.0),  # no quote, no snapshot, no earlier print
        (2.1, {"bid": 2.1, "ask": 2.0}, 0.0),  # crossed
        (2.1, {**QUOTE, "age_ms": 61_000}, 0.0),
    ],
)
def test_a_print_counts_by_side_times_confidence(price: float, quote: dict[str, float], signed_share: float) -> None:
    assert net_premium(trade(1, CALL, price, 10, **quote)) == pytest.approx(signed_share * price * 1000)  # type: ignore[arg-type]


def test_a_bought_put_counts_against_the_underlying() -> None:
    assert net_premium(trade(1, PUT, 2.1, 10, **QUOTE)) < 0  # type: ignore[arg-type]


def test_the_snapshot_stands_in_and_moves_with_the_underlying() -> None:
    snapshot = chain_row(0, CALL, bid_usd=2.0, ask_usd=2.1, delta=0.5, spot_usd=100.0)
    assert net_premium(snapshot, trade(30, CALL, 2.1, 10)) == pytest.approx(0.30 * 2100)
    assert net_premium(snapshot, trade(61, CALL, 2.1, 10)) == pytest.approx(0.20 * 2100), "less when it is old"
    assert net_premium(snapshot, trade(301, CALL, 2.1, 10)) == 0.0, "and five minutes later nothing"


def test_the_tick_rule_is_last_and_inherits_the_last_move() -> None:
    prints = [trade(1, CALL, 2.0, 10), trade(2, CALL, 2.1, 10), trade(3, CALL, 2.1, 10)]
    assert net_premium(*prints) == pytest.approx(0.18 * 2 * 2100)


@pytest.mark.parametrize(
    "condition", [202, 204, 206, 208, 232, 233, 234, 235, 236, 237, 238, 239, 240, 245, 246, 247, 248]
)
def test_late_complex_stock_tied_and_extended_prints_carry_no_direction(condition: int) -> None:
    assert net_premium(trade(1, CALL, 2.1, 500, conditions=(condition,), **QUOTE)) == 0.0  # type: ignore[arg-type]


def test_a_print_that_a_refill_brought_counts_as_volume_and_carries_no_direction() -> None:
    refilled = 200 + CONDITION_REFILLED.bit_length() - 1
    prints = [trade(at_s, CALL, 2.1, 500, conditions=(219, refilled), **QUOTE) for at_s in (1.0, 1.1, 1.2)]  # type: ignore[arg-type]
    assert net_premium(*prints) == 0.0
    assert not flow_after(*prints, trade(5, CALL, 2.1, 1)).triggers, "what became known late is no sweep of now"


def test_an_auction_is_less_sure() -> None:
    assert net_premium(trade(1, CALL, 2.1, 10, conditions=(227,), **QUOTE)) == pytest.approx(0.6 * 0.66 * 2100)  # type: ignore[arg-type]


@pytest.mark.parametrize("condition", [201, 203, 205, 207])
def test_a_cancel_takes_its_print_back(condition: int) -> None:
    bought = trade(1, CALL, 2.1, 10, exchange=305, **QUOTE)  # type: ignore[arg-type]
    flow = flow_after(bought, trade(2, CALL, 2.1, 10, exchange=305, conditions=(condition,)))
    view = flow.view("ABC")
    assert view is not None
    assert (view.prints_day, view.premium_day_usd, view.net_premium_day_usd) == (0, 0.0, 0.0)
    assert flow.counts["cancels_unmatched"] == 0


def test_a_cancel_that_matches_nothing_is_counted_and_changes_nothing() -> None:
    flow = flow_after(trade(1, CALL, 2.1, 10, **QUOTE), trade(2, CALL, 2.1, 11, conditions=(201,)))  # type: ignore[arg-type]
    assert flow.counts["cancels_unmatched"] == 1
    view = flow.view("ABC")
    assert view is not None
    assert view.premium_day_usd == 2100


def test_a_sweep_is_told_half_a_second_after_its_last_print() -> None:
    (cluster,) = clusters(*sweep(10, CALL))
    assert (cluster.kind, cluster.side, cluster.prints, cluster.venues, cluster.contracts) == ("SWEEP", 1, 5, 5, 1000)
    assert cluster.premium_usd == pytest.approx(210_000)
    assert cluster.p_side == pytest.approx(0.83)
    assert cluster.leaning == 1


def test_prints_more_than_a_tenth_of_a_second_apart_are_two_orders() -> None:
    assert len(clusters(*sweep(10, CALL, gap_s=0.11))) == 5


def test_a_cluster_spans_half_a_second_at_most() -> None:
    told = clusters(*sweep(10, CALL, gap_s=0.09, prints=12))
    assert [cluster.prints for cluster in told] == [6, 6]


def test_both_sides_at_once_are_two_clusters() -> None:
    told = clusters(*sweep(10, CALL), *sweep(10.01, CALL, price=2.0))
    assert sorted(cluster.side for cluster in told) == [-1, 1]


def test_without_the_flag_three_prints_on_two_venues_make_a_sweep_and_on_one_a_split() -> None:
    (swept,) = clusters(*sweep(10, CALL, prints=3, conditions=(209,), venues=2))
    (split,) = clusters(*sweep(10, CALL, prints=3, conditions=(209,), venues=1))
    assert (swept.kind, split.kind) == ("SWEEP", "SPLIT")


def test_one_big_print_is_a_block_and_a_cross_a_negotiated_one() -> None:
    (block,) = clusters(trade(10, CALL, 2.1, 500, **QUOTE))  # type: ignore[arg-type]
    (cross,) = clusters(trade(10, CALL, 2.05, 300, conditions=(229,), **QUOTE))  # type: ignore[arg-type]
    assert (block.kind, block.negotiated, block.side) == ("BLOCK", False, 1)
    assert (cross.kind, cross.negotiated, cross.side) == ("BLOCK", True, 0)


def test_no_print_joins_a_cross_that_took_its_old_clusters_place() -> None:
    flow = flow_after(
        trade(1, CALL, 2.1, 1, **QUOTE),  # type: ignore[arg-type]
        trade(2, PUT, 2.1, 1, **QUOTE),  # type: ignore[arg-type]
        trade(10, CALL, 2.1, 300, conditions=(229,), **QUOTE),  # type: ignore[arg-type]
        trade(10.05, CALL, 2.1, 500, **QUOTE),  # type: ignore[arg-type]
        clusters_max=2,
    )
    told = [(trigger.facts.negotiated, trigger.facts.contracts) for trigger in flow.triggers if "block" in trigger.kind]
    assert told == [(True, 300), (False, 500)]


def test_less_than_the_smallest_tier_is_not_told() -> None:
    assert clusters(*sweep(10, CALL, size=20)) == []


def test_a_cancelled_print_leaves_its_open_cluster() -> None:
    (cluster,) = clusters(*sweep(10, CALL), trade(10.2, CALL, 2.1, 200, exchange=303, conditions=(201,)))
    assert (cluster.prints, cluster.contracts) == (4, 800)


def test_legs_without_a_flag_are_seen_by_venue_time_and_size() -> None:
    legs = [trade(10, CALL, 2.1, 200, exchange=305, **QUOTE), trade(10.003, PUT, 2.0, 200, exchange=305, **QUOTE)]  # type: ignore[arg-type]
    flow = flow_after(*legs)
    view = flow.view("ABC")
    assert view is not None
    assert flow.counts["inferred_multi_leg"] == 1
    assert view.net_premium_day_usd == pytest.approx(0.0)
    assert all(
        trigger.facts.multi_leg
        for trigger in flow.triggers
        if trigger.kind in ("flow.sweep", "flow.block", "flow.split")
    )


def test_a_contracts_minute_is_told_once_at_its_end() -> None:
    flow = flow_after(
        chain_row(0, CALL, open_interest=200), *[trade(10 + n, CALL, 2.1, 60, **QUOTE) for n in range(10)]
    )  # type: ignore[arg-type]
    (minute,) = [trigger for trigger in flow.triggers if trigger.kind == "flow.contract_minute"]
    assert isinstance(minute, Trigger)
    assert (minute.facts.volume, minute.facts.open_interest) == (600, 200)
    assert minute.facts.opening_share_min == pytest.approx(2 / 3)
    assert minute.facts.imbalance == pytest.approx(1.0)
    assert len(minute.inputs) == 8


def test_a_delta_nobody_sent_is_solved_from_the_price() -> None:
    spot = chain_row(0, PUT, spot_usd=100.0)
    (cluster,) = clusters(spot, *sweep(10, CALL))
    assert 0.4 < cluster.delta < 0.6
    assert cluster.delta_usd == pytest.approx(0.66 * cluster.delta * 1000 * 100 * 100, rel=1e-6)


def test_what_does_not_fit_is_counted() -> None:
    flow = flow_after(*[trade(1 + n, option("ABC", 20, 100 + n, "C"), 2.0, 1) for n in range(9)], contracts_max=4)
    assert flow.counts["contracts"] == 4
    assert flow.counts["overflow"] == 5


def test_flipping_every_side_negates_the_bias() -> None:
    def bias(price: float) -> float:
        spot = chain_row(0, CALL, bid_usd=2.0, ask_usd=2.1, delta=0.5, spot_usd=100.0)
        view = flow_after(spot, *[trade(60 * n + 5, CALL, price, 50, **QUOTE) for n in range(15)]).view("ABC")  # type: ignore[arg-type]
        assert view is not None
        return view.bias

    assert bias(2.1) > 0.25
    assert bias(2.1) == -bias(2.0)


@pytest.mark.parametrize(
    ("listened", "raised"),
    [
        (None, {"flow.sweep"}),
        ({"flow.sweep": ClusterFilter(100_000.0)}, {"flow.sweep"}),
        ({"flow.sweep": ClusterFilter(209_999.9, sided=True, single_leg=True)}, {"flow.sweep"}),
        ({"flow.sweep": ClusterFilter(210_001.0)}, set()),
        ({"flow.sweep": ClusterFilter(dte_max=-1)}, set()),
        ({"flow.contract_minute": MinuteFilter()}, {"flow.contract_minute"}),
        ({"flow.contract_minute": MinuteFilter(dte_min=10_000)}, set()),
        ({}, set()),
    ],
)
def test_nobody_is_woken_for_less_than_anybody_acts_on(
    listened: Mapping[str, TriggerFilter] | None, raised: set[str]
) -> None:
    chain = chain_row(0, CALL, bid_usd=2.0, ask_usd=2.1, delta=0.5, open_interest=10, spot_usd=100.0)
    flow = flow_after(chain, *sweep(1, CALL), listened=listened)
    kinds = {trigger.kind for trigger in flow.triggers}
    assert kinds - {"flow.contract_minute"} == raised - {"flow.contract_minute"}
    assert listened is None or ("flow.contract_minute" in kinds) == ("flow.contract_minute" in raised)
    view = flow.view("ABC")
    assert view is not None
    assert view.sweep_share_15m > 0.0, "what is not told is counted all the same"
