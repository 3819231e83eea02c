"""One partition's machine, fed by offset."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.decisions import canonical
from schemas.frames import Frame, Header, Lane, encode_frame
from services.core.identity import Digest
from services.core.sequencer import Sequencer
from services.kafka.partition_processor import PartitionProcessor
from services.kafka.records import ProducerRecord, records
from tests.support.kafka_log import build_small, expected_digest, small_log, taken

LOG = small_log(seed=11, frames=200, partitions=1)
EXPECTED, COUNT = expected_digest(LOG, [0])


def lanes(log: list[Frame]) -> dict[Lane, list[bytes]]:
    return {lane: [encode_frame(frame) for frame in log if frame.header.lane is lane] for lane in Lane}


def machine() -> PartitionProcessor:
    return PartitionProcessor(0, build_small, Sequencer(), dict.fromkeys(Lane, 0), lambda *_: None)


@given(st.integers(0, 10_000))
def test_lanes_read_at_any_speed_and_twice_give_one_digest(seed: int) -> None:
    """Deliveries jump back as after a rebalance, and lanes drift apart; offsets and the sequence put it right."""
    chance = random.Random(seed)
    records, at, made = lanes(LOG), dict.fromkeys(Lane, 0), machine()
    digest = Digest()
    while any(at[lane] < len(records[lane]) for lane in Lane):
        lane = chance.choice([lane for lane in Lane if at[lane] < len(records[lane])])
        for _ in range(chance.randint(1, 40)):
            if at[lane] == len(records[lane]):
                break
            for decided in taken(made, lane, at[lane], records[lane][at[lane]]):
                digest.add(0, [canonical(one) for _, one in decided.decisions])
            at[lane] += 1
        if chance.random() < 0.2:
            at[lane] = max(0, at[lane] - chance.randint(0, 30))
    assert digest.hexdigest() == EXPECTED
    assert made.pending == 0


def everything(by_run: bool, seed: int) -> tuple[list[ProducerRecord], int, int]:
    """Every record a log leads to, how many steps it took, and for how many frames."""
    chance = random.Random(seed)
    log = small_log(seed=seed, frames=300, partitions=1, step_ns=chance.choice([250, 700, 7_000]) * 1_000_000)
    log += small_log(seed=seed, frames=50, partitions=1, epoch=2, start_ns=log[-1].header.received_ns + 1)
    steps = frames = 0

    def stepped(_: Header, count: int, __: float) -> None:
        nonlocal steps, frames
        steps, frames = steps + 1, frames + count

    made = PartitionProcessor(0, build_small, Sequencer(), dict.fromkeys(Lane, 0), stepped)
    out: list[ProducerRecord] = []
    waiting = {lane: list(enumerate(data)) for lane, data in lanes(log).items()}
    while any(waiting.values()):
        for lane, left in waiting.items():
            for offset, data in left[: (size := chance.randint(0, 100))]:
                made.push(lane, offset, data)
            del left[:size]
        while made.waiting:
            decided = made.step_run() if by_run else made.step()
            out += records(decided) if decided is not None else []
    assert made.pending == 0
    assert frames == len(log)
    return out, steps, frames


@pytest.mark.parametrize("seed", range(8))
def test_frames_that_are_stepped_as_one_lead_to_the_same_records(seed: int) -> None:
    """Decisions, ordinals, and the place at which each view was sampled: to the byte, each topic in the same order."""
    one_by_one, steps, frames = everything(False, seed)
    as_runs, fewer, _ = everything(True, seed)
    topics = {record.topic for record in one_by_one}
    assert topics == {"signals", "alerts", "contexts"}
    for topic in topics:
        of_runs, wanted = ([one for one in all_ if one.topic == topic] for all_ in (as_runs, one_by_one))
        assert of_runs == wanted, topic
    assert steps == frames
    assert fewer < 0.9 * frames


def test_a_record_that_is_no_frame_is_counted_and_stepped_over() -> None:
    made = machine()
    made.push(Lane.TRADES, 0, b"somebody else's")
    assert not made.waiting
    assert made.damaged == 1
    assert made.damage.startswith("options.trades partition 0 offset 0: ")
    assert made.next_offset[Lane.TRADES] == 1


def test_it_knows_which_lane_has_run_ahead() -> None:
    made, records = machine(), lanes(LOG)
    for lane in Lane:
        assert list(taken(made, lane, 0, records[lane][0])) == []
    for offset in range(1, 20):
        made.push(Lane.TRADES, offset, records[Lane.TRADES][offset])
    assert made.pending
    assert made.is_ahead(Lane.TRADES)
    assert not made.is_ahead(Lane.GREEKS)
