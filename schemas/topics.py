"""The registry of topics: name, key, payload, retention, and the table that keeps its history.

Lanes carry frames (`schemas.frames`); the rest carry one JSON document a record, whose JSON Schema stands in
`schemas/json/` (`python -m tests.support.json_schemas` writes it, a test guards it). Every topic has the same number
of partitions, and a record's partition is its underlying's, so that one worker sees all there is to an underlying.
"""

from __future__ import annotations

import inspect
from typing import Any, NamedTuple

import msgspec

from schemas.decisions import DeadLetter, Outcome, View
from schemas.frames import Lane
from schemas.gaps import Gap
from schemas.kinds import KINDS, DecisionKind

__all__ = ["TOPICS", "Topic", "decision_topic", "json_schema", "json_schema_file"]

DAY_MS = 86_400_000


class Topic(NamedTuple):
    """One topic. `document` is the struct of a JSON topic, `lane` the lane of a frame topic."""

    name: str
    key: str
    table: str
    retention_ms: int
    about: str
    lane: Lane | None = None
    document: type[msgspec.Struct] | None = None
    compacted: bool = False


def decision_topic(kind: DecisionKind) -> Topic:
    """The topic of a kind of decision; a month, in which an alert can be looked into from the topics alone."""
    return Topic(kind.topic, "underlying", kind.table, 30 * DAY_MS, kind.about, document=kind.document)


# Lanes stay three days: enough to recover over a long weekend; history lives in the warehouse.
TOPICS: dict[str, Topic] = {
    topic.name: topic
    for topic in (
        Topic("options.trades", "partition", "option_trades", 3 * DAY_MS, "option prints", lane=Lane.TRADES),
        Topic("options.greeks", "partition", "option_greeks", 3 * DAY_MS, "chain snapshots", lane=Lane.GREEKS),
        Topic("index.ticks", "partition", "index_ticks", 3 * DAY_MS, "index values, stock bars", lane=Lane.TICKS),
        Topic("contexts", "underlying/context", "contexts", 7 * DAY_MS, "sampled views", document=View, compacted=True),
        *map(decision_topic, KINDS.values()),
        Topic("outcomes", "underlying", "outcomes", 30 * DAY_MS, "what then happened", document=Outcome),
        Topic("dead.letters", "source", "dead_letters", 30 * DAY_MS, "not understood, and why", document=DeadLetter),
        Topic("feed.gaps", "channel", "gaps", 30 * DAY_MS, "what the feed did not bring, and why", document=Gap),
    )
}


def json_schema(topic: Topic) -> dict[str, Any]:
    """The JSON Schema of a topic's document."""
    assert topic.document is not None, f"{topic.name} carries frames"
    (schema,), components = msgspec.json.schema_components([topic.document], ref_template="#/$defs/{name}")
    for component in components.values():
        # Python 3.13 takes the indentation out of docstrings, earlier ones do not: published text is the same for all.
        component["description"] = inspect.cleandoc(component["description"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": topic.document.__name__,
        **schema,
        "$defs": components,
    }


def json_schema_file(topic: Topic) -> tuple[str, bytes]:
    """Name and content of the file in `schemas/json/` that publishes a topic's JSON Schema."""
    assert topic.document is not None, f"{topic.name} carries frames"
    text = msgspec.json.format(msgspec.json.encode(json_schema(topic), order="deterministic"))
    return f"{topic.document.__name__.lower()}.json", text + b"\n"
