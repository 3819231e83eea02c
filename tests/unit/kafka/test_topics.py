"""What a cluster says of its topics."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from services.errors import StrikewireError
from services.kafka import topics
from services.settings.kafka import KafkaSettings


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


class Cluster:
    """Topics with so many partitions each, behind a prefix."""

    def __init__(self, counts: dict[str, int]) -> None:
        self.counts = {f"p-{name}": count for name, count in counts.items()}

    async def list_topics(self) -> list[str]:
        return [*self.counts, "somebody-elses"]

    async def describe_topics(self, names: list[str]) -> list[dict[str, Any]]:
        return [{"topic": name, "partitions": [{"replicas": [1]}] * self.counts[name]} for name in names]


JUDGED = ("options.trades", "options.greeks", "index.ticks", "signals", "alerts", "contexts")


async def check_with(monkeypatch: pytest.MonkeyPatch, counts: dict[str, int], prefix: str = "p-") -> int:
    @contextlib.asynccontextmanager
    async def admin(_: KafkaSettings) -> AsyncIterator[Cluster]:
        yield Cluster(counts)

    monkeypatch.setattr(topics, "_admin", admin)
    return await topics.check_judged(KafkaSettings(brokers="here", prefix=prefix))


async def test_agents_want_what_they_read_and_write_with_one_number_of_partitions_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert await check_with(monkeypatch, dict.fromkeys(JUDGED, 3) | {"dead.letters": 1}) == 3


@pytest.mark.parametrize("name", JUDGED)
async def test_what_agents_would_miss_is_named_before_they_join(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    there = dict.fromkeys(JUDGED, 3)
    for counts in (there | {name: 0}, {one: count for one, count in there.items() if one != name}):
        with pytest.raises(StrikewireError, match=rf"^p-{name} is not there on here; `strikewire topics create`"):
            await check_with(monkeypatch, counts)
    with pytest.raises(StrikewireError, match=r"has \d partitions on here, p-\S+ has \d; what the agents read"):
        await check_with(monkeypatch, there | {name: 4})


async def test_a_wrong_prefix_finds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StrikewireError, match=r"^nowhere-.* is not there"):
        await check_with(monkeypatch, dict.fromkeys(JUDGED, 3), "nowhere-")
