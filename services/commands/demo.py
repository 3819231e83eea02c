"""A market on loopback, live: the stand-in speaks the vendor's protocol over real sockets, the gateway sequences it,
the pipeline judges it, the warehouse keeps it; one process, no account, no broker, no database server. With --tape a
recorded day is played instead. A data directory that has history goes on from its last recorded market time.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from services.commands._arguments import day, duration, speed
from services.commands._compiling import compile_beside
from services.commands._faults import add_fault_arguments, requested_faults
from services.commands._replaying import configuration
from services.commands._running import Feed, run_embedded
from services.errors import InputError
from services.runtime.config import Config
from standin.errors import StandInError
from standin.files.sources import open_source
from standin.server.server import DEFAULT_KEYS, StandIn

EXAMPLE = "strikewire demo --duration 60s --speed 30"

# Half a market-minute a second: bursts worth an alert come every few seconds, and a laptop keeps up with it.
SPEED = 30.0
# A pass over the near chains costs this one process about a second; at full cadence a fast market did little else.
POLL_NEAR_WALL_S, POLL_FAR_WALL_S = 6.0, 30.0
# Only the demo's own gateway asks for the past, minutes of it after a gap; a market hour would be a hundred megabytes.
PRINTS_KEPT = 500_000
# The clusters and channels the gateway subscribes to; the market waits for them, so that nothing is missed.
CHANNELS = frozenset({"options.T", "indices.V", "stocks.A"})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which market, how fast, how long."""
    parser.add_argument("--duration", type=duration, metavar="D", help="wall time to run, such as 20s")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the market (default 1)")
    parser.add_argument("--speed", type=speed, default=SPEED, metavar="X|max", help=f"default {SPEED:g}")
    parser.add_argument("--scenario", metavar="NAME", help="a named market")
    parser.add_argument("--tape", type=Path, metavar="DIR", help="a folder of recorded data in LEAN's layout")
    parser.add_argument("--date", type=day, metavar="D", help="the tape's day")
    parser.add_argument("--underlying", metavar="U", help="the tape's underlying")
    add_fault_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """0 at the feed's end, 130 when interrupted."""
    config = configuration(options)
    if options.tape is not None and (options.date is None or options.underlying is None):
        raise InputError("--tape", "needs --date and --underlying")
    if options.tape is None and (options.date is not None or options.underlying is not None):
        raise InputError("--date and --underlying", "belong to --tape")
    if options.tape is None:
        compile_beside(config.rules())

    def open_feed(last_ns: int | None) -> contextlib.AbstractAsyncContextManager[Feed]:
        return standin_feed(options, config, last_ns)

    return run_embedded(options, config, open_feed)


@contextlib.asynccontextmanager
async def standin_feed(options: argparse.Namespace, config: Config, last_ns: int | None) -> AsyncIterator[Feed]:
    """The stand-in while the context is open, at the market time that follows what the data directory holds."""
    requested = requested_faults(options)
    try:
        source = open_source(
            seed=options.seed,
            start_ns=None if last_ns is None else last_ns + 1,
            scenario=options.scenario,
            tape=options.tape,
            date=options.date,
            underlying=options.underlying,
        )
    except StandInError as error:
        raise InputError(*_split(str(error))) from None
    if last_ns is not None and source.clock_ns < last_ns:
        raise InputError(options.data_dir, "has later history than this tape; use another --data-dir for it")
    standin = StandIn(
        source, speed=options.speed, start_when=CHANNELS, at_end="close", duration_s=options.duration,
        keys=DEFAULT_KEYS, options=requested.protocol, faults=requested.faults, fault_seed=requested.seed,
        prints_kept=PRINTS_KEPT,
    )  # fmt: skip
    async with standin:
        (key,) = DEFAULT_KEYS
        settings = msgspec.structs.replace(
            config.gateway,
            ws_url=standin.ws_url,
            rest_url=standin.rest_url,
            api_key=key,
            clock="feed",
            lockstep=options.speed is None,
            # Every chain there is, from the start; and not more often than the wall can bear at this speed.
            underlyings=tuple(underlying.ticker for underlying in source.listing.underlyings),
            poll_near_s=max(config.gateway.poll_near_s, POLL_NEAR_WALL_S * (options.speed or SPEED)),
            poll_far_s=max(config.gateway.poll_far_s, POLL_FAR_WALL_S * (options.speed or SPEED)),
        )
        yield Feed(_name(options), settings, source.clock_ns, until_closed=True)


def _name(options: argparse.Namespace) -> str:
    if options.tape is not None:
        return f"tape {options.underlying} {options.date}"
    return f"market seed {options.seed}" + (f" scenario {options.scenario}" if options.scenario else "")


def _split(sentence: str) -> tuple[str, str]:
    what, separator, problem = sentence.partition(": ")
    return (what, problem) if separator else ("stand-in", sentence)
