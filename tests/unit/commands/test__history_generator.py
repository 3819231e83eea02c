"""History that is made can be stopped between two minutes, never inside one."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from services.commands import _history_generator as _making

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Recorder:
    """Writes down what it is asked, and is interrupted in its first minute."""

    def __init__(self, number: int) -> None:
        self.counts = {"trades": 0, "alerts": 0}
        self.did: list[str] = []
        self._number = number

    def take(self, frames: str) -> None:
        signal.raise_signal(self._number)
        self.did.append(f"all of {frames}")

    def flush(self) -> None:
        self.did.append("flush")


@pytest.fixture(autouse=True)
def own_handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def session(recorder: Any) -> None:
    minutes: Any = SimpleNamespace(session=lambda: iter(["minute 1", "minute 2"]))
    market: Any = SimpleNamespace(clock_ns=0)
    _making._session(argparse.Namespace(json=True), recorder, minutes, market, _making._stop_on_signal())


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_lets_the_minute_end_and_be_stored_once(number: int) -> None:
    recorder = Recorder(number)
    session(recorder)
    assert recorder.did == ["all of minute 1", "flush"]


def test_a_second_signal_interrupts_at_once() -> None:
    requested = _making._stop_on_signal()
    signal.raise_signal(signal.SIGINT)
    assert requested.is_set()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
