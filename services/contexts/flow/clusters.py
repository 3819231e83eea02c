# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (compiled functions state their types in the decorator, where numba checks them)
"""Prints of one order: sweeps, blocks and splits, from the first print to the end.

Times in a cluster are exchange times (`event_ns`): what belongs together happened together. When it ends is log time
(`received_ns`), which never decreases.
"""

from __future__ import annotations

import numpy as np
from numba import types

from services.contexts.flow.state import FAR, NEED_CLUSTERS, STATE
from services.contexts.flow.sums import start_minute
from services.core.windows import MINUTE_NS, MINUTES
from services.market.chain_store import CHAIN
from services.market.conditions import NONE
from services.market.hash_table import I32_OUT, inlined
from services.quant.jit import kernel

__all__ = [
    "BLOCK", "SPLIT", "SWEEP", "close_clusters", "cluster_of", "free_cluster", "join_cluster", "joins",
    "start_cluster",
]  # fmt: skip

# Places in KINDS.
SWEEP, BLOCK, SPLIT = 1, 2, 3
ONE = np.uint64(1)
EVERY_2ND, EVERY_4TH = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333)
EVERY_8TH, EVERY_BYTE = np.uint64(0x0F0F0F0F0F0F0F0F), np.uint64(0x0101010101010101)
# Places tried for a free cluster before asking for more of them: nearly all die within a second of their making.
CLUSTER_PROBES = 32


@inlined
def free_cluster(scalars, clusters, now):
    """A cluster nobody needs any more; -1 when there is no room now, -2 when never."""
    room = clusters.shape[0]
    at = scalars.cluster_head
    for _ in range(min(CLUSTER_PROBES, room)):
        if at >= room:
            at = 0
        if clusters[at].close_ns <= now:
            scalars.cluster_head = at
            return at
        at += 1
    if room >= scalars.clusters_max:
        return -2
    scalars.cluster_head = room
    scalars.need = NEED_CLUSTERS
    return -1


@inlined
def cluster_of(clusters, printed):
    """The cluster a print of this epoch went into, if that still is the same one; -1 otherwise.

    A cluster taken anew begins with a later print than any it held before.
    """
    at = printed.cluster
    if at >= 0 and clusters[at].first_position <= printed.position:
        return at
    return -1


@inlined
def _popcount(bits):
    """How many bits are set: counted within pairs, fours and bytes at once, then over the bytes."""
    bits -= (bits >> ONE) & EVERY_2ND
    bits = (bits & EVERY_4TH) + ((bits >> np.uint64(2)) & EVERY_4TH)
    bits = (bits + (bits >> np.uint64(4))) & EVERY_8TH
    return np.int64((bits * EVERY_BYTE) >> np.uint64(56))


@inlined
def _kind(scalars, cluster, single_venue):
    """SWEEP, BLOCK or SPLIT by the rules of spec/contexts.md C.4; 0 for an ordinary one."""
    if cluster.prints <= 0 or cluster.premium_usd < scalars.cluster_premium_usd:
        return 0
    if cluster.negotiated:
        return BLOCK if cluster.premium_usd >= scalars.negotiated_premium_usd else 0
    if cluster.iso and cluster.contracts >= scalars.sweep_contracts_min:
        return SWEEP
    venues = _popcount(cluster.venues)
    if cluster.prints >= scalars.sweep_prints_min and venues >= scalars.sweep_venues_min:
        return SWEEP
    if (
        single_venue
        and cluster.walking
        and cluster.prints >= scalars.book_walk_prints_min
        and cluster.last_ns - cluster.first_ns <= scalars.book_walk_span_ns
        and cluster.price_max_usd > cluster.price_min_usd
    ):
        return SWEEP
    if cluster.prints == 1:
        big = cluster.contracts >= scalars.block_contracts_min and cluster.premium_usd >= scalars.block_premium_usd
        return BLOCK if big else 0
    if cluster.prints >= scalars.sweep_prints_min and venues == 1 and cluster.price_min_usd == cluster.price_max_usd:
        return SPLIT
    return 0


@inlined
def _closes(asked, kind):
    """Whether the end of such a cluster matters. A sweep's always does: its premium is summed then."""
    return kind == SWEEP or (kind != 0 and asked[kind].premium_usd < np.inf)


@inlined
def _told(asked, cluster, contract):
    """Whether anybody acts on a closed cluster."""
    return (
        cluster.premium_usd >= asked.premium_usd
        and asked.expiry_min <= contract.expiry_day <= asked.expiry_max
        and (cluster.side != 0 or not asked.sided)
        and not (cluster.multi_leg and asked.single_leg)
    )


@inlined
def joins(scalars, cluster, traded_at, side, event, now):
    """Whether a print belongs to an open cluster: soon enough after its last, and not too long after its first.

    A negotiated print is a cluster of its own, which may have been made where the open one was.
    """
    return (
        cluster.traded == traded_at
        and cluster.side == side
        and not cluster.negotiated
        and now < cluster.close_ns
        and abs(event - cluster.last_ns) <= scalars.sweep_gap_ns
        and max(event, cluster.last_ns) - min(event, cluster.first_ns) <= scalars.sweep_span_ns
    )


@inlined
def start_cluster(cluster, traded_at, contract, side, negotiated, event, position, price, spot):
    """Begin a cluster with the facts of its first print, which `join_cluster` then counts."""
    cluster.traded = traded_at
    cluster.side = side
    cluster.iso = 0
    cluster.negotiated = negotiated
    cluster.multi_leg = 0
    cluster.pending = 0
    cluster.kind = 0
    cluster.walking = 1
    cluster.venues = NONE
    cluster.prints = 0
    cluster.contracts = 0
    cluster.premium_usd = 0.0
    cluster.delta_usd = 0.0
    cluster.p_usd = 0.0
    cluster.first_ns = event
    cluster.last_ns = event
    cluster.first_position = position
    cluster.last_price_usd = price
    cluster.price_min_usd = price
    cluster.price_max_usd = price
    cluster.delta = contract.delta
    cluster.spot_usd = spot
    cluster.inputs = 0


@inlined
def join_cluster(scalars, asked, cluster, contract, iso, venue, event, now, price, size, premium, p, delta_usd):
    """Count a print into its cluster; True when the cluster has just become worth telling."""
    cluster.iso |= iso
    cluster.venues |= ONE << np.uint64(venue)
    cluster.prints += 1
    cluster.contracts += size
    cluster.premium_usd += premium
    cluster.delta_usd += delta_usd
    cluster.p_usd += p * premium
    # Walking the book: bought at the same price or higher each time, sold at the same or lower.
    cluster.walking &= np.int64((price - cluster.last_price_usd) * cluster.side >= 0.0) & np.int64(cluster.side != 0)
    cluster.last_price_usd = price
    cluster.price_min_usd = min(cluster.price_min_usd, price)
    cluster.price_max_usd = max(cluster.price_max_usd, price)
    cluster.first_ns = min(cluster.first_ns, event)
    cluster.last_ns = max(cluster.last_ns, event)
    cluster.close_ns = now + scalars.close_ns
    if cluster.pending == 0 and _closes(asked, _kind(scalars, cluster, contract.single_venue)):
        cluster.pending = 1
        scalars.close_due_ns = min(scalars.close_due_ns, cluster.close_ns)
        return True
    return False


@kernel(CHAIN, STATE, types.int64, types.int64, I32_OUT, returns=types.int64, trusting=True)
def close_clusters(chain, state, until, now, closed):
    """Put the clusters to tell that end at or before `until` into `closed`, in the order of their end; how many.

    `now` is the log's time, in whose minute a sweep's premium is counted.
    """
    scalars = state.scalars[0]
    count = 0
    kept = 0
    scalars.close_due_ns = FAR
    for index in range(scalars.pending):
        at = state.pending[index]
        cluster = state.clusters[at]
        if cluster.close_ns > until:
            state.pending[kept] = at
            kept += 1
            scalars.close_due_ns = min(scalars.close_due_ns, cluster.close_ns)
            continue
        contract = chain.contracts[state.traded[cluster.traded].contract]
        cluster.kind = _kind(scalars, cluster, contract.single_venue)
        if cluster.kind == SWEEP and not cluster.multi_leg:
            bucket = state.buckets[contract.underlying * MINUTES + (now // MINUTE_NS) % MINUTES]
            start_minute(bucket, now // MINUTE_NS)
            bucket.sweep_usd += cluster.premium_usd
            state.days[contract.underlying].sweep_usd += cluster.premium_usd
        if cluster.kind == 0 or not _told(state.asked[cluster.kind], cluster, contract):
            continue
        place = count
        while place > 0 and _later(state, closed[place - 1], at):
            closed[place] = closed[place - 1]
            place -= 1
        closed[place] = at
        count += 1
    scalars.pending = kept
    return count


@inlined
def _later(state, a, b):
    first, second = state.clusters[a], state.clusters[b]
    if first.close_ns != second.close_ns:
        return first.close_ns > second.close_ns
    return first.first_position > second.first_position
