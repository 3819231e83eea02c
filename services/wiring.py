"""Puts the parts together: rules and a calendar make the pipelines every host runs."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

import services.contexts
import services.detectors
from services.config import RulesConfig, convert
from services.core.calendar import Calendar
from services.core.contract import Context, Detector
from services.core.pipeline import Pipeline
from services.core.registry import RegistryError, build, discover
from services.errors import ConfigError
from services.scanner import Scanner, ScannerParameters

__all__ = ["PROGRAM", "build_pipeline", "context_types", "detector_types", "resolved_rules", "rules_digest"]

PROGRAM = "strikewire 0.1.0"


def context_types() -> dict[str, type[Context]]:
    """Every context in the program."""
    return discover(services.contexts, Context)  # type: ignore[type-abstract]


def detector_types() -> dict[str, type[Detector]]:
    """Every detector in the program."""
    return discover(services.detectors, Detector)  # type: ignore[type-abstract]


def build_pipeline(rules: RulesConfig, calendar: Calendar, partition: int) -> Pipeline:
    """A fresh pipeline of one partition. Raises ConfigError naming a rule or parameter that cannot be."""
    try:
        contexts = build("contexts", context_types(), rules.contexts)
        detectors = build("detectors", detector_types(), rules.detectors)
    except RegistryError as error:
        where, _, problem = str(error).partition(": ")
        raise ConfigError(where, problem) from None
    scanner = Scanner(convert("scanner", rules.scanner, ScannerParameters))
    return Pipeline(partition, calendar, contexts, detectors, scanner)


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
