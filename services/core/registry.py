"""Discovery: a file in the folder is a context or detector in the program, without another edit."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from types import ModuleType
from typing import Any, TypeVar

import msgspec

from services.core.contract import Context, Detector, Parameters

__all__ = ["RegistryError", "build", "discover"]

T = TypeVar("T", bound=Context | Detector)


class RegistryError(ValueError):
    """A rule that cannot be built: `where` names it or its parameter, `problem` says what is wrong there."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(where, problem)
        self.where, self.problem = where, problem

    def __str__(self) -> str:
        return f"{self.where}: {self.problem}"


def discover(package: ModuleType, base: type[T]) -> dict[str, type[T]]:
    """The classes of a package's files and folders, by name, in the order of their names.

    Every file or folder whose name does not start with an underscore holds exactly one concrete subclass of `base`,
    whose `name` is the file's. A folder's `__init__` imports it. Raises RegistryError otherwise.
    """
    found: dict[str, type[T]] = {}
    for module_info in sorted(pkgutil.iter_modules(package.__path__), key=lambda info: info.name):
        if module_info.name.startswith("_"):
            continue
        module = importlib.import_module(f"{package.__name__}.{module_info.name}")
        classes = [
            value
            for value in vars(module).values()
            if inspect.isclass(value)
            and issubclass(value, base)
            and not inspect.isabstract(value)
            and f"{value.__module__}.".startswith(f"{module.__name__}.")
        ]
        if len(classes) != 1 or classes[0].name != module_info.name:
            names = [value.__name__ for value in classes]
            raise RegistryError(
                module.__name__, f"holds {names}; it must hold one {base.__name__} whose name is {module_info.name!r}"
            )
        found[module_info.name] = classes[0]
    return found


def build(kind: str, known: Mapping[str, type[T]], settings: Mapping[str, Mapping[str, Any]]) -> list[T]:
    """One instance of each class that `settings` does not switch off, in the order of `known`.

    `settings` maps a name to `{"enabled": bool, parameter: value, ...}`; what is not named keeps its default. Raises
    RegistryError for a name nobody has and for a parameter that does not fit.
    """
    for name in settings:
        if name not in known:
            raise RegistryError(f"{kind}.{name}", f"there is no such {kind[:-1]}; known: {', '.join(known)}")
    built = []
    for name, made in known.items():
        given = settings.get(name, {})
        if not isinstance(given, Mapping):
            raise RegistryError(f"{kind}.{name}", f"a table of parameters, not {given!r}")
        wanted = dict(given)
        enabled = wanted.pop("enabled", True)
        if not isinstance(enabled, bool):
            raise RegistryError(f"{kind}.{name}.enabled", f"true or false, not {enabled!r}")
        parameters = _parameters(f"{kind}.{name}", made.Parameters, wanted)
        if enabled:
            built.append(made(parameters))
    return built


def _parameters(where: str, wanted: type[Parameters], given: Mapping[str, Any]) -> Parameters:
    try:
        made = msgspec.convert(dict(given), wanted)
    except msgspec.ValidationError as error:
        raise RegistryError(where, str(error)) from None
    values = msgspec.structs.asdict(made)
    weights = [value for name, value in values.items() if name.startswith("weight_")]
    if weights and abs(sum(weights) - 100) > 1e-9:
        raise RegistryError(where, f"its weights add up to {sum(weights):g}, not to 100")
    for name, value in values.items():
        if name.endswith(("_s", "_ms", "_minutes")) and isinstance(value, int | float) and value <= 0:
            raise RegistryError(f"{where}.{name}", f"a time longer than nothing, not {value:g}")
    return made
