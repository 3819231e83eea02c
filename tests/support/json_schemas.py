"""`python -m tests.support.json_schemas` publishes the JSON Schemas anew after a document has changed."""

from __future__ import annotations

from pathlib import Path

from schemas.topics import TOPICS, json_schema_file

JSON_SCHEMA_DIR = Path(__file__).resolve().parents[2] / "schemas" / "json"


def published() -> dict[str, bytes]:
    """What the structs say, by file name."""
    return dict(json_schema_file(topic) for topic in TOPICS.values() if topic.document is not None)


if __name__ == "__main__":
    for name, content in published().items():
        (JSON_SCHEMA_DIR / name).write_bytes(content)
        print(JSON_SCHEMA_DIR / name)
