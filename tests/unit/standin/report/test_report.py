"""The portrait is a page that stands alone, and says where recorded figures come from."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from standin.errors import StandInError
from standin.report.report import write_report
from standin.stylized_facts.facts import DELTAS
from standin.stylized_facts.market_stats import MarketStats
from standin.stylized_facts.published import PUBLISHED
from standin.stylized_facts.vix import VixRange, vix_facts

X = np.arange(3.0)
LEVELS = 17.0 + np.sin(np.arange(400.0))
VIX = vix_facts(LEVELS, {"VIX": LEVELS, "VIX3M": LEVELS + 1.0})
HALF_HOURS = np.arange(13) * 0.5 + 0.25
WIDE = (-1e3, 1e3)
RANGE = VixRange(750, WIDE, WIDE, WIDE, WIDE, WIDE, (np.full(66, -1.0), np.full(66, 1.0)))
SMILE = np.where(DELTAS > 0.9, np.nan, 0.8 + 0.4 * DELTAS)
MADE = MarketStats(
    name="made up: plain, seed 7", half_hours=(HALF_HOURS, 2.0 + np.abs(HALF_HOURS - 3.25)),
    sizes=np.array([0.4, 0.2, 0.2, 0.1, 0.05, 0.02, 0.01, 0.01, 0.005, 0.005]), mean_size=9.0,
    smile=(DELTAS, SMILE), vix=VIX, prints=1234, minute_acf=(X, X), daily_acf=(X, X), vix_change=(X, -X),
    leverage=(-0.7, -4.0),
)  # fmt: skip


def test_the_page_needs_nothing_but_itself(tmp_path: Path) -> None:
    page = write_report(tmp_path / "new" / "report", MADE, None).read_text()
    assert page.count("<svg") >= 5
    assert not re.search(r'(?:src|href)="', page)
    assert "1,234 prints" in page
    assert not re.search(r"\bnan\b|\bNone\b", page)


def test_recorded_figures_stand_beside_with_their_origin(tmp_path: Path) -> None:
    recorded = MarketStats(
        name="recorded", origin={"vix": "VIX, 2010 to <2026>"}, vix=VIX._replace(median=16.8),
        vix_range=RANGE._replace(median=(18.0, 24.0)),
    )  # fmt: skip
    page = write_report(tmp_path, MADE, recorded).read_text()
    assert "Recorded: VIX, 2010 to &lt;2026&gt;." in page
    assert re.search(r"median VIX</td>.*17\.0.*16\.8.*18\.0 to 24\.0", page)


def test_what_lies_outside_its_recorded_range_is_said_first_and_marked(tmp_path: Path) -> None:
    outside = MarketStats(name="recorded", vix=VIX, vix_range=RANGE._replace(median=(18.0, 24.0)))
    page = write_report(tmp_path, MADE, outside).read_text()
    assert "with a recorded range, outside it: median VIX." in page
    assert re.search(r'median VIX</td><td class="n off">17\.0', page)
    inside = write_report(tmp_path, MADE, MarketStats(name="recorded", vix=VIX, vix_range=RANGE)).read_text()
    assert "none lies outside it" in inside
    assert "n off" not in inside


def test_every_section_has_a_published_figure_with_a_source(tmp_path: Path) -> None:
    page = write_report(tmp_path, MADE, None).read_text()
    assert page.count("Published:") == page.count("<h2>") >= 9
    assert all(figure.source for figure in PUBLISHED.values())


def test_facts_are_left_as_json(tmp_path: Path) -> None:
    write_report(tmp_path, MADE, None)
    (made,) = json.loads((tmp_path / "facts.json").read_text())
    assert made["vix"]["median"] == pytest.approx(17.0, abs=0.01)
    assert len(made["vix"]["levels"]) == 400
    assert made["smile"][1][0] == pytest.approx(0.82)
    assert made["smile"][1][-1] is None


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StandInError, match="file"):
        write_report(tmp_path / "file" / "report", MADE, None)
