"""The catalogue of detectors as a program reads it."""

from __future__ import annotations

import json

import pytest

from services.cli import main


def test_the_catalogue_is_one_object_with_plain_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["detectors", "--json"]) == 0
    known = {one["detector"]: one for one in json.loads(capsys.readouterr().out)["detectors"]}
    assert set(known) >= {"put_wall_support", "sweep_confirmation", "unusual_activity"}
    assert known["put_wall_support"]["triggers"] == ["price.bar_5m"]
    assert known["put_wall_support"]["needs"] == ["GammaView", "PriceView"]
    assert known["put_wall_support"]["optional"] == ["FlowView"]
