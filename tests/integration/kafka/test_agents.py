"""Live equals replay on a real broker: one worker, three, too many, killed, frozen, and over a zombie's frames."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from typing import Any

import pytest

from schemas.frames import Lane
from services.agents import partitions
from services.agents.app import run_agents
from services.agents.partitions import Partitions
from services.core.calendar import NS
from services.kafka.client import plain_consumer
from services.kafka.published import outputs, read_published
from services.kafka.records import ProducerRecord
from services.kafka.writer import open_writer
from services.runtime.metrics import Metrics
from services.settings.kafka import KafkaSettings
from tests.integration.kafka.conftest import PARTITIONS, Start, assert_exact, audited, write
from tests.support.audit import audit
from tests.support.kafka_log import STEP_NS, build_small, expected_digest, small_log
from tests.support.machines import OPEN_NS

pytestmark = [pytest.mark.services, pytest.mark.timeout(180)]


@pytest.mark.parametrize("count", [1, 3])
def test_live_equals_replay(settings: KafkaSettings, start: Start, count: int) -> None:
    """Three workers do not divide four partitions, and they join one after the other, in mid-stream."""
    log = small_log(seed=1, frames=400)
    digest, wanted = expected_digest(log)
    half = len(log) // 2
    workers = [start()]
    workers[0].wait_until_ready()
    write(settings, log[:half], pause_s=0.01)
    workers += [start() for _ in range(count - 1)]
    write(settings, log[half:], pause_s=0.02)
    for worker in workers[1:]:
        worker.wait_until_ready()
    assert_exact(audited(settings, wanted), digest, wanted)


def test_agents_without_topics_say_what_to_do(broker: str) -> None:
    """They were ready, and idle for ever."""
    command = [sys.executable, "-m", "services.cli", "agents", "--brokers", broker, "--set", "kafka.prefix=nowhere-"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    (sentence,) = done.stderr.strip().splitlines()
    assert "nowhere-options.trades is not there" in sentence
    assert sentence.endswith("`strikewire topics create` makes what is missing")


def test_a_worker_more_than_there_are_partitions_is_ready_and_idle(settings: KafkaSettings, start: Start) -> None:
    workers = [start() for _ in range(PARTITIONS + 1)]
    for worker in workers:
        worker.wait_until_ready()
    log = small_log(seed=2, frames=100)
    digest, wanted = expected_digest(log)
    write(settings, log)
    assert_exact(audited(settings, wanted), digest, wanted)


def test_kill_9_of_either_worker_loses_and_doubles_nothing(settings: KafkaSettings, start: Start) -> None:
    """One comes back under its own name (at once), the other leaves its partitions to the rest (after six seconds)."""
    log = small_log(seed=3, frames=900)
    digest, wanted = expected_digest(log)
    third = len(log) // 3
    named, other = start("named"), start("other")
    named.wait_until_ready()
    other.wait_until_ready()
    write(settings, log[:third], pause_s=0.005)
    named.kill()
    start("named")
    write(settings, log[third : 2 * third], pause_s=0.005)
    other.kill()
    write(settings, log[2 * third :], pause_s=0.005)
    assert_exact(audited(settings, wanted), digest, wanted)


def test_a_worker_frozen_beyond_its_session_comes_back_without_repeating_itself(
    settings: KafkaSettings, start: Start
) -> None:
    log = small_log(seed=4, frames=900)
    digest, wanted = expected_digest(log)
    frozen, other = start(), start()
    frozen.wait_until_ready()
    other.wait_until_ready()
    third = len(log) // 3
    write(settings, log[:third], pause_s=0.005)
    os.kill(frozen.process.pid, signal.SIGSTOP)
    write(settings, log[third : 2 * third], pause_s=0.005)
    time.sleep(8.0)  # the group gives the partitions away after six
    os.kill(frozen.process.pid, signal.SIGCONT)
    write(settings, log[2 * third :], pause_s=0.005)
    assert_exact(audited(settings, wanted), digest, wanted)


def test_a_worker_that_the_group_does_not_hear_falls_silent_before_another_speaks(
    settings: KafkaSettings, start: Start
) -> None:
    """It runs on, reads on and could write on: only the coordinator is out of its reach, and takes it for dead."""
    log = small_log(seed=12, frames=3_000)
    digest, wanted = expected_digest(log)
    deaf, other = start(), start()
    deaf.wait_until_ready()
    other.wait_until_ready()
    write(settings, log[:500], pause_s=0.005)
    os.kill(deaf.process.pid, signal.SIGUSR1)
    write(settings, log[500:2_500], pause_s=0.2)
    write(settings, log[2_500:], pause_s=0.005)
    assert_exact(audited(settings, wanted), digest, wanted)


def test_a_frame_acknowledged_while_it_was_held_is_not_lost(settings: KafkaSettings, start: Start) -> None:
    """Two lanes arrive and are acknowledged, the third is late; the worker dies in between."""
    log = small_log(seed=5, frames=200)
    digest, wanted = expected_digest(log)
    late = [frame for frame in log if frame.header.lane is Lane.TRADES]
    early = [frame for frame in log if frame.header.lane is not Lane.TRADES]
    first = start()
    first.wait_until_ready()
    write(settings, early)
    time.sleep(2.5)  # the framework commits once a second
    assert audited_none(settings) == 0
    first.kill()
    write(settings, late)
    start().wait_until_ready()
    assert_exact(audited(settings, wanted), digest, wanted)


def audited_none(settings: KafkaSettings) -> int:
    """Decisions on the topics."""
    from services.kafka.client import plain_consumer
    from services.kafka.published import read_partition

    async def count() -> int:
        async with plain_consumer(settings) as consumer:
            return sum(
                [
                    1
                    for topic in ("signals", "alerts")
                    for partition in range(PARTITIONS)
                    async for _ in read_partition(consumer, settings.topic(topic), partition)
                ]
            )

    return asyncio.run(count())


def test_a_zombie_gateway_is_ignored_by_everybody(settings: KafkaSettings, start: Start) -> None:
    """Epoch 1 goes on writing behind epoch 2's openings: as if it had not."""
    first = small_log(seed=6, frames=150, epoch=1)
    second = small_log(seed=6, frames=150, epoch=2, start_ns=OPEN_NS + 10 * NS)
    cut = len(first) * 2 // 3
    digest, wanted = expected_digest([*first[:cut], *second])
    worker = start()
    worker.wait_until_ready()
    write(settings, first[:cut])
    openings = 3 * PARTITIONS
    write(settings, second[:openings])
    mixed = [frame for pair in zip(first[cut:], second[openings:], strict=False) for frame in pair]
    rest = second[openings + len(first) - cut :]
    write(settings, [*mixed, *rest])
    found = audited(settings, wanted)
    assert found.zombies == len(first) - cut
    assert_exact(found, digest, wanted)
    worker.kill()
    start().wait_until_ready()
    assert_exact(audited(settings, wanted), digest, wanted)


def test_a_clock_that_leaps_ahead_and_one_that_was_set_back_change_no_byte(
    settings: KafkaSettings, start: Start
) -> None:
    """An hour is skipped between two epochs; in the third the gateway's stamps stand until its clock has caught up."""
    leapt_ns = OPEN_NS + 3600 * NS
    stood_ns = leapt_ns + 80 * STEP_NS
    log = [
        *small_log(seed=9, frames=80),
        *small_log(seed=9, frames=80, epoch=2, start_ns=leapt_ns),
        *small_log(seed=9, frames=80, epoch=3, start_ns=stood_ns, step_ns=0),
        *small_log(seed=9, frames=80, epoch=4, start_ns=stood_ns),
    ]
    digest, wanted = expected_digest(log)
    first = start()
    first.wait_until_ready()
    write(settings, log[: len(log) * 3 // 5])
    first.kill()  # in the epoch that stands still
    start().wait_until_ready()
    write(settings, log[len(log) * 3 // 5 :])
    assert_exact(audited(settings, wanted), digest, wanted)


def test_a_worker_that_was_away_for_days_publishes_what_was_decided_then(settings: KafkaSettings, start: Start) -> None:
    """It begins where decisions were last published, not with the day in which the log stands."""
    friday = small_log(seed=8, frames=200, epoch=1)
    monday = small_log(seed=8, frames=200, epoch=2, start_ns=OPEN_NS + 3 * 86_400 * NS)
    digest, wanted = expected_digest([*friday, *monday])
    worker = start()
    worker.wait_until_ready()
    write(settings, friday[: len(friday) // 2])
    time.sleep(1.0)
    worker.kill()
    write(settings, [*friday[len(friday) // 2 :], *monday])
    start().wait_until_ready()
    assert_exact(audited(settings, wanted), digest, wanted)


async def test_a_lane_that_is_lost_is_read_by_another_way_while_the_others_flow(settings: KafkaSettings) -> None:
    """The framework's consumer can lose a partition in silence. Prints that go on coming must not hide it."""
    log = small_log(seed=12, frames=240)
    digest, wanted = expected_digest(log)
    reasons: Counter[str] = Counter()

    class Losing(Partitions):
        async def deliver(self, lane: Lane, partition: int, offset: int, data: bytes) -> None:
            if lane is not Lane.GREEKS or partition or offset < 5:
                await super().deliver(lane, partition, offset, data)

        def _start_catching(self, held: Any, reason: str) -> None:
            reasons[reason] += 1
            super()._start_catching(held, reason)

    async with open_writer(settings) as writer:
        held = Losing(settings, build_small, writer, Metrics())
        async with run_agents(settings, PARTITIONS, held) as ended:
            while held.not_ready() is not None:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.05)
            for frame in log:
                await writer.write_frames([frame], [])
                await asyncio.sleep(0.03)
            assert reasons["stuck"] >= 1, "what flowed hid what did not"
            for _ in range(200):
                if held.frames >= len(log) or ended.done():
                    break
                await asyncio.sleep(0.05)
            await writer.flush()
    assert held.frames == len(log)
    assert_exact(await audit(settings, PARTITIONS, build_small), digest, wanted)


async def test_a_partition_that_is_lost_is_read_by_another_way_while_the_others_flow(
    settings: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All three lanes of it, so that no frame waits for another and only its own silence tells."""
    monkeypatch.setattr(partitions, "SILENT_S", 2.0)
    log = small_log(seed=13, frames=240)
    digest, wanted = expected_digest(log)
    reasons: Counter[str] = Counter()

    class Losing(Partitions):
        async def deliver(self, lane: Lane, partition: int, offset: int, data: bytes) -> None:
            if partition or offset < 5:
                await super().deliver(lane, partition, offset, data)

        def _start_catching(self, held: Any, reason: str) -> None:
            reasons[reason] += 1
            super()._start_catching(held, reason)

    async with open_writer(settings) as writer:
        held = Losing(settings, build_small, writer, Metrics())
        async with run_agents(settings, PARTITIONS, held) as ended:
            while held.not_ready() is not None:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.05)
            for at in range(0, len(log), 4):
                await writer.write_frames(log[at : at + 4], [])
                await asyncio.sleep(0.03)
            for _ in range(200):
                if held.frames >= len(log) or ended.done():
                    break
                await asyncio.sleep(0.05)
            assert reasons["silent"] >= 1
            while held.not_ready() == "partition 0 is catching up":  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.05)
            assert "nothing was delivered since" in (held.not_ready() or "")
            await writer.flush()
    assert held.frames == len(log)
    assert_exact(await audit(settings, PARTITIONS, build_small), digest, wanted)


async def test_somebody_else_s_record_on_an_output_says_nothing_about_what_is_out(
    settings: KafkaSettings, caplog: pytest.LogCaptureFixture
) -> None:
    foreign = [b"no JSON", b'{"hello": 1}', b"\xff", b"[" * 200_000]
    async with open_writer(settings) as writer:
        for topic in outputs():
            for value in foreign:
                await writer.write(ProducerRecord(topic, b"SPY", value, 0, [("at", b"never")]))
        await writer.flush()
    async with plain_consumer(settings) as probe:
        published = await read_published(probe, settings, 0)
    assert published.log_ns == 0
    told = [record.message for record in caplog.records if "is none of ours" in record.message]
    assert len(told) == len(outputs()) * len(foreign)
    assert told[1].startswith("signals partition 0 offset 1 ")


def test_somebody_else_s_record_in_a_lane_stops_nobody(settings: KafkaSettings, start: Start) -> None:
    log = small_log(seed=9, frames=100)
    digest, wanted = expected_digest(log)
    start().wait_until_ready()

    async def litter() -> None:
        async with open_writer(settings) as writer:
            client = writer._client
            for partition in range(PARTITIONS):
                await client.send_and_wait(settings.topic("options.trades"), b"not a frame", partition=partition)

    write(settings, log[:200])
    asyncio.run(litter())
    write(settings, log[200:])
    assert_exact(audited(settings, wanted), digest, wanted)
