"""The catalogue of detectors: what each watches, needs and is set to under the configuration given."""

from __future__ import annotations

import argparse
import inspect
from typing import Any

import msgspec

from services.commands._output import console, print_json
from services.commands._replaying import configuration
from services.wiring import detector_types, resolved_rules

EXAMPLE = "strikewire detectors --json"


def add_arguments(_: argparse.ArgumentParser) -> None:
    """Nothing beyond the common options."""


def run(options: argparse.Namespace) -> int:
    """Always 0."""
    rules = configuration(options).rules()
    in_force = resolved_rules(rules)["detectors"]
    found: list[dict[str, Any]] = []
    for name, made in detector_types(rules.own).items():
        parameters = dict(in_force.get(name, {}))
        parameters.pop("version", None)
        text = inspect.cleandoc(made.__doc__ or "")
        found.append(
            {
                "detector": name,
                "version": made.version,
                "enabled": name in in_force,
                "about": text.split("\n\n")[0].replace("\n", " "),
                "specification": text,
                "triggers": [str(kind) for kind in sorted(made.triggers)],
                "needs": [view.__name__ for view in made.requires],
                "optional": [view.__name__ for view in made.uses],
                "parameters": parameters or msgspec.to_builtins(made.Parameters()),
                "record": {"status": "UNPROVEN", "n": 0},
            }
        )
    if options.json:
        print_json({"detectors": found})
        return 0
    for one in found:
        state = "" if one["enabled"] else "  [red]off[/red]"
        console.print(
            f"[bold]{one['detector']}[/bold] {one['version']}{state}  (UNPROVEN: no out-of-sample record yet)"
        )
        console.print(f"  {one['about']}", soft_wrap=True)
        console.print("  " + ", ".join(f"{key}={value}" for key, value in one["parameters"].items()), style="dim")
    return 0
