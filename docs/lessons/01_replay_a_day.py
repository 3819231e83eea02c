"""Lesson 1: a recorded day, replayed, makes the same signals and alerts, byte for byte."""

from __future__ import annotations

from _running import data_dir, strikewire


def main() -> None:
    """Replay a day and verify it."""
    day = data_dir()
    replayed = strikewire("replay", "--data-dir", day)[-1]
    print(f"{replayed['trades']:,} prints led to {replayed['signals']} signals and {replayed['alerts']} alerts")
    verdict = strikewire("verify", "--data-dir", day)[-1]
    assert verdict["equal"], verdict["first_difference"]
    assert verdict["replay"]["digest"] == replayed["digest"]
    print(f"equal to what was recorded; digest {replayed['digest'][:16]}")


if __name__ == "__main__":
    main()
