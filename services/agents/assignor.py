"""Who gets which partitions: the three lanes of a partition together, and as much as possible where it was.

Kafka's own assignors do one of the two. Dealt out in turn, the lanes of one partition go to different workers as soon
as workers and partitions have no common divisor, and then no worker ever sees a whole sequence. And what moves must be
replayed from the day's opening, so it should move rarely.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import ClassVar

from aiokafka.cluster import ClusterMetadata
from aiokafka.coordinator.assignors.abstract import AbstractPartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata

__all__ = ["LanesTogether", "share_out"]


def share_out(partitions: Iterable[int], had: Mapping[str, Iterable[int]]) -> dict[str, list[int]]:
    """Partitions to members, evenly (no two members differ by more than one), moving as few as possible.

    `had` names every member, with what it held before; members that ask for the same partition are heard in the order
    of their names.

    >>> share_out(range(4), {"a": [0, 1, 2, 3], "b": []})
    {'a': [0, 1], 'b': [2, 3]}
    >>> share_out(range(4), {"a": [0, 1], "b": [2, 3], "c": []})
    {'a': [0, 1], 'b': [2], 'c': [3]}
    >>> share_out(range(2), {"a": [], "b": [1], "c": []})
    {'a': [0], 'b': [1], 'c': []}
    """
    free = set(partitions)
    members = sorted(had)
    least, over = divmod(len(free), len(members))
    given: dict[str, list[int]] = {member: [] for member in members}
    # Those who held most keep the larger shares: fewest moves.
    wishes = {member: sorted(free.intersection(had[member])) for member in members}
    for member in sorted(members, key=lambda one: (-len(wishes[one]), one)):
        kept = [partition for partition in wishes[member] if partition in free]
        most = least
        if over and len(kept) > least:
            most, over = least + 1, over - 1
        given[member] = kept[:most]
        free.difference_update(given[member])
    rest = sorted(free)
    for member in members:
        while rest and len(given[member]) < least:
            given[member].append(rest.pop(0))
    for member in members:
        if rest and len(given[member]) == least:
            given[member].append(rest.pop(0))
    return {member: sorted(own) for member, own in given.items()}


class LanesTogether(AbstractPartitionAssignor):  # type: ignore[misc]
    """The assignor as aiokafka wants it: a class with class methods. What a member held travels as user data.

    It is used as it is: one consumer group a process, so the class itself may remember.
    """

    name = "strikewire-lanes-together"
    version = 0
    owned: ClassVar[tuple[int, ...]] = ()

    @classmethod
    def metadata(cls, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        """What this member tells the group when it joins."""
        return ConsumerProtocolMemberMetadata(cls.version, sorted(topics), json.dumps(cls.owned).encode())

    @classmethod
    def assign(
        cls, cluster: ClusterMetadata, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        """Run by the group's leader."""
        topics = sorted({topic for member in members.values() for topic in member.subscription})
        counts = {topic: cluster.partitions_for_topic(topic) or set() for topic in topics}
        everywhere = set.intersection(*counts.values()) if counts else set()
        shares = share_out(everywhere, {name: _owned(member.user_data) for name, member in members.items()})
        return {
            name: ConsumerProtocolMemberAssignment(cls.version, [(topic, own) for topic in topics if own], b"")
            for name, own in shares.items()
        }

    @classmethod
    def on_assignment(cls, assignment: ConsumerProtocolMemberAssignment) -> None:
        """What this member was given."""
        cls.owned = tuple(sorted({partition for _, own in assignment.assignment for partition in own}))


def _owned(user_data: bytes | None) -> list[int]:
    try:
        owned = json.loads(user_data or b"[]")
    except ValueError:
        return []
    return [one for one in owned if isinstance(one, int)] if isinstance(owned, list) else []
