"""Lesson 3: a context of one's own, recorded with the day; verify knows its file by version and digest."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from _running import MY_RULES, made, own_rules, strikewire


def main() -> None:
    """Record a session under one's own rules, verify it, change a file and see verify say so."""
    with tempfile.TemporaryDirectory() as directory:
        rules, day = Path(directory, "my_rules"), Path(directory, "var")
        shutil.copytree(MY_RULES, rules, ignore=shutil.ignore_patterns("__pycache__"))
        summary = made(day, *own_rules(rules))
        assert strikewire("verify", "--data-dir", day)[-1]["equal"]
        print(f"{summary['signals']} signals under rules of our own, equal in replay")

        tempo = rules / "tempo.py"
        text = tempo.read_text()
        tempo.write_text(text.replace("] = 20", "] = 2"))
        strikewire("verify", "--data-dir", day, status=2)
        tempo.write_text(text)
        assert strikewire("verify", "--data-dir", day)[-1]["equal"]
        tempo.unlink()
        strikewire("verify", "--data-dir", day, status=2)


if __name__ == "__main__":
    main()
