"""Makes the registry's topics on a cluster, and compares what is there with what should be.

What exists is never changed: another partition count would send underlyings elsewhere, and a retention or policy that
somebody set by hand had a reason. The difference is named, and a person decides.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from schemas.frames import Lane
from schemas.topics import TOPICS, Topic
from services.errors import StrikewireError
from services.kafka.client import REQUEST_BYTES_MAX, client_arguments, reaching
from services.kafka.published import outputs
from services.settings.kafka import KafkaSettings

__all__ = ["Present", "TopicDifferenceError", "Wanted", "check_judged", "create", "differences", "present", "wanted"]

CREATE_MS_MAX = 30_000


class Wanted(NamedTuple):
    """A topic as it should be."""

    name: str
    partitions: int
    replication: int
    config: dict[str, str]


class Present(NamedTuple):
    """A topic as the cluster has it."""

    partitions: int
    replication: int
    config: dict[str, str]


class TopicDifferenceError(StrikewireError):
    """A topic is there, and not as it should be."""

    def __init__(self, found: list[str]) -> None:
        self.differences = found
        more = f" (and {len(found) - 1} more: `strikewire topics list`)" if len(found) > 1 else ""
        super().__init__(f"topic {found[0]}{more}; what is there is never changed, and nothing was made")


def wanted(settings: KafkaSettings, partitions: int) -> dict[str, Wanted]:
    """The registry as a cluster should have it, by the registry's names."""
    return {
        name: Wanted(settings.topic(name), partitions, settings.replication, _config(topic, settings))
        for name, topic in TOPICS.items()
    }


def _config(topic: Topic, settings: KafkaSettings) -> dict[str, str]:
    return {
        "retention.ms": str(topic.retention_ms),
        # A compacted topic forgets too: the latest view of what is no longer traded ends one day.
        "cleanup.policy": "compact,delete" if topic.compacted else "delete",
        # Documents shrink to a third. Frames stay as they are: numbers shrink little, and they are in a hurry.
        # gzip, because every client reads it without a further library.
        "compression.type": "producer" if topic.lane is not None else "gzip",
        "min.insync.replicas": str(settings.min_isr),
        "max.message.bytes": str(REQUEST_BYTES_MAX),
        # A record's time is the broker's when it came: a tape of 2014 would otherwise be older than any retention.
        "message.timestamp.type": "LogAppendTime",
    }


def differences(want: Wanted, have: Present) -> list[str]:
    """What stands in the way, one sentence each; nothing when the topic is as it should be."""
    pairs = [("partitions", str(want.partitions), str(have.partitions))]
    pairs.append(("replication factor", str(want.replication), str(have.replication)))
    pairs += [(name, value, have.config.get(name, "unknown")) for name, value in want.config.items()]
    return [
        f"{want.name} has {name} {is_there}, the registry says {should_be}"
        for name, should_be, is_there in pairs
        if _normal(should_be) != _normal(is_there)
    ]


def _normal(value: str) -> str:
    """A list of policies has no order."""
    return ",".join(sorted(value.split(",")))


async def present(settings: KafkaSettings) -> dict[str, Present]:
    """The registry's topics that the cluster has, by the registry's names.

    Each question may go to another broker, and one that was not told of a topic yet answers with nothing.
    """
    async with _admin(settings) as admin:
        described = await _described(admin, settings)
        configs = await _configs(admin, [settings.topic(name) for name in described]) if described else {}
    return {
        name: Present(len(parts), min(len(part["replicas"]) for part in parts), config)
        for name, parts in described.items()
        if (config := configs.get(settings.topic(name)))
    }


async def check_judged(settings: KafkaSettings) -> int:
    """How many partitions the agents read and write, asked before they join a group that would give them nothing.

    Raises StrikewireError when a topic is missing, or has another number of partitions than the rest: a partition is
    judged where all of them have it, and an underlying on any other would be left out in silence.
    """
    async with _admin(settings) as admin:
        counts = {name: len(parts) for name, parts in (await _described(admin, settings)).items()}
    judged = [lane.topic for lane in Lane] + list(outputs())
    first = judged[0]
    for name in judged:
        if name not in counts:
            raise StrikewireError(
                f"{settings.topic(name)} is not there on {settings.brokers}; `strikewire topics create` makes what is"
                " missing"
            )
        if counts[name] != counts[first]:
            raise StrikewireError(
                f"{settings.topic(name)} has {counts[name]} partitions on {settings.brokers}, {settings.topic(first)}"
                f" has {counts[first]}; what the agents read and write must have as many"
            )
    return counts[first]


async def create(settings: KafkaSettings, partitions: int) -> list[str]:
    """Make what is missing; the names made. Raises TopicDifferenceError, having made nothing, when one differs."""
    want, have = wanted(settings, partitions), await present(settings)
    found = [sentence for name, there in have.items() for sentence in differences(want[name], there)]
    if found:
        raise TopicDifferenceError(found)
    missing = {name: one for name, one in want.items() if name not in have}
    if missing:
        await _make(settings, missing)
        await _wait_until_known(settings, set(missing))
    return list(missing)


async def _wait_until_known(settings: KafkaSettings, names: set[str]) -> None:
    """A broker has made topics some moments before it tells others of them."""
    deadline = time.monotonic() + CREATE_MS_MAX / 1000
    while missing := names - (await present(settings)).keys():
        if time.monotonic() > deadline:
            raise StrikewireError(f"{settings.brokers}: {', '.join(sorted(missing))} were made and cannot be seen")
        await asyncio.sleep(0.1)


async def _make(settings: KafkaSettings, missing: Mapping[str, Wanted]) -> None:
    new = [NewTopic(one.name, one.partitions, one.replication, topic_configs=one.config) for one in missing.values()]
    async with _admin(settings) as admin:
        answer = await admin.create_topics(new, timeout_ms=CREATE_MS_MAX)
        for topic, code, *message in answer.topic_errors:
            error = for_code(code)
            # Another process made it in this very moment: as good as ours, and compared at the next start.
            if code and error is not TopicAlreadyExistsError:
                raise StrikewireError(
                    f"{topic}: Kafka refused to make it: {error.__name__} {' '.join(map(str, message))}"
                )


async def _described(admin: AIOKafkaAdminClient, settings: KafkaSettings) -> dict[str, list[dict[str, Any]]]:
    """The partitions of the registry's topics that are there, by the registry's names."""
    names = {settings.topic(name): name for name in TOPICS}
    there = [topic for topic in await admin.list_topics() if topic in names]
    described = await admin.describe_topics(there) if there else []
    found = {names[topic["topic"]]: topic["partitions"] for topic in described}
    return {name: found[name] for name in sorted(found) if found[name]}


async def _configs(admin: AIOKafkaAdminClient, topics: list[str]) -> dict[str, dict[str, str]]:
    requested = [ConfigResource(ConfigResourceType.TOPIC, topic) for topic in topics]
    found: dict[str, dict[str, str]] = {}
    for answer in await admin.describe_configs(requested):
        for _, _, _, topic, entries in answer.resources:
            found[topic] = {entry[0]: entry[1] for entry in entries}
    return found


@asynccontextmanager
async def _admin(settings: KafkaSettings) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(**client_arguments(settings))
    try:
        with reaching(settings):
            await client.start()
        yield client
    except KafkaError as error:
        raise StrikewireError(f"{settings.brokers}: {error}") from None
    finally:
        await client.close()
