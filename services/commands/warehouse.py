"""The embedded engine served on ClickHouse's HTTP interface, so that sink, replay and readers can be processes of their
own where there is no ClickHouse server. Any ClickHouse client can read it. It keeps to loopback unless there is a
password: STRIKEWIRE_WAREHOUSE_PASSWORD, or the file that STRIKEWIRE_WAREHOUSE_PASSWORD_FILE names.
"""

from __future__ import annotations

import argparse
import asyncio
import signal

from services.commands._output import console, print_json
from services.commands._replaying import configuration
from services.errors import InputError
from services.history.engine import PASSWORD_VARIABLE, WAREHOUSE_DIR, open_embedded
from services.history.server import ServerLimits, serve_engine
from services.runtime.config import Config
from services.runtime.health import serve_health
from services.runtime.metrics import Metrics
from services.runtime.secrets import secret

EXAMPLE = "strikewire warehouse --port 8123 --data-dir var"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where to listen."""
    parser.add_argument("--port", type=int, default=8123, metavar="P", help="0 takes a free one (default 8123)")
    parser.add_argument("--bind", default="127.0.0.1", metavar="HOST", help="beyond loopback only with a password")
    parser.add_argument(
        "--handles", type=int, default=ServerLimits().handles, metavar="N", help="statements side by side"
    )
    parser.add_argument("--metrics-port", type=int, default=0, metavar="P", help="of /live, /ready and /metrics")


def run(options: argparse.Namespace) -> int:
    """0 when asked to end, 130 when interrupted."""
    if not 0 <= options.port <= 65535:
        raise InputError(f"--port {options.port}", "between 0 and 65535")
    if not 1 <= options.handles <= 64:
        raise InputError(f"--handles {options.handles}", "between 1 and 64")
    config = configuration(options)
    # The schema is brought up to date before anybody can ask; the lock says who owns the engine.
    with open_embedded(options.data_dir, create=True, database=config.warehouse.database):
        return asyncio.run(_serve(options, config))


async def _serve(options: argparse.Namespace, config: Config) -> int:
    stop, signals = asyncio.Event(), list[int]()

    def ask(number: int) -> None:
        signals.append(number)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ask, number)
    password = secret(PASSWORD_VARIABLE)
    limits = ServerLimits()._replace(handles=options.handles)
    path = options.data_dir / WAREHOUSE_DIR
    metrics = Metrics()
    async with (
        serve_engine(
            path, options.bind, options.port, user=config.warehouse.user, password=password, limits=limits
        ) as port,
        serve_health(metrics.registry, lambda: None, options.metrics_port) as metrics_port,
    ):
        url, health = f"http://{options.bind}:{port}", f"http://127.0.0.1:{metrics_port}"
        if options.json:
            print_json({"ready": True, "url": url, "metrics": f"{health}/metrics", "data_dir": str(options.data_dir)})
        else:
            console.print(f"warehouse on {url} (ClickHouse HTTP), metrics on {health}/metrics; Ctrl-C ends")
        await stop.wait()
    return 130 if signal.SIGINT in signals else 0
