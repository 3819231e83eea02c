"""Puts the parts together: rules and a calendar make the pipelines every host runs."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

import services.contexts
import services.detectors
from schemas.frames import Frame, Header, Lane, blank_rows, empty_rows
from services.config import RulesConfig, convert
from services.core.calendar import NS, Calendar
from services.core.contract import Context, Detector
from services.core.pipeline import Pipeline
from services.core.registry import RegistryError, build, discover
from services.errors import ConfigError
from services.scanner import Scanner, ScannerParameters

__all__ = ["PROGRAM", "build_pipeline", "context_types", "detector_types", "resolved_rules", "rules_digest", "warm_up"]

PROGRAM = "strikewire 0.1.0"


def context_types() -> dict[str, type[Context]]:
    """Every context in the program."""
    return discover(services.contexts, Context)  # type: ignore[type-abstract]


def detector_types() -> dict[str, type[Detector]]:
    """Every detector in the program."""
    return discover(services.detectors, Detector)  # type: ignore[type-abstract]


def build_pipeline(rules: RulesConfig, calendar: Calendar, partition: int, *, sampling: bool = True) -> Pipeline:
    """A fresh pipeline of one partition. Raises ConfigError naming a rule or parameter that cannot be."""
    try:
        contexts = build("contexts", context_types(), rules.contexts)
        detectors = build("detectors", detector_types(), rules.detectors)
    except RegistryError as error:
        where, _, problem = str(error).partition(": ")
        raise ConfigError(where, problem) from None
    scanner = Scanner(convert("scanner", rules.scanner, ScannerParameters))
    return Pipeline(partition, calendar, contexts, detectors, scanner, sampling=sampling)


def resolved_rules(rules: RulesConfig) -> dict[str, Any]:
    """The rules with every default spelt out, and the version of each: what is recorded with an epoch."""
    pipeline_parts: dict[str, Any] = {"contexts": {}, "detectors": {}}
    for kind, types, given in (
        ("contexts", context_types(), rules.contexts),
        ("detectors", detector_types(), rules.detectors),
    ):
        for made in build(kind, types, given):  # type: ignore[type-var]
            pipeline_parts[kind][made.name] = {"version": made.version, **msgspec.to_builtins(made.parameters)}
    pipeline_parts["scanner"] = msgspec.to_builtins(convert("scanner", rules.scanner, ScannerParameters))
    return pipeline_parts


def rules_digest(rules: RulesConfig) -> str:
    """A short name for the rules in force."""
    return hashlib.sha256(msgspec.json.encode(resolved_rules(rules), order="deterministic")).hexdigest()[:12]


def warm_up(rules: RulesConfig, calendar: Calendar) -> None:
    """Compile every kernel (or load it from the cache) by one row of each lane through a pipeline nobody keeps.

    A cold compile takes many seconds, which must not be taken from a feed that is already talking.
    """
    pipeline = build_pipeline(rules, calendar, 0)
    now_ns = calendar.sessions[0].open_ns
    for seq, lane in enumerate(Lane):
        rows = blank_rows(lane, 1, now_ns + seq)
        pipeline.step(Frame(Header(lane, 0, 0, seq, seq, 1, now_ns + seq), rows))
    pipeline.step(Frame(Header(Lane.TICKS, 0, 0, len(Lane), len(Lane), 0, now_ns + 3600 * NS), empty_rows(Lane.TICKS)))
