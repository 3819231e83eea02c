"""Which rules a recorded epoch is replayed under."""

from __future__ import annotations

import msgspec

from services.replay.runner import recorded_rules, rules_document
from services.runtime.config import RulesConfig
from services.sinks.clickhouse import Epoch
from services.wiring import build_pipeline, rules_digest
from tests.support.machines import CALENDAR


def epoch(rules: str) -> Epoch:
    return Epoch(1, 0, "test", 0, 1, rules, "", "strikewire")


def test_what_is_recorded_is_what_is_replayed() -> None:
    rules = RulesConfig(detectors={"unusual_activity": {"enabled": False}})
    again = recorded_rules()(epoch(rules_document(rules)))
    assert rules_digest(again) == rules_digest(rules)


def test_a_detector_that_came_later_stays_out_of_what_was_recorded_before() -> None:
    document = msgspec.json.decode(rules_document(RulesConfig()))
    del document["detectors"]["unusual_activity"]
    of_then = recorded_rules()(epoch(msgspec.json.encode(document).decode()))
    assert "unusual_activity" not in [one.name for one in build_pipeline(of_then, CALENDAR, 0).detectors]
    changed = recorded_rules(lambda rules: rules["detectors"].update(unusual_activity={}))
    asked_for = changed(epoch(msgspec.json.encode(document).decode()))
    assert "unusual_activity" in [one.name for one in build_pipeline(asked_for, CALENDAR, 0).detectors]
