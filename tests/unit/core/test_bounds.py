"""Every number that can be tuned has bounds, and what is outside them is refused by name."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from msgspec import inspect

from services.core.bounds import Chance, Share
from services.core.registry import RegistryError, build
from services.runtime.config import RulesConfig
from services.scanner import ScannerParameters
from services.wiring import build_pipeline, context_types, detector_types
from tests.support.logs import CALENDAR, Row, frames
from tests.support.scenarios import sweeps, unusual, wall

RULES: dict[str, type[msgspec.Struct]] = {
    "scanner": ScannerParameters,
    **{f"contexts.{name}": made.Parameters for name, made in context_types().items()},
    **{f"detectors.{name}": made.Parameters for name, made in detector_types().items()},
}


def unbounded(kind: type[msgspec.Struct]) -> list[str]:
    """The numbers of a parameter struct that lack a bound above or below."""
    return [field.name for field in _fields(kind) for one in _numbers(field.type) if not _is_bounded(one)]


def _fields(kind: type[msgspec.Struct]) -> tuple[inspect.Field, ...]:
    shape = inspect.type_info(kind)
    assert isinstance(shape, inspect.StructType)
    return shape.fields


def _numbers(shape: Any) -> Iterator[inspect.IntType | inspect.FloatType]:
    """Numbers anywhere in a field: alone, in a union, or in a collection."""
    if isinstance(shape, inspect.IntType | inspect.FloatType):
        yield shape
    for name in ("types", "item_types"):
        for part in getattr(shape, name, ()):
            yield from _numbers(part)
    for name in ("item_type", "key_type", "value_type", "type"):
        part = getattr(shape, name, None)
        if isinstance(part, inspect.Type):
            yield from _numbers(part)


def _is_bounded(shape: inspect.IntType | inspect.FloatType) -> bool:
    return (shape.ge is not None or shape.gt is not None) and (shape.le is not None or shape.lt is not None)


@pytest.mark.parametrize("where", RULES)
def test_every_number_of_a_rule_has_bounds(where: str) -> None:
    assert unbounded(RULES[where]) == []


@pytest.mark.parametrize("where", RULES)
def test_the_defaults_are_within_them(where: str) -> None:
    kind = RULES[where]
    assert msgspec.convert(msgspec.to_builtins(kind()), kind) == kind()


def test_the_search_finds_numbers_without_bounds_wherever_they_stand() -> None:
    class Loose(msgspec.Struct):
        bare: float = 1.0
        half: int | None = None
        listed: tuple[float, ...] = ()
        bounded: Share = 0.5
        words: tuple[str, ...] = ()

    assert unbounded(Loose) == ["bare", "half", "listed"]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.001, 1.001])
def test_what_is_no_number_is_outside_all_bounds(value: float) -> None:
    with pytest.raises(msgspec.ValidationError, match="Expected `float`"):
        msgspec.convert(value, Share)
    with pytest.raises(msgspec.ValidationError, match="Expected `float`"):
        msgspec.convert(value, Chance)


def test_a_parameter_outside_its_bounds_is_refused_by_name() -> None:
    with pytest.raises(RegistryError, match=r"contexts\.flow: .*p_quote"):
        build("contexts", context_types(), {"flow": {"p_quote": 0.4}})


SCENARIOS: dict[str, list[Row]] = {
    "put_wall_support": wall(), "sweep_confirmation": sweeps(), "unusual_activity": unusual(),
}  # fmt: skip


def edges(kind: type[msgspec.Struct]) -> Iterator[tuple[str, float]]:
    """Each number at its least and at its most, weights aside, which go together."""
    for field in _fields(kind):
        shape = field.type
        if isinstance(shape, inspect.IntType | inspect.FloatType) and not field.name.startswith("weight_"):
            step = 1 if isinstance(shape, inspect.IntType) else 1e-6
            yield field.name, shape.ge if shape.ge is not None else shape.gt + step  # type: ignore[operator]
            yield field.name, shape.le if shape.le is not None else shape.lt - step  # type: ignore[operator]


@pytest.mark.parametrize("detector", SCENARIOS)
def test_within_its_bounds_a_detector_speaks_or_is_silent_and_never_breaks(detector: str) -> None:
    log = frames(SCENARIOS[detector])
    spoken = set()
    for name, value in edges(RULES[f"detectors.{detector}"]):
        rules = msgspec.convert({"detectors": {detector: {name: value}}}, RulesConfig)
        pipeline = build_pipeline(rules, CALENDAR, 0, sampling=False)
        signals = [one for frame in log for one in pipeline.step(frame).signals if one.detector == detector]
        assert all(0 <= one.base <= 100 and 0 <= one.confidence <= 1 for one in signals), name
        spoken.add(bool(signals))
    assert spoken == {True, False}, "the edges of the bounds neither all silence it nor all let it speak"
