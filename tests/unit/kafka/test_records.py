"""Decisions as records, what is published already, and the way back into the order of the log."""

from __future__ import annotations

import random

from schemas.decisions import Alert, Signal
from schemas.frames import Lane, encode_frame
from services.core.identity import Digest
from services.core.sequencer import Sequencer
from services.kafka.partition_processor import Decided, PartitionProcessor
from services.kafka.records import ProducerRecord, Published, in_log_order, log_digest, records, sampled_at
from tests.support.kafka_log import build_small, expected_digest, small_log, taken

LOG = small_log(seed=3, frames=300, partitions=1)


def decide() -> list[Decided]:
    """What the log of one partition leads to."""
    machine = PartitionProcessor(0, build_small, Sequencer(), dict.fromkeys(Lane, 0), lambda *_: None)
    offsets = dict.fromkeys(Lane, 0)
    made = []
    for frame in LOG:
        lane = frame.header.lane
        made += taken(machine, lane, offsets[lane], encode_frame(frame))
        offsets[lane] += 1
    return made


MADE = [record for decided in decide() for record in records(decided)]
DECISIONS = [record for record in MADE if record.topic != "contexts"]


def published_up_to(signals: int, alerts: int) -> Published:
    """What a recovering worker learns from topics that hold so many records."""
    published = Published()
    for topic, count in (("signals", signals), ("alerts", alerts)):
        own = [record for record in MADE if record.topic == topic][:count]
        for record in random.Random(1).sample(own, len(own)):
            published.note(topic, record.value, record.headers)
    return published


def identities(made: list[ProducerRecord]) -> list[bytes]:
    return [record.value for record in made if record.topic != "contexts"]


def test_a_record_is_keyed_by_underlying_and_numbered_within_its_position() -> None:
    assert {record.key for record in DECISIONS} == {b"SPY"}
    assert all(dict(record.headers)["ordinal"].isdigit() for record in DECISIONS)


def test_views_are_keyed_by_context_too_so_that_compaction_keeps_the_latest_of_each() -> None:
    views = [record for record in MADE if record.topic == "contexts"]
    assert {record.key for record in views} <= {b"SPY/prints", b"SPY/last"}
    for record in views:
        assert sampled_at(record.headers)[0] == 1


def test_two_topics_read_back_in_any_order_are_the_one_sequence_they_were() -> None:
    shuffled = random.Random(7).sample(DECISIONS, len(DECISIONS))
    assert in_log_order((record.value, record.headers) for record in shuffled) == [r.value for r in DECISIONS]


def test_a_record_that_came_twice_counts_once_in_the_digest() -> None:
    digest, _ = expected_digest(LOG, [0])
    doubled = [*DECISIONS, *DECISIONS[::3]]
    assert log_digest({0: [(record.value, record.headers) for record in doubled]}) == digest


def test_the_digest_of_the_topics_is_the_digest_of_the_log() -> None:
    digest = Digest()
    digest.add(0, [record.value for record in DECISIONS])
    assert digest.hexdigest() == expected_digest(LOG, [0])[0]


def test_after_any_cut_of_the_two_topics_exactly_the_rest_is_published() -> None:
    """A kill leaves a beginning of each topic; they need not end at the same decision."""
    signals = sum(record.topic == "signals" for record in MADE)
    alerts = sum(record.topic == "alerts" for record in MADE)
    assert signals > 20
    assert alerts > 10
    chance = random.Random(5)
    for _ in range(60):
        have = chance.randint(0, signals), chance.randint(0, alerts)
        published = published_up_to(*have)
        again = [record for decided in decide() for record in records(decided, published)]
        for topic, count in zip(("signals", "alerts"), have, strict=True):
            wanted = [record.value for record in MADE if record.topic == topic][count:]
            assert [record.value for record in again if record.topic == topic] == wanted


def test_nothing_published_means_everything_is_lacking() -> None:
    published = Published()
    assert identities([r for decided in decide() for r in records(decided, published)]) == identities(MADE)
    assert published.log_ns == 0


def test_an_alert_and_its_signal_are_judged_by_their_own_topics() -> None:
    """The signal is out and its alert is not: only the alert is lacking."""
    decisions = [one for decided in decide() for _, one in decided.decisions]
    at = next(n for n, one in enumerate(decisions) if isinstance(one, Alert))
    signal, alert = decisions[at - 1], decisions[at]
    assert isinstance(signal, Signal)
    signals = sum(isinstance(one, Signal) for one in decisions[:at])
    published = published_up_to(signals, 0)
    assert not published.lacks_decision(signal)
    assert published.lacks_decision(alert)
