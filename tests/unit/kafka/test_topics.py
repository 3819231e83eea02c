"""What a cluster says of its topics."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from services.kafka import topics
from services.kafka.settings import KafkaSettings


class Brokers:
    """Three answers, each of a broker of its own; `late` is a topic that one of them was not told of yet."""

    def __init__(self, late: str, unknown_to: str) -> None:
        self._late, self._unknown_to = late, unknown_to

    async def list_topics(self) -> list[str]:
        return ["alerts", "signals", "somebody-elses"]

    async def describe_topics(self, names: list[str]) -> list[dict[str, Any]]:
        parts = [{"replicas": [1, 2]}, {"replicas": [2, 3]}]
        return [
            {"topic": name, "partitions": [] if (name, "parts") == (self._late, self._unknown_to) else parts}
            for name in names
        ]

    async def describe_configs(self, asked: list[Any]) -> list[Any]:
        def entries(name: str) -> list[tuple[str, str]]:
            return [] if (name, "configs") == (self._late, self._unknown_to) else [("retention.ms", "1")]

        return [SimpleNamespace(resources=[(0, "", 2, one.name, entries(one.name)) for one in asked])]


@pytest.mark.parametrize("unknown_to", ["parts", "configs", ""])
async def test_a_topic_that_a_broker_was_not_told_of_yet_is_not_there_yet(
    monkeypatch: pytest.MonkeyPatch, unknown_to: str
) -> None:
    @contextlib.asynccontextmanager
    async def admin(_: KafkaSettings) -> AsyncIterator[Brokers]:
        yield Brokers("signals", unknown_to)

    monkeypatch.setattr(topics, "_admin", admin)
    found = await topics.present(KafkaSettings())
    assert set(found) == ({"alerts"} if unknown_to else {"alerts", "signals"})
    assert (found["alerts"].partitions, found["alerts"].replication) == (2, 2)
