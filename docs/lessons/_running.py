"""What the lessons share: the command line, and a short made-up morning to work on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

# Beside the interpreter that runs the lesson, wherever it was set up.
COMMAND = Path(sys.executable).with_name("strikewire")
MY_RULES = Path(__file__).with_name("my_rules")
# A thin half day: a few ten thousand prints, made in seconds.
MARKET = ("--days", "1", "--intensity", "0.002", "--chains-every", "390", "--seed", "5", "--scenario", "half_day")


def strikewire(*arguments: object, status: int = 0) -> list[dict[str, Any]]:
    """The JSON lines a command printed. It must end with `status`; its sentence on stderr is shown."""
    done = subprocess.run([COMMAND, *map(str, arguments), "--json"], capture_output=True, text=True, check=False)
    if done.stderr.startswith("strikewire: "):
        print(done.stderr.strip())
    if done.returncode != status:
        raise SystemExit(f"strikewire {arguments[0]} ended with {done.returncode}, not {status}\n{done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def own_rules(folder: Path = MY_RULES) -> tuple[str, str]:
    """The option that adds the rules of a folder."""
    return "--set", f'rules.folders=["{folder}"]'


def made(data_dir: Path, *options: str) -> dict[str, Any]:
    """Record one more made-up session; what it came to."""
    return strikewire("standin", "--make-history", data_dir, *MARKET, *options)[-1]


def data_dir() -> Path:
    """The directory named on the command line, or `var/lessons`; filled with a session when it is new."""
    chosen = Path(sys.argv[1] if len(sys.argv) > 1 else "var/lessons")
    if not chosen.exists():
        made(chosen)
    return chosen
