"""Options of the stand-in's bad days and open questions: --fault, --fault-seed, --switch, --list-faults, --delayed.

Run as a program it prints the tables of docs/standin.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NamedTuple

from rich.table import Table

from services.commands._output import console, print_json
from services.errors import InputError
from standin.errors import StandInError
from standin.faults.named import FAULTS, Fault
from standin.faults.protocol_options import ProtocolOptions
from standin.faults.requested import Key, draw_faults, keys_of, options_of, read_fault, summary

__all__ = ["RequestedFaults", "add_fault_arguments", "faults_markdown", "print_faults", "requested_faults"]


class RequestedFaults(NamedTuple):
    """What the options ask of the protocol."""

    protocol: ProtocolOptions
    faults: tuple[Fault, ...]
    seed: int


def add_fault_arguments(parser: argparse.ArgumentParser) -> None:
    """The protocol's options."""
    names = ", ".join(key.name for key in keys_of(ProtocolOptions))
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="NAME[:KEY=VALUE,...]",
        help="a bad day, such as slow_consumer:after=30s; repeatable; --list-faults names them all",
    )
    parser.add_argument(
        "--fault-seed",
        type=int,
        metavar="N",
        help="of chance in faults (default 0); without --fault it draws three to six of them",
    )
    parser.add_argument(
        "--switch",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help=f"what the vendor's documents leave UNCONFIRMED, each with the safer default; repeatable; one of {names}",
    )


def requested_faults(options: argparse.Namespace) -> RequestedFaults:
    """What was asked for. Raises InputError with the names that exist."""
    seed = options.fault_seed
    if seed is not None and seed < 0:
        raise InputError(f"--fault-seed {seed}", "a seed is not negative")
    try:
        faults = tuple(read_fault(text) for text in options.fault)
    except StandInError as error:
        raise InputError("--fault", str(error)) from None
    try:
        protocol = options_of(options.switch)
    except StandInError as error:
        raise InputError("--switch", str(error)) from None
    if not faults and seed is not None:
        faults = draw_faults(seed)
    return RequestedFaults(protocol, faults, seed or 0)


def print_faults(*, as_json: bool) -> None:
    """Every fault and every switch with its keys."""
    if as_json:
        print_json(
            {"faults": [_fault_document(*each) for each in FAULTS.items()], "switches": _documents(ProtocolOptions)}
        )
        return
    faults = Table(
        "fault", "what happens", "keys", "spec/vendor.md", title="--fault NAME:KEY=VALUE,...", title_justify="left"
    )
    for name, kind in FAULTS.items():
        keys = "\n".join(_key_text(key) for key in keys_of(kind))
        faults.add_row(name, summary(kind), keys, kind.row)
    switches = Table("switch", "what it decides", "takes", "default", title="--switch NAME=VALUE", title_justify="left")
    for key in keys_of(ProtocolOptions):
        switches.add_row(key.name, key.description, key.takes, key.default)
    console.print(faults, switches)


def _key_text(key: Key) -> str:
    """A key and its default; what else it takes where that cannot be guessed from the default."""
    choices = key.takes.removeprefix("any of ") if "|" in key.takes or key.takes.startswith("any of ") else ""
    return f"{key.name}={key.default}" + (f" ({choices})" if choices else "")


def faults_markdown() -> str:
    """The tables of the documentation."""
    lines = ["| fault | what happens | keys | spec/vendor.md |", "|---|---|---|---|"]
    for name, kind in FAULTS.items():
        keys = "<br>".join(f"`{_key_text(key).replace('|', ', ')}`" for key in keys_of(kind))
        lines.append(f"| `{name}` | {summary(kind)} | {keys} | {kind.row} |")
    lines += ["", "| switch | what it decides | takes | default |", "|---|---|---|---|"]
    for key in keys_of(ProtocolOptions):
        lines.append(f"| `{key.name}` | {key.description} | {key.takes.replace('|', ', ')} | `{key.default}` |")
    return (
        "\n".join(lines).replace("a duration such as 30s", "a duration").replace("a size such as 1MB", "a size") + "\n"
    )


def _fault_document(name: str, kind: type[Fault]) -> dict[str, Any]:
    return {"name": name, "what": summary(kind), "row": kind.row, "keys": _documents(kind)}


def _documents(kind: type[Fault] | type[ProtocolOptions]) -> Sequence[dict[str, str]]:
    keys: list[Key] = keys_of(kind)
    return [{"name": key.name, "takes": key.takes, "default": key.default, "says": key.description} for key in keys]


if __name__ == "__main__":
    print(faults_markdown(), end="")
