"""Who holds a slot, and who loses it (spec/vendor.md 2.7)."""

from __future__ import annotations

import pytest

from standin.faults.protocol_options import ProtocolOptions
from standin.protocol.slots import Slots


def slots(sticky_s: float = 0.0, **options: object) -> Slots[str]:
    return Slots(ProtocolOptions(**options), sticky_s)  # type: ignore[arg-type]


def test_the_older_goes_and_other_keys_and_clusters_stay() -> None:
    ours = slots()
    assert ours.admit("a", "key", "options", 0) == []
    assert ours.admit("b", "other", "options", 0) == []
    assert ours.admit("c", "key", "stocks", 0) == []
    assert ours.admit("d", "key", "options", 0) == ["a"]


def test_as_many_as_the_account_may_have() -> None:
    ours = slots(connections_max=2)
    assert [ours.admit(name, "key", "options", 0) for name in "abcd"] == [[], [], ["a"], ["b"]]


def test_the_newer_can_be_the_one_that_goes() -> None:
    ours = slots(victim="newer")
    assert [ours.admit(name, "key", "options", 0) for name in "ab"] == [[], ["b"]]


def test_who_left_frees_a_slot() -> None:
    ours = slots()
    ours.admit("a", "key", "options", 0)
    ours.left("a", "key", "options", 0, clean=True)
    assert ours.admit("b", "key", "options", 0) == []


@pytest.mark.parametrize(("clean", "refused"), [(True, []), (False, ["b"])])
def test_a_dead_session_keeps_its_slot_unless_it_said_goodbye(clean: bool, refused: list[str]) -> None:
    ours = slots(sticky_s=20.0)
    ours.admit("a", "key", "options", 0)
    ours.left("a", "key", "options", 1.0, clean=clean)
    assert ours.admit("b", "key", "options", 20.9) == refused
    ours.left("b", "key", "options", 20.9, clean=True)
    assert ours.admit("c", "key", "options", 21.1) == []


def test_an_evicted_connection_leaves_no_ghost() -> None:
    ours = slots(sticky_s=20.0)
    ours.admit("a", "key", "options", 0)
    assert ours.admit("b", "key", "options", 1) == ["a"]
    ours.left("a", "key", "options", 1, clean=False)
    ours.left("b", "key", "options", 2, clean=True)
    assert ours.admit("c", "key", "options", 3) == []


def test_who_never_had_a_slot_leaves_nothing() -> None:
    ours = slots(sticky_s=20.0)
    ours.left("a", None, "options", 0, clean=False)
    assert ours.admit("b", "key", "options", 1) == []
