"""A first start compiles in two processes; any other starts at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numba
import pytest

from services.commands import _compiling
from services.commands._compiling import compile_beside
from services.runtime.config import RulesConfig
from standin.market.kernels import warming


class Other:
    """Stands for the other process."""

    def __init__(self, ends: bool) -> None:
        self.ends, self.killed, self.commands = ends, False, list[list[str]]()

    def __call__(self, command: list[str]) -> Other:
        self.commands.append(command)
        return self

    def __enter__(self) -> Other:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def wait(self, patience_s: float) -> int:
        if not self.ends:
            raise subprocess.TimeoutExpired("other", patience_s)
        return 0

    def kill(self) -> None:
        self.killed = True


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was compiled here."""
    compiled: list[str] = []
    monkeypatch.setattr(_compiling, "warm_up", lambda *_: compiled.append("pipeline"))
    monkeypatch.setattr(_compiling.plain_frames, "warm_up", lambda: compiled.append("gateway"))
    return compiled


def run(monkeypatch: pytest.MonkeyPatch, other: Any) -> None:
    monkeypatch.setattr(subprocess, "Popen", other)
    compile_beside(RulesConfig())


@pytest.mark.parametrize("ends", [True, False])
def test_an_empty_cache_is_filled_by_two_processes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, done: list[str], ends: bool
) -> None:
    """Also when the other one hangs: it is given up."""
    monkeypatch.setattr(numba.core.config, "CACHE_DIR", str(tmp_path))
    other = Other(ends)
    run(monkeypatch, other)
    assert other.commands == [[sys.executable, "-m", "standin.market.kernels.warming"]]
    assert done == ["pipeline", "gateway"]
    assert other.killed


def test_a_full_cache_is_left_alone(monkeypatch: pytest.MonkeyPatch, done: list[str]) -> None:
    for one in warming.kernels().values():
        one.compile()
    other = Other(ends=True)
    run(monkeypatch, other)
    assert not other.commands
    assert not done


def test_the_other_process_leaves_what_it_compiled_in_the_cache() -> None:
    command = [sys.executable, "-m", warming.__name__]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert all(one.is_cached() for one in warming.kernels().values())
