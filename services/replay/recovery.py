"""The state at the log's end, and the decisions that a killed process owed to what it had stored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from schemas.kinds import Decision, identity_of
from services.core.calendar import Calendar
from services.core.pipeline import Pipeline, SuppressionReason
from services.errors import RuleFileError
from services.history.warehouse import Warehouse
from services.replay.runner import recorded_rules, walk
from services.runtime.config import RulesConfig
from services.sinks.clickhouse import Epoch, Ordinals
from services.wiring import build_pipeline, rules_digest

__all__ = ["Recovered", "recovered"]


class Recovered(NamedTuple):
    """One partition: its pipeline under today's rules, what is missing, numbered, and how many rows that took.

    `silences` says why signals, the missing ones among them, became no alerts.
    """

    partition: int
    pipeline: Pipeline
    missing: list[tuple[int, Decision]]
    rows: int
    silences: dict[str, SuppressionReason]


def recovered(
    warehouse: Warehouse, calendar: Calendar, rules: RulesConfig, from_ns: int, *, sampling: bool
) -> Iterator[Recovered]:
    """Replay the log from `from_ns`, the beginning of its last day: under the rules of then for what they decided, and
    again under `rules`, saying nothing, where those are others.

    An epoch whose own rules (`[rules] folders`) are gone or changed cannot decide again: it goes by today's, saying
    nothing.
    """
    known, digest = warehouse.decision_ids(), rules_digest(rules)
    recorded = {epoch.epoch: _recorded(epoch) for epoch in warehouse.epochs()}
    digests = {number: digest if of is None else rules_digest(of) for number, of in recorded.items()}

    def rules_of(epoch: Epoch) -> RulesConfig:
        return recorded[epoch.epoch] or rules

    for partition in warehouse.partitions():
        pipeline = build_pipeline(rules, calendar, partition, sampling=sampling)
        under = digest  # the rules of the pipeline we end with; the newest epoch may have no frame yet
        ordinals, missing, rows = Ordinals(), list[tuple[int, Decision]](), 0
        silences: dict[str, SuppressionReason] = {}
        for step in walk(warehouse, calendar, rules_of, partition, from_ns=from_ns, sampling=sampling):
            rows += step.frame.header.rows
            pipeline = step.pipeline
            under = "" if step.silent else digests[step.frame.header.epoch]
            if not step.silent and recorded[step.frame.header.epoch] is not None:
                missing += [
                    pair for pair in ordinals.number(step.outputs.decisions) if identity_of(pair[1]) not in known
                ]
                silences |= step.outputs.silences
        if under != digest:
            pipeline = build_pipeline(rules, calendar, partition, sampling=sampling)
            for step in walk(warehouse, calendar, lambda _: rules, partition, from_ns=from_ns, sampling=sampling):
                pipeline = step.pipeline
        yield Recovered(partition, pipeline, missing, rows, silences)


def _recorded(epoch: Epoch) -> RulesConfig | None:
    try:
        return recorded_rules()(epoch)
    except RuleFileError:
        return None
