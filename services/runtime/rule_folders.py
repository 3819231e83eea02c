"""Rules of the user's own: contexts and detectors in folders that the configuration names.

`[rules] folders = ["my_rules"]` loads every file of `my_rules` whose name does not start with an underscore. It holds
one context or one detector, whose `name` is the file's, and imports what it needs from `strikewire`. An epoch records
version and SHA-256 of each file, so that a replay runs the very same rule or says in one sentence why it cannot.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from services.core.contract import Context, Detector
from services.errors import RuleFileError
from services.runtime.config import OwnRulesConfig, RuleFile

__all__ = ["OwnRule", "own_rules", "own_types", "recorded_files"]

# What an error of somebody's module may take of a terminal's line.
PROBLEM_CHARACTERS_MAX = 200
BASES: dict[str, type[Any]] = {"contexts": Context, "detectors": Detector}


class OwnRule(NamedTuple):
    """One rule of a folder. kind: contexts or detectors; made: its class."""

    kind: str
    name: str
    file: str
    sha256: str
    made: type[Any]


def own_rules(config: OwnRulesConfig) -> tuple[OwnRule, ...]:
    """The rules of the configuration's folders, or the very files a record names, in the order of their names.

    Raises RuleFileError naming the folder or file: not there, changed since it was recorded, without exactly one rule,
    two of one name, or broken.
    """
    rules: dict[tuple[str, str], OwnRule] = {}
    for rule in _recorded(config.files) if config.files else _discovered(config.folders):
        twice = rules.setdefault((rule.kind, rule.name), rule)
        if twice is not rule:
            raise RuleFileError(rule.file, f"a rule named {rule.name!r} stands in {twice.file} as well")
    return tuple(rules[key] for key in sorted(rules))


def own_types(config: OwnRulesConfig, kind: str, ours: Mapping[str, type[Any]]) -> dict[str, type[Any]]:
    """The program's rules of a kind and the user's, in the order of their names. Raises RuleFileError."""
    types = dict(ours)
    for rule in own_rules(config):
        if rule.kind == kind:
            if rule.name in ours:
                raise RuleFileError(rule.file, f"the program has a rule named {rule.name!r} already")
            types[rule.name] = rule.made
    return dict(sorted(types.items()))


def recorded_files(config: OwnRulesConfig) -> dict[str, RuleFile]:
    """What an epoch records of the user's rules: by `kind.name`, the file, its version and its digest."""
    return {
        f"{rule.kind}.{rule.name}": RuleFile(file=rule.file, version=rule.made.version, sha256=rule.sha256)
        for rule in own_rules(config)
    }


def _discovered(folders: tuple[str, ...]) -> Iterator[OwnRule]:
    for name in folders:
        folder = Path(name)
        if not folder.is_dir():
            raise RuleFileError(folder, "is no folder; [rules] folders names where rules of your own are")
        for path in sorted(folder.glob("*.py")):
            if not path.name.startswith("_"):
                yield _rule(path, _digest(path))


def _recorded(files: Mapping[str, RuleFile]) -> Iterator[OwnRule]:
    for name, recorded in sorted(files.items()):
        path = Path(recorded.file)
        if not path.is_file():
            raise RuleFileError(path, f"is not there; {name} was recorded with it")
        digest = _digest(path)
        if digest != recorded.sha256:
            then, now = recorded.sha256[:12], digest[:12]
            raise RuleFileError(path, f"has changed since {name} was recorded with it ({then} then, {now} now)")
        yield _rule(path, digest)


def _digest(path: Path) -> str:
    """SHA-256 of a rule's file, followed by the helpers of its folder: files whose names begin with an underscore."""
    helpers = sorted(path.parent.glob("_*.py"))
    return hashlib.sha256(b"\0".join(each.read_bytes() for each in (path, *helpers))).hexdigest()


def _rule(path: Path, sha256: str) -> OwnRule:
    module = _module(path)
    found: list[tuple[str, Any]] = [
        (kind, value)
        for value in vars(module).values()
        for kind, base in BASES.items()
        if inspect.isclass(value) and issubclass(value, base) and value.__module__ == module.__name__
        if not inspect.isabstract(value)
    ]
    if len(found) != 1:
        raise RuleFileError(path, f"holds {len(found)} contexts and detectors; a file holds one")
    kind, made = found[0]
    lacking = [name for name in ("name", "version", "Parameters") if not hasattr(made, name)]
    if lacking:
        raise RuleFileError(path, f"{made.__name__} has no {' and no '.join(lacking)}")
    if made.name != path.stem:
        raise RuleFileError(path, f"{made.__name__} is named {made.name!r}; a rule has its file's name, {path.stem!r}")
    return OwnRule(kind, made.name, str(path), sha256, made)


# What each folder looked like when its files were imported: digests by file name.
_imported: dict[Path, dict[str, bytes]] = {}


def _module(path: Path) -> ModuleType:
    """A file of a folder as a module beside its neighbours (`from .tempo import ...`), afresh when one changed."""
    folder = path.parent.resolve()
    package = f"own_rules_{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"
    files = {each.name: hashlib.sha256(each.read_bytes()).digest() for each in folder.glob("*.py")}
    if _imported.get(folder) != files:
        for name in [name for name in sys.modules if name == package or name.startswith(f"{package}.")]:
            del sys.modules[name]
        importlib.invalidate_caches()
        made = ModuleType(package)
        made.__path__ = [str(folder)]
        sys.modules[package] = made
        _imported[folder] = files
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # a file changed twice a second keeps its stamp
    try:
        return importlib.import_module(f"{package}.{path.stem}")
    except Exception as error:  # whatever somebody's file does
        problem = f"{type(error).__name__}: {error}".replace("\n", " ")[:PROBLEM_CHARACTERS_MAX]
        raise RuleFileError(path, f"cannot be loaded: {problem}") from error
    finally:
        sys.dont_write_bytecode = writes
