"""Recorded data is measured with the same yardstick; what is not there is left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from standin.errors import StandInError
from standin.report.recorded import recorded_of
from standin.stylized_facts.facts import DELTAS


def test_the_real_folder_says_what_it_can(realdata: Path) -> None:
    seen = recorded_of(realdata)
    assert set(seen.origin) == {"spreads", "half_hours", "minute_acf", "sizes", "vix", "leverage"}
    assert seen.smile is not None
    ratio = dict(zip(DELTAS.tolist(), seen.smile[1].tolist(), strict=True))
    assert ratio[0.25] < 1.0 < ratio[0.75]
    assert seen.half_hours is not None
    assert seen.half_hours[1].sum() == pytest.approx(1.0)
    assert seen.half_hours[1][0] > 1.3 * np.median(seen.half_hours[1])
    assert seen.vix is not None
    assert seen.vix_range is not None
    assert seen.vix.median == pytest.approx(16.8, abs=1.0)
    assert seen.vix.over_vix3m == pytest.approx(0.88, abs=0.02)
    assert list(seen.vix.moves) == ["VIX9D", "VIX", "VIX3M", "VIX6M"]
    assert np.all(np.diff(list(seen.vix.moves.values())) < 0)
    assert seen.vix_range.move[0] < seen.vix.move < seen.vix_range.move[1]
    assert seen.leverage is not None
    assert seen.leverage[0] < -0.6
    low, high = seen.bands["smile"]
    assert np.all((low <= seen.smile[1]) & (seen.smile[1] <= high) | np.isnan(seen.smile[1]))
    assert seen.conditions is not None
    assert seen.conditions["multi-leg"] == pytest.approx(0.79, abs=0.01)


def test_a_folder_with_only_vix_gives_only_vix(tmp_path: Path) -> None:
    (tmp_path / "vix_history").mkdir()
    days = "".join(f"2020-01-{day:02d},1,1,1,{15 + day % 3}\n" for day in range(1, 29))
    (tmp_path / "vix_history" / "vix-daily.csv").write_text("DATE,OPEN,HIGH,LOW,CLOSE\n" + days)
    seen = recorded_of(tmp_path)
    assert seen.vix is not None
    assert seen.vix.median == 16.0
    assert seen.vix.over_vix3m is None
    assert seen.vix_range is None
    assert seen.smile is None


def test_dates_of_either_order_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "vix_history"
    folder.mkdir()
    (folder / "vix-daily.csv").write_text("DATE,CLOSE\n2020-03-02,20\n2020-03-03,22\n2020-03-04,18\n")
    (folder / "VIX3M_History.csv").write_text("DATE,CLOSE\n03/02/2020,20\n03/03/2020,20\n03/04/2020,20\n")
    vix = recorded_of(tmp_path).vix
    assert vix is not None
    assert vix.over_vix3m == pytest.approx(1.0)


def test_a_folder_that_says_nothing_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(StandInError, match="chains, lean, thetadata, vix_history"):
        recorded_of(tmp_path)
    with pytest.raises(StandInError, match="nowhere is no folder"):
        recorded_of(tmp_path / "nowhere")
