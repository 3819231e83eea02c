"""The stand-in's options of faults and switches, as a user meets them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from services.cli import main
from services.commands._faults import faults_markdown
from standin.faults.named import FAULTS
from standin.files.tape import Tape
from tests.unit.standin.conftest import DAY, write_tape

DOCUMENT = Path(__file__).parents[3] / "docs" / "standin.md"


def test_the_documentation_has_the_tables_as_they_are() -> None:
    assert faults_markdown() in DOCUMENT.read_text(), "python -m services.commands._faults prints them"


def test_every_fault_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["standin", "--list-faults", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [fault["name"] for fault in listed["faults"]] == list(FAULTS)
    assert {"name": "victim", "takes": "older|newer|random", "default": "older"}.items() <= next(
        switch for switch in listed["switches"] if switch["name"] == "victim"
    ).items()


@pytest.mark.parametrize(
    ("option", "text", "sentence"),
    [
        ("--fault", "dorp", "--fault: there is no fault 'dorp'; there is absent_indices,"),
        ("--fault", "drop:when=3s", "--fault: the fault drop has no key 'when'; it has after, times, every, cluster"),
        ("--switch", "victim=me", "--switch: victim of the stand-in is older|newer|random, not 'me'"),
        ("--fault-seed", "-1", "--fault-seed -1: a seed is not negative"),
    ],
)
def test_wrong_use_is_status_2_and_one_sentence(
    option: str, text: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["standin", f"{option}={text}"]) == 2
    counted = capsys.readouterr().err.strip()
    assert sentence in counted
    assert "\n" not in counted


def test_help_names_the_switches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["standin", "--help"])
    counted = " ".join(capsys.readouterr().out.split())
    for name in ("UNCONFIRMED", "early_subscribe", "auth_timeout", "victim", "--list-faults"):
        assert name in counted


def test_drawn_faults_are_told_at_the_start(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["standin", "--json", "--fault-seed=3", "--delayed", "--duration=100ms", "--seed=7"]) == 0
    ready = json.loads(capsys.readouterr().out.splitlines()[0])
    assert len(ready["faults"]) >= 3
    assert ready["delayed_ws"].startswith("ws://127.0.0.1:")


def test_a_market_that_an_error_ends_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object) -> None:
        raise ValueError("no such second")

    monkeypatch.setattr(Tape, "advance", breaks)
    tape = ("--tape", str(write_tape(tmp_path)), "--date", DAY.isoformat(), "--underlying", "XYZ")
    assert main(["standin", *tape, "--speed", "60"]) == 2
    assert "an error ended the market: ValueError: no such second" in " ".join(capsys.readouterr().err.split())
