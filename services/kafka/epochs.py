"""What was in force when a gateway started, carried by the opening frames themselves as the record header `epoch`."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from services.sinks.clickhouse import Epoch

__all__ = ["epoch_header", "read_epoch"]

NAME = "epoch"


def epoch_header(epoch: Epoch) -> list[tuple[str, bytes]]:
    """The headers of an opening frame's record."""
    return [(NAME, msgspec.json.encode(epoch._asdict()))]


def read_epoch(headers: Sequence[tuple[str, bytes]]) -> Epoch | None:
    """What an opening frame's record says about its epoch; None when it says nothing."""
    for name, value in headers:
        if name == NAME:
            return Epoch(**msgspec.json.decode(value))
    return None
