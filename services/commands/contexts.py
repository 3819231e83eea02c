"""The state of the context engines: the last published view of each, for one underlying or for all."""

from __future__ import annotations

import argparse

import msgspec
from rich.table import Table

from services.commands._output import console, market_time, print_json
from services.commands._replaying import history
from services.errors import InputError
from services.history.warehouse import Warehouse

EXAMPLE = "strikewire contexts SPY"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Of which underlying."""
    parser.add_argument("underlying", metavar="UNDERLYING", nargs="?")


def run(options: argparse.Namespace) -> int:
    """Always 0."""
    underlying = options.underlying.upper().removeprefix("I:") if options.underlying else None
    with history(options) as client:
        views = [msgspec.json.decode(document) for document in Warehouse(client).latest_views(underlying)]
    if underlying and not views:
        raise InputError(underlying, "no context has seen this underlying in this data directory")
    if options.json:
        print_json({"contexts": views})
        return 0
    table = Table(border_style="dim")
    for name in ("underlying", "context", "as of", "stance", "confidence", "values"):
        table.add_column(name, justify="right" if name == "confidence" else "left", overflow="fold")
    for view in views:
        numbers = {name: value for name, value in view["values"].items() if value is not None}
        stance = view["stance"] if view["ready"] else f"not ready: {view['reason']}"
        shown = ", ".join(f"{name} {value:,.5g}" for name, value in numbers.items())
        table.add_row(view["underlying"], view["context"], market_time(view["as_of_ns"]), stance,
                      f"{view['confidence']:.2f}", shown)  # fmt: skip
    console.print(table)
    return 0
