"""What the flow context remembers: records in numpy arrays, which one kernel call reads and writes in place.

`contracts` holds the last chain row of every contract seen; `traded` is for those that printed, with the last `RING`
prints of each in `prints`. `underlyings`, `buckets` (one a minute, see `services.core.windows`) and `days` hold sums;
`legs` the last prints of an underlying, for multi-leg inference; `clusters` the prints that belong together. Arrays
grow by doubling up to a limit; what does not fit is counted.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from services.contexts._table import doubled, new_table, refill
from services.core.windows import MINUTES

__all__ = [
    "CLUSTER_INPUTS", "FAR", "LEGS", "NEED_CLUSTERS", "NEED_CONTRACTS", "NEED_NOTHING", "NEED_TRADED",
    "NEED_UNDERLYINGS", "RING", "State", "grow", "new_state",
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
    chain_age_ns="i8", tick_age_ns="i8", quote_dead_zone="f8", chain_dead_zone="f8", p_quote="f8", p_outside="f8",
    p_chain="f8", p_tick="f8", auction_factor="f8", leg_gap_ns="i8", leg_contracts_min="i8", minute_volume_min="i8",
    contracts_max="i8", underlyings_max="i8", clusters_max="i8",
    now_ns="i8", close_due_ns="i8", minute_due_ns="i8", epoch="i8", contracts="i8", traded="i8", underlyings="i8",
    cluster_head="i8", pending="i8", active="i8", need="i8", overflow="i8", bad="i8", cancels="i8",
    cancels_unmatched="i8", late="i8", multi_leg="i8", inferred_multi_leg="i8", tier_a="i8", tier_c="i8", tier_d="i8",
    tier_u="i8",
)  # fmt: skip

CONTRACT = _record(
    mixed="u8", root="u8", expiry_day="i4", strike_mills="i4", right="i1", single_venue="i1", underlying="i4", multiplier="i4",
    traded="i4", bid_usd="f8", ask_usd="f8", iv_annual="f8", delta="f8", open_interest="i8", spot_usd="f8",
    chain_ns="i8",
)  # fmt: skip

TRADED = _record(
    contract="i4", tick="i1", prints="i8", volume="i8", single_volume="i8", premium_usd="f8", weight="f8",
    signed="f8", delta_usd="f8", last_price_usd="f8", last_price_ns="i8", event_ns="i8", run_start_ns="i8",
    run_prints="i4", repeat_hits="i4", minute="i8", first_price_usd="f8", first_size="i4", first_exchange="i2",
)  # fmt: skip

PRINT = _record(
    price_usd="f8", size="i4", exchange="i2", side="i1", single="i1", sure="f8", premium_usd="f8", delta_usd="f8",
    event_ns="i8", epoch="i8", position="i8", cluster="i4", cluster_first="i8", live="i1",
)  # fmt: skip

UNDERLYING = _record(mixed="u8", code="u8", spot_usd="f8", spot_ns="i8", seen_ns="i8", touched="i1", leg_head="i4")

SUMS = {
    "prints": "f8", "premium_usd": "f8", "single_usd": "f8", "net_premium_usd": "f8", "delta_usd": "f8",
    "delta_sq": "f8", "bought_call_usd": "f8", "bought_put_usd": "f8", "sure_usd": "f8", "sweep_usd": "f8",
}  # fmt: skip
BUCKET = _record(minute="i8", **SUMS)

LEG = _record(event_ns="i8", exchange="i2", size="i4", traded="i4", ring="i4", position="i8", flagged="i1")

CLUSTER = _record(
    traded="i4", underlying="i4", side="i1", iso="i1", negotiated="i1", multi_leg="i1", pending="i1", kind="i1",
    walking="i1", epoch="i8", venues="u8", prints="i8", contracts="i8", premium_usd="f8", delta_usd="f8",
    p_usd="f8", weight="f8", first_ns="i8", last_ns="i8", close_ns="i8", first_position="i8", last_price_usd="f8",
    price_min_usd="f8", price_max_usd="f8", delta="f8", spot_usd="f8", walk="i1", inputs="i4",
)  # fmt: skip

NEED_NOTHING, NEED_CONTRACTS, NEED_TRADED, NEED_UNDERLYINGS, NEED_CLUSTERS = range(5)


class State(NamedTuple):
    """All arrays of the context; a kernel takes it whole."""

    scalars: Records
    contracts: Records
    contract_table: npt.NDArray[np.int32]
    traded: Records
    prints: Records
    underlyings: Records
    underlying_table: npt.NDArray[np.int32]
    buckets: Records
    days: Records
    legs: Records
    clusters: Records
    inputs: npt.NDArray[np.int64]
    open_cluster: npt.NDArray[np.int32]
    pending: npt.NDArray[np.int32]
    active: npt.NDArray[np.int32]
    single_venue: npt.NDArray[np.uint64]


def new_state(contracts: int, underlyings: int, clusters: int, single_venue: list[int]) -> State:
    """Empty state with room for so many of each."""
    state = State(
        scalars=np.zeros(1, SCALARS),
        contracts=np.zeros(contracts, CONTRACT),
        contract_table=new_table(contracts),
        traded=np.zeros(contracts, TRADED),
        prints=np.zeros(contracts * RING, PRINT),
        underlyings=np.zeros(underlyings, UNDERLYING),
        underlying_table=new_table(underlyings),
        buckets=np.zeros(underlyings * MINUTES, BUCKET),
        days=np.zeros(underlyings, BUCKET),
        legs=np.zeros(underlyings * LEGS, LEG),
        clusters=np.zeros(clusters, CLUSTER),
        inputs=np.zeros(clusters * CLUSTER_INPUTS, np.int64),
        open_cluster=np.full(contracts * 3, -1, np.int32),
        pending=np.zeros(clusters, np.int32),
        active=np.zeros(contracts, np.int32),
        single_venue=np.array(sorted(single_venue), np.uint64),
    )
    state.scalars["close_due_ns"] = state.scalars["minute_due_ns"] = FAR
    return state


def grow(state: State) -> State:
    """The state with twice the room for whatever the kernel stopped for."""
    need = int(state.scalars[0]["need"])
    state.scalars["need"] = NEED_NOTHING
    if need == NEED_CONTRACTS:
        contracts = doubled(state.contracts)
        table = _table_of(contracts, int(state.scalars[0]["contracts"]))
        return state._replace(contracts=contracts, contract_table=table)
    if need == NEED_TRADED:
        return state._replace(
            traded=doubled(state.traded),
            prints=doubled(state.prints),
            open_cluster=np.concatenate([state.open_cluster, np.full_like(state.open_cluster, -1)]),
            active=doubled(state.active),
        )
    if need == NEED_UNDERLYINGS:
        underlyings = doubled(state.underlyings)
        return state._replace(
            underlyings=underlyings,
            underlying_table=_table_of(underlyings, int(state.scalars[0]["underlyings"])),
            buckets=doubled(state.buckets),
            days=doubled(state.days),
            legs=doubled(state.legs),
        )
    assert need == NEED_CLUSTERS, f"the kernel stopped for {need}, which does not exist"
    return state._replace(
        clusters=doubled(state.clusters), inputs=doubled(state.inputs), pending=doubled(state.pending)
    )


def _table_of(records: Records, count: int) -> npt.NDArray[np.int32]:
    table = new_table(len(records))
    refill(np.ascontiguousarray(records["mixed"][:count]), table)
    return table
