"""The vendor's protocol on loopback: WebSocket clusters /options, /indices and /stocks, and REST, from a seeded market
or a recorded tape. Any client of the vendor can be pointed at it; the key is `demo-key`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
from pathlib import Path
from typing import Any

from services.commands._arguments import day, duration, speed
from services.commands._faults import RequestedFaults, add_fault_arguments, print_faults, requested_faults
from services.commands._history_generator import add_history_arguments, make_history, refuse_history_arguments
from services.commands._output import console, print_json
from services.commands._reporting import add_reporting_arguments, report
from services.errors import FeedError, InputError
from standin.errors import StandInError
from standin.faults.requested import written
from standin.feed.source import Source
from standin.files.sources import open_source
from standin.files.truth_files import TruthFiles
from standin.market.scenario import names
from standin.server.server import StandIn

EXAMPLE = "strikewire standin --port 8765 --seed 7 --fault drop:after=30s"
# REST takes the port after the WebSocket's, the delayed host the one after that.
PORT_MAX = 65535 - 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which market, how fast, where."""
    parser.add_argument("--port", type=int, default=0, metavar="P", help="of the WebSocket; REST takes the next one")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the market (default 1)")
    parser.add_argument("--speed", type=speed, default=1.0, metavar="X|max", help="times real time (default 1)")
    parser.add_argument("--duration", type=duration, metavar="D", help="wall time to run (default: until interrupted)")
    parser.add_argument("--scenario", metavar="NAME", help=f"a named market: {', '.join(names())}")
    parser.add_argument("--truth", type=Path, metavar="DIR", help="write what the market really was into files here")
    parser.add_argument("--tape", type=Path, metavar="DIR", help="a folder of recorded data in LEAN's layout")
    parser.add_argument("--date", type=day, metavar="D", help="the tape's day")
    parser.add_argument("--underlying", metavar="U", help="the tape's underlying")
    add_history_arguments(parser)
    add_reporting_arguments(parser)
    add_fault_arguments(parser)
    parser.add_argument("--list-faults", action="store_true", help="print every fault and switch, and end")
    parser.add_argument("--delayed", action="store_true", help="a second WebSocket, 15 minutes late and without quotes")


def run(options: argparse.Namespace) -> int:
    """0 at the end of the tape or duration, 130 when interrupted."""
    if options.list_faults:
        print_faults(as_json=options.json)
        return 0
    if options.make_history is not None:
        return make_history(options)
    if options.report is not None:
        return report(options)
    refuse_history_arguments(options)
    requested = requested_faults(options)
    if not 0 <= options.port <= PORT_MAX:
        raise InputError(f"--port {options.port}", f"between 0 and {PORT_MAX}")
    if options.truth is not None and options.tape is not None:
        raise InputError("--truth", "a tape has none; only made-up markets know it")
    try:
        files = None if options.truth is None else TruthFiles(options.truth)
        source = open_source(
            seed=options.seed, start_ns=None, scenario=options.scenario, tape=options.tape, date=options.date,
            underlying=options.underlying, truth=None if files is None else files.log,
        )  # fmt: skip
    except StandInError as error:
        raise FeedError(str(error)) from None
    try:
        return asyncio.run(_serve(options, source, requested))
    except StandInError as error:
        raise FeedError(str(error)) from error
    finally:
        if files is not None:
            files.close()


async def _serve(options: argparse.Namespace, source: Source, requested: RequestedFaults) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    rest_port = options.port + 1 if options.port else 0
    standin = StandIn(
        source, speed=options.speed, ws_port=options.port, rest_port=rest_port, duration_s=options.duration,
        options=requested.protocol, faults=requested.faults, fault_seed=requested.seed,
        delayed=options.delayed, delayed_port=options.port + 2 if options.port else 0,
    )  # fmt: skip
    try:
        await standin.__aenter__()
    except OSError as error:
        raise FeedError(f"port {options.port}: {error.strerror or error}") from None
    try:
        if options.json:
            print_json(_ready(standin, requested))
        else:
            console.print(
                f"WebSocket {standin.ws_url}/options, /indices, /stocks; REST {standin.rest_url}; key demo-key"
            )
            if standin.delayed_url is not None:
                console.print(f"delayed by 15 minutes: {standin.delayed_url}/options, /indices, /stocks")
            for fault in requested.faults:
                console.print(f"--fault {written(fault)}", style="yellow")
        ended = asyncio.create_task(standin.finished.wait())
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
        for task in (ended, stopped):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
    finally:
        await standin.__aexit__(None, None, None)
    if stop.is_set():
        console.print("interrupted") if not options.json else None
        return 130
    return 0


def _ready(standin: StandIn, requested: RequestedFaults) -> dict[str, Any]:
    ready: dict[str, Any] = {"ws": standin.ws_url, "rest": standin.rest_url}
    if standin.delayed_url is not None:
        ready["delayed_ws"] = standin.delayed_url
    if requested.faults:
        ready["faults"] = [written(fault) for fault in requested.faults]
    return ready
