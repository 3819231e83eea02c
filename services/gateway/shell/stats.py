"""What a gateway counts, from its start on. Pure."""

from __future__ import annotations

from collections import Counter

import msgspec

from services.gateway.massive.subscriptions import Coverage

__all__ = ["GatewayStats"]


class GatewayStats(msgspec.Struct):
    """Running totals."""

    trades: int = 0
    quotes: int = 0
    ticks: int = 0
    greeks: int = 0
    frames: int = 0
    socket_frames: int = 0
    socket_bytes: int = 0
    rest_bytes: int = 0
    reconnects: int = 0
    repeated: int = 0
    """Prints that came twice and were dropped."""
    backward: int = 0
    """Prints whose number ran backward, kept."""
    refilled: int = 0
    """Prints that REST brought for a gap; they are not among `trades`."""
    silences: int = 0
    """Connections given up because they said nothing while the market spoke."""
    gaps: Counter[tuple[str, str]] = msgspec.field(default_factory=Counter)
    """By (channel, cause)."""
    open_gaps: int = 0
    refilling: int = 0
    """Gaps that are over and not yet asked for to the end."""
    subscriptions: dict[str, Coverage] = msgspec.field(default_factory=dict)
    """By cluster: what is desired, granted, refused, and neither."""
    dead_letters: Counter[str] = msgspec.field(default_factory=Counter)
    unknown_ids: Counter[str] = msgspec.field(default_factory=Counter)
    notes: Counter[str] = msgspec.field(default_factory=Counter)
    disabled: dict[str, str] = msgspec.field(default_factory=dict)
