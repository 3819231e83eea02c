"""Replays everything that was recorded, under the rules recorded with it, and compares the signals and alerts with
those live made: equal means byte for byte. Overrides (--set) apply on top, to see what they would have changed.
"""

from __future__ import annotations

import argparse

from services.commands._output import console, counted, print_json
from services.commands._replaying import history, overridden, progress_bar
from services.history.warehouse import Warehouse
from services.replay.runner import calendar_of, recorded_rules, verify

EXAMPLE = "strikewire verify --data-dir var"


def add_arguments(_: argparse.ArgumentParser) -> None:
    """Nothing beyond the common options."""


def run(options: argparse.Namespace) -> int:
    """0 when equal, 1 when not."""
    with history(options) as client:
        warehouse = Warehouse(client)
        calendar = calendar_of(warehouse, options.data_dir)
        with progress_bar(warehouse, options.json) as progress:
            verdict = verify(warehouse, calendar, recorded_rules(overridden(options)), progress)
    live, again, first = verdict.live, verdict.replay, verdict.first_difference
    if options.json:
        print_json(
            {
                "equal": verdict.equal,
                "live": live._asdict(),
                "replay": again._asdict(),
                "first_difference": first,
            }
        )
    elif verdict.equal:
        console.print(
            f"[green]equal[/green]: {counted(' and ', signals=live.signals, alerts=live.alerts)}, byte for byte"
        )
        console.print(f"digest {live.digest}")
    else:
        console.print("[red]not equal[/red]")
        console.print(f"  live    {counted(signals=live.signals, alerts=live.alerts)}, digest {live.digest}")
        console.print(f"  replay  {counted(signals=again.signals, alerts=again.alerts)}, digest {again.digest}")
        if first is not None:
            console.print(f"first difference: decision {first['index']} of partition {first['partition']}")
            for side in ("live", "replay"):
                one = first[side]
                what = "nothing" if one is None else f"{one['kind']} {one['id']}: {one['headline']}"
                console.print(f"  {side:7} {what}")
            if first["fields"]:
                console.print(f"  they differ in {', '.join(first['fields'])}")
    return 0 if verdict.equal else 1
