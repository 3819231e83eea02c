"""What a trigger names as its input is a row of the log, also when the gateway started anew after that row."""

from __future__ import annotations

from services.core.contract import Detector, Finding, Moment, Trigger, Views
from tests.support.conformance import machine
from tests.support.logs import OPEN, chain_row, frames, heartbeat, option, stock
from tests.support.scenarios import WALLED, wall

NS = 1_000_000_000


def test_inputs_are_of_the_epoch_their_row_came_in() -> None:
    heard: list[Trigger] = []

    class Listener(Detector):
        def open_session(self, day: object, session: object) -> None:
            pass

        def detect(self, trigger: Trigger, moment: Moment, views: Views) -> list[Finding]:
            heard.append(trigger)
            return []

    pipeline = machine()
    pipeline._by_trigger = {kind: [(Listener(None), None)] for kind in ("price.bar_1m", "gamma.levels")}
    before = [row for row in wall(minutes=10) if row.received_ns < OPEN + 590 * NS]
    other = [stock(595, "NEW", 50.0), chain_row(595, option("NEW", 20, 50, "C"), spot_usd=50.0)]
    for frame in [*frames(before), *frames([*other, heartbeat(1000)], epoch=2)]:
        pipeline.step(frame)
    # Raised by time, after the new start.
    last = {trigger.kind: trigger.inputs for trigger in heard if trigger.underlying == WALLED}
    assert set(last) == {"price.bar_1m", "gamma.levels"}
    assert {epoch for inputs in last.values() for epoch, _ in inputs} == {1}
