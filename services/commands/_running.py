"""One process from feed to alert: what `demo` and `up` share."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, NamedTuple

import msgspec
from rich.live import Live
from rich.table import Table

from schemas.decisions import Alert
from services.commands._gateway_metrics import count_forever, count_gateway
from services.commands._output import alert_row, alerts_table, console, counted, market_time, print_json
from services.commands._replaying import refuse_server
from services.core.calendar import Calendar
from services.embedded import Embedded
from services.gateway.shell.account import own_account
from services.gateway.shell.gateway import Gateway
from services.history.engine import open_embedded
from services.history.warehouse import Warehouse
from services.replay.runner import stored
from services.runtime.config import Config
from services.runtime.gc_pauses import no_collection, spare_what_stays
from services.runtime.health import serve_health
from services.runtime.metrics import Metrics
from services.settings.gateway import GatewaySettings
from services.wiring import warm_up

__all__ = ["Feed", "run_embedded"]

# The live table keeps what fits a screen.
ALERTS_SHOWN = 15
REFRESH_PER_S = 4


class Feed(NamedTuple):
    """Where the data comes from, once it is open. `now_ns` is the feed's time at its start."""

    name: str
    settings: GatewaySettings
    now_ns: int
    until_closed: bool


FeedOpener = Callable[[int | None], AbstractAsyncContextManager[Feed]]


def run_embedded(options: argparse.Namespace, config: Config, open_feed: FeedOpener) -> int:
    """Run until the feed ends or somebody interrupts; prints alerts as they come and a summary at the end.

    `open_feed` gets the last recorded time (None for a new data directory) and opens the feed.
    """
    import uvloop

    refuse_server(config)
    with no_collection():
        return int(uvloop.run(_run(options, config, open_feed)))


async def _run(options: argparse.Namespace, config: Config, open_feed: FeedOpener) -> int:
    began = time.monotonic()
    metrics = Metrics()
    screen = _Screen(options.json)
    with open_embedded(options.data_dir, create=True, database=config.warehouse.database) as client:
        warehouse = Warehouse(client)
        last_ns = warehouse.last_received_ns()
        async with open_feed(last_ns) as feed:
            # What is recovered may be of another year than what comes.
            calendar = Calendar.around(feed.now_ns, last_ns or feed.now_ns)
            warm_up(config.rules(), calendar)
            spare_what_stays()
            host = Embedded(config, client, calendar, screen.show, metrics)
            recovered = await host.recover()
            if recovered:
                _print(options, f"went on from {market_time(feed.now_ns)}: {recovered:,} recorded events replayed")
            clock = feed.settings.frame_clock
            epoch = host.open_epoch(feed.name, clock, feed.now_ns)
            settings = msgspec.structs.replace(feed.settings, epoch=epoch, start_ns=last_ns or 0)
            gateway = Gateway(
                settings, host.on_frames, host.on_dead_letter, on_gap=host.on_gap, calendar=calendar,
                past=warehouse.past(),
            )  # fmt: skip

            def not_ready() -> str | None:
                return None if host.first_frame_at is not None else "no frame with rows was seen yet"

            async with serve_health(metrics.registry, not_ready, config.embedded.metrics_port) as port:
                _print(options, f"data in {options.data_dir}, metrics on http://127.0.0.1:{port}/metrics")
                with screen.open(host):
                    interrupted = await _until_ended(gateway, feed.until_closed, host, screen, metrics)
        await host.drain()
        tallies = host.tallies
        summary: dict[str, Any] = {
            **tallies._asdict(),
            "seconds": round(time.monotonic() - began, 3),
            "digest": stored(warehouse).digest,
            "data_dir": str(options.data_dir),
        }
    screen.summary(summary, interrupted)
    return 130 if interrupted else 0


async def _until_ended(gateway: Gateway, until_closed: bool, host: Embedded, screen: _Screen, metrics: Metrics) -> bool:
    """Run gateway and committer until the feed closes, something fails, or a signal comes; whether it was a signal."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    tasks = {
        asyncio.create_task(gateway.run(until_closed), name="gateway"),
        asyncio.create_task(count_forever(gateway.stats, metrics), name="metrics"),
        asyncio.create_task(host.run(), name="committer"),
        asyncio.create_task(stop.wait(), name="signal"),
        asyncio.create_task(screen.refresh(), name="screen"),
    }
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
        host.stop()
        for task in tasks:
            if task.get_name() != "committer":
                task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        count_gateway(gateway.stats, metrics)
    for result in results:
        if isinstance(result, Exception):
            raise result
    return stop.is_set() and all(task.get_name() == "signal" for task in done)


def _print(options: argparse.Namespace, sentence: str) -> None:
    if not options.json:
        console.print(sentence, style="dim")


class _Screen:
    """Where alerts go: JSON lines, a live table on a terminal, or plain lines into a pipe."""

    def __init__(self, json: bool) -> None:
        self._json = json
        self._live: Live | None = None
        self._shown: list[dict[str, Any]] = []
        self._host: Embedded | None = None

    @contextlib.contextmanager
    def open(self, host: Embedded) -> Any:
        """The live table, where there is a terminal for it."""
        self._host = host
        if self._json or not sys.stdout.isatty():
            yield
            return
        with Live(self._table(), console=console, auto_refresh=False) as self._live:
            yield
            self._live.update(self._table(), refresh=True)
        self._live = None

    def show(self, alert: Alert) -> None:
        """Deliver one alert."""
        if self._json:
            print_json(alert)
            return
        document = msgspec.structs.asdict(alert)
        if self._live is not None:
            self._shown = [*self._shown, document][-ALERTS_SHOWN:]
        else:
            console.print(
                f"{market_time(alert.emitted_ns)} {alert.underlying:6} {alert.direction:8} {alert.score:3.0f}"
                f"  {alert.headline}  [{alert.detector} {alert.id}]",
                soft_wrap=True, markup=False,
            )  # fmt: skip

    async def refresh(self) -> None:
        """Redraw the live table a few times a second, for ever."""
        while True:
            await asyncio.sleep(1 / REFRESH_PER_S)
            if self._live is not None:
                self._live.update(self._table(), refresh=True)

    def summary(self, summary: dict[str, Any], interrupted: bool) -> None:
        """The last words."""
        if self._json:
            print_json({"summary": summary})
            return
        console.print(
            f"{'interrupted after' if interrupted else 'ended after'} {summary['seconds']:.0f} s:"
            f" {summary['events']:,} events ({summary['trades']:,} trades) in {summary['frames']:,} frames,"
            f" {counted(**{name: summary[name] for name in ('signals', 'alerts', 'dead_letters')})}",
            soft_wrap=True,
        )
        where = "" if summary["data_dir"] == "var" else f" --data-dir {summary['data_dir']}"
        console.print(f"digest {summary['digest']}", style="dim")
        console.print(
            f"next: strikewire verify{where}   strikewire explain ALERT_ID{where}", style="dim", soft_wrap=True
        )

    def _table(self) -> Table:
        assert self._host is not None
        tallies, now_ns = self._host.tallies, self._host.log_time_ns
        time_shown = f"{market_time(now_ns)} New York" if now_ns else "waiting for the feed"
        table = alerts_table(
            f"{time_shown}   {counted('   ', trades=tallies.trades, signals=tallies.signals, alerts=tallies.alerts)}"
        )
        table.expand = True  # an empty table is narrower than its title, and one that widens jumps
        for document in reversed(self._shown):
            alert_row(table, document)
        return table


@contextlib.asynccontextmanager
async def remote_feed(config: Config) -> AsyncIterator[Feed]:
    """The vendor's feed under the user's own key."""
    settings = msgspec.structs.replace(config.gateway, api_key=os.environ["MASSIVE_API_KEY"])
    with own_account(settings.ws_url, settings.api_key):
        yield Feed(config.gateway.ws_url, settings, time.time_ns(), until_closed=False)
