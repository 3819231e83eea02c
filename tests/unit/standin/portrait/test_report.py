"""The portrait is a page that stands alone, and says where recorded figures come from."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from services.standin.errors import StandInError
from services.standin.portrait.published import PUBLISHED
from services.standin.portrait.report import write_report
from services.standin.portrait.seen import Seen

X = np.arange(3.0)
MADE = Seen(
    name="made up: plain, seed 7", half_hours=(X, X), sizes=np.array([0.5, 0.3, 0.1, 0.05, 0.03, 0.01, 0.01]),
    mean_size=9.0, smile=(X, np.array([0.9, 1.0, np.nan])), vix_median=17.0, prints=1234, minute_acf=(X, X),
    daily_acf=(X, X), vix_change=(X, -X), leverage=(-0.7, -4.0),
)  # fmt: skip


def test_the_page_needs_nothing_but_itself(tmp_path: Path) -> None:
    page = write_report(tmp_path / "new" / "report", MADE, None).read_text()
    assert page.count("<svg") >= 5
    assert not re.search(r'(?:src|href)="', page)
    assert "1,234 prints" in page
    assert not re.search(r"\bnan\b|\bNone\b", page)


def test_recorded_figures_stand_beside_with_their_origin(tmp_path: Path) -> None:
    recorded = Seen(name="recorded", origin={"vix_median": "VIX, 2010 to <2026>"}, vix_median=16.8)
    page = write_report(tmp_path, MADE, recorded).read_text()
    assert "Recorded: VIX, 2010 to &lt;2026&gt;." in page
    assert re.search(r"median VIX</td>.*17\.0.*16\.8", page)


def test_every_section_has_a_published_figure_with_a_source(tmp_path: Path) -> None:
    page = write_report(tmp_path, MADE, None).read_text()
    assert page.count("Published:") == page.count("<h2>") >= 9
    assert all(figure.source for figure in PUBLISHED.values())


def test_facts_are_left_as_json(tmp_path: Path) -> None:
    write_report(tmp_path, MADE, None)
    (made,) = json.loads((tmp_path / "facts.json").read_text())
    assert made["vix_median"] == 17.0
    assert made["smile"][1] == [0.9, 1.0, None]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StandInError, match="file"):
        write_report(tmp_path / "file" / "report", MADE, None)
