"""Kafka's topics, from the registry: `create` makes those that are missing, `list` shows what is there. A topic that is
there and differs is never changed: the difference is named and the status is 2.
"""

from __future__ import annotations

import argparse
import asyncio

from rich.table import Table

from schemas.topics import TOPICS
from services.commands._kafka import add_broker_arguments, kafka_configuration
from services.commands._output import console, print_json
from services.runtime.config import Config

EXAMPLE = "strikewire topics create --set kafka.replication=3 --set kafka.min_isr=2"

DAY_MS = 86_400_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to do, and where."""
    parser.add_argument("action", choices=("create", "list"))
    add_broker_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """0 when done."""
    config = kafka_configuration(options)
    return asyncio.run((_create if options.action == "create" else _list)(options, config))


async def _create(options: argparse.Namespace, config: Config) -> int:
    from services.kafka import topics

    made = await topics.create(config.kafka, config.gateway.partitions)
    if options.json:
        print_json({"ready": True, "created": made, "topics": list(TOPICS), "partitions": config.gateway.partitions})
    elif made:
        console.print(f"made {', '.join(made)} with {config.gateway.partitions} partitions")
    else:
        console.print("all topics are there, as they should be")
    return 0


async def _list(options: argparse.Namespace, config: Config) -> int:
    from services.kafka import topics

    want = topics.wanted(config.kafka, config.gateway.partitions)
    have = await topics.present(config.kafka)
    table = Table(border_style="dim")
    for column in ("topic", "partitions", "copies", "kept", "about", "state"):
        table.add_column(column)
    for name, topic in TOPICS.items():
        there = have.get(name)
        found = [] if there is None else topics.differences(want[name], there)
        if options.json:
            document = None if there is None else there._asdict()
            print_json({"topic": want[name].name, "present": document, "differences": found})
            continue
        state = "missing" if there is None else "; ".join(found) or "as it should be"
        partitions, copies = ("-", "-") if there is None else (str(there.partitions), str(there.replication))
        table.add_row(want[name].name, partitions, copies, f"{topic.retention_ms // DAY_MS} d", topic.about, state)
    if not options.json:
        console.print(table)
    return 0
