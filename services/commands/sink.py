"""Kafka's topics into the warehouse, exactly once: every lane and every decision topic into its table, what cannot be
read into dead.letters, and the latest views and alerts into Redis where there is one. Any number of sinks share the
work. Without a warehouse's URL the embedded engine in the data directory is used, which then nobody else can read.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import signal
import time
from typing import Any

from services.commands._kafka import add_broker_arguments, kafka_configuration
from services.commands._output import console, print_json
from services.errors import StoreUnreachableError
from services.history.engine import open_embedded, open_remote
from services.kafka.client import refusals_in_a_sentence
from services.runtime.config import Config
from services.runtime.health import serve_health
from services.runtime.metrics import Metrics
from services.sinks.hot_state import HotState
from services.sinks.kafka_sink import KafkaSink

log = logging.getLogger("strikewire.sink")

EXAMPLE = "strikewire sink --warehouse http://127.0.0.1:8123 --brokers 127.0.0.1:9092"

# A warehouse that starts beside us takes seconds; one that is away at our start is waited for this long.
WAREHOUSE_S_MAX = 120.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which Kafka; the warehouse is a common option."""
    add_broker_arguments(parser)
    parser.add_argument("--metrics-port", type=int, metavar="P", help="of /live, /ready and /metrics")


def run(options: argparse.Namespace) -> int:
    """0 when asked to end, 130 when interrupted."""
    import uvloop

    config = kafka_configuration(options)
    with refusals_in_a_sentence():
        if config.warehouse.url:
            with contextlib.closing(_patient_client(config)) as client:
                return int(uvloop.run(_run(options, config, client)))
        with open_embedded(options.data_dir, create=True, database=config.warehouse.database) as client:
            return int(uvloop.run(_run(options, config, client)))


def _patient_client(config: Config) -> Any:
    until = time.monotonic() + WAREHOUSE_S_MAX
    announced = False
    while True:
        try:
            return open_remote(config.warehouse)
        except StoreUnreachableError as error:
            if time.monotonic() > until:
                raise
            if not announced:
                log.warning("the warehouse is awaited for %.0f s: %s", WAREHOUSE_S_MAX, error)
                announced = True
            time.sleep(1)


async def _run(options: argparse.Namespace, config: Config, client: Any) -> int:
    stop, signals = asyncio.Event(), list[int]()

    def ask(number: int) -> None:
        signals.append(number)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ask, number)
    metrics = Metrics()
    sink = KafkaSink(config.kafka, config.sink, client, metrics)
    hot = HotState(config.kafka, config.redis, metrics)
    port = config.sink.metrics_port if options.metrics_port is None else options.metrics_port
    async with serve_health(metrics.registry, sink.not_ready, port) as metrics_port:
        works = [asyncio.create_task(sink.run(), name="sink"), asyncio.create_task(hot.run(), name="hot state")]
        waits = [asyncio.create_task(stop.wait(), name="signal")]
        announcing = asyncio.create_task(_announce(options, sink, metrics_port), name="announce")
        await asyncio.wait({*works, *waits}, return_when=asyncio.FIRST_COMPLETED)
        for task in (*works, *waits, announcing):
            task.cancel()
        results = await asyncio.gather(*works, *waits, announcing, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result
    return 130 if signal.SIGINT in signals else 0


async def _announce(options: argparse.Namespace, sink: KafkaSink, port: int) -> None:
    """Say so once partitions are assigned."""
    await sink.assigned.wait()
    if options.json:
        print_json({"ready": True, "metrics": f"http://127.0.0.1:{port}/metrics"})
    else:
        console.print(f"sink runs, metrics on http://127.0.0.1:{port}/metrics; Ctrl-C ends")
