"""An alert is explained by what stood at its moment, and by nothing later."""

from __future__ import annotations

from typing import Any

from schemas.frames import CLOCK_FEED
from services.history.warehouse import Warehouse
from services.replay.explain import explain
from services.replay.recording import Recorder
from services.runtime.config import load
from tests.support.logs import CALENDAR, OPEN, frames
from tests.support.scenarios import everything


def test_no_view_is_later_than_the_alert(warehouse_client: Any) -> None:
    recorder = Recorder(load(overrides=("gateway.partitions=1",)), warehouse_client, CALENDAR)
    recorder.take(frames(everything(), epoch=recorder.open_epoch("test", CLOCK_FEED, OPEN)))
    recorder.flush()
    warehouse = Warehouse(warehouse_client)
    alerts = [row["id"] for row in warehouse.newest("alerts", "position", "", {}, 10)]
    assert len(alerts) > 1
    for alert_id in alerts:
        found = explain(warehouse, CALENDAR, alert_id)
        assert found["reproduced"]
        assert found["views"]
        late = {name: view["as_of_ns"] - found["alert"]["emitted_ns"] for name, view in found["views"].items()}
        assert max(late.values()) <= 0, late
