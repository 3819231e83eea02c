"""A small log by hand: frames of one partition with contiguous seq and position, for stores and sinks."""

from __future__ import annotations

from typing import Any

from schemas.frames import Frame, Header, Lane
from schemas.symbols import symbol_code
from tests.support.frames import constant_rows

SPY = symbol_code("SPY")
# What a column must hold to be believable; the rest may be zero.
_COLUMNS: dict[Lane, dict[str, Any]] = {
    Lane.TRADES: {"underlying": SPY, "root": SPY, "right": 1, "expiry_day": 20_000, "strike_mills": 500_000},
    Lane.GREEKS: {"underlying": SPY, "root": SPY, "right": -1, "expiry_day": 20_000, "strike_mills": 500_000},
    Lane.TICKS: {"symbol": SPY, "kind": 2},
}
# 2024-01-02 15:00 UTC, in a session.
START_NS = 1_704_207_600_000_000_000


class LogBuilder:
    """Cuts frames of one partition and epoch, as a gateway would."""

    def __init__(self, epoch: int = 1, partition: int = 0, now_ns: int = START_NS) -> None:
        self.epoch, self.partition, self.now_ns = epoch, partition, now_ns
        self.seq = self.position = 0

    def opening(self) -> list[Frame]:
        """The opening frames of the epoch on every lane."""
        return [self._frame(lane, 0, opening=True) for lane in Lane]

    def frame(self, lane: Lane, rows: int, step_ns: int = 20_000_000, **columns: Any) -> Frame:
        """The next frame, `step_ns` after the last one; its rows' vendor numbers are their positions."""
        self.now_ns += step_ns
        return self._frame(lane, rows, **columns)

    def _frame(self, lane: Lane, rows: int, opening: bool = False, **columns: Any) -> Frame:
        head = Header(
            lane=lane, partition=self.partition, epoch=self.epoch, seq=self.seq, position=self.position, rows=rows,
            received_ns=self.now_ns, opening=opening,
        )  # fmt: skip
        values = {**_COLUMNS[lane], "event_ns": self.now_ns - 1_000_000, **columns}
        if lane is Lane.TRADES:
            values.setdefault("vendor_seq", range(self.position, self.position + rows))
        self.seq += 1
        self.position += rows
        values = {name: list(value) if isinstance(value, range) else value for name, value in values.items()}
        return Frame(head, constant_rows(lane, [self.now_ns] * rows, **values))
