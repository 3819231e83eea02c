"""The drawn tree of errors is the tree of classes."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path

import services
import services.errors
from services.errors import StrikewireError


def drawn() -> list[tuple[str, str]]:
    """(class, the class above it) of each line of the tree, top down."""
    above: list[str] = []
    found = []
    for line in (services.errors.__doc__ or "").splitlines():
        match = re.match(r"    ([│├└─ ]*)(\w+Error) {2,}\S", line)
        if match:
            depth = len(match.group(1)) // 4
            found.append((match.group(2), above[depth - 1] if depth else ""))
            above[depth:] = [match.group(2)]
    return found


def classes(root: type[StrikewireError], above: str = "") -> list[tuple[str, str]]:
    """(class, the class above it) of the whole family, each level by name."""
    found = [(root.__name__, above)]
    for child in sorted(root.__subclasses__(), key=lambda child: child.__name__):
        if child.__module__.startswith("services."):  # a test may have one of its own
            found += classes(child, root.__name__)
    return found


def test_the_tree_is_drawn_as_it_stands() -> None:
    for module in pkgutil.walk_packages(services.__path__, "services."):
        importlib.import_module(module.name)
    assert drawn() == classes(StrikewireError)


def test_an_error_speaks_one_sentence_of_its_data() -> None:
    busy = services.errors.StoreBusyError(Path("var"), "process 7")
    assert str(busy) == "var is in use by process 7; one process at a time owns an embedded warehouse"
    assert (busy.data_dir, busy.owner) == (Path("var"), "process 7")
