"""What a recorder stores is what a replay decides, also after a process that was killed between the two writes."""

from __future__ import annotations

from typing import Any

from schemas.frames import CLOCK_FEED
from services.history.warehouse import Warehouse
from services.replay.recording import Recorder
from services.replay.runner import recorded_rules, verify
from services.runtime.config import Config, load
from tests.support.logs import CALENDAR, OPEN, Row, frames, later
from tests.support.scenarios import sweeps, unusual

NS = 1_000_000_000
ONE = ("gateway.partitions=1",)


def record(client: Any, rows: list[Row], *, config: Config | None = None, killed: bool = False) -> None:
    """An epoch of these rows; `killed` once the frames are on disk."""
    recorder = Recorder(config or load(overrides=ONE), client, CALENDAR)
    number = recorder.open_epoch("test", CLOCK_FEED, OPEN)
    recorder.take(frames(rows, epoch=number))
    if killed:
        recorder._decisions.clear()
    recorder.flush()


def equal(client: Any) -> bool:
    verdict = verify(Warehouse(client), CALENDAR, recorded_rules())
    assert verdict.replay.signals > 0
    return verdict.equal


def test_decisions_that_a_killed_process_owed_are_stored_when_it_goes_on(warehouse_client: Any) -> None:
    record(warehouse_client, sweeps(), killed=True)
    assert not equal(warehouse_client)
    record(warehouse_client, later(unusual(), 1800 * NS))
    assert equal(warehouse_client)


def test_under_other_rules_the_day_goes_on_as_a_replay_has_it(warehouse_client: Any) -> None:
    """The second sweep of ten minutes comes after the restart, and both count under the rules of that time."""
    split = OPEN + 330 * NS
    record(warehouse_client, [row for row in sweeps() if row.received_ns < split])
    other = load(overrides=(*ONE, "detectors.sweep_confirmation.cooldown_s=60"))
    record(warehouse_client, [row for row in sweeps() if row.received_ns >= split], config=other)
    assert equal(warehouse_client)
