"""Where a sink goes on when partitions become its own."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import CoordinatorNotAvailableError
from aiokafka.structs import OffsetAndMetadata

from services.runtime.config import SinkConfig
from services.runtime.metrics import Metrics
from services.settings.kafka import KafkaSettings
from services.sinks import kafka_sink as module
from services.sinks.batch import Commit
from services.sinks.kafka_sink import KafkaSink

INTENDED = TopicPartition("options.trades", 0)
NEVER_COMMITTED = TopicPartition("options.trades", 1)
SAID = {
    INTENDED: OffsetAndMetadata(5, Commit(17, (1, 6)).text()),
    NEVER_COMMITTED: OffsetAndMetadata(-1, ""),
}


class Coordinator:
    """Answers with each of `answers` in turn."""

    def __init__(self, *answers: dict[TopicPartition, OffsetAndMetadata] | Exception) -> None:
        self.answers = list(answers)

    async def list_consumer_group_offsets(self, _: str, *, partitions: list[TopicPartition]) -> Any:
        assert partitions == list(SAID)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.mark.parametrize(
    "first",
    [{}, {NEVER_COMMITTED: SAID[NEVER_COMMITTED]}, CoordinatorNotAvailableError()],
    ids=["nothing", "half", "error"],
)
async def test_a_coordinator_that_does_not_answer_for_a_place_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, first: Any
) -> None:
    """Its answer is then empty, and not "nothing was committed": the intent would be dropped and rows doubled."""
    monkeypatch.setattr(module, "OFFSETS_RETRY_S", 0.0)
    sink = KafkaSink(KafkaSettings(), SinkConfig(), None, Metrics())
    sink._group, sink._admin = "sink", Coordinator(first, SAID)
    await sink.assign(SAID)
    assert not sink._admin.answers
    assert sink._partitions[INTENDED].reforming
    assert not sink._partitions[NEVER_COMMITTED].reforming
    assert "asked for again" in caplog.text
