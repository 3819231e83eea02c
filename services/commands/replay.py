"""Runs recorded history through the pipeline under today's rules: the configuration as given, not as recorded.
What it decides is counted and digested; --alerts prints the alerts too.
"""

from __future__ import annotations

import argparse

import msgspec

from schemas.decisions import Alert
from schemas.kinds import Decision
from services.commands._arguments import moment, speed, symbol
from services.commands._output import alert_row, alerts_table, console, counted, print_json
from services.commands._replaying import configuration, history, progress_bar
from services.errors import InputError
from services.history.warehouse import Warehouse
from services.replay.runner import calendar_of, replay

EXAMPLE = "strikewire replay --from 2014-06-06T10:00 --underlying AAPL"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What of history, and what to print."""
    parser.add_argument("--from", type=moment, metavar="T", dest="from_ns", help="start of the log's time, New York")
    parser.add_argument("--to", type=moment, metavar="T", dest="to_ns", help="end of it, not included")
    parser.add_argument("--underlying", type=symbol, metavar="U", help="only decisions on this underlying")
    parser.add_argument("--speed", type=speed, default=None, metavar="max", help="only `max` makes sense so far")
    parser.add_argument("--alerts", action="store_true", help="print the alerts (a line each with --json)")


def run(options: argparse.Namespace) -> int:
    """Always 0: there is no wrong answer to a replay."""
    rules = configuration(options).rules()
    if options.speed is not None:
        raise InputError("--speed", "a replay runs as fast as it can; only `max` is known")
    table = alerts_table()

    def collect(_: int, decision: Decision) -> None:
        if options.alerts and isinstance(decision, Alert):
            if options.json:
                print_json(decision)
            else:
                alert_row(table, msgspec.structs.asdict(decision))

    with history(options) as client:
        warehouse = Warehouse(client)
        calendar = calendar_of(warehouse, options.data_dir)
        partitions = None
        if options.underlying is not None:
            partitions = warehouse.partitions_of(options.underlying)
        with progress_bar(warehouse, options.json) as progress:
            run = replay(
                warehouse,
                calendar,
                lambda _: rules,
                partitions=partitions,
                underlying=options.underlying,
                from_ns=options.from_ns,
                to_ns=options.to_ns,
                collect=collect,
                progress=progress,
            )
    if options.json:
        print_json({**run._asdict(), "trades_per_s": round(run.trades_per_s)})
        return 0
    if table.row_count:
        console.print(table)
    console.print(
        f"{run.events:,} events ({run.trades:,} trades) in {run.seconds:.2f} s, {run.trades_per_s:,.0f} trades/s:"
        f" {counted(signals=run.signals, alerts=run.alerts)}"
    )
    console.print(f"digest {run.digest}")
    return 0
