"""Rules recorded before parameters were added are in force again at a replay, under the ids of then."""

from __future__ import annotations

from pathlib import Path

import msgspec

from services.core.identity import parameters_digest
from services.replay.runner import recorded_rules, rules_document
from services.runtime.config import Config
from services.sinks.clickhouse import Epoch
from services.wiring import build_pipeline
from tests.support.logs import CALENDAR, frames
from tests.support.scenarios import everything

# What an epoch of 0.1.0 recorded before the parameters of decision 0062 came.
OLD = (Path(__file__).parents[2] / "golden" / "rules_before_0062.json").read_text()
# The names its signals carry.
NAMES = {
    "put_wall_support": "3ef02df10525",
    "sweep_confirmation": "7d4e5e144a9b",
    "unusual_activity": "809c6ce693c0",
}


def test_an_old_record_of_rules_loads_with_defaults_for_what_came_later() -> None:
    rules = recorded_rules()(Epoch(1, 0, "test", 0, 1, OLD, "", ""))
    recorded, whole = msgspec.json.decode(OLD), msgspec.json.decode(rules_document(rules))
    assert "weight_premium" in whole["detectors"]["sweep_confirmation"]
    assert "weight_premium" not in recorded["detectors"]["sweep_confirmation"]
    of_today = msgspec.json.decode(rules_document(Config().rules()))
    assert of_today.pop("market_homes"), "of then they are not known, and every partition judges"
    assert whole == of_today


def test_under_an_old_record_decisions_are_those_of_today_with_the_ids_of_then() -> None:
    old, new = (
        build_pipeline(rules, CALENDAR, 0)
        for rules in (recorded_rules()(Epoch(1, 0, "test", 0, 1, OLD, "", "")), Config().rules())
    )
    assert {one.name: parameters_digest(one.parameters) for one in old.detectors} == NAMES
    assert {one.name: parameters_digest(one.parameters) for one in new.detectors} == NAMES
    lines = [[line for frame in frames(everything()) for line in p.step(frame).lines()] for p in (old, new)]
    assert lines[0] == lines[1]
    assert len(lines[0]) == 6
