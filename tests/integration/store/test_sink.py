"""Kafka into the warehouse on a real broker: every row once, whoever is killed, stopped or away."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from deploy.kafka.broker import Broker, reason_not_here
from schemas.decisions import canonical
from schemas.frames import Frame, Lane, encode_frame
from schemas.topics import TOPICS
from services.history.engine import open_remote
from services.history.warehouse import Warehouse
from services.kafka.client import client_arguments
from services.kafka.topics import create
from services.runtime.config import WarehouseConfig
from services.settings.kafka import KafkaSettings
from services.sinks.batch import Commit, token
from services.sinks.clickhouse import Epoch, insert
from services.sinks.records import Reader, SinkRecord, tables
from tests.support.decisions import alert, signal, view
from tests.support.logs_small import START_NS, LogBuilder
from tests.support.services import ROOT, ServiceProcess
from tests.support.topics import decision_records, frame_records, put, view_records
from tests.support.waiting import until

pytestmark = pytest.mark.services


def epoch(number: int = 1) -> Epoch:
    return Epoch(number, START_NS, "test", 0, 2, "{}", "d", "strikewire")


def sink(kafka: KafkaSettings, warehouse: WarehouseConfig, log: Path, *more: object) -> ServiceProcess:
    settings = {
        "kafka.brokers": kafka.brokers, "kafka.prefix": kafka.prefix, "warehouse.database": warehouse.database,
        "sink.age_ms_max": 100, "sink.retry_ms_max": 500,
    }  # fmt: skip
    options = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    return ServiceProcess("sink", "--warehouse", warehouse.url, *options, *more, log=log)


def settled(question: Any, seconds: float = 1.0) -> Any:
    """The answer once nothing more can come."""
    time.sleep(seconds)
    return question()


def log_of(partition: int, frames: int, rows: int = 50, number: int = 1) -> list[Frame]:
    builder = LogBuilder(epoch=number, partition=partition)
    lanes = [Lane.TRADES, Lane.TICKS, Lane.GREEKS]
    return [*builder.opening(), *(builder.frame(lanes[n % 3], rows) for n in range(frames))]


class Counted:
    """What stands in the warehouse."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def positions(self) -> tuple[int, int]:
        """Market rows, and different (partition, epoch, position) among them: equal when nothing is doubled."""
        tables = ("option_trades", "option_greeks", "index_ticks")
        parts = " UNION ALL ".join(f"SELECT partition, epoch, position FROM {table}" for table in tables)
        (row,) = self.client.query(f"SELECT count(), uniqExact(partition, epoch, position) FROM ({parts})").result_rows
        return int(row[0]), int(row[1])

    def frames(self) -> tuple[int, int]:
        (row,) = self.client.query("SELECT count(), uniqExact(partition, epoch, seq) FROM frames").result_rows
        return int(row[0]), int(row[1])

    def epochs(self) -> int:
        return int(self.client.query("SELECT count() FROM epochs").result_rows[0][0])


@pytest.fixture
def counted(client: Any) -> Counted:
    return Counted(client)


def test_every_lane_and_every_decision_topic_reaches_its_table(
    kafka: KafkaSettings, warehouse: WarehouseConfig, counted: Counted, tmp_path: Path
):
    frames = [*log_of(0, 9), *log_of(1, 6)]
    made = [signal("s1"), alert("a1"), signal("s2"), signal("s3", partition=1)]
    put(kafka, [*frame_records(frames, epoch()), *decision_records(made), *view_records([view(), view(120)])])
    put(
        kafka,
        [("options.trades", 0, b"poison", []), ("alerts", 1, b'{"id": 3}', []), ("dead.letters", 0, b"no letter", [])],
    )
    with sink(kafka, warehouse, tmp_path / "log"):
        until(counted.positions, (750, 750))
        until(counted.frames, (21, 21))
        reader = Warehouse(counted.client)
        until(lambda: reader.count("dead_letters"), 3)
        until(lambda: (reader.count("signals"), reader.count("alerts"), reader.count("contexts")), (3, 1, 2))
    assert reader.epochs() == [epoch()]
    assert [document for _, _, document in reader.decisions(0)] == [canonical(one) for one in made[:3]]
    told = counted.client.query("SELECT source, detail, data FROM dead_letters ORDER BY source").result_rows
    assert [row[0] for row in told] == ["alerts", "dead.letters", "options.trades"]
    assert "offset 0" in told[0][1]
    assert told[2][2] in (b"poison", "poison")


def test_a_zombie_gateways_frames_stay_out(
    kafka: KafkaSettings, warehouse: WarehouseConfig, counted: Counted, tmp_path: Path
):
    old, new = LogBuilder(epoch=1), LogBuilder(epoch=2)
    put(kafka, frame_records([*old.opening(), old.frame(Lane.TRADES, 10)], epoch(1)))
    put(kafka, frame_records([*new.opening(), new.frame(Lane.TRADES, 10)], epoch(2)))
    with sink(kafka, warehouse, tmp_path / "log") as process:
        until(counted.positions, (20, 20))
        # Between two lives, so that what was last must have been kept with the offsets.
        process.kill()
        put(kafka, frame_records([old.frame(Lane.TRADES, 10), new.frame(Lane.TRADES, 5)]))
        process.start()
        until(counted.positions, (25, 25))
        assert settled(counted.positions) == (25, 25)
    assert counted.epochs() == 2


@pytest.mark.slow
def test_kills_at_random_moments_lose_and_double_nothing(
    kafka: KafkaSettings, warehouse: WarehouseConfig, counted: Counted, tmp_path: Path
):
    random_ = random.Random(7)
    builders = [LogBuilder(partition=partition) for partition in range(2)]
    put(kafka, frame_records([frame for builder in builders for frame in builder.opening()], epoch()))
    with sink(kafka, warehouse, tmp_path / "log") as process:
        for _ in range(4):
            frames = [b.frame(random_.choice(list(Lane)), random_.randrange(200)) for _ in range(60) for b in builders]
            put(kafka, frame_records(frames))
            time.sleep(random_.random() * 0.5)
            process.kill()
            process.start()
        rows = sum(builder.position for builder in builders)
        until(counted.positions, (rows, rows))
        frames_sent = sum(builder.seq for builder in builders)
        until(counted.frames, (frames_sent, frames_sent))
        assert settled(counted.positions) == (rows, rows)
    assert counted.epochs() == 1


def test_the_warehouse_may_be_away_killed_and_back(kafka: KafkaSettings, tmp_path: Path):
    """The sink waits, says so, and goes on where it stood."""
    builder = LogBuilder()
    put(kafka, frame_records([*builder.opening(), builder.frame(Lane.TRADES, 100)], epoch()))
    port = 21_000 + (time.time_ns() // 1000) % 9000
    with ServiceProcess("warehouse", "--port", port, "--data-dir", tmp_path / "d", log=tmp_path / "w") as engine:
        config = WarehouseConfig(url=engine.ready["url"])
        with sink(kafka, config, tmp_path / "log") as process:
            until(Counted(open_remote(config)).positions, (100, 100))
            engine.kill()
            put(kafka, frame_records([builder.frame(Lane.TRADES, 100) for _ in range(20)]))
            time.sleep(3)
            assert process.process.poll() is None
            engine.start()
            until(Counted(open_remote(config)).positions, (2100, 2100))
            engine.pause()
            put(kafka, frame_records([builder.frame(Lane.TICKS, 100) for _ in range(20)]))
            time.sleep(2)
            engine.resume()
            until(Counted(open_remote(config)).positions, (4100, 4100))
    assert "the warehouse does not take" in (tmp_path / "log").read_text()
    assert "the warehouse takes rows of " in (tmp_path / "log").read_text()


@pytest.mark.slow
def test_a_sink_that_was_stopped_and_comes_back_doubles_nothing(
    kafka: KafkaSettings, warehouse: WarehouseConfig, counted: Counted, tmp_path: Path
):
    """Two sinks share the partitions; one freezes beyond the group's patience, the other takes over, it wakes up."""
    builders = [LogBuilder(partition=partition) for partition in range(2)]
    put(kafka, frame_records([frame for builder in builders for frame in builder.opening()], epoch()))
    with sink(kafka, warehouse, tmp_path / "one") as one, sink(kafka, warehouse, tmp_path / "two"):
        for _ in range(10):
            put(kafka, frame_records([b.frame(Lane.TRADES, 70) for _ in range(20) for b in builders]))
        one.pause()
        put(kafka, frame_records([b.frame(Lane.TICKS, 30) for _ in range(20) for b in builders]))
        rows = sum(builder.position for builder in builders)
        until(counted.positions, (rows, rows))
        one.resume()
        put(kafka, frame_records([b.frame(Lane.GREEKS, 10) for _ in range(20) for b in builders]))
        rows = sum(builder.position for builder in builders)
        until(counted.positions, (rows, rows))
        assert settled(counted.positions, 2) == (rows, rows)
        until(counted.frames, (sum(b.seq for b in builders),) * 2)


def test_a_token_is_never_reused_for_other_rows(
    kafka: KafkaSettings, warehouse: WarehouseConfig, counted: Counted, tmp_path: Path
):
    """An intent that was committed is formed again exactly, under other limits and with more to read behind it."""
    builder = LogBuilder()
    put(kafka, frame_records([*builder.opening(), *(builder.frame(Lane.TRADES, 10) for _ in range(30))], epoch()))
    place = TopicPartition(kafka.topic("options.trades"), 0)
    # A sink that died between its intent for [5, 17) and the insert; one that died after the insert of the rows.
    asyncio.run(_commit(kafka, place, 5, Commit(17, (1, 6))))
    again = LogBuilder()
    stream = [
        frame
        for frame in [*again.opening(), *(again.frame(Lane.TRADES, 10) for _ in range(30))]
        if frame.header.lane is Lane.TRADES
    ]
    reader = Reader(TOPICS["options.trades"], 0, (1, 6))
    items = [reader.read(SinkRecord("options.trades", 0, at, 0, encode_frame(stream[at]))) for at in range(5, 17)]
    (name, rows), *_ = tables(TOPICS["options.trades"], [item for item in items if item])
    insert(counted.client, name, rows, token("options.trades", 0, 5, 17, name))
    assert counted.positions() == (120, 120)
    with sink(kafka, warehouse, tmp_path / "log", "--set", "sink.rows_max=15"):
        until(counted.positions, (260, 260))  # what stood before offset 5 was acknowledged
        assert settled(counted.positions) == (260, 260)


async def _commit(kafka: KafkaSettings, place: TopicPartition, offset: int, said: Commit) -> None:
    from aiokafka import AIOKafkaConsumer
    from aiokafka.structs import OffsetAndMetadata

    consumer = AIOKafkaConsumer(**client_arguments(kafka), group_id=f"{kafka.prefix}sink", enable_auto_commit=False)
    await consumer.start()
    consumer.assign([place])
    await consumer.commit({place: OffsetAndMetadata(offset, said.text())})
    await consumer.stop()


async def test_a_group_that_committed_nothing_says_so_of_every_place(kafka: KafkaSettings):
    """A place that is lacking in the answer was not answered for: see `KafkaSink._committed`."""
    places = [TopicPartition(kafka.topic(name), partition) for name in TOPICS for partition in range(2)]
    admin = AIOKafkaAdminClient(**client_arguments(kafka))
    await admin.start()
    try:
        found = await admin.list_consumer_group_offsets(f"{kafka.prefix}nobody", partitions=places)
    finally:
        await admin.close()
    assert {place: one.offset for place, one in found.items()} == dict.fromkeys(places, -1)


def test_when_all_is_written_the_group_says_so(
    kafka: KafkaSettings, warehouse: WarehouseConfig, counted: Counted, tmp_path: Path
):
    """Nothing is left to be done again: offsets stand at the end, without an intent."""
    builder = LogBuilder()
    put(kafka, frame_records([*builder.opening(), builder.frame(Lane.TRADES, 10)], epoch()))

    async def committed() -> dict[int, tuple[int, Commit]]:
        admin = AIOKafkaAdminClient(**client_arguments(kafka))
        await admin.start()
        found = await admin.list_consumer_group_offsets(f"{kafka.prefix}sink")
        await admin.close()
        place = TopicPartition(kafka.topic("options.trades"), 0)
        return {0: (found[place].offset, Commit.read(found[place].metadata))} if place in found else {}

    with sink(kafka, warehouse, tmp_path / "log") as process:
        until(counted.positions, (10, 10))
        until(lambda: asyncio.run(committed()), {0: (2, Commit(None, (1, 3)))})
        assert process.stop() == 0


def test_what_is_missing_is_one_sentence(broker: str, tmp_path: Path):
    for brokers, problem in (
        (broker, "`strikewire topics create` makes it"),
        ("127.0.0.1:9", "no Kafka broker answers"),
    ):
        command = [sys.executable, "-m", "services.cli", "sink", "--brokers", brokers, "--data-dir", str(tmp_path)]
        done = subprocess.run(
            [*command, "--set", "kafka.prefix=nowhere-"], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 2, done.stderr
        assert problem in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_the_broker_may_be_killed_and_come_back(warehouse: WarehouseConfig, counted: Counted, tmp_path: Path):
    reason = reason_not_here()
    if reason is not None:
        pytest.skip(f"a broker of our own to kill: {reason}")
    builder = LogBuilder()
    with Broker(tmp_path / "kafka") as broker:
        kafka = KafkaSettings(brokers=broker.address)
        asyncio.run(create(kafka, 2))
        put(kafka, frame_records([*builder.opening(), builder.frame(Lane.TRADES, 100)], epoch()))
        with sink(kafka, warehouse, tmp_path / "log") as process:
            until(counted.positions, (100, 100))
            broker.kill()
            time.sleep(2)
            broker.start()
            put(kafka, frame_records([builder.frame(Lane.TICKS, 50) for _ in range(20)]))
            put(kafka, [("options.trades", 0, b"poison", [])])
            until(counted.positions, (1100, 1100))
            assert process.process.poll() is None
            until(lambda: Warehouse(counted.client).count("dead_letters"), 1)
            assert settled(counted.positions) == (1100, 1100)
