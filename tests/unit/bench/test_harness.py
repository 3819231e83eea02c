"""The harness: what a ratio means, and that rounds really alternate."""

from __future__ import annotations

import gc

import pytest

from bench.harness import entry, interleaved


def test_a_ratio_is_how_many_times_better_for_rates() -> None:
    made = entry("rate", [300.0, 100.0, 200.0], "rows/s", "a loop", 50.0, target=150.0)
    assert (made["value"], made["ratio"], made["met"], made["runs"]) == (200.0, 4.0, True, 3)


def test_a_ratio_is_how_many_times_better_for_times() -> None:
    made = entry("took", [2.0], "s", "imports", 1.0, target=1.5, lower_is_better=True)
    assert (made["ratio"], made["met"]) == (0.5, False)


def test_without_a_target_nothing_is_missed() -> None:
    assert entry("rate", [1.0], "rows/s", "a loop", 2.0)["met"]


def test_an_entry_has_the_keys_that_are_promised() -> None:
    assert set(entry("rate", [1.0], "rows/s", "a loop", 2.0)) == {
        *("name", "value", "unit", "runs", "target", "met", "against", "against_value", "ratio")
    }


def test_works_alternate_and_turn_around() -> None:
    ran: list[str] = []
    seconds = interleaved({"ours": lambda: ran.append("ours"), "peer": lambda: ran.append("peer")}, rounds=2, warm=1)
    assert ran == ["peer", "ours", "ours", "peer", "peer", "ours"]
    assert {name: len(values) for name, values in seconds.items()} == {"ours": 2, "peer": 2}


def test_garbage_is_not_collected_while_a_work_is_timed_and_is_afterwards() -> None:
    during: list[bool] = []
    interleaved({"work": lambda: during.append(gc.isenabled())}, rounds=1)
    assert not any(during)
    assert gc.isenabled()


def test_a_work_that_fails_leaves_the_collector_on() -> None:
    def fails() -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        interleaved({"work": fails}, rounds=1)
    assert gc.isenabled()
