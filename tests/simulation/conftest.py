"""Figures measured by these tests are printed at the end of a run, whether it passed or not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

FIGURES: pytest.StashKey[list[tuple[str, str]]] = pytest.StashKey()


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Note a line for the summary, under the test's name."""
    lines = request.config.stash.setdefault(FIGURES, [])
    name = request.node.name

    def note(line: str) -> None:
        lines.append((name, line))

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what was noted."""
    lines = config.stash.get(FIGURES, [])
    if lines:
        terminalreporter.section("measured")
    told = ""
    for name, line in lines:
        if name != told:
            terminalreporter.line(name)
            told = name
        terminalreporter.line(f"    {line}")
