"""The single-process host: nothing gets out before what it stands on is on disk, and a stop loses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from schemas.decisions import Alert, DeadLetter
from schemas.frames import CLOCK_FEED
from services.core.pipeline import Outputs
from services.embedded import Embedded
from services.replay.runner import ReplayStep, rules_document
from services.runtime.config import Config
from services.runtime.metrics import Metrics
from services.sinks.clickhouse import Epoch
from services.wiring import build_pipeline, rules_digest
from tests.support.conformance import decisions
from tests.support.disks import MemoryDisk
from tests.support.logs import CALENDAR, OPEN, frames
from tests.support.scenarios import everything, sweeps

DAY_NS = 86_400 * 10**9

LOG = frames(sweeps())


def outcomes(embedded: Embedded) -> dict[tuple[str, str], float]:
    """How often each outcome of each detector was counted."""
    samples = (sample for family in embedded._metrics.registry.collect() for sample in family.samples)
    return {
        (one.labels["detector"], one.labels["outcome"]): one.value
        for one in samples
        if one.name == "strikewire_pipeline_alerts_total"
    }


def host(disk: MemoryDisk, delivered: list[Alert]) -> Embedded:
    """A host of one partition, its epoch open."""
    config = msgspec.convert({"gateway": {"partitions": 1}}, Config)
    embedded = Embedded(config, disk, CALENDAR, delivered.append, Metrics())
    embedded.open_epoch("test", CLOCK_FEED, OPEN)
    return embedded


async def test_a_stop_in_the_middle_of_a_commit_loses_no_decision() -> None:
    disk, delivered = MemoryDisk(seconds=0.05), []
    embedded = host(disk, delivered)
    committing = asyncio.create_task(embedded.run())
    await embedded.on_frames(LOG)
    await asyncio.sleep(0.12)  # the commit is at its frames now
    assert disk.rows("signals") == 0, "the test must stop before the decisions are written"
    embedded.stop()
    await committing
    await embedded.drain()
    wanted = len(decisions(LOG))
    assert wanted > 0
    assert disk.rows("signals") + disk.rows("alerts") == wanted
    assert disk.rows("frames") == len(LOG)


# Two of three detectors' signals are below it.
STRICT = msgspec.convert({"gateway": {"partitions": 1}, "scanner": {"score_min": 80.0}}, Config)
RICH_LOG = frames(everything())


async def test_every_signal_is_counted_with_what_became_of_it() -> None:
    embedded = Embedded(STRICT, MemoryDisk(), CALENDAR, lambda _: None, Metrics())
    embedded.open_epoch("test", CLOCK_FEED, OPEN)
    await embedded.on_frames(RICH_LOG)
    await embedded.drain()
    assert outcomes(embedded) == {
        ("unusual_activity", "score"): 1,
        ("sweep_confirmation", "score"): 1,
        ("put_wall_support", "sent"): 1,
    }


async def test_what_a_killed_run_had_said_is_not_counted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = STRICT.rules()
    pipeline = build_pipeline(rules, CALENDAR, 0)
    steps = [ReplayStep(pipeline, frame, pipeline.step(frame), False) for frame in RICH_LOG]
    said = next(one.id for step in steps for one in step.outputs.decisions if one.detector == "unusual_activity")

    class Recorded:
        cut_torn_rows = staticmethod(lambda: None)
        epochs = staticmethod(lambda: [Epoch(1, OPEN, "test", CLOCK_FEED, 1, rules_document(rules), "", "")])
        last_received_ns = staticmethod(lambda: RICH_LOG[-1].header.received_ns)
        decision_ids = staticmethod(lambda: {said})
        partitions = staticmethod(lambda: [0])

    monkeypatch.setattr("services.replay.recovery.walk", lambda *_, **__: iter(steps))
    embedded = Embedded(STRICT, MemoryDisk(), CALENDAR, lambda _: None, Metrics())
    monkeypatch.setattr(embedded, "_warehouse", Recorded())
    await embedded.recover()
    assert outcomes(embedded) == {("sweep_confirmation", "score"): 1, ("put_wall_support", "sent"): 1}


async def test_an_alert_is_delivered_after_its_frames_are_written() -> None:
    disk: MemoryDisk = MemoryDisk()
    seen: list[int] = []
    config = msgspec.convert({"gateway": {"partitions": 1}}, Config)
    embedded = Embedded(config, disk, CALENDAR, lambda _: seen.append(disk.rows("frames")), Metrics())
    embedded.open_epoch("test", CLOCK_FEED, OPEN)
    await embedded.on_frames(LOG)
    await embedded.drain()
    assert seen
    assert all(rows == len(LOG) for rows in seen)


async def test_a_disk_that_is_behind_holds_the_gateway_back() -> None:
    disk = MemoryDisk(seconds=0.02)
    config = msgspec.convert({"gateway": {"partitions": 1}, "embedded": {"pending_rows_max": 10}}, Config)
    embedded = Embedded(config, disk, CALENDAR, lambda _: None, Metrics())
    embedded.open_epoch("test", CLOCK_FEED, OPEN)
    handing = asyncio.create_task(embedded.on_frames(LOG))
    await asyncio.sleep(0.05)
    assert not handing.done(), "nothing was committed yet, and more than ten rows wait"
    committing = asyncio.create_task(embedded.run())
    await asyncio.wait_for(handing, 5)
    embedded.stop()
    await committing


async def test_what_is_not_understood_waits_for_the_disk_too() -> None:
    """A feed of nonsense before a disk that stands still: each letter is up to four kilobytes."""
    config = msgspec.convert({"gateway": {"partitions": 1}, "embedded": {"pending_rows_max": 10}}, Config)
    embedded = Embedded(config, MemoryDisk(), CALENDAR, lambda _: None, Metrics())
    embedded.open_epoch("test", CLOCK_FEED, OPEN)
    letter = DeadLetter(source="feed", reason="not_json", detail="", received_ns=OPEN, data=b"")
    for _ in range(10):
        await embedded.on_dead_letter(letter)
    waiting = asyncio.create_task(embedded.on_dead_letter(letter))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    await embedded.drain()
    await asyncio.wait_for(waiting, 5)


async def test_a_disk_that_fails_stops_the_gateway() -> None:
    class FullDisk(MemoryDisk):
        def insert_arrow(self, table: str, rows: pa.Table, settings: dict[str, Any]) -> None:
            if table != "epochs":
                raise OSError("no space left on device")

    embedded = host(FullDisk(), [])
    committing = asyncio.create_task(embedded.run())
    await embedded.on_frames(LOG)
    with pytest.raises(OSError, match="no space"):
        await committing
    with pytest.raises(OSError, match="no space"):
        await embedded.on_frames([])


async def test_new_rules_hold_from_the_start_also_when_they_were_recorded_by_a_run_that_saw_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Yesterday under one set of rules; today a run with another ended before its first frame; now it starts again."""
    old, new = Config(), msgspec.convert({"detectors": {"unusual_activity": {"enabled": False}}}, Config)
    frame = LOG[0]
    epochs = [
        Epoch(frame.header.epoch, OPEN, "test", CLOCK_FEED, 4, rules_document(old.rules()), "", ""),
        Epoch(frame.header.epoch + 1, OPEN + DAY_NS, "test", CLOCK_FEED, 4, rules_document(new.rules()), "", ""),
    ]

    class Recorded:
        cut_torn_rows = staticmethod(lambda: None)
        epochs = staticmethod(lambda: epochs)
        last_received_ns = staticmethod(lambda: frame.header.received_ns)
        decision_ids = staticmethod(set)
        partitions = staticmethod(lambda: [0])

    def walk(_: Any, __: Any, rules_of: Any, partition: int, **___: Any) -> Iterator[ReplayStep]:
        if rules_digest(rules_of(epochs[0])) == rules_digest(old.rules()):
            yield ReplayStep(build_pipeline(old.rules(), CALENDAR, partition), frame, Outputs([], [], {}), False)

    monkeypatch.setattr("services.replay.recovery.walk", walk)
    embedded = Embedded(new, MemoryDisk(), CALENDAR, lambda _: None, Metrics())
    monkeypatch.setattr(embedded, "_warehouse", Recorded())
    await embedded.recover()
    assert "unusual_activity" not in [one.name for one in embedded._pipelines[0].detectors]
