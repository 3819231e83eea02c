"""Faults and switches as people ask for them, `slow_consumer:after=30s,close=abort` and `victim=newer`. Pure.

A key is a field's name without its unit: `after_s` is asked for as `after=30s`, `buffer_bytes` as `buffer=1MB`. Names
that do not exist are answered with those that do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

import msgspec
import numpy as np

from standin.errors import StandInError
from standin.faults.named import FAULTS, Codes, Fault, Rule, Stain, Strike
from standin.faults.protocol_options import ProtocolOptions

__all__ = ["Key", "draw_faults", "keys_of", "options_of", "read_fault", "summary", "written"]

SECONDS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
BYTES = {"": 1, "kb": 1_000, "mb": 1_000_000, "kib": 1024, "mib": 1024 * 1024}
UNITS = ("_s", "_bytes")
DRAWN_MIN, DRAWN_MAX = 3, 6


class Key(NamedTuple):
    """One key of a fault, or one switch: how it is asked for, what it takes, what it is without being asked for."""

    name: str
    takes: str
    default: str
    description: str


def read_fault(text: str) -> Fault:
    """The fault that `name:key=value,key=value` asks for. Raises StandInError: an unknown name or key, a bad value.

    >>> read_fault("slow_consumer:after=30s,close=abort")
    SlowConsumer(after_s=30.0, times=1, every_s=30.0, cluster='options', close='abort', buffer_bytes=0)
    """
    name, _, rest = text.partition(":")
    kind = FAULTS.get(name.strip())
    if kind is None:
        raise StandInError(f"there is no fault {name.strip()!r}; there is {', '.join(FAULTS)}")
    values: dict[str, Any] = {}
    for part in filter(None, (part.strip() for part in rest.split(","))):
        key, equals, value = part.partition("=")
        if not equals:
            raise StandInError(f"the fault {name} takes key=value, not {part!r}")
        values |= _value(kind, key.strip(), value.strip(), f"the fault {name}")
    return kind(**values)


def options_of(switches: Iterable[str]) -> ProtocolOptions:
    """The default options with every `name=value` turned. Raises StandInError: an unknown switch, a bad value.

    >>> options_of(["victim=newer", "auth_timeout=2s"]).victim
    'newer'
    """
    values: dict[str, Any] = {}
    for text in switches:
        name, equals, value = text.partition("=")
        if not equals:
            raise StandInError(f"a switch is name=value, not {text!r}; there is {', '.join(_fields(ProtocolOptions))}")
        values |= _value(ProtocolOptions, name.strip(), value.strip(), "the stand-in", "switch")
    return ProtocolOptions(**values)


def keys_of(kind: type[msgspec.Struct]) -> list[Key]:
    """Every key of a fault, or every switch of ProtocolOptions."""
    return [
        Key(name, _takes(field.name, annotation), _shown(field.name, field.default), annotation.__metadata__[0])
        for name, (field, annotation) in _fields(kind).items()
    ]


def written(fault: Fault) -> str:
    """The text that asks for this fault.

    >>> written(read_fault("drop:after=4s,times=2,cluster=options"))
    'drop:after=4s,times=2'
    """
    (name,) = (name for name, kind in FAULTS.items() if kind is type(fault))
    parts = [
        f"{key}={_shown(field.name, getattr(fault, field.name))}"
        for key, (field, _) in _fields(type(fault)).items()
        if getattr(fault, field.name) != field.default
    ]
    return f"{name}:{','.join(parts)}" if parts else name


def summary(kind: type[Fault]) -> str:
    """What a fault does, in the words of its docstring."""
    return " ".join((kind.__doc__ or "").split())


def draw_faults(seed: int, over_s: float = 120.0) -> tuple[Fault, ...]:
    """Three to six faults of a seed; what strikes does so within `over_s` of market time.

    Those that take a client's feed away for good (a plan without the channel, a key refused) are never drawn.
    """
    rng = np.random.default_rng([seed, 0xFA17])
    names = [name for name, kind in FAULTS.items() if kind.drawn]
    count = int(rng.integers(DRAWN_MIN, DRAWN_MAX + 1))
    chosen = sorted(names[index] for index in rng.choice(len(names), count, replace=False))
    return tuple(_drawn(FAULTS[name], rng, over_s) for name in chosen)


def _drawn(kind: type[Fault], rng: np.random.Generator, over_s: float) -> Fault:
    if issubclass(kind, Strike):
        times = int(rng.integers(1, 4))
        return kind(after_s=round(float(rng.uniform(0.05, 0.6)) * over_s, 1), times=times, every_s=round(over_s / 8, 1))
    if issubclass(kind, Stain):
        return kind(share=round(float(rng.uniform(0.002, 0.05)), 4))
    assert issubclass(kind, Rule)
    return kind()


def _value(kind: type[msgspec.Struct], name: str, text: str, whose: str, what: str = "key") -> dict[str, Any]:
    fields = _fields(kind)
    if name not in fields:
        raise StandInError(f"{whose} has no {what} {name!r}; it has {', '.join(fields) or 'none'}")
    field, annotation = fields[name]
    try:
        return {field.name: _converted(field.name, annotation, text)}
    except ValueError:
        takes = _takes(field.name, annotation)
        raise StandInError(f"{name} of {whose} is {takes}, not {text!r}") from None


def _converted(field: str, annotation: Any, text: str) -> Any:
    """The value of a text. Raises ValueError."""
    bare = _bare(annotation)
    if get_origin(bare) is Literal:
        return _chosen(text, {str(choice): choice for choice in get_args(bare)})
    if get_origin(bare) in (tuple, frozenset):
        names = [part for part in text.split("+") if part]
        choices = get_args(get_args(bare)[0])
        if not names or (choices and not set(names) <= set(choices)):
            raise ValueError(text)
        return get_origin(bare)(names)
    if bare is bool:
        return _chosen(text, {"yes": True, "no": False})
    if field.endswith("_s"):
        return _scaled(text, SECONDS)
    if field.endswith("_bytes"):
        return int(_scaled(text, BYTES))
    number = bare(text)
    codes = _codes(annotation)
    if codes is not None:
        if number not in codes:
            raise ValueError(text)
        return number
    # Of everything that is counted there is at least one; no count needs more than an exact double holds.
    low, high = (0, 1) if field == "share" else (1, 2**53)
    if not low <= number <= high:
        raise ValueError(text)
    return number


def _chosen(text: str, choices: Mapping[str, Any]) -> Any:
    if text not in choices:
        raise ValueError(text)
    return choices[text]


def _scaled(text: str, units: Mapping[str, float]) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([a-z]*)", text.lower())
    if match is None or match[2] not in units:
        raise ValueError(text)
    return float(match[1]) * units[match[2]]


def _takes(field: str, annotation: Any) -> str:
    bare = _bare(annotation)
    if get_origin(bare) is Literal:
        return "|".join(str(choice) for choice in get_args(bare))
    if get_origin(bare) in (tuple, frozenset):
        return f"any of {', '.join(get_args(get_args(bare)[0])) or 'NAME'}, joined by +"
    if bare is bool:
        return "yes|no"
    if field.endswith("_s"):
        return "a duration such as 30s"
    if field.endswith("_bytes"):
        return "a size such as 1MB"
    codes = _codes(annotation)
    if codes is not None:
        return str(codes)
    return "a number from 0 to 1" if field == "share" else "a whole number from 1"


def _shown(field: str, default: Any) -> str:
    if isinstance(default, bool):
        return "yes" if default else "no"
    if isinstance(default, frozenset):
        return "+".join(sorted(default))
    if isinstance(default, tuple):
        return "+".join(default)
    return f"{default:g}s" if field.endswith("_s") else str(default)


def _bare(annotation: Any) -> Any:
    """The type inside Annotated."""
    return annotation.__origin__


def _codes(annotation: Any) -> Codes | None:
    """Which numbers are taken, where not every one means something."""
    return next((each for each in annotation.__metadata__ if isinstance(each, Codes)), None)


@lru_cache(maxsize=128)  # the faults and the switches
def _fields(kind: type[msgspec.Struct]) -> dict[str, tuple[Any, Any]]:
    """(field, annotation) by the name people use, in the order of declaration."""
    hints = get_type_hints(kind, include_extras=True)
    fields = {}
    for field in msgspec.structs.fields(kind):
        name = field.name
        for unit in UNITS:
            name = name.removesuffix(unit)
        fields[name] = (field, hints[field.name])
    return fields
