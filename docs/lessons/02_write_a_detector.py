"""Lesson 2: a detector of one's own runs on a recorded day, without an edit to the program."""

from __future__ import annotations

from _running import data_dir, own_rules, strikewire


def main() -> None:
    """Replay a day with `my_rules/big_print.py` beside the program's own detectors."""
    day = data_dir()
    known = {each["detector"]: each for each in strikewire("detectors", *own_rules())[-1]["detectors"]}
    print(known["big_print"]["about"])
    before = strikewire("replay", "--data-dir", day)[-1]
    after = strikewire("replay", "--data-dir", day, *own_rules())[-1]
    assert after["signals"] > before["signals"]
    print(f"{after['signals'] - before['signals']} signals of it; the program's own stay {before['signals']}")
    off = strikewire("replay", "--data-dir", day, *own_rules(), "--set", "detectors.big_print.enabled=false")[-1]
    assert off["digest"] == before["digest"], "a detector that is switched off changes nothing"
    dear = strikewire("replay", "--data-dir", day, *own_rules(), "--set", "detectors.big_print.premium_usd=1e6")[-1]
    assert before["signals"] <= dear["signals"] < after["signals"]
    print(f"{dear['signals'] - before['signals']} of them from a million dollars on")


if __name__ == "__main__":
    main()
