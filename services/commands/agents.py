"""The agents: reads the three lanes from Kafka, judges them by contexts, detectors and scanner, and writes signals,
alerts and views. Start as many as there are partitions; kill them as you like: they catch up by replay, and each
decision is written once.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import functools
import logging
import signal
import time
from collections.abc import Callable
from typing import Any

import msgspec

from services.commands._kafka import add_broker_arguments, add_metrics_argument, kafka_configuration
from services.commands._output import console, print_json
from services.core.calendar import Calendar, ny_date, ny_ns
from services.core.pipeline import Pipeline
from services.kafka.client import refusals_in_a_sentence
from services.kafka.partition_processor import Build
from services.runtime.config import Config
from services.runtime.gc_pauses import spare_what_stays
from services.runtime.health import serve_health
from services.runtime.metrics import Metrics
from services.wiring import build_pipeline, warm_up

EXAMPLE = "strikewire agents --brokers 127.0.0.1:9092"

log = logging.getLogger("strikewire.agents")

# How long a worker may take from its start to its first partition before it says that it waits.
PATIENCE_S = 30.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where Kafka is, and this worker's name in the group."""
    add_broker_arguments(parser)
    add_metrics_argument(parser)
    parser.add_argument(
        "--instance", metavar="NAME", help="a name kept over restarts: its partitions come back without a rebalance"
    )


def run(options: argparse.Namespace) -> int:
    """130 when interrupted, 0 when asked to end."""
    config = kafka_configuration(options)
    # A misspelt rule is refused, and everything compiled, before the group hears of us.
    warm_up(config.rules(), calendar_of_day(ny_date(time.time_ns())))

    def build_for(partitions: int) -> Build:
        # Where the whole market's symbols are judged follows from the topics as they are.
        gateway = msgspec.structs.replace(config.gateway, partitions=partitions)
        rules = msgspec.structs.replace(config, gateway=gateway).rules()

        def build(partition: int, log_ns: int) -> Pipeline:
            return build_pipeline(rules, calendar_of_day(ny_date(log_ns)), partition)

        return build

    return serve_agents(config, build_for, options.metrics_port, options.json)


@functools.lru_cache(maxsize=2)
def calendar_of_day(day: dt.date) -> Calendar:
    """The calendar for a log of that day."""
    return Calendar.around(ny_ns(day, 12))


def serve_agents(config: Config, build_for: Callable[[int], Build], metrics_port: int, json: bool) -> int:
    """Run one worker until a signal comes, with the pipelines `build_for` has for so many partitions; the status."""
    import uvloop

    with refusals_in_a_sentence():
        return int(uvloop.run(_serve(config, build_for, metrics_port, json)))


async def _serve(config: Config, build_for: Callable[[int], Build], metrics_port: int, json: bool) -> int:
    from services.agents.app import run_agents
    from services.agents.partitions import Partitions
    from services.kafka.topics import check_judged
    from services.kafka.writer import open_writer

    signals: list[int] = []
    stop = asyncio.Event()

    def ask(number: int) -> None:
        signals.append(number)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ask, number)
    metrics = Metrics()
    spare_what_stays()
    partitions = await check_judged(config.kafka)
    async with open_writer(config.kafka) as writer:
        hosted = Partitions(config.kafka, build_for(partitions), writer, metrics)
        async with (
            serve_health(metrics.registry, hosted.not_ready, metrics_port) as port,
            run_agents(config.kafka, partitions, hosted) as ended,
        ):
            announcement = asyncio.create_task(_announce_when_ready(hosted, port, json))
            stopped = asyncio.create_task(stop.wait())
            try:
                await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
                if ended.done():
                    ended.result()
            finally:
                announcement.cancel()
                stopped.cancel()
    return 130 if signal.SIGINT in signals else 0


async def _announce_when_ready(hosted: Any, port: int, json: bool) -> None:
    began = time.monotonic()
    while (reason := hosted.not_ready()) is not None:
        await asyncio.sleep(0.05)
        if time.monotonic() - began > PATIENCE_S:
            log.warning("not ready: %s", reason)
            began = time.monotonic()
    if json:
        print_json(
            {
                "ready": True,
                "partitions": hosted.partitions,
                "metrics": f"http://127.0.0.1:{port}/metrics",
                "recovery_s": hosted.recovery_s(),
            }
        )
    else:
        console.print(f"agents of partitions {hosted.partitions}, metrics on http://127.0.0.1:{port}/metrics")
