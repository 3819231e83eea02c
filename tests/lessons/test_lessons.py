"""Every lesson runs as it stands. They share one made-up session, which the first of them makes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

LESSONS = Path(__file__).resolve().parents[2] / "docs" / "lessons"
SCRIPTS = sorted(LESSONS.glob("[0-9]*.py"))


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lessons") / "var"


@pytest.mark.parametrize("script", SCRIPTS, ids=[script.stem for script in SCRIPTS])
def test_the_lesson_runs(script: Path, day: Path) -> None:
    done = subprocess.run([sys.executable, script, day], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    if script.stem == "03_write_a_context":
        assert "tempo.py: has changed since contexts.tempo was recorded with it" in done.stdout
        assert "tempo.py: is not there; contexts.tempo was recorded with it" in done.stdout


def test_every_lesson_has_its_page_and_stands_in_the_list() -> None:
    listed = (LESSONS / "README.md").read_text()
    assert [script.stem[:2] for script in SCRIPTS] == ["01", "02", "03", "04", "05"]
    for script in SCRIPTS:
        page = script.with_suffix(".md")
        assert f"]({script.name})" in page.read_text(), f"{page.name} does not lead to its script"
        assert f"]({page.name})" in listed, f"README.md does not list {page.name}"
