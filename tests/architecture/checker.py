"""Finds breaches of the plan in `house.py`, each told in one sentence. Reads source text; imports nothing."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.architecture.house import (
    FLOORS,
    HOMES,
    IMPURE_BUILTINS,
    IMPURE_CALLS,
    IMPURE_MODULES,
    PURE_EXCEPTIONS,
    ROOMS,
    STANDIN_KNOWS,
    STANDIN_USERS,
    STRANGERS,
    UNSEEDED_CALLS,
    Room,
)

__all__ = ["breaches", "imports_of", "library_of", "room_of", "sources", "used_libraries", "within"]

OURS = ("schemas", "services", "standin", "strikewire")


class Import(NamedTuple):
    """`target` is as deep as the statement tells: for `from a.b import c` it is `a.b.c`."""

    module: str
    target: str


def sources(root: Path) -> dict[str, str]:
    """Source text by module name of every file in the packages under `root`."""
    found = {}
    for package in OURS:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.read_text()
    return found


def breaches(modules: Mapping[str, str]) -> list[str]:
    """One sentence a breach, in the order of modules."""
    found: list[str] = []
    for module, text in modules.items():
        tree = ast.parse(text)
        imports = list(_imports(module, tree))
        if _prefix(module, ROOMS) == "services" and module != "services":
            found.append(f"{module} has no room; tests/architecture/house.py should say on which floor it stands")
            continue
        found += _floor_breaches(imports)
        found += _standin_breaches(imports)
        found += _library_breaches(imports)
        if room_of(module).pure:
            found += _purity_breaches(module, tree, imports)
    return list(dict.fromkeys(found))


def room_of(module: str) -> Room:
    """The room of a module."""
    return ROOMS[_prefix(module, ROOMS)]


def imports_of(module: str, text: str) -> list[Import]:
    """Every import of a module, inside functions too."""
    return list(_imports(module, ast.parse(text)))


def library_of(target: str) -> str | None:
    """The outside library an import names; None for ours and the standard library's."""
    top = target.split(".")[0]
    return None if not top or top in OURS or top in sys.stdlib_module_names else top


def used_libraries(modules: Mapping[str, str]) -> set[str]:
    """Every outside library that is imported anywhere."""
    found = set()
    for module, text in modules.items():
        found |= {library_of(each.target) for each in _imports(module, ast.parse(text))}
    return {library for library in found if library is not None}


def _floor_breaches(imports: Sequence[Import]) -> Iterator[str]:
    for module, target in imports:
        if target.startswith("."):
            yield f"{module} imports {target}; name the module in full, so that its floor can be seen"
        if target.split(".")[0] not in OURS:
            continue
        mine, theirs = room_of(module).floor, room_of(target).floor
        if theirs > mine:
            yield (
                f"{module} imports {target}; {FLOORS[mine]} may not reach up to {FLOORS[theirs]}, imports go down only"
            )
        for who, whom, why in STRANGERS:
            if within(module, who) and within(target, whom):
                yield f"{module} imports {target}; {why}"


def _standin_breaches(imports: Sequence[Import]) -> Iterator[str]:
    for module, target in imports:
        if within(module, "standin") == within(target, "standin") or target.split(".")[0] not in OURS:
            continue
        if within(target, "standin"):
            if not any(within(module, user) for user in STANDIN_USERS):
                yield f"{module} imports {target}; only {' and '.join(STANDIN_USERS)} opens a stand-in"
        elif not any(within(module, who) and within(target, whom) for who, whom in STANDIN_KNOWS):
            yield f"{module} imports {target}; the stand-in knows the product by the wire and the schemas only"


def _library_breaches(imports: Sequence[Import]) -> Iterator[str]:
    for module, target in imports:
        library = library_of(target)
        if library is None:
            continue
        if library not in HOMES:
            if not room_of(module).pure:  # a pure room's own sentence says enough
                yield f"{module} imports {library}; no home is listed for that library"
        elif not any(within(module, home) for home in HOMES[library]) and not room_of(module).pure:
            yield f"{module} imports {library}; its one home is {' and '.join(HOMES[library])}"


def _purity_breaches(module: str, tree: ast.AST, imports: Sequence[Import]) -> Iterator[str]:
    used = []
    for _, target in imports:
        top, library = target.split(".")[0], library_of(target)
        if top in IMPURE_MODULES:
            used.append(("imports", top))
        elif library is not None and not any(within(module, home) for home in HOMES.get(library, ())):
            used.append(("imports", library))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            last = called.split(".")
            unseeded = last[-1] in UNSEEDED_CALLS and not node.args and not node.keywords
            if called in IMPURE_BUILTINS or ".".join(last[-2:]) in IMPURE_CALLS or unseeded:
                used.append(("calls", called))
        elif isinstance(node, ast.Attribute) and node.attr == "environ":
            used.append(("reads", ast.unparse(node)))
    for verb, what in used:
        if (module, what) not in PURE_EXCEPTIONS:
            yield f"{module} {verb} {what}; that room is pure"


def _imports(module: str, tree: ast.AST) -> Iterator[Import]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield Import(module, name.name)
        elif isinstance(node, ast.ImportFrom):
            start = "." * node.level + (node.module or "")
            for name in node.names:
                yield Import(module, f"{start}.{name.name}" if node.module else f"{start}{name.name}")


def within(module: str, prefix: str) -> bool:
    """Whether a module is a room or stands in it."""
    return module == prefix or module.startswith(f"{prefix}.")


def _prefix(module: str, table: Mapping[str, object]) -> str:
    """The longest listed prefix of a module."""
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        prefix = ".".join(parts[:length])
        if prefix in table:
            return prefix
    raise KeyError(f"{module} is in no package of ours")
