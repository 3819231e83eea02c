"""Why did this alert fire? Runs the log again up to the row that decided, and shows what stood there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from schemas.decisions import canonical
from schemas.frames import Frame, take_rows
from schemas.kinds import identity_of
from services.core.calendar import Calendar, ny_date, ny_ns
from services.core.pipeline import Outputs, Pipeline
from services.errors import InputError
from services.history.warehouse import Warehouse
from services.replay.runner import recorded_rules
from services.replay.source import epoch_frames
from services.wiring import build_pipeline, resolved_rules

__all__ = ["explain"]


def explain(warehouse: Warehouse, calendar: Calendar, alert_id: str) -> dict[str, Any]:
    """Everything behind an alert; the keys are promised in the interface. Raises InputError for an unknown id."""
    stored_alert = warehouse.document("alerts", alert_id)
    if stored_alert is None:
        raise InputError(alert_id, "there is no alert of that id in this data directory")
    alert = msgspec.json.decode(stored_alert)
    stored_signal = warehouse.document("signals", alert["signal_id"])
    signal = msgspec.json.decode(stored_signal) if stored_signal else None
    (epoch,) = [epoch for epoch in warehouse.epochs() if epoch.epoch == alert["epoch"]]
    rules = recorded_rules()(epoch)
    pipeline = build_pipeline(rules, calendar, alert["partition"])
    again: dict[str, bytes] = {}
    for outputs in _up_to(pipeline, warehouse, alert):
        again = {identity_of(decision): canonical(decision) for decision in outputs.decisions}
        if alert_id in again:
            break
    parameters = resolved_rules(rules)["detectors"].get(alert["detector"], {})
    locations = warehouse.locations(alert["partition"], [tuple(pair) for pair in alert["inputs"]])
    return {
        "alert": alert,
        "signal": signal,
        "rule": alert["detector"],
        "version": alert["version"],
        "parameters": {name: value for name, value in parameters.items() if name != "version"},
        "inputs": [
            {"epoch": location.epoch, "seq": location.seq, "row": location.row, "topic": location.lane.topic}
            for location in locations
        ],
        "views": {
            context.name: msgspec.to_builtins(view)
            for context in pipeline.contexts
            if (view := context.published(alert["underlying"])) is not None
        },
        "boosts": alert["boosts"],
        "penalties": alert["penalties"],
        "score": alert["score"],
        "reproduced": again.get(alert_id) == stored_alert and again.get(alert["signal_id"]) == stored_signal,
    }


def _up_to(pipeline: Pipeline, warehouse: Warehouse, alert: dict[str, Any]) -> Iterator[Outputs]:
    """The day's log until the alert; row by row where it must have come out.

    Before the first row of that time or later comes a step without rows: what time alone brought out comes out there,
    and not with a row that the alert did not know of.
    """
    emitted_ns = alert["emitted_ns"]
    day_ns = ny_ns(ny_date(emitted_ns), 0)
    reached = False
    for epoch in warehouse.epochs():
        if epoch.epoch > alert["epoch"]:
            return
        for frame in epoch_frames(warehouse, alert["partition"], epoch.epoch, from_ns=day_ns):
            head = frame.header
            here = head.epoch == alert["epoch"] and head.position <= alert["position"] <= head.position + head.rows
            for piece in _rows_of(frame) if here else (frame,):
                if here and not reached and piece.header.received_ns >= emitted_ns:
                    reached = True
                    yield pipeline.step(_moment_before(piece, emitted_ns))
                yield pipeline.step(piece)


def _rows_of(frame: Frame) -> Iterator[Frame]:
    """The frame cut into frames of one row, and a last one without rows for the time that passed after them."""
    head = frame.header
    for row in range(head.rows):
        rows = take_rows(frame.rows, row, row + 1)
        stamp = int(rows.received_ns[0])
        yield Frame(head._replace(position=head.position + row, rows=1, received_ns=stamp), rows)
    yield Frame(head._replace(position=head.position + head.rows, rows=0), take_rows(frame.rows, 0, 0))


def _moment_before(frame: Frame, now_ns: int) -> Frame:
    """A frame without rows at the place where this one begins, stamped `now_ns`."""
    return Frame(frame.header._replace(rows=0, received_ns=now_ns), take_rows(frame.rows, 0, 0))
