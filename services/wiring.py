"""Puts the parts together: rules and a calendar make the pipelines every host runs."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from typing import Any, TypeVar, get_args

import msgspec
import numpy as np

import services.contexts
import services.detectors
from schemas.decisions import Thesis
from schemas.frames import COLUMN_DTYPES, ROW_TYPES, Frame, Header, Lane, Rows, empty_rows
from schemas.symbols import symbol_code
from services.core.calendar import NS, Calendar
from services.core.contract import Context, Detector
from services.core.partitioner import Homes
from services.core.pipeline import Pipeline
from services.core.registry import RegistryError, build, discover
from services.errors import ConfigError
from services.runtime.config import OwnRulesConfig, RulesConfig, convert
from services.runtime.rule_folders import own_rules, own_types
from services.scanner import Scanner, ScannerParameters

__all__ = ["PROGRAM", "build_pipeline", "context_types", "detector_types", "resolved_rules", "rules_digest", "warm_up"]

PROGRAM = "strikewire 0.1.0"
T = TypeVar("T", bound=Context | Detector)

# More than any table has room for at a start.
WARM_UP_CONTRACTS = 20_000


@functools.cache
def _our_contexts() -> dict[str, type[Context]]:
    return discover(services.contexts, Context)  # type: ignore[type-abstract]


@functools.cache
def _our_detectors() -> dict[str, type[Detector]]:
    return discover(services.detectors, Detector)  # type: ignore[type-abstract]


def context_types(own: OwnRulesConfig = OwnRulesConfig()) -> dict[str, type[Context]]:  # noqa: B008 - frozen
    """Every context in the program, and the user's own. Raises RuleFileError."""
    return own_types(own, "contexts", _our_contexts())


def detector_types(own: OwnRulesConfig = OwnRulesConfig()) -> dict[str, type[Detector]]:  # noqa: B008 - frozen
    """Every detector in the program, and the user's own. Raises RuleFileError."""
    return own_types(own, "detectors", _our_detectors())


def build_pipeline(rules: RulesConfig, calendar: Calendar, partition: int, *, sampling: bool = True) -> Pipeline:
    """A fresh pipeline of one partition. Raises ConfigError naming a rule or parameter that cannot be."""
    contexts = _built("contexts", context_types(rules.own), rules.contexts)
    detectors = _built("detectors", detector_types(rules.own), rules.detectors)
    scanner = Scanner(_scanner(rules))

    at_home = Homes(partition, rules.market_homes)
    try:
        return Pipeline(partition, calendar, contexts, detectors, scanner, sampling=sampling, at_home=at_home)
    except ValueError as error:
        raise ConfigError("rules", str(error)) from None


def _built(kind: str, known: Mapping[str, type[T]], settings: Mapping[str, Mapping[str, Any]]) -> list[T]:
    try:
        return build(kind, known, settings)
    except RegistryError as error:
        raise ConfigError(error.where, error.problem) from None


def _scanner(rules: RulesConfig) -> ScannerParameters:
    """The scanner's parameters; its table may name only contexts that there are."""
    parameters: ScannerParameters = convert("scanner", rules.scanner, ScannerParameters)
    known = context_types(rules.own)
    for thesis in get_args(Thesis):
        for name in parameters.asked(thesis):
            if name not in known:
                raise ConfigError(
                    f"scanner.contexts_{thesis}", f"there is no context {name!r}; known: {', '.join(known)}"
                )
    return parameters


def resolved_rules(rules: RulesConfig) -> dict[str, Any]:
    """The rules with every default spelt out, and the version of each. Raises ConfigError as `build_pipeline` does."""
    pipeline_parts: dict[str, Any] = {"contexts": {}, "detectors": {}}
    for kind, types, given in (
        ("contexts", context_types(rules.own), rules.contexts),
        ("detectors", detector_types(rules.own), rules.detectors),
    ):
        for made in _built(kind, types, given):
            pipeline_parts[kind][made.name] = {"version": made.version, **msgspec.to_builtins(made.parameters)}
    pipeline_parts["scanner"] = msgspec.to_builtins(_scanner(rules))
    own = {f"{rule.kind}.{rule.name}": rule.sha256 for rule in own_rules(rules.own)}
    if own:  # what was recorded without them keeps its digest
        pipeline_parts["rules"] = own
    return pipeline_parts


def rules_digest(rules: RulesConfig) -> str:
    """A short name for the rules in force."""
    return hashlib.sha256(msgspec.json.encode(resolved_rules(rules), order="deterministic")).hexdigest()[:12]


def warm_up(rules: RulesConfig, calendar: Calendar) -> None:
    """Compile every kernel (or load it from the cache) by rows of each lane through a pipeline nobody keeps.

    A cold compile takes many seconds, which must not be taken from a feed that is already talking. There are many
    prints, each of a contract of its own, so that the tables have grown once.
    """
    pipeline = build_pipeline(rules, calendar, 0)
    now_ns, position = calendar.sessions[0].open_ns, 0
    for seq, lane in enumerate(Lane):
        rows = _possible_rows(lane, now_ns + seq, WARM_UP_CONTRACTS if lane is Lane.TRADES else 1)
        pipeline.step(Frame(Header(lane, 0, 0, seq, position, len(rows.received_ns), now_ns + seq), rows))
        position += len(rows.received_ns)
    pipeline.step(Frame(Header(Lane.TICKS, 0, 0, len(Lane), position, 0, now_ns + 3600 * NS), empty_rows(Lane.TICKS)))


def _possible_rows(lane: Lane, now_ns: int, count: int) -> Rows:
    """Rows that could be: options a month out, each of another strike."""
    code = symbol_code("TEST")
    known: dict[str, float] = {
        "event_ns": now_ns, "underlying": code, "root": code, "symbol": code, "right": 1,
        "expiry_day": now_ns // (86_400 * NS) + 30, "multiplier": 100, "iv_annual": 0.2, "spot_usd": 100.0, "kind": 2,
    }  # fmt: skip
    columns = {name: np.full(count, known.get(name, 1), dtype) for name, dtype in COLUMN_DTYPES[lane].items()}
    if "strike_mills" in columns:
        columns["strike_mills"] += np.arange(100_000, 100_000 + count, dtype=columns["strike_mills"].dtype)
    return ROW_TYPES[lane](np.full(count, now_ns, np.int64), *columns.values())
