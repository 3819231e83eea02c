"""Who gets which partitions."""

from __future__ import annotations

from typing import Any

from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata
from hypothesis import given
from hypothesis import strategies as st

from schemas.frames import Lane
from services.agents.assignor import LanesTogether, share_out

TOPICS = sorted(lane.topic for lane in Lane)


class Cluster:
    """A cluster whose lanes have the same partitions."""

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions

    def partitions_for_topic(self, _: str) -> set[int]:
        return set(range(self.partitions))


members = st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.lists(st.integers(0, 15)), min_size=1)


@given(st.integers(1, 16), members)
def test_every_partition_goes_to_one_member_and_shares_differ_by_one_at_most(
    partitions: int, had: dict[str, list[int]]
) -> None:
    shares = share_out(range(partitions), had)
    assert sorted(one for own in shares.values() for one in own) == list(range(partitions))
    assert max(map(len, shares.values())) - min(map(len, shares.values())) <= 1


@given(st.integers(1, 16), members)
def test_when_nobody_comes_or_goes_nothing_moves(partitions: int, had: dict[str, list[int]]) -> None:
    shares = share_out(range(partitions), had)
    assert share_out(range(partitions), shares) == shares


@given(st.integers(2, 16), st.integers(2, 6))
def test_when_a_member_dies_the_others_keep_what_they_have(partitions: int, count: int) -> None:
    before = share_out(range(partitions), {f"m{number}": [] for number in range(count)})
    survivors = {name: own for name, own in before.items() if name != "m0"}
    after = share_out(range(partitions), survivors)
    assert all(set(own) <= set(after[name]) for name, own in survivors.items())


def test_three_workers_on_four_partitions_get_whole_partitions() -> None:
    """Dealt out topic by topic in turn, partition 3 of two lanes would go to two workers."""
    given_members = {name: LanesTogether.metadata(TOPICS) for name in ("a", "b", "c")}
    assigned = LanesTogether.assign(Cluster(4), given_members)  # type: ignore[arg-type]
    for one in assigned.values():
        shares = {tuple(own) for _, own in one.assignment}
        assert len(shares) == 1, "lanes of one worker differ"
    assert sorted(p for one in assigned.values() for p in dict(one.assignment)[TOPICS[0]]) == [0, 1, 2, 3]


def test_a_member_remembers_what_it_was_given_and_tells_the_group(monkeypatch: Any) -> None:
    monkeypatch.setattr(LanesTogether, "owned", ())
    LanesTogether.on_assignment(ConsumerProtocolMemberAssignment(0, [(topic, [2, 5]) for topic in TOPICS], b""))
    newcomer = ConsumerProtocolMemberMetadata(0, TOPICS, b"[]")
    assigned = LanesTogether.assign(Cluster(8), {"old": LanesTogether.metadata(TOPICS), "new": newcomer})  # type: ignore[arg-type]
    assert {2, 5} <= set(dict(assigned["old"].assignment)[TOPICS[0]])


def test_user_data_that_is_not_ours_is_nobody_s_claim() -> None:
    strange = ConsumerProtocolMemberMetadata(0, TOPICS, b"\xff{")
    assigned = LanesTogether.assign(Cluster(2), {"a": strange})  # type: ignore[arg-type]
    assert dict(assigned["a"].assignment)[TOPICS[0]] == [0, 1]
