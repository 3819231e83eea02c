"""Runs the program as a user would: its own process, its own data directory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[3]
LIMIT_S = 120


class Finished(NamedTuple):
    """A command that has ended; `documents` are the lines of JSON it printed."""

    status: int
    documents: list[dict[str, Any]]
    stderr: str

    @property
    def alerts(self) -> list[dict[str, Any]]:
        """The alerts a demo printed."""
        return [document for document in self.documents if "summary" not in document]

    @property
    def summary(self) -> dict[str, Any]:
        """A demo's last line."""
        (summary,) = [document["summary"] for document in self.documents if "summary" in document]
        return dict(summary)


def command(*arguments: object) -> list[str]:
    """The command line of the program under test."""
    return [sys.executable, "-m", "services.cli", *map(str, arguments)]


def run(*arguments: object, env: dict[str, str] | None = None) -> Finished:
    """Run a command to its end with --json."""
    done = subprocess.run(
        [*command(*arguments), "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env={**os.environ, **(env or {})},
        check=False,
    )
    documents = [json.loads(line) for line in done.stdout.splitlines() if line.strip()]
    return Finished(done.returncode, documents, done.stderr)


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Finished]:
    """A data directory with some minutes of market in it, and the demo that made it."""
    data_dir = tmp_path_factory.mktemp("recorded") / "var"
    done = run("demo", "--data-dir", data_dir, "--duration", "8s", "--seed", "7", "--speed", "60")
    assert done.status == 0, done.stderr
    return data_dir, done
