"""The gap ledger's entry: a stretch of a channel that was not heard, why, and what was found of it afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec

__all__ = ["CHANNELS", "OPTIONS", "EarlierGaps", "Gap", "GapState"]

OPTIONS = "options.T"
# The channel of each cluster of the feed whose gaps are recorded.
CHANNELS = {"options": OPTIONS, "indices": "indices.V", "stocks": "stocks.A"}

GapState = Literal["open", "restored", "refilled", "partial", "not_refilled"]


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """One gap; written anew, under the same (epoch, number), with each thing that becomes known of it.

    Times are nanoseconds since 1970 UTC. `from_ns` and `to_ns` are exchange times: the last event before the gap and
    the first after it; whatever the channel is missing lies between them. `lost_ns` and `restored_ns` are the
    gateway's own clock when it noticed.
    """

    epoch: int
    number: int
    channel: str
    """`options.T`, `indices.V`, `stocks.A`."""
    cause: str
    """`slow_consumer`, `max_connections`, `dropped`, `close 1011`, `silence`, `not_json`, `restart` ..."""
    from_ns: int
    to_ns: int | None
    lost_ns: int
    restored_ns: int | None
    losses: int
    """How often the connection was lost before anything was heard again."""
    state: GapState
    """`restored`: heard again; `refilled`: every contract asked for was answered; `partial`: some were not."""
    contracts_asked: int = 0
    contracts_failed: int = 0
    prints_refilled: int = 0
    """Prints found by REST and written to the log, marked as refilled."""
    prints_known: int = 0
    """Prints REST returned that had been heard."""
    note: str = ""


class EarlierGaps(NamedTuple):
    """What earlier epochs left: by channel the latest exchange time in the log (none where it is not known), and the
    entries of the ledger that are open still."""

    heard_ns: Mapping[str, int]
    open: Sequence[Gap]
