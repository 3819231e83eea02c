"""`python -m bench [--only NAME]`: run the benchmarks, print a table, write bench/results.json.

Each file runs in a process of its own, so that none inherits another's heap, threads or open warehouse. With `--only`
the other entries of an earlier run on this machine are kept. Status 1 when a benchmark could not be run; a missed
target is told in the table and is no failure, for a shared machine misses targets that a quiet one meets.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "results.json"
# The slowest file takes some four minutes on two slow cores; one that takes a quarter of an hour hangs.
LIMIT_S = 900
WIDTH = 160  # columns of the table in a log, where no terminal says how wide it is
KEYS = {"name", "value", "unit", "runs", "target", "met", "against", "against_value", "ratio"}


def main() -> int:
    """Run what is asked for; the exit status."""
    options = _options()
    if options.into is not None:
        return _run_here(options.module, options.into)
    modules = [path.stem for path in sorted(FOLDER.glob("*_bench.py"))]
    results: list[dict[str, Any]] = []
    failed = False
    for module in modules:
        if options.only is not None and not _may_measure(module, options.only):
            continue
        print(f"{module} ...", file=sys.stderr, flush=True)
        found = _run_apart(module)
        failed = failed or found is None
        results += [each for each in found or [] if options.only in (None, each["name"], module)]
    if not results:
        print(f"nothing measured{f': no benchmark is called {options.only}' if options.only else ''}", file=sys.stderr)
        return 1
    Console(width=None if sys.stdout.isatty() else WIDTH).print(_table(results))
    _write(results, keep=options.only is not None)
    return 1 if failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--only", metavar="NAME", help="one entry, or one file without its .py")
    parser.add_argument("--module", help=argparse.SUPPRESS)
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def _may_measure(module: str, only: str) -> bool:
    if only == module:
        return True
    source = (FOLDER / f"{module}.py").read_text()  # not imported: a file's libraries are heavy
    return f'"{only}"' in source


def _run_apart(module: str) -> list[dict[str, Any]] | None:
    """The entries of one file; None, told on stderr, when it failed."""
    with tempfile.TemporaryDirectory(prefix="strikewire-bench-") as scratch:
        into = Path(scratch) / "entries.json"
        command = [sys.executable, "-m", "bench", "--module", module, "--into", str(into)]
        try:
            done = subprocess.run(command, cwd=FOLDER.parent, timeout=LIMIT_S, check=False)
        except subprocess.TimeoutExpired:
            print(f"{module}: stopped after {LIMIT_S} s", file=sys.stderr)
            return None
        if done.returncode != 0:
            print(f"{module}: failed with status {done.returncode}", file=sys.stderr)
            return None
        found: list[dict[str, Any]] = json.loads(into.read_text())
        return found


def _run_here(module: str, into: Path) -> int:
    found = importlib.import_module(f"bench.{module}").run()
    for each in found:
        missing = KEYS - set(each)
        assert not missing, f"{module}: the entry {each.get('name')} lacks {', '.join(sorted(missing))}"
    into.write_text(json.dumps(found, default=float))
    return 0


def _table(results: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("name", no_wrap=True)
    for heading in ("value", "target", "ratio", "peer"):
        table.add_column(heading, justify="right")
    table.add_column("against")
    for each in results:
        missed = "" if each["met"] else " [red]missed[/red]"
        table.add_row(
            each["name"],
            f"{_short(each['value'])} {each['unit']}",
            f"{_short(each['target'])}{missed}",
            f"{each['ratio']:.3g} x" if each["ratio"] is not None else "",
            _short(each["against_value"]),
            each["against"] or "",
        )
    return table


def _short(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _write(results: list[dict[str, Any]], *, keep: bool) -> None:
    host, commit = _host(), _commit()
    measured = [{**each, "commit": commit} for each in results]
    if keep and RESULTS.exists():
        before = json.loads(RESULTS.read_text())
        if before["machine"] == host:
            names = {each["name"] for each in measured}
            measured = [each for each in before["results"] if each["name"] not in names] + measured
    RESULTS.write_text(json.dumps({"machine": host, "commit": commit, "results": measured}, indent=2) + "\n")
    print(f"written to {RESULTS.relative_to(FOLDER.parent)}", file=sys.stderr)


def _host() -> dict[str, Any]:
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def _processor() -> str:
    """The processor's name as its maker gives it; Python's own answer is empty on Linux."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())


def _commit() -> str:
    """The commit measured, with a plus when files differ from it."""
    described = subprocess.run(
        ["git", "describe", "--always", "--abbrev=12", "--dirty=+"],
        cwd=FOLDER.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return described.stdout.strip() or "unknown"


if __name__ == "__main__":
    sys.exit(main())
