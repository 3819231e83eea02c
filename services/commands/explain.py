"""Why an alert fired: the rule and its parameters, the prints it stands on, every boost and penalty, the views of the
moment; and whether running the rule again on those inputs gives the same bytes.
"""

from __future__ import annotations

import argparse
from typing import Any

from rich.table import Table
from rich.text import Text

from services.commands._output import console, market_time, print_json, styled_direction
from services.commands._replaying import history
from services.history.warehouse import Warehouse
from services.replay.explain import explain
from services.replay.runner import calendar_of

EXAMPLE = "strikewire explain 3f0c9d1e5a7b4c2d8e6f0a1b"

_LEVELS = ("reference", "stop", "target")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which alert."""
    parser.add_argument("alert_id", metavar="ALERT_ID")


def run(options: argparse.Namespace) -> int:
    """0 when the alert was reproduced, 1 when running it again gave something else."""
    with history(options) as client:
        warehouse = Warehouse(client)
        document = explain(warehouse, calendar_of(warehouse, options.data_dir), options.alert_id)
    if options.json:
        print_json(document)
    else:
        _print(document)
    return 0 if document["reproduced"] else 1


def _print(document: dict[str, Any]) -> None:
    alert = document["alert"]
    console.print(Text.assemble((alert["underlying"], "bold"), " ", styled_direction(alert["direction"]), " ",
                                f"score {alert['score']:.1f}  ", (alert["headline"], "bold")))  # fmt: skip
    console.print(f"{market_time(alert['emitted_ns'])} New York, by {document['rule']} {document['version']}")
    levels = [f"{name} {alert[f'{name}_usd']:,.2f}" for name in _LEVELS if alert[f"{name}_usd"] is not None]
    if levels:
        console.print(", ".join(levels) + f", horizon {alert['horizon_s'] / 60:.0f} minutes")
    record = alert["record"]
    console.print(f"record: {record['status']}, {record['n']} trades out of sample; a score is not a probability")
    table = Table(title="score", title_justify="left", border_style="dim")
    for name in ("part", "points", "why"):
        table.add_column(name, justify="right" if name == "points" else "left")
    signal = document["signal"]
    for name, value in signal["factors"].items() if signal else ():
        table.add_row(name, f"{value:+.1f}", "factor of the base")
    for one in (*document["boosts"], *document["penalties"]):
        table.add_row(one["source"], f"{one['points']:+.1f}", one["reason"])
    table.add_row(Text("score", "bold"), Text(f"{document['score']:.1f}", "bold"), f"coverage {alert['coverage']:.0%}")
    console.print(table)
    for title, values in (("evidence", alert["evidence"]), ("parameters", document["parameters"])):
        console.print(f"{title}: " + ", ".join(f"{name} {_number(value)}" for name, value in values.items()))
    for name, view in document["views"].items():
        numbers = ", ".join(f"{key} {_number(value)}" for key, value in view["values"].items() if value is not None)
        state = view["stance"] if view["ready"] else f"not ready: {view['reason']}"
        console.print(f"{name} ({state}, confidence {view['confidence']:.2f}): {numbers}")
    inputs = document["inputs"]
    shown = "; ".join(f"{p['topic']} epoch {p['epoch']} frame {p['seq']} row {p['row']}" for p in inputs[:8])
    console.print(f"inputs: {shown}" + (f" and {len(inputs) - 8} more" if len(inputs) > 8 else ""))
    if document["reproduced"]:
        console.print("[green]reproduced[/green]: running the rule again on the log gave the same bytes")
    else:
        console.print("[red]not reproduced[/red]: running the rule again on the log gave something else")


def _number(value: Any) -> str:
    return f"{value:,.6g}" if isinstance(value, float) else str(value)
