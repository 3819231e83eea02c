"""What the partitions of a worker count, and what they leave to whoever counted it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from schemas.frames import Lane
from services.core.sequencer import Sequencer
from services.kafka.documents import Published, records
from services.kafka.machine import Decided, Machine
from services.kafka.partitions import Partitions, _Held
from services.kafka.settings import KafkaSettings
from services.metrics import Metrics
from tests.support.kafka_log import build_small, small_log

NAME = "strikewire_pipeline_alerts_total"


def decided() -> list[Decided]:
    """What a small log leads to."""
    machine = Machine(0, build_small, Sequencer(), dict.fromkeys(Lane, 0), lambda *_: None)
    machine._ready.extend(small_log(seed=11, frames=200, partitions=1))
    made = [machine.step() for _ in range(machine.waiting)]
    return [one for one in made if one is not None and one.decisions]


def counted(all_: list[Decided], published: Published | None) -> tuple[float, float, float]:
    """Signals, alerts sent, and signals held back, by the metrics, once all is out."""
    metrics = Metrics()
    writer = cast("Any", SimpleNamespace(speak_as=lambda _: None))
    partitions, held = Partitions(KafkaSettings(), build_small, writer, metrics), _Held(0)
    held.published = published
    for one in all_:
        partitions._note(one, held)

    def value(name: str, **labels: str) -> float:
        return metrics.registry.get_sample_value(name, {"detector": "echo", **labels}) or 0.0

    signals = value("strikewire_pipeline_signals_total")
    return signals, value(NAME, outcome="sent"), value(NAME, outcome="score")


async def test_a_signal_is_counted_with_what_became_of_it_and_once() -> None:
    all_ = decided()
    total = sum(len(one.decisions) for one in all_)
    signals, sent, held_back = counted(all_, None)
    assert sent > 0
    assert (signals, signals + sent) == (sent + held_back, total)
    published = Published()
    for record in [record for one in all_[: len(all_) // 2] for record in records(one) if record.topic != "contexts"]:
        published.note(record.topic, record.value, record.headers)
    rest = counted(all_, published)
    assert rest == counted(all_[len(all_) // 2 :], None)
    assert 0 < rest[2] < held_back
