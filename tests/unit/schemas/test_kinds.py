"""A kind of decision is one entry: hosts, topics, tables, metrics and the digest take it from there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from schemas.decisions import Outcome, canonical
from schemas.frames import CLOCK_FEED, Frame, Header, Lane, empty_rows
from schemas.kinds import KINDS, DecisionKind, UnknownKindError, identity_of, kind_named, kind_of
from schemas.topics import TOPICS, decision_topic
from services.core.pipeline import Outputs, Pipeline
from services.embedded import Embedded
from services.history.warehouse import Warehouse
from services.kafka.partition_processor import Decided
from services.kafka.published import outputs
from services.kafka.records import Published, in_log_order, records
from services.replay.runner import ReplayStep, replay, stored, verify
from services.runtime.config import Config
from services.runtime.metrics import Metrics
from services.scanner import Scanner
from services.sinks.clickhouse import Epoch, Ordinals, WarehouseWriter
from services.sinks.records import Reader, SinkRecord, tables
from tests.support.decisions import alert, signal
from tests.support.disks import MemoryDisk
from tests.support.logs import CALENDAR, OPEN


class DayRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A third kind, as another room might add one: it has an id of another name and no detector."""

    day_id: str
    underlying: str
    event_ns: int
    emitted_ns: int
    partition: int
    epoch: int
    position: int
    close_usd: float


def day(name: str = "d1", **fields: Any) -> DayRecord:
    given: dict[str, Any] = {
        "day_id": name, "underlying": "SPY", "event_ns": OPEN, "emitted_ns": OPEN, "partition": 0, "epoch": 1,
        "position": 5, "close_usd": 1.5,
    }  # fmt: skip
    return DayRecord(**{**given, **fields})


@pytest.fixture
def third(monkeypatch: pytest.MonkeyPatch) -> Iterator[DecisionKind]:
    """The only place where the third kind is added."""
    kind = DecisionKind(
        "day", DayRecord, "day.records", "day_records", "days", ("day_id", "underlying", "close_usd"), "one a day",
        rank=2, identity="day_id",
    )  # fmt: skip
    monkeypatch.setitem(KINDS, DayRecord, kind)
    return kind


def test_a_document_of_no_registered_kind_is_an_error_that_names_the_known_ones() -> None:
    outcome: Any = Outcome(
        signal_id="s", label="PIN", result="WIN", entry_usd=1, exit_usd=2, exit_ns=3, r_multiple=1, ambiguous=False
    )
    with pytest.raises(UnknownKindError, match=r"Outcome is no kind of decision; .*: signal, alert"):
        kind_of(outcome)
    disk = MemoryDisk()
    with pytest.raises(UnknownKindError):
        WarehouseWriter(disk).write_decisions([(0, signal()), (1, outcome)])
    assert disk.tables == [], "nothing was written before the refusal"


def test_every_kind_has_a_topic_of_its_document_and_table() -> None:
    for kind in KINDS.values():
        assert (TOPICS[kind.topic].document, TOPICS[kind.topic].table) == (kind.document, kind.table)
        assert kind_named(kind.name) is kind
        assert {*kind.columns, kind.identity} <= set(kind.document.__struct_fields__)


async def test_a_third_kind_goes_through_the_embedded_host(third: DecisionKind, monkeypatch: Any) -> None:
    class DayEnds(Pipeline):
        """Says two decisions of the new kind with every frame."""

        def step(self, frame: Frame) -> Outputs:
            outputs = super().step(frame)
            return outputs._replace(decisions=[*outputs.decisions, day("d1"), day("d2")])

    monkeypatch.setattr(
        "services.embedded.build_pipeline", lambda *_: DayEnds(0, CALENDAR, [], [], Scanner(), sampling=False)
    )
    disk, delivered, metrics = MemoryDisk(), [], Metrics()
    embedded = Embedded(
        msgspec.convert({"gateway": {"partitions": 1}}, Config), disk, CALENDAR, delivered.append, metrics
    )
    embedded.open_epoch("test", CLOCK_FEED, OPEN)
    await embedded.on_frames([Frame(Header(Lane.TICKS, 0, 1, 0, 0, 0, OPEN), empty_rows(Lane.TICKS))])
    await embedded.drain()
    assert disk.rows("day_records") == 2
    assert (disk.rows("signals"), disk.rows("alerts"), delivered) == (0, 0, [])
    assert metrics.registry.get_sample_value("strikewire_pipeline_decisions_total", {"kind": "day"}) == 2
    assert (embedded.tallies.signals, embedded.tallies.alerts) == (0, 0)


def test_a_third_kind_goes_through_kafkas_records_and_the_sink(third: DecisionKind) -> None:
    made = [signal(emitted_ns=OPEN, event_ns=OPEN), alert(emitted_ns=OPEN, event_ns=OPEN), day()]
    head = Header(Lane.TICKS, 0, 1, 0, 5, 0, OPEN)
    decided = Decided(head, Ordinals().number(made), [], {})
    written = records(decided)
    assert [(one.topic, dict(one.headers)["ordinal"]) for one in written] == [
        ("signals", b"0"), ("alerts", b"1"), ("day.records", b"2"),
    ]  # fmt: skip
    assert outputs() == ("signals", "alerts", "day.records", "contexts")
    published = Published()
    published.note("day.records", written[2].value, written[2].headers)
    assert [one.topic for one in records(decided, published)] == ["signals", "alerts"]
    assert published.lacks_decision(day("d2"))
    assert in_log_order((one.value, one.headers) for one in reversed(written)) == [canonical(one) for one in made]
    topic = decision_topic(third)
    read = Reader(topic, 0, (-1, -1)).read(SinkRecord(topic.name, 0, 0, OPEN, written[2].value))
    assert read is not None
    assert read.poison is None
    ((table, rows),) = tables(topic, [read])
    assert (table, rows.column("day_id").to_pylist(), rows.column("ordinal").to_pylist()) == (
        "day_records",
        ["d1"],
        [2],
    )


@pytest.mark.parametrize("digested", [True, False])
def test_what_is_verified_is_what_the_kind_says(
    third: DecisionKind, digested: bool, warehouse_client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(KINDS, DayRecord, third._replace(digested=digested))
    warehouse_client.command(
        "CREATE TABLE day_records (day_id String, underlying String, close_usd Float64, partition UInt16,"
        " epoch UInt64, position UInt64, ordinal UInt32, event_ns DateTime64(9, 'UTC'),"
        " emitted_ns DateTime64(9, 'UTC'), document String) ENGINE = ReplacingMergeTree ORDER BY day_id"
    )
    writer, reader = WarehouseWriter(warehouse_client), Warehouse(warehouse_client)
    writer.open_epoch(Epoch(1, OPEN, "test", 0, 1, "{}", "d", "strikewire"))
    writer.write_decisions(Ordinals().number([signal(), day(), alert()]))
    wanted = ["signal", "day", "alert"] if digested else ["signal", "alert"]
    assert [kind for kind, _, _ in reader.decisions(0)] == wanted
    assert reader.decision_ids() == {"s1", "a1", "d1"}
    assert identity_of(day()) == "d1"
    assert len(Outputs([signal(), day(), alert()], [], {}).lines()) == len(wanted)


@pytest.mark.parametrize("digested", [True, False])
def test_replay_and_verify_take_what_the_kind_says(
    third: DecisionKind, digested: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(KINDS, DayRecord, third._replace(digested=digested))
    made = [signal(), day(), alert()]
    compared = [(kind_of(one).name, 1, canonical(one)) for one in made if kind_of(one).digested]
    frame = Frame(Header(Lane.TICKS, 0, 1, 0, 0, 0, OPEN), empty_rows(Lane.TICKS))

    class Recorded:
        partitions = staticmethod(lambda: [0])
        decisions = staticmethod(lambda _: iter(compared))

    pipeline: Any = None
    steps = [ReplayStep(pipeline, frame, Outputs(made, [], {}), False)]
    monkeypatch.setattr("services.replay.runner.walk", lambda *_, **__: iter(steps))
    recorded: Any = Recorded()
    verdict = verify(recorded, CALENDAR, lambda _: Config().rules())
    assert verdict.equal
    run = replay(recorded, CALENDAR, lambda _: Config().rules())
    assert run.digest == verdict.live.digest == verdict.replay.digest == stored(recorded).digest
    assert (run.signals, run.alerts, verdict.replay.signals, verdict.live.alerts) == (1, 1, 1, 1)
