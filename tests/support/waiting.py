"""Waiting for an answer that other processes bring about."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

__all__ = ["until"]

WAIT_S = 40.0


def until(question: Callable[[], Any], wanted: Any, seconds: float = WAIT_S) -> None:
    """Ask until the answer is the one that is wanted; fails with the last one."""
    deadline = time.monotonic() + seconds
    while (answer := question()) != wanted:
        assert time.monotonic() < deadline, f"{answer}, not {wanted}, after {seconds:.0f} s"
        time.sleep(0.1)
