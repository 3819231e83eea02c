"""What the flow context remembers: records in numpy arrays, which one kernel call reads and writes in place.

Beside the chain (`_chain`), `traded` is for contracts that printed, with the last `RING` prints of each in `prints`.
`buckets` (one a minute, see `services.core.windows`) and `days` hold an underlying's sums, `legs` its last prints for
multi-leg inference; `clusters` are prints that belong together. Arrays grow by doubling up to a limit; what does not
fit is counted.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from services.core.windows import MINUTES
from services.market.hash_table import EMPTY
from services.market.records import doubled, line_record, records

__all__ = [
    "CLUSTER_INPUTS",
    "FAR",
    "KINDS",
    "LEGS",
    "NEED_CLUSTERS",
    "NEED_TRADED",
    "RING",
    "STATE",
    "Cluster",
    "FlowState",
    "Traded",
    "grow",
    "new_state",
    "widen",
]  # fmt: skip

# Prints kept a contract: what a cancel can still find, and the inputs a contract's minute stands on.
RING = 8
# Prints kept an underlying for inferred multi-leg: the legs of one order arrive within milliseconds of each other.
LEGS = 8
# Inputs kept a cluster: a sweep touches at most the eighteen option exchanges, mostly three to eight.
CLUSTER_INPUTS = 16
FAR = 2**63 - 1

Records = npt.NDArray[Any]


def _record(**fields: str) -> np.dtype[np.void]:
    return np.dtype(list(fields.items()), align=True)


# Rules and running totals: one record, so that a kernel takes them in one argument.
SCALARS = _record(
    sweep_gap_ns="i8", sweep_span_ns="i8", close_ns="i8", sweep_contracts_min="i8", sweep_prints_min="i8",
    sweep_venues_min="i8", book_walk_prints_min="i8", book_walk_span_ns="i8", block_contracts_min="i8",
    block_premium_usd="f8", negotiated_premium_usd="f8", cluster_premium_usd="f8", quote_age_ns="i8",
    chain_age_ns="i8", chain_old_ns="i8", tick_age_ns="i8", quote_dead_zone="f8", chain_dead_zone="f8",
    p_quote="f8", p_outside="f8", p_chain="f8", p_chain_old="f8", p_tick="f8", auction_factor="f8", leg_gap_ns="i8",
    leg_contracts_min="i8", minute_volume_min="i8", clusters_max="i8",
    close_due_ns="i8", minute_due_ns="i8", epoch="i8", traded="i8",
    cluster_head="i8", pending="i8", active="i8", need="i8", bad="i8", cancels="i8",
    cancels_unmatched="i8", late="i8", multi_leg="i8", inferred_multi_leg="i8", tier_a="i8", tier_c="i8", tier_d="i8",
    tier_u="i8",
)  # fmt: skip

# What is asked of a cluster of each kind, by the kind's number; what is not so is not told.
ASKED = _record(premium_usd="f8", expiry_min="i4", expiry_max="i4", sided="i1", single_leg="i1")
KINDS = ("", "SWEEP", "BLOCK", "SPLIT")

# What is looked up at random has whole cache lines, what is looked at first in front.
TRADED = line_record(
    {
        "contract": "i4", "tick": "i1", "prints": "i8", "volume": "i8", "single_volume": "i8", "premium_usd": "f8",
        "weight": "f8", "signed": "f8", "delta_usd": "f8", "last_price_usd": "f8", "last_price_ns": "i8",
        "event_ns": "i8", "run_start_ns": "i8", "run_prints": "i4", "repeat_hits": "i4", "minute": "i8",
    }
)  # fmt: skip

PRINT = line_record(
    {
        "price_usd": "f8", "premium_usd": "f8", "sure": "f8", "delta_usd": "f8", "epoch": "i8", "position": "i8",
        "size": "i4", "cluster": "i4", "exchange": "i2", "side": "i1", "single": "i1", "live": "i1",
    }
)  # fmt: skip


class Traded(NamedTuple):
    """A record of `traded` as Python values."""

    contract: int
    tick: int
    prints: int
    volume: int
    single_volume: int
    premium_usd: float
    weight: float
    signed: float
    delta_usd: float
    last_price_usd: float
    last_price_ns: int
    event_ns: int
    run_start_ns: int
    run_prints: int
    repeat_hits: int
    minute: int


SUMS = {
    "prints": "f8", "premium_usd": "f8", "single_usd": "f8", "net_premium_usd": "f8", "delta_usd": "f8",
    "delta_sq": "f8", "bought_call_usd": "f8", "bought_put_usd": "f8", "sure_usd": "f8", "sweep_usd": "f8",
}  # fmt: skip
BUCKET = _record(minute="i8", **SUMS)

LEG = _record(event_ns="i8", position="i8", size="i4", traded="i4", exchange="i2", ring="i1", flagged="i1")

CLUSTER_FIELDS = {
    "traded": "i4", "prints": "i4", "side": "i1", "iso": "i1", "negotiated": "i1", "multi_leg": "i1", "pending": "i1",
    "kind": "i1", "walking": "i1", "inputs": "i1", "close_ns": "i8", "first_ns": "i8", "last_ns": "i8", "venues": "u8",
    "contracts": "i8", "premium_usd": "f8", "delta_usd": "f8", "p_usd": "f8", "last_price_usd": "f8",
    "price_min_usd": "f8", "price_max_usd": "f8", "first_position": "i8", "delta": "f8", "spot_usd": "f8",
}  # fmt: skip
CLUSTER = line_record(CLUSTER_FIELDS)


class Cluster(NamedTuple):
    """A record of `clusters` as Python values."""

    traded: int
    prints: int
    side: int
    iso: int
    negotiated: int
    multi_leg: int
    pending: int
    kind: int
    walking: int
    inputs: int
    close_ns: int
    first_ns: int
    last_ns: int
    venues: int
    contracts: int
    premium_usd: float
    delta_usd: float
    p_usd: float
    last_price_usd: float
    price_min_usd: float
    price_max_usd: float
    first_position: int
    delta: float
    spot_usd: float


NEED_TRADED, NEED_CLUSTERS = 1, 2


class FlowState(NamedTuple):
    """All arrays of the context; a kernel takes it whole."""

    scalars: Records
    asked: Records
    traded: Records
    prints: Records
    buckets: Records
    days: Records
    legs: Records
    clusters: Records
    inputs: npt.NDArray[np.int32]  # of each cluster, how far behind its first print
    open_cluster: npt.NDArray[np.int32]
    pending: npt.NDArray[np.int32]
    active: npt.NDArray[np.int32]


def new_state(traded: int, underlyings: int, clusters: int) -> FlowState:
    """Empty state with room for so many of each."""
    state = FlowState(
        scalars=np.zeros(1, SCALARS),
        asked=np.zeros(len(KINDS), ASKED),
        traded=records(traded, TRADED),
        prints=records(traded * RING, PRINT),
        buckets=records(underlyings * MINUTES, BUCKET),
        days=records(underlyings, BUCKET),
        legs=records(underlyings * LEGS, LEG),
        clusters=records(clusters, CLUSTER),
        inputs=records(clusters * CLUSTER_INPUTS, np.int32),
        open_cluster=np.full(traded * 3, EMPTY, np.int32),
        pending=np.zeros(clusters, np.int32),
        active=np.zeros(traded, np.int32),
    )
    state.scalars["close_due_ns"] = state.scalars["minute_due_ns"] = FAR
    return state


STATE = numba.typeof(new_state(1, 1, 1))  # type: ignore[no-untyped-call]


def grow(state: FlowState) -> FlowState:
    """The state with twice the room for whatever the kernel stopped for."""
    need = int(state.scalars["need"][0])
    state.scalars["need"] = 0
    if need == NEED_TRADED:
        return state._replace(
            traded=doubled(state.traded),
            prints=doubled(state.prints),
            open_cluster=np.concatenate([state.open_cluster, np.full_like(state.open_cluster, EMPTY)]),
            active=doubled(state.active),
        )
    assert need == NEED_CLUSTERS, f"the kernel stopped for {need}, which does not exist"
    return state._replace(
        clusters=doubled(state.clusters), inputs=doubled(state.inputs), pending=doubled(state.pending)
    )


def widen(state: FlowState, underlyings: int) -> FlowState:
    """The state with room for at least so many underlyings."""
    while len(state.days) < underlyings:
        state = state._replace(buckets=doubled(state.buckets), days=doubled(state.days), legs=doubled(state.legs))
    return state
