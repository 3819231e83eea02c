"""Where log lines go."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest

from services.runtime.logs import set_up


class Terminal(io.StringIO):
    """What a person would see."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def handlers_as_before() -> Iterator[None]:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield
    root.handlers[:], root.level = before, level


def test_a_line_is_a_json_object_where_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = io.StringIO()
    monkeypatch.setattr(sys, "stderr", pipe)
    set_up("info")
    logging.getLogger("services.somewhere").info("seen %s", "twice")
    line = json.loads(pipe.getvalue())
    assert (line["level"], line["logger"], line["message"]) == ("info", "services.somewhere", "seen twice")


def test_libraries_speak_from_warning_up(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = io.StringIO()
    monkeypatch.setattr(sys, "stderr", pipe)
    set_up("debug")
    logging.getLogger("aiokafka").info("joined")
    logging.getLogger("aiokafka").warning("left")
    assert [json.loads(line)["message"] for line in pipe.getvalue().splitlines()] == ["left"]


def test_a_live_table_that_took_stderrs_place_gets_the_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, table = Terminal(), Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    set_up("info")
    monkeypatch.setattr(sys, "stderr", table)
    logging.getLogger("services.embedded").info("first frame")
    assert "first frame" in table.getvalue()
    assert terminal.getvalue() == ""
