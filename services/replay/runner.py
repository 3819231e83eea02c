"""Runs recorded history through the pipeline, and compares what comes out with what live decided."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby, zip_longest
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from schemas.decisions import canonical
from schemas.frames import Frame, Lane
from schemas.kinds import KINDS, Decision, kind_of
from services.core.calendar import Calendar, ny_date, ny_ns
from services.core.identity import Digest
from services.core.pipeline import Outputs, Pipeline
from services.errors import InputError
from services.history.warehouse import Warehouse
from services.replay.source import epoch_frames
from services.runtime.config import OwnRulesConfig, RulesConfig
from services.runtime.rule_folders import recorded_files
from services.sinks.clickhouse import Epoch
from services.wiring import build_pipeline, context_types, detector_types, resolved_rules, rules_digest

__all__ = [
    "ReplayComparison",
    "ReplayStep",
    "Run",
    "Tally",
    "calendar_of",
    "recorded_rules",
    "replay",
    "rules_document",
    "stored",
    "verify",
    "walk",
]


class ReplayStep(NamedTuple):
    """One frame and what it led to. `silent` when the epoch only warms the rules of a later one up."""

    pipeline: Pipeline
    frame: Frame
    outputs: Outputs
    silent: bool


class Tally(NamedTuple):
    """The decisions of a run, in short."""

    digest: str
    signals: int
    alerts: int


class Run(NamedTuple):
    """What a replay did."""

    events: int
    trades: int
    frames: int
    signals: int
    alerts: int
    digest: str
    seconds: float

    @property
    def trades_per_s(self) -> float:
        """Trades through the pipeline per second, reading included."""
        return self.trades / self.seconds if self.seconds else 0.0


class ReplayComparison(NamedTuple):
    """Live against replay."""

    equal: bool
    live: Tally
    replay: Tally
    first_difference: dict[str, Any] | None


RulesOf = Callable[[Epoch], RulesConfig]


def calendar_of(warehouse: Warehouse, data_dir: Path) -> Calendar:
    """The sessions a log needs: its days, and the expiries its contracts may have."""
    epochs = warehouse.epochs()
    if not epochs:
        raise InputError(data_dir, "nothing was recorded there yet")
    last_ns = max(warehouse.last_received_ns() or 0, epochs[-1].started_ns)
    margin = dt.timedelta(days=40)
    return Calendar.load(ny_date(epochs[0].started_ns) - margin, ny_date(last_ns) + dt.timedelta(days=800))


def recorded_rules(overrides: Callable[[dict[str, Any]], None] = lambda _: None) -> RulesOf:
    """Rules as each epoch recorded them, changed by `overrides`.

    A context or detector that the record does not know is one that was not there: it stays out.
    """

    def of(epoch: Epoch) -> RulesConfig:
        given = msgspec.json.decode(epoch.rules)
        own = msgspec.convert(given.get("rules", {}), OwnRulesConfig)
        for kind, known in (("contexts", context_types(own)), ("detectors", detector_types(own))):
            recorded = given.setdefault(kind, {})
            given[kind] = {name: {"enabled": False} for name in known if name not in recorded} | recorded
        overrides(given)
        return msgspec.convert(given, RulesConfig)

    return of


def walk(
    warehouse: Warehouse,
    calendar: Calendar,
    rules_of: RulesOf,
    partition: int,
    *,
    from_ns: int | None = None,
    to_ns: int | None = None,
    sampling: bool = False,
) -> Iterator[ReplayStep]:
    """One partition's log through the pipeline, frame by frame.

    Rules may differ between epochs (a restart with another configuration). Live then built its state anew from the
    day's log under the new rules, saying nothing; so does this.
    """
    epochs = warehouse.epochs()
    for _, group in groupby(epochs, key=lambda epoch: rules_digest(rules_of(epoch))):
        same = list(group)
        pipeline = build_pipeline(rules_of(same[0]), calendar, partition, sampling=sampling)
        before = [epoch for epoch in epochs if epoch.epoch < same[0].epoch]
        day_ns = ny_ns(ny_date(same[0].started_ns), 0)
        for epoch in before:
            for frame in epoch_frames(
                warehouse, partition, epoch.epoch, from_ns=max(day_ns, from_ns or 0), to_ns=to_ns
            ):
                yield ReplayStep(pipeline, frame, pipeline.step(frame), True)
        for epoch in same:
            for frame in epoch_frames(warehouse, partition, epoch.epoch, from_ns=from_ns, to_ns=to_ns):
                yield ReplayStep(pipeline, frame, pipeline.step(frame), False)


def replay(
    warehouse: Warehouse,
    calendar: Calendar,
    rules_of: RulesOf,
    *,
    partitions: Sequence[int] | None = None,
    underlying: str | None = None,
    from_ns: int | None = None,
    to_ns: int | None = None,
    collect: Callable[[int, Decision], None] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Run:
    """Run the log. `collect` gets every decision in log order, `progress` the rows of each frame."""
    digest = Digest()
    events = trades = frames = 0
    counts = _no_counts()
    began = time.perf_counter()
    for partition in warehouse.partitions() if partitions is None else partitions:
        for step in walk(warehouse, calendar, rules_of, partition, from_ns=from_ns, to_ns=to_ns):
            head = step.frame.header
            if step.silent:
                continue
            events += head.rows
            trades += head.rows if head.lane is Lane.TRADES else 0
            frames += 1
            decisions = [d for d in step.outputs.decisions if underlying is None or d.underlying == underlying]
            for decision in decisions:
                counts[kind_of(decision).name] += 1
                if collect is not None:
                    collect(partition, decision)
            digest.add(partition, (canonical(one) for one in decisions if kind_of(one).digested))
            if progress is not None:
                progress(head.rows)
    return Run(
        events, trades, frames, counts["signal"], counts["alert"], digest.hexdigest(), time.perf_counter() - began
    )


def stored(warehouse: Warehouse) -> Tally:
    """What live decided, as the warehouse keeps it."""
    digest = Digest()
    counts = _no_counts()
    for partition in warehouse.partitions():
        for kind, _, document in warehouse.decisions(partition):
            counts[kind] += 1
            digest.add(partition, [document])
    return Tally(digest.hexdigest(), counts["signal"], counts["alert"])


def verify(
    warehouse: Warehouse, calendar: Calendar, rules_of: RulesOf, progress: Callable[[int], None] | None = None
) -> ReplayComparison:
    """Replay what was recorded and compare, line by line."""
    live_digest, replay_digest = Digest(), Digest()
    live_counts, replay_counts = _no_counts(), _no_counts()
    first: dict[str, Any] | None = None
    for partition in warehouse.partitions():
        live = ((kind, document) for kind, _, document in warehouse.decisions(partition))
        again = _lines(walk(warehouse, calendar, rules_of, partition), progress)
        for index, (one, other) in enumerate(zip_longest(live, again)):
            for line, counts, digest in ((one, live_counts, live_digest), (other, replay_counts, replay_digest)):
                if line is not None:
                    counts[line[0]] += 1
                    digest.add(partition, [line[1]])
            if first is None and one != other:
                first = _difference(partition, index, one, other)
    live_tally = Tally(live_digest.hexdigest(), live_counts["signal"], live_counts["alert"])
    replay_tally = Tally(replay_digest.hexdigest(), replay_counts["signal"], replay_counts["alert"])
    return ReplayComparison(first is None, live_tally, replay_tally, first)


def _lines(steps: Iterator[ReplayStep], progress: Callable[[int], None] | None) -> Iterator[tuple[str, bytes]]:
    for step in steps:
        if progress is not None:
            progress(step.frame.header.rows)
        if not step.silent:
            for decision in step.outputs.decisions:
                kind = kind_of(decision)
                if kind.digested:
                    yield kind.name, canonical(decision)


def _no_counts() -> dict[str, int]:
    """Nothing yet of any kind of decision."""
    return {kind.name: 0 for kind in KINDS.values()}


def _difference(
    partition: int, index: int, live: tuple[str, bytes] | None, again: tuple[str, bytes] | None
) -> dict[str, Any]:
    documents = {
        side: None if line is None else {"kind": line[0], **msgspec.json.decode(line[1])}
        for side, line in (("live", live), ("replay", again))
    }
    fields = []
    if documents["live"] is not None and documents["replay"] is not None:
        one, other = documents["live"], documents["replay"]
        fields = [name for name in {**one, **other} if one.get(name) != other.get(name)]
    return {"partition": partition, "index": index, "fields": fields, **documents}


def rules_document(rules: RulesConfig) -> str:
    """The rules as an epoch records them: every parameter spelt out, in the form the configuration has."""
    resolved = resolved_rules(rules)
    document: dict[str, Any] = {"contexts": {}, "detectors": {}, "scanner": resolved["scanner"]}
    for kind in ("contexts", "detectors"):
        for name, parameters in resolved[kind].items():
            document[kind][name] = {key: value for key, value in parameters.items() if key != "version"}
        for name, given in getattr(rules, kind).items():
            if given.get("enabled") is False:
                document[kind][name] = {"enabled": False}
    files = recorded_files(rules.own)
    if files:
        document["rules"] = {"folders": rules.own.folders, "files": msgspec.to_builtins(files)}
    if rules.market_homes:
        document["market_homes"] = rules.market_homes
    return msgspec.json.encode(document, order="deterministic").decode()
