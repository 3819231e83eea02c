"""The archive of classes with which a broker starts in half the time: tried once, and missed by nobody."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.kafka import broker
from deploy.kafka.jars import JARS_ENV, class_archive


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of this test's own."""
    monkeypatch.setenv(JARS_ENV, str(tmp_path))


def test_an_archive_is_made_once_and_named_to_java(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def make(path: Path) -> None:
        made.append(path)
        path.write_bytes(b"classes")

    monkeypatch.setattr(broker, "_archive_classes", make)
    options = broker._shared_classes()
    assert options == (f"-XX:SharedArchiveFile={made[0]}", "-Xshare:auto") == broker._shared_classes()
    assert len(made) == 1


def test_where_it_cannot_be_made_it_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: broker.Broker) -> broker.Broker:
        raise broker.BrokerError("no Java")

    monkeypatch.setattr(broker.Broker, "start", fail)
    assert broker._shared_classes() == ()
    with class_archive() as path:
        assert path.stat().st_size == 0
    monkeypatch.setattr(broker, "_archive_classes", lambda _: pytest.fail("tried again"))
    assert broker._shared_classes() == ()
