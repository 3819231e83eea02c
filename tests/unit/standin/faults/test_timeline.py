"""When faults strike, how connections are received, what plans leave out."""

from __future__ import annotations

from standin.faults.named import (
    AuthFailed,
    AuthTimeout,
    Cluster,
    Drop,
    FloatIntegers,
    Lag,
    NoPlan,
    Strike,
    Unentitled,
)
from standin.faults.protocol_options import ProtocolOptions
from standin.faults.timeline import Receptions, Timeline, found, under

S = 1_000_000_000


def due(timeline: Timeline, cluster: Cluster, second: int = 0) -> list[Strike]:
    return list(timeline.due(cluster, second * S))


def test_a_fault_strikes_when_its_market_time_has_come_and_as_often_as_asked() -> None:
    drop = Drop(after_s=5.0, times=2, every_s=10.0)
    timeline = Timeline([drop])
    struck = []
    for second in range(40):
        struck += [second for _ in due(timeline, "options", second)]
        timeline.passed(S)
    assert struck == [5, 15]
    assert [(each.clock_ns, each.fault, each.cluster) for each in timeline.struck] == [
        (5 * S, drop, "options"), (15 * S, drop, "options"),
    ]  # fmt: skip


def test_it_waits_for_a_connection_of_its_cluster() -> None:
    timeline = Timeline([Drop(after_s=1.0, cluster="stocks")])
    timeline.passed(60 * S)
    assert due(timeline, "options") == []
    assert len(due(timeline, "stocks")) == 1
    assert due(timeline, "stocks") == []


def test_one_that_waited_does_not_strike_twice_in_a_row() -> None:
    timeline = Timeline([Lag(times=5, every_s=10.0)])
    timeline.passed(100 * S)
    assert len(due(timeline, "options")) == 1
    assert due(timeline, "options") == []


def test_what_nobody_takes_waits_and_did_not_strike() -> None:
    drop, lag = Drop(), Lag()
    timeline = Timeline([drop, lag])
    assert next(timeline.due("options", 0)) == drop
    assert [each.fault for each in timeline.struck] == [drop]
    assert due(timeline, "options", 1) == [lag]


def test_faults_of_the_stream_alone_never_strike() -> None:
    timeline = Timeline([FloatIntegers()])
    timeline.passed(S)
    assert due(timeline, "options") == []


def test_connections_are_refused_or_not_heard_as_often_as_asked_and_then_received() -> None:
    receptions = Receptions([AuthFailed(times=2), AuthTimeout()])
    assert [receptions.next() for _ in range(5)] == ["refused", "refused", "deaf", "good", "good"]


def test_the_last_of_two_faults_of_a_kind_counts() -> None:
    assert found([AuthFailed(times=1), AuthFailed(times=3)], AuthFailed) == AuthFailed(times=3)
    assert found([], AuthFailed) is None


def test_plans_take_channels_and_the_websocket_away() -> None:
    assert under([Unentitled(channels=("Q", "AM"))], ProtocolOptions()).entitled == frozenset({"T", "A", "V"})
    assert under([NoPlan()], ProtocolOptions()).plan_includes_websocket is False
    assert under([], ProtocolOptions()) == ProtocolOptions()
