"""`strikewire COMMAND`: parses, calls, and turns what happened into an exit status.

    0    yes, or done
    1    an honest no (`verify` found a difference)
    2    wrong use or bad input: one sentence on stderr
    130  interrupted

Commands stand in `services/commands`, one file each, and are imported only when asked for: `--help` should not wait for
a compiler.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from services.errors import StrikewireError
from services.runtime.gc_pauses import no_collection

__all__ = ["main"]

# In the order a newcomer meets them: command, module, one line.
COMMANDS: tuple[tuple[str, str, str], ...] = (
    ("demo", "demo", "a market on loopback, live, through everything, in one process"),
    ("up", "up", "the same against a real feed (key from MASSIVE_API_KEY)"),
    ("verify", "verify", "replay what was recorded and compare it with live, byte for byte"),
    ("explain", "explain", "why an alert fired"),
    ("replay", "replay", "history through the same pipeline"),
    ("tail", "tail", "the newest records of a topic"),
    ("contexts", "contexts", "the state of the context engines"),
    ("detectors", "detectors", "the catalogue of detectors"),
    ("warehouse", "warehouse", "the embedded engine on ClickHouse's HTTP interface"),
    ("sink", "sink", "Kafka's topics into the warehouse, exactly once"),
    ("standin", "standin", "the vendor's protocol on loopback"),
    ("chain", "chain", "one option chain file worked out"),
    ("topics", "topics", "Kafka's topics: create, list"),
    ("gateway", "gateway", "the feed into Kafka, sequenced"),
    ("agents", "agents", "judges what comes from Kafka; as many as there are partitions"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    with no_collection():
        options = _parsed(given)
    return 2 if options is None else _guarded(options)


def _parsed(given: list[str]) -> argparse.Namespace | None:
    """What is asked for; None, with a page of help, when it is nothing. Imports the command."""
    parser, commands = _parsers()
    wanted = next((word for word in given if not word.startswith("-")), None)
    for name, module, about in COMMANDS:
        if name == wanted:
            command = importlib.import_module(f"services.commands.{module}")
            one = commands.add_parser(
                name,
                help=about,
                description=command.__doc__,
                epilog=f"example: {command.EXAMPLE}",
                parents=[_common()],
                formatter_class=argparse.RawDescriptionHelpFormatter,
                allow_abbrev=False,
            )
            command.add_arguments(one)
            one.set_defaults(run=command.run)
        else:
            commands.add_parser(name, help=about, add_help=False)
    options = parser.parse_args(given)
    if not hasattr(options, "run"):
        parser.print_help(sys.stderr)
        return None
    return options


def _guarded(options: argparse.Namespace) -> int:
    from services.runtime.logs import set_up

    set_up(options.log_level)
    try:
        return int(options.run(options))
    except StrikewireError as error:
        if options.debug:
            raise
        print(f"strikewire: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("strikewire: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of a pipe has enough: `strikewire tail alerts | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parsers() -> tuple[argparse.ArgumentParser, argparse._SubParsersAction[argparse.ArgumentParser]]:
    parser = argparse.ArgumentParser(
        prog="strikewire",
        description="A live US options feed turned into judged alerts, proved on history with the very same code.",
        epilog="example: strikewire demo --duration 60s",
        allow_abbrev=False,
    )
    return parser, parser.add_subparsers(title="commands", metavar="COMMAND", dest="command")


def _common() -> argparse.ArgumentParser:
    """The options every command has."""
    common = argparse.ArgumentParser(add_help=False)
    group = common.add_argument_group("common options")
    group.add_argument("--json", action="store_true", help="machine output on stdout, nothing else there")
    group.add_argument("--config", type=Path, metavar="FILE", help="TOML configuration; unknown keys are refused")
    group.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides", help="one override, repeatable"
    )
    group.add_argument("--data-dir", type=Path, default=Path("var"), metavar="DIR", help="history (default: var)")
    group.add_argument(
        "--warehouse", metavar="URL", help="a served warehouse or ClickHouse, such as http://127.0.0.1:8123"
    )
    group.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"), metavar="LEVEL")
    group.add_argument("--debug", action="store_true", help="show tracebacks")
    return common


if __name__ == "__main__":
    sys.exit(main())
