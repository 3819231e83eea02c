"""What flow made of each print: its side and tier, read row by row from the context's own records.

The one place here that knows how flow keeps its prints.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from schemas.frames import Frame, TradeRows
from services.contexts.flow import Flow
from services.contexts.flow.state import RING
from services.core.contract import Trigger, Views

__all__ = ["NOT_SIDED", "Reading", "read"]

# Tiers are letters; a print that was not judged at all (a leg, a late report, a cancel) has none.
NOT_SIDED = ""
TIERS = ("A", "C", "D", "U")


class Reading(NamedTuple):
    """Prints in the log's order, (n,) each, and the triggers flow raised.

    side: +1 bought, -1 sold, 0 none; tier: A, C, D, U or ""; sure: 2 p - 1.
    """

    position: np.ndarray
    side: np.ndarray
    tier: np.ndarray
    sure: np.ndarray
    clusters: list[Trigger]
    flow: Flow


def read(flow: Flow, frames: list[Frame]) -> Reading:
    """Feed a log to flow, prints one at a time. Ticks of time are given as the pipeline gives them."""
    views = Views([flow])
    places: dict[tuple[int, ...], int] = {}
    columns: list[tuple[int, int, str, float]] = []
    clusters: list[Trigger] = []

    def drain() -> None:
        clusters.extend(
            trigger for trigger in flow.triggers if trigger.kind in ("flow.sweep", "flow.block", "flow.split")
        )
        flow.triggers.clear()

    def pass_to(now_ns: int) -> None:
        while flow.due_ns <= now_ns:
            flow.tick(flow.due_ns, views)
            drain()

    before = _tiers(flow)
    for frame in frames:
        rows = frame.rows
        if not frame.header.rows:
            continue
        pass_to(frame.header.received_ns)
        if not isinstance(rows, TradeRows):
            flow.update(frame, 0, frame.header.rows, views)
            continue
        keys = zip(*(rows[at].tolist() for at in (3, 4, 5, 6)), strict=True)
        for row, key in enumerate(keys):
            reached = flow.update(frame, row, row + 1, views)
            assert reached == row + 1, "nothing was due inside a frame of one stamp"
            after = _tiers(flow)
            tier = next((name for name, one, other in zip(TIERS, before, after, strict=True) if one != other), "")
            before = after
            at = places.get(key)
            if at is None:
                at = places[key] = int(flow.state.scalars["traded"][0]) - 1
            printed = flow.state.prints[at * RING + (int(flow.state.traded["prints"][at]) - 1) % RING]
            position = frame.header.position + row
            known = tier != "" and int(printed["position"]) == position
            side, sure = (int(printed["side"]), float(printed["sure"])) if known else (0, 0.0)
            columns.append((position, side, tier, sure))
    pass_to(2**62)
    position_, side_, tier_, sure_ = (np.array(column) for column in zip(*columns, strict=True))
    return Reading(position_, side_, tier_, sure_, clusters, flow)


def _tiers(flow: Flow) -> tuple[int, ...]:
    scalars = flow.state.scalars[0]
    return tuple(int(scalars[f"tier_{name.lower()}"]) for name in TIERS)
