"""Tempo: how many prints an underlying has had today."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Annotated

import numpy as np
from msgspec import Meta

from strikewire import (
    Context,
    ContextView,
    Frame,
    Lane,
    Parameters,
    Session,
    Views,
    symbol_code,
    symbol_text,
)


class TempoView(ContextView, frozen=True, kw_only=True):
    """prints: of the day so far, of all the underlying's contracts."""

    prints: int


class TempoParameters(Parameters, frozen=True, kw_only=True):
    """Every default has its reason."""

    prints_min: Annotated[int, Meta(ge=1, le=1_000_000)] = 20  # below this a day has hardly begun


class Tempo(Context):
    """Counts prints by underlying. Ready from `prints_min` prints on; busy from ten times as many on."""

    name = "tempo"
    version = "1"
    lanes = frozenset({Lane.TRADES})
    view_type = TempoView
    Parameters = TempoParameters
    parameters: TempoParameters

    def open_session(self, day: dt.date, session: Session | None) -> None:
        self._prints: dict[int, int] = {}
        self._touched: set[int] = set()
        self._as_of_ns = 0

    def update(self, frame: Frame, start: int, stop: int, views: Views) -> int:
        codes, counts = np.unique(frame.rows.underlying[start:stop], return_counts=True)
        for code, count in zip(codes.tolist(), counts.tolist(), strict=True):
            self._prints[code] = self._prints.get(code, 0) + count
            self._touched.add(code)
        self._as_of_ns = int(frame.rows.received_ns[stop - 1])
        return stop

    def view(self, underlying: str) -> TempoView | None:
        prints = self._prints.get(symbol_code(underlying))
        if prints is None:
            return None
        ready = prints >= self.parameters.prints_min
        return TempoView(
            underlying=underlying,
            as_of_ns=self._as_of_ns,
            ready=ready,
            reason="" if ready else f"{prints} prints so far",
            stance="BUSY" if prints >= 10 * self.parameters.prints_min else "QUIET",
            confidence=1.0,
            prints=prints,
        )

    def underlyings(self) -> Sequence[str]:
        touched = sorted(symbol_text(code) for code in self._touched)
        self._touched.clear()
        return touched
