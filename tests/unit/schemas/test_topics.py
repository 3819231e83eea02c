"""The registry of topics, and the JSON Schemas that are published from it."""

from __future__ import annotations

import json

import jsonschema
import pytest

from schemas.frames import Lane
from schemas.topics import TOPICS, Topic, json_schema
from tests.support.json_schemas import JSON_SCHEMA_DIR, published

JSON_TOPICS = [topic for topic in TOPICS.values() if topic.document is not None]


def test_published_schemas_equal_what_the_structs_say() -> None:
    """After a change: `python -m tests.support.json_schemas` rewrites them; the difference is part of the review."""
    found = {path.name: path.read_bytes() for path in JSON_SCHEMA_DIR.glob("*.json")}
    assert found == published()


@pytest.mark.parametrize("topic", JSON_TOPICS, ids=lambda topic: topic.name)
def test_every_published_schema_is_a_json_schema(topic: Topic) -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema(topic))


def test_a_schema_refuses_what_is_not_its_document() -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"id": 7}, json_schema(TOPICS["alerts"]))


@pytest.mark.parametrize("topic", TOPICS.values(), ids=lambda topic: topic.name)
def test_a_topic_carries_frames_or_documents_never_both(topic: Topic) -> None:
    assert (topic.lane is None) != (topic.document is None)


def test_every_lane_has_its_topic() -> None:
    assert {topic.lane: topic.name for topic in TOPICS.values() if topic.lane} == {lane: lane.topic for lane in Lane}


def test_names_and_tables_are_unique_and_the_key_is_the_name() -> None:
    assert [topic.name for topic in TOPICS.values()] == list(TOPICS)
    assert len({topic.table for topic in TOPICS.values()}) == len(TOPICS)


def test_only_sampled_views_are_compacted() -> None:
    """A signal is never superseded; of a view only the latest counts."""
    assert [topic.name for topic in TOPICS.values() if topic.compacted] == ["contexts"]


@pytest.mark.parametrize("topic", JSON_TOPICS, ids=lambda topic: topic.name)
def test_every_field_of_a_document_is_required_or_has_a_default(topic: Topic) -> None:
    published = json.loads((JSON_SCHEMA_DIR / f"{topic.document.__name__.lower()}.json").read_text())  # type: ignore[union-attr]
    definition = published["$defs"][topic.document.__name__]  # type: ignore[union-attr]
    optional = set(definition["properties"]) - set(definition["required"])
    assert all("default" in definition["properties"][name] for name in optional)
