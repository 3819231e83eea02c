"""What the commands that replay share."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from services.errors import InputError
from services.history.engine import open_warehouse
from services.history.warehouse import Warehouse
from services.runtime.config import Config as _Config
from services.runtime.config import apply, convert, load, read_toml

__all__ = ["configuration", "history", "overridden", "progress_bar", "refuse_server"]


def configuration(options: argparse.Namespace) -> _Config:
    """The configuration a command was given; `--warehouse URL` stands for `--set warehouse.url=URL`."""
    named = [f'warehouse.url="{options.warehouse}"'] if getattr(options, "warehouse", None) else []
    return load(options.config, [*options.overrides, *named])


def refuse_server(config: _Config) -> None:
    """For a command that records into its data directory. Raises InputError when a served warehouse is asked for."""
    if config.warehouse.url:
        raise InputError(
            "--warehouse", "is where others read; this records into --data-dir (`strikewire sink` fills a server)"
        )


@contextmanager
def history(options: argparse.Namespace) -> Iterator[Any]:
    """A client on the warehouse a command was told to read: a server's, or the data directory's own."""
    with open_warehouse(options.data_dir, configuration(options).warehouse) as client:
        yield client


def overridden(options: argparse.Namespace) -> Callable[[dict[str, Any]], None]:
    """What the command line changes in rules that were recorded."""
    load(options.config, options.overrides)  # refuses a misspelt key before anything is read

    def change(rules: dict[str, Any]) -> None:
        if options.config is not None:
            given = convert(str(options.config), read_toml(options.config), _Config)
            for kind in ("contexts", "detectors"):
                for name, parameters in getattr(given, kind).items():
                    rules.setdefault(kind, {}).setdefault(name, {}).update(parameters)
            rules.setdefault("scanner", {}).update(given.scanner)
            if given.own.folders:
                rules["rules"] = {"folders": list(given.own.folders)}
        for override in options.overrides:
            if override.split(".", 1)[0] in ("contexts", "detectors", "scanner", "rules"):
                if override.startswith("rules.folders"):
                    rules.pop("rules", None)  # the files an epoch recorded are pinned: these stand in their place
                apply(rules, override)

    return change


@contextmanager
def progress_bar(warehouse: Warehouse, quiet: bool) -> Iterator[Callable[[int], None] | None]:
    """A bar on stderr with rate and time left, where a person is looking."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    with Progress(
        TextColumn("replaying"), BarColumn(), TextColumn("{task.completed:,.0f} of {task.total:,.0f} events"),
        TextColumn("{task.speed:,.0f}/s"), TimeRemainingColumn(), console=Console(stderr=True), transient=True,
    ) as progress:  # fmt: skip
        task = progress.add_task("replay", total=warehouse.events())
        yield lambda rows: progress.advance(task, rows)
