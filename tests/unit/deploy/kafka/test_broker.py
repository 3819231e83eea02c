"""The archive of classes with which a broker starts in half the time; what `make kafka` says where Docker runs."""

from __future__ import annotations

import sys
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


@pytest.mark.parametrize(
    ("arguments", "refused"),
    [
        ([], None),
        (["--port", "9092"], None),
        (["--port", "9093"], "--port"),
        (["--folder", "there"], "--folder"),
        (["--json"], "--json"),
    ],
)
def test_what_docker_would_drop_is_refused(
    arguments: list[str],
    refused: str | None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def replace(_: str, command: list[str]) -> None:
        raise InterruptedError(" ".join(command))  # as the program does not come back from it either

    monkeypatch.setattr(broker, "engine_answers", lambda: True)
    monkeypatch.setattr("os.execvp", replace)
    monkeypatch.setattr(sys, "argv", ["broker.py", *arguments])
    if refused is None:
        with pytest.raises(InterruptedError, match="docker compose up kafka"):
            broker.main()
        return
    with pytest.raises(SystemExit) as ended:
        broker.main()
    assert ended.value.code == 2
    assert f"{refused} is of the broker without Docker" in capsys.readouterr().err
