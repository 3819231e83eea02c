"""`strikewire standin --make-history DIR`: sessions of a made-up market recorded as a demo would record them."""

from __future__ import annotations

import argparse
import datetime as dt
import signal
import threading
import time
from pathlib import Path
from typing import Any

import msgspec

from schemas.frames import CLOCK_FEED
from services.commands._output import console, counted, print_json
from services.commands._replaying import configuration, refuse_server
from services.core.calendar import Calendar, ny_date
from services.errors import InputError
from services.gateway.sequencing.row_log import RowLog
from services.history.engine import open_embedded
from services.history.warehouse import Warehouse
from services.replay.recording import Recorder
from services.replay.runner import stored
from services.wiring import warm_up
from standin.history.generator import HistoryGenerator, SnapshotPace
from standin.market.scenario import PLAIN, Scenario, scenario_of
from standin.market.seeded import SeededMarket

__all__ = ["add_history_arguments", "make_history", "refuse_history_arguments"]

# Levels move in straight lines through a minute of history, and a bar is as long.
SPAN_S = 60
DAYS = 60
# The walk begins anew every five years; ten of them are more than any detector is judged by.
DAYS_MAX = 2520
# A twentieth of the tape: half a million prints a session, which sixty sessions of fit on a laptop.
INTENSITY = 0.05
# Half a million contracts; the tape lists some four hundred thousand that trade (spec/vendor.md 9).
DENSITY_MAX = 16


def add_history_arguments(parser: argparse.ArgumentParser) -> None:
    """Where history goes, and how much of it."""
    parser.add_argument(
        "--make-history", type=Path, metavar="DIR", help="record sessions into a data directory instead of serving"
    )
    parser.add_argument("--days", type=int, default=DAYS, metavar="N", help=f"sessions to record (default {DAYS})")
    parser.add_argument(
        "--intensity", type=float, default=INTENSITY, metavar="X",
        help=f"share of the whole tape's prints (default {INTENSITY:g}; 1 is eight million a session)",
    )  # fmt: skip
    parser.add_argument(
        "--density", type=int, default=1, metavar="N",
        help="times as many strikes an expiry as usual (default 1, some 41,000 contracts; 12 lists 400,000)",
    )  # fmt: skip
    parser.add_argument(
        "--chains-every", type=int, default=SnapshotPace().chain_min, metavar="MIN",
        help=f"minutes between chain snapshots (default {SnapshotPace().chain_min})",
    )  # fmt: skip


def refuse_history_arguments(options: argparse.Namespace) -> None:
    """Where no history is made: raises InputError for what would only be left unheard."""
    usual = {"days": DAYS, "intensity": INTENSITY, "density": 1, "chains_every": SnapshotPace().chain_min}
    for name, value in usual.items():
        if getattr(options, name) != value:
            raise InputError(f"--{name.replace('_', '-')}", "is for --make-history")


def make_history(options: argparse.Namespace) -> int:
    """0 when all sessions are recorded, 130 when interrupted; what was recorded until then stays."""
    if not 1 <= options.days <= DAYS_MAX:
        raise InputError(f"--days {options.days}", f"between 1 and {DAYS_MAX} sessions, which are ten years")
    if not 0 < options.intensity <= 20:
        raise InputError(f"--intensity {options.intensity:g}", "above 0 and at most 20 times the tape")
    if not 1 <= options.density <= DENSITY_MAX:
        raise InputError(f"--density {options.density}", f"between 1 and {DENSITY_MAX} times the usual strikes")
    if not 1 <= options.chains_every <= 390:
        raise InputError(f"--chains-every {options.chains_every}", "between 1 and 390 minutes")
    try:
        scenario = scenario_of(options.scenario or PLAIN)
    except LookupError as error:
        raise InputError("--scenario", error.args[0]) from None
    try:
        _make(options, scenario, _stop_on_signal())
    except KeyboardInterrupt:
        if not options.json:
            console.print("interrupted; what is recorded stays, and the same command goes on after it")
        return 130
    return 0


def _start_ns(scenario: Scenario, days: int, last_ns: int | None) -> int:
    """After what is recorded; in an empty directory so many sessions before the scenario's first, that a demo on it
    goes on there."""
    if last_ns is not None:
        return last_ns + 1
    # Seven calendar days hold four sessions at least.
    before = Calendar.load(scenario.start - dt.timedelta(days=2 * days + 14), scenario.start - dt.timedelta(days=1))
    return before.sessions[-days].open_ns


def _stop_on_signal() -> threading.Event:
    """Set by the first signal, so that a minute that was begun is stored with its decisions; a second one interrupts.

    Said outright: in the background of a shell one signal is ignored, and the other ends without a word.
    """
    stop = threading.Event()

    def on_signal(number: int, _: object) -> None:
        stop.set()
        signal.signal(number, signal.default_int_handler)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    return stop


def _make(options: argparse.Namespace, scenario: Scenario, stop: threading.Event) -> None:
    began = time.monotonic()
    config = configuration(options)
    data_dir = options.make_history
    refuse_server(config)
    with open_embedded(data_dir, create=True, database=config.warehouse.database) as client:
        warehouse = Warehouse(client)
        last_ns = warehouse.last_received_ns()
        start_ns = _start_ns(scenario, options.days, last_ns)
        try:
            market = SeededMarket(
                options.seed,
                start_ns,
                scenario=scenario,
                intensity=options.intensity,
                density=options.density,
                span_s=SPAN_S,
            )
        except (LookupError, ValueError, OverflowError) as error:
            raise InputError(data_dir, f"the market cannot go on from where this history ends: {error}") from None
        calendar = Calendar.around(market.clock_ns, days_after=1200)
        warm_up(config.rules(), calendar)
        recorder = Recorder(config, client, calendar)
        name = f"made: market seed {options.seed} scenario {scenario.name} intensity {options.intensity:g}"
        epoch = recorder.open_epoch(name, CLOCK_FEED, market.clock_ns)
        settings = msgspec.structs.replace(config.gateway, epoch=epoch, clock="feed", start_ns=last_ns or 0)
        minutes = HistoryGenerator(market, RowLog(settings), SnapshotPace(options.chains_every))
        for _ in range(options.days):
            _session(options, recorder, minutes, market, stop)
            if stop.is_set():
                raise KeyboardInterrupt
        summary: dict[str, Any] = {
            "sessions": options.days,
            **recorder.counts,
            "seconds": round(time.monotonic() - began, 3),
            "digest": stored(warehouse).digest,
            "data_dir": str(data_dir),
        }
    if options.json:
        print_json(summary)
        return
    console.print(
        f"{options.days} sessions in {summary['seconds']:.0f} s: "
        + counted(**{name: summary[name] for name in ("trades", "events", "signals", "alerts")})
    )
    console.print(f"next: strikewire replay --data-dir {data_dir}", style="dim", soft_wrap=True)


def _session(
    options: argparse.Namespace, recorder: Recorder, minutes: HistoryGenerator, market: SeededMarket,
    stop: threading.Event,
) -> None:  # fmt: skip
    """Record one session, or its minutes until somebody asks to stop."""
    began, before = time.monotonic(), dict(recorder.counts)
    for frames in minutes.session():
        recorder.take(frames)
        if stop.is_set():
            break
    recorder.flush()
    if not options.json:
        made = {name: recorder.counts[name] - before[name] for name in ("trades", "alerts")}
        console.print(
            f"{ny_date(market.clock_ns)}: {counted(**made)} in {time.monotonic() - began:.1f} s",
            style="dim",
        )
