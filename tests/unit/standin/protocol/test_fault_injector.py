"""Between the market and a socket: silence loses, lag holds, stains touch their share, and a seed decides which."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from standin.faults.named import Drop, Fault, FloatIntegers, Lag, RepeatedQ, Silence, TruncatedJson
from standin.protocol import fault_injector as injector_module
from standin.protocol.fault_injector import FaultInjector
from standin.protocol.wire import Event, OptionTrade, StatusEvent

S = 1_000_000_000


def trades(*q: int) -> list[Event]:
    return [OptionTrade("O:SPY251219C00650000", 302, 12.41, 25, [219], 1765981806123, at) for at in q]


def told(frames: Iterable[bytes]) -> list[dict[str, Any]]:
    return [event for frame in frames for event in json.loads(frame)]


def numbers(frames: Iterable[bytes]) -> list[int]:
    return [event["q"] for event in told(frames)]


def test_without_faults_events_pass_as_they_are() -> None:
    assert numbers(FaultInjector().frames(trades(1, 2), 0)) == [1, 2]


def test_what_happens_in_silence_is_never_told() -> None:
    injector = FaultInjector()
    assert injector.strike(Silence(for_s=2.0), 10 * S)
    assert numbers(injector.frames(trades(1), 11 * S)) == []
    assert numbers(injector.frames(trades(2), 12 * S)) == [2]


def test_lag_holds_events_back_and_nothing_overtakes_them() -> None:
    injector = FaultInjector()
    injector.strike(Lag(by_s=5.0, for_s=2.0), 0)
    assert numbers(injector.frames(trades(1), 1 * S)) == []
    assert numbers(injector.frames(trades(2), 3 * S)) == [], "lag is over, but an older event waits"
    assert numbers(injector.frames([], 6 * S)) == [1, 2]
    assert numbers(injector.frames(trades(3), 7 * S)) == [3]


def test_at_the_end_what_was_held_is_told() -> None:
    injector = FaultInjector()
    injector.strike(Lag(by_s=50.0, for_s=20.0), 0)
    list(injector.frames(trades(1, 2), 1 * S))
    assert numbers(injector.rest()) == [1, 2]


def test_lag_ends_when_too_much_is_held(monkeypatch: Any) -> None:
    monkeypatch.setattr(injector_module, "LAGGING_EVENTS_MAX", 3)
    injector = FaultInjector()
    injector.strike(Lag(by_s=500.0, for_s=500.0), 0)
    assert numbers(injector.frames(trades(1, 2), 1 * S)) == []
    assert numbers(injector.frames(trades(3, 4), 2 * S)) == [1, 2]


def test_a_fault_of_the_socket_is_none_of_the_outlets() -> None:
    assert not FaultInjector().strike(Drop(), 0)


def test_only_the_next_frame_is_truncated() -> None:
    injector = FaultInjector()
    injector.strike(TruncatedJson(), 0)
    (first,) = injector.frames(trades(1), 0)
    (second,) = injector.frames(trades(2), 0)
    assert not first.endswith(b"]")
    assert numbers([second]) == [2]


def test_statuses_ride_with_events_and_wait_without_them() -> None:
    injector = FaultInjector([FloatIntegers(share=1.0)])
    riders: list[Event] = [StatusEvent("success", "subscribed to: T.*")]
    assert told(injector.frames([], 0, riders)) == []
    assert [event["ev"] for event in told(injector.frames(trades(1), 0, riders))] == ["status", "T"]
    assert riders == []


def test_stains_touch_about_their_share_and_the_seed_says_which() -> None:
    faults: Sequence[Fault] = [FloatIntegers(share=0.2)]

    def hit(seed: int) -> list[int]:
        events = told(FaultInjector(faults, seed).frames(trades(*range(1, 2001)), 0))
        return [int(event["q"]) for event in events if isinstance(event["s"], float)]

    assert hit(1) == hit(1)
    assert hit(1) != hit(2)
    # Five standard deviations of a binomial of 2,000 at 0.2.
    assert abs(len(hit(1)) - 400) < 5 * (2000 * 0.2 * 0.8) ** 0.5


@given(st.lists(st.integers(min_value=0, max_value=20), max_size=60), st.integers(min_value=0, max_value=30))
def test_without_silence_every_event_is_told_once_in_order(sizes: list[int], lag_s: int) -> None:
    injector = FaultInjector()
    injector.strike(Lag(by_s=float(lag_s), for_s=15.0), 0)
    received, q = [], 0
    for second, size in enumerate(sizes):
        received += numbers(injector.frames(trades(*range(q + 1, q + size + 1)), second * S))
        q += size
    received += numbers(injector.rest())
    assert received == list(range(1, q + 1))


def test_a_repeated_event_is_the_same_event() -> None:
    events = told(FaultInjector([RepeatedQ(share=1.0)]).frames(trades(7), 0))
    assert events[0] == events[1]


SCRIPT = """
import hashlib
from standin.faults.requested import draw_faults, written
from standin.protocol.fault_injector import FaultInjector
from standin.protocol.wire import OptionTrade
digest = hashlib.sha256()
for seed in range(20):
    faults = draw_faults(seed)
    digest.update("".join(map(written, faults)).encode())
    outlet = FaultInjector(faults, seed)
    for q in range(200):
        for frame in outlet.frames([OptionTrade("O:SPY251219C00650000", 302, 12.41, 25, [219], q, q)], q):
            digest.update(frame)
print(digest.hexdigest())
"""


def test_chance_does_not_depend_on_how_python_hashes() -> None:
    digests = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT], env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(digests) == 1
