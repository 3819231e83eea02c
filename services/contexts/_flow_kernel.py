# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (compiled functions state their types in the decorator, where numba checks them)
"""The flow context's compiled loops: one pass over a frame's columns, state in records, no object per trade.

Times in clusters are exchange times (`event_ns`): what belongs together happened together. Times at which something
ends are log times (`received_ns`), which never decrease. Sums are made in row order without reassociation, and no
function of the platform's libm is called, so equal rows give equal bits on every processor.
"""

from __future__ import annotations

import numba
import numpy as np
from numba import types

from schemas.frames import CONDITION_REFILLED
from services.contexts._chain import CHAIN, find, is_contract, new_contract
from services.contexts._flow_state import (
    CLUSTER_INPUTS,
    FAR,
    LEGS,
    NEED_CLUSTERS,
    NEED_TRADED,
    RING,
    new_state,
)
from services.contexts._table import EMPTY, I16_IN, I32_IN, I32_OUT, U64_IN, contract_hash, inlined
from services.core.windows import MINUTE_NS, MINUTES
from services.quant.jit import F64_IN, I8_IN, I64_IN, kernel

__all__ = ["BLOCK", "KINDS", "SPLIT", "SWEEP", "close_clusters", "take_spots", "take_trades"]

STATE = numba.typeof(new_state(1, 1, 1))

SWEEP, BLOCK, SPLIT = 1, 2, 3
KINDS = ("", "SWEEP", "BLOCK", "SPLIT")


def _mask(*ids: int) -> np.uint64:
    """Bits of condition ids, as the gateway sets them: bit (id - 200)."""
    return np.uint64(sum(1 << (condition - 200) for condition in ids))


# The vendor's condition ids, grouped by what they mean for flow; what is in no group is a normal print.
CANCELLED = _mask(201, 203, 205, 207)
CANCELS_LAST, CANCELS_FIRST = _mask(203), _mask(205, 207)
LATE = _mask(202, 204, 206, 208)
ISO = _mask(219, 228, 230)
AUCTION = _mask(227, 228)
NEGOTIATED = _mask(229, 230, 231)
# Complex orders, those against single legs, compression, and orders tied to stock: no direction of their own.
MULTI_LEG = _mask(232, 233, 234, 235, 236, 238, 239, 246, 247, 237, 240, 241, 242, 243, 244, 245)
EXTENDED = _mask(248)
REFILLED = np.uint64(CONDITION_REFILLED)
NONE = np.uint64(0)
ONE = np.uint64(1)

# Vendor exchange ids are 300 + the OPRA participant's place in the alphabet (capitals, then small letters).
FIRST_EXCHANGE = 300
VENUE_BITS = 63
# Places tried for a free cluster before asking for more of them: nearly all die within a second of their making.
CLUSTER_PROBES = 32
# More than five single-leg prints within 100 ms are one repeated hit (a vendor's public rule; spec B.14).
HIT_PRINTS = 6
HIT_SPAN_NS = 100_000_000
# The least price step: a nickel from three dollars up, a penny below. Penny-pilot classes are finer; this is cautious.
TICK_HIGH_USD, TICK_LOW_USD, TICK_FROM_USD = 0.05, 0.01, 3.0
# Prices a US option cannot have; a feed that says so is wrong.
PRICE_MAX_USD = 1e7


@inlined
def _new_traded(scalars, traded, contract, contract_at):
    """The record number for a contract's first print; -1 when there is no room now."""
    slot = scalars.traded
    if slot >= traded.shape[0]:
        scalars.need = NEED_TRADED
        return -1
    scalars.traded = slot + 1
    contract.traded = slot
    traded[slot].contract = contract_at
    traded[slot].minute = -1
    return slot


@inlined
def _free_cluster(scalars, clusters, now):
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
def _beside(price, bid, ask, dead_zone):
    """+1 above, -1 below, 0 within `dead_zone` spreads of the middle of the quote."""
    middle = 0.5 * (bid + ask)
    dead = dead_zone * (ask - bid)
    if price > middle + dead:
        return 1
    if price < middle - dead:
        return -1
    return 0


@inlined
def _tick_side(scalars, traded, price, now):
    """The tick rule: above the last price a buy, below it a sell, equal as the last move was."""
    if traded.last_price_ns == 0 or now - traded.last_price_ns > scalars.tick_age_ns:
        return 0
    if price > traded.last_price_usd:
        return 1
    if price < traded.last_price_usd:
        return -1
    return traded.tick


@inlined
def _side(scalars, contract, traded, spot, price, bid, ask, quote_age, now, negotiated):
    """(side, p): +1 bought, -1 sold, 0 unknown, and how likely that is right. Tiers of the spec's table C.4."""
    if ask > bid and bid >= 0.0 and 0 <= quote_age <= scalars.quote_age_ns:
        tick = TICK_HIGH_USD if price >= TICK_FROM_USD else TICK_LOW_USD
        if negotiated and abs(price - 0.5 * (bid + ask)) < tick - 1e-9:
            scalars.tier_u += 1
            return 0, 0.5
        side = _beside(price, bid, ask, scalars.quote_dead_zone)
        if side != 0:
            scalars.tier_a += 1
            return side, scalars.p_outside if price > ask or price < bid else scalars.p_quote
    elif contract.ask_usd > contract.bid_usd and now - contract.chain_ns <= scalars.chain_old_ns:
        moved = (spot - contract.spot_usd) * contract.delta
        if not abs(moved) < PRICE_MAX_USD:
            moved = 0.0
        side = _beside(price - moved, contract.bid_usd, contract.ask_usd, scalars.chain_dead_zone)
        if side != 0 and not negotiated:
            scalars.tier_c += 1
            return side, scalars.p_chain if now - contract.chain_ns <= scalars.chain_age_ns else scalars.p_chain_old
    side = 0 if negotiated else _tick_side(scalars, traded, price, now)
    if side != 0:
        scalars.tier_d += 1
        return side, scalars.p_tick
    scalars.tier_u += 1
    return 0, 0.5


@inlined
def _start_minute(bucket, minute):
    """Clear a bucket that still holds an older minute."""
    if bucket.minute != minute:
        bucket.minute = minute
        bucket.prints = 0.0
        bucket.premium_usd = 0.0
        bucket.single_usd = 0.0
        bucket.net_premium_usd = 0.0
        bucket.delta_usd = 0.0
        bucket.delta_sq = 0.0
        bucket.bought_call_usd = 0.0
        bucket.bought_put_usd = 0.0
        bucket.sure_usd = 0.0
        bucket.sweep_usd = 0.0


@inlined
def _add_volume(bucket, times, premium, single):
    bucket.prints += times
    bucket.premium_usd += times * premium
    if single:
        bucket.single_usd += times * premium


@inlined
def _add_direction(bucket, times, premium, right, side, sure, delta_usd):
    """Count a print's direction, or take it back with times = -1."""
    bucket.net_premium_usd += times * side * right * sure * premium
    bucket.delta_usd += times * delta_usd
    bucket.delta_sq += times * delta_usd * delta_usd
    bucket.sure_usd += times * sure * premium
    if side > 0:
        if right > 0:
            bucket.bought_call_usd += times * sure * premium
        else:
            bucket.bought_put_usd += times * sure * premium


@inlined
def _undirect(contract, traded, printed, bucket, day):
    """Take a counted print's direction back: it was cancelled, or turned out to be a leg."""
    _add_direction(bucket, -1.0, printed.premium_usd, contract.right, printed.side, printed.sure, printed.delta_usd)
    _add_direction(day, -1.0, printed.premium_usd, contract.right, printed.side, printed.sure, printed.delta_usd)
    traded.weight -= printed.sure * printed.size
    traded.signed -= printed.side * printed.sure * printed.size
    traded.delta_usd -= printed.delta_usd


@inlined
def _cluster_of(clusters, printed):
    """The cluster a print went into, if that still is the same one; -1 otherwise."""
    at = printed.cluster
    if at >= 0 and clusters[at].first_position == printed.cluster_first and clusters[at].epoch == printed.epoch:
        return at
    return -1


@inlined
def _cancel(clusters, prints, contract, traded, traded_at, bits, price, size, exchange, bucket, day):
    """Find the print a cancel means and take it back; False when it is not among the last ones."""
    last = traded.prints - 1
    oldest = max(last - RING + 1, 0)
    newest_first = (bits & CANCELS_FIRST) == NONE
    for step in range(last - oldest + 1):
        number = last - step if newest_first else oldest + step
        printed = prints[traded_at * RING + number % RING]
        if printed.live and printed.price_usd == price and printed.size == size and printed.exchange == exchange:
            printed.live = 0
            _add_volume(bucket, -1.0, printed.premium_usd, printed.single)
            _add_volume(day, -1.0, printed.premium_usd, printed.single)
            _undirect(contract, traded, printed, bucket, day)
            traded.volume -= printed.size
            traded.premium_usd -= printed.premium_usd
            if printed.single:
                traded.single_volume -= printed.size
            at = _cluster_of(clusters, printed)
            if at >= 0:
                cluster = clusters[at]
                cluster.prints -= 1
                cluster.contracts -= printed.size
                cluster.premium_usd -= printed.premium_usd
                cluster.delta_usd -= printed.delta_usd
            return True
    return False


@inlined
def _popcount(bits):
    count = 0
    while bits != NONE:
        bits &= bits - ONE
        count += 1
    return count


@inlined
def _kind(scalars, cluster, single_venue):
    """SWEEP, BLOCK or SPLIT by table C.4, 0 for an ordinary one."""
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
def _told(scalars, kind):
    """Whether a cluster of that kind is told. A sweep always is: its premium is summed when it closes."""
    return kind == SWEEP or (kind == BLOCK and scalars.tell_block != 0) or (kind == SPLIT and scalars.tell_split != 0)


@inlined
def _joins(scalars, cluster, traded_at, side, event, now):
    return (
        cluster.traded == traded_at
        and cluster.side == side
        and now < cluster.close_ns
        and abs(event - cluster.last_ns) <= scalars.sweep_gap_ns
        and max(event, cluster.last_ns) - min(event, cluster.first_ns) <= scalars.sweep_span_ns
    )


@inlined
def _start_cluster(cluster, epoch, traded_at, contract, side, negotiated, event, position, price, spot):
    cluster.traded = traded_at
    cluster.underlying = contract.underlying
    cluster.side = side
    cluster.iso = 0
    cluster.negotiated = negotiated
    cluster.multi_leg = 0
    cluster.pending = 0
    cluster.kind = 0
    cluster.walking = 1
    cluster.epoch = epoch
    cluster.venues = NONE
    cluster.prints = 0
    cluster.contracts = 0
    cluster.premium_usd = 0.0
    cluster.delta_usd = 0.0
    cluster.p_usd = 0.0
    cluster.weight = 0.0
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
def _join_cluster(scalars, cluster, contract, iso, venue, event, now, price, size, premium, p, delta_usd):
    """Count a print into its cluster; True when the cluster has just become worth telling."""
    if iso:
        cluster.iso = 1
    cluster.venues |= ONE << np.uint64(venue)
    cluster.prints += 1
    cluster.contracts += size
    cluster.premium_usd += premium
    cluster.delta_usd += delta_usd
    cluster.p_usd += p * premium
    cluster.weight += premium
    # Walking the book: bought at the same price or higher each time, sold at the same or lower.
    if (price - cluster.last_price_usd) * cluster.side < 0.0 or cluster.side == 0:
        cluster.walking = 0
    cluster.last_price_usd = price
    cluster.price_min_usd = min(cluster.price_min_usd, price)
    cluster.price_max_usd = max(cluster.price_max_usd, price)
    cluster.first_ns = min(cluster.first_ns, event)
    cluster.last_ns = max(cluster.last_ns, event)
    cluster.close_ns = now + scalars.close_ns
    if cluster.pending == 0 and _told(scalars, _kind(scalars, cluster, contract.single_venue)):
        cluster.pending = 1
        scalars.close_due_ns = min(scalars.close_due_ns, cluster.close_ns)
        return True
    return False


@inlined
def _legs(
    scalars,
    legs,
    prints,
    traded,
    contracts,
    clusters,
    held,
    owner,
    traded_at,
    number,
    event,
    exchange,
    size,
    position,
    bucket,
    day,
):
    """True when a print is one leg of an unflagged complex order; its earlier legs lose their direction.

    Two contracts of one underlying on one exchange within 5 ms, sizes equal or one twice the other.
    """
    found = False
    for step in range(LEGS):
        leg = legs[owner * LEGS + step]
        alike = leg.size == size or leg.size == 2 * size or 2 * leg.size == size
        near = abs(leg.event_ns - event) <= scalars.leg_gap_ns
        if alike and near and leg.exchange == exchange and leg.traded != traded_at:
            found = True
            if not leg.flagged:
                leg.flagged = 1
                other = traded[leg.traded]
                printed = prints[leg.traded * RING + leg.ring]
                if printed.live and printed.position == leg.position:
                    _undirect(contracts[other.contract], other, printed, bucket, day)
                    printed.side = 0
                    printed.sure = 0.0
                    printed.delta_usd = 0.0
                    printed.single = 0
                    other.single_volume -= printed.size
                    bucket.single_usd -= printed.premium_usd
                    day.single_usd -= printed.premium_usd
                    at = _cluster_of(clusters, printed)
                    if at >= 0:
                        clusters[at].multi_leg = 1
    head = held.leg_head
    leg = legs[owner * LEGS + head]
    leg.event_ns = event
    leg.exchange = exchange
    leg.size = size
    leg.traded = traded_at
    leg.ring = number % RING
    leg.position = position
    leg.flagged = 1 if found else 0
    held.leg_head = (head + 1) % LEGS
    return found


@kernel(
    I64_IN, I64_IN, U64_IN, U64_IN, I32_IN, I32_IN, I8_IN, F64_IN, I32_IN, I16_IN, U64_IN, F64_IN, F64_IN, I64_IN,
    CHAIN, STATE, types.int64, types.int64, types.int64, returns=types.int64,
)  # fmt: skip
def take_trades(
    received_ns, event_ns, underlying, root, expiry_day, strike_mills, right, price_usd, size_contracts, exchange,
    condition_bits, bid_usd, ask_usd, quote_age_ns, chain, state, frame_position, start, stop,
):  # fmt: skip
    """Take prints [start, stop). Returns the row it stopped before: one whose time is due, or one that needs room."""
    scalars = state.scalars[0]
    # Taken out of the tuple once: each time costs an atomic reference count.
    counts, contracts, contract_table = chain.counts[0], chain.contracts, chain.contract_table
    underlyings, underlying_table, single_venue = chain.underlyings, chain.underlying_table, chain.single_venue
    traded_all, prints = state.traded, state.prints
    buckets, days, legs, clusters, inputs = state.buckets, state.days, state.legs, state.clusters, state.inputs
    open_cluster, pending, active = state.open_cluster, state.pending, state.active
    mask = np.uint64(contract_table.shape[0] - 1)
    for row in range(start, stop):
        now = received_ns[row]
        if now >= scalars.close_due_ns or now >= scalars.minute_due_ns:
            return row
        counts.now_ns = now
        price = price_usd[row]
        size = size_contracts[row]
        if not (0.0 < price < PRICE_MAX_USD and size > 0):
            scalars.bad += 1
            continue
        # Written out here and not a helper: handing arrays over costs two reference counts each, atomic ones.
        mixed = contract_hash(root[row], expiry_day[row], strike_mills[row], right[row])
        place = mixed & mask
        contract_at = contract_table[place]
        while contract_at != EMPTY and not is_contract(
            contracts[contract_at], mixed, root[row], expiry_day[row], strike_mills[row], right[row]
        ):
            place = (place + ONE) & mask
            contract_at = contract_table[place]
        if contract_at == EMPTY:
            contract_at = new_contract(
                counts, contracts, contract_table, underlyings, underlying_table, single_venue, place, mixed,
                underlying[row], root[row], expiry_day[row], strike_mills[row], right[row],
            )  # fmt: skip
        if contract_at == -1:
            return row
        if contract_at < 0:
            counts.overflow += 1
            continue
        contract = contracts[contract_at]
        traded_at = contract.traded
        if traded_at < 0:
            traded_at = _new_traded(scalars, traded_all, contract, contract_at)
            if traded_at < 0:
                return row
        fresh = scalars.cluster_head
        if fresh >= clusters.shape[0] or clusters[fresh].close_ns > now:
            fresh = _free_cluster(scalars, clusters, now)
            if fresh == -1:
                return row
        traded = traded_all[traded_at]
        owner = contract.underlying
        held = underlyings[owner]
        held.touched = 1
        held.seen_ns = now
        event = event_ns[row]
        bits = condition_bits[row]
        minute = now // MINUTE_NS
        bucket = buckets[owner * MINUTES + minute % MINUTES]
        day = days[owner]
        _start_minute(bucket, minute)
        if (bits & CANCELLED) != NONE:
            scalars.cancels += 1
            if not _cancel(
                clusters, prints, contract, traded, traded_at, bits, price, size, exchange[row], bucket, day
            ):
                scalars.cancels_unmatched += 1
            continue
        traded.event_ns = max(traded.event_ns, event)
        if (bits & (LATE | EXTENDED | REFILLED)) != NONE:
            # Volume only: the quotes around it are of another time.
            scalars.late += 1
            traded.volume += size
            continue

        position = frame_position + row
        premium = price * size * contract.multiplier
        spot = held.spot_usd
        number = traded.prints
        single = (bits & MULTI_LEG) == NONE
        if not single:
            scalars.multi_leg += 1
        elif size >= scalars.leg_contracts_min and _legs(
            scalars, legs, prints, traded_all, contracts, clusters, held, owner, traded_at, number, event,
            exchange[row], size, position, bucket, day,
        ):  # fmt: skip
            scalars.inferred_multi_leg += 1
            single = False
        negotiated = (bits & NEGOTIATED) != NONE
        side = 0
        p = 0.5
        if single:
            side, p = _side(
                scalars, contract, traded, spot, price, bid_usd[row], ask_usd[row], quote_age_ns[row], now, negotiated
            )
            if (bits & AUCTION) != NONE:
                p = 0.5 + scalars.auction_factor * (p - 0.5)
        sure = 2.0 * p - 1.0
        delta_usd = side * sure * contract.delta * size * contract.multiplier * spot
        if not abs(delta_usd) < np.inf:
            delta_usd = 0.0

        _add_volume(bucket, 1.0, premium, single)
        _add_volume(day, 1.0, premium, single)
        _add_direction(bucket, 1.0, premium, contract.right, side, sure, delta_usd)
        _add_direction(day, 1.0, premium, contract.right, side, sure, delta_usd)
        traded.volume += size
        traded.premium_usd += premium
        traded.weight += sure * size
        traded.signed += side * sure * size
        traded.delta_usd += delta_usd
        if single:
            traded.single_volume += size
            if event - traded.run_start_ns > HIT_SPAN_NS:
                traded.run_start_ns = event
                traded.run_prints = 0
            traded.run_prints += 1
            if traded.run_prints == HIT_PRINTS:
                traded.repeat_hits += 1
            if price != traded.last_price_usd:
                traded.tick = 1 if price > traded.last_price_usd else -1
                if traded.last_price_ns == 0:
                    traded.tick = 0
            traded.last_price_usd = price
            traded.last_price_ns = now

        printed = prints[traded_at * RING + number % RING]
        printed.price_usd = price
        printed.size = size
        printed.exchange = exchange[row]
        printed.side = side
        printed.single = single
        printed.sure = sure
        printed.premium_usd = premium
        printed.delta_usd = delta_usd
        printed.event_ns = event
        printed.epoch = scalars.epoch
        printed.position = position
        printed.cluster = -1
        printed.live = 1
        traded.prints = number + 1

        if single:
            at = -1
            place = traded_at * 3 + side + 1
            if not negotiated:
                at = open_cluster[place]
                if at >= 0 and not _joins(scalars, clusters[at], traded_at, side, event, now):
                    at = -1
            if at < 0 and fresh >= 0:
                at = fresh
                scalars.cluster_head = fresh + 1
                _start_cluster(
                    clusters[at], scalars.epoch, traded_at, contract, side, negotiated, event, position, price, spot
                )
                if not negotiated:
                    open_cluster[place] = at
            if at < 0:
                counts.overflow += 1
            else:
                printed.cluster = at
                printed.cluster_first = clusters[at].first_position
                venue = exchange[row] - FIRST_EXCHANGE
                if venue < 0 or venue > VENUE_BITS:
                    venue = VENUE_BITS
                iso = (bits & ISO) != NONE
                cluster = clusters[at]
                if _join_cluster(
                    scalars, cluster, contract, iso, venue, event, now, price, size, premium, p, delta_usd
                ):
                    pending[scalars.pending] = at
                    scalars.pending += 1
                if cluster.inputs < CLUSTER_INPUTS:
                    inputs[at * CLUSTER_INPUTS + cluster.inputs] = position
                    cluster.inputs += 1

        if traded.minute != minute and traded.volume >= scalars.minute_volume_min:
            traded.minute = minute
            active[scalars.active] = traded_at
            scalars.active += 1
            scalars.minute_due_ns = min(scalars.minute_due_ns, (minute + 1) * MINUTE_NS)
    return stop


@kernel(I64_IN, U64_IN, F64_IN, CHAIN, types.int64, types.int64)
def take_spots(received_ns, symbol, price_usd, chain, start, stop):
    """Keep the last price of each underlying that options were seen of."""
    counts, underlyings, table = chain.counts[0], chain.underlyings, chain.underlying_table
    for row in range(start, stop):
        counts.now_ns = received_ns[row]
        owner = find(underlyings, table, symbol[row])
        if owner >= 0 and 0.0 < price_usd[row] < np.inf:
            underlyings[owner].spot_usd = price_usd[row]
            underlyings[owner].spot_ns = received_ns[row]


@kernel(CHAIN, STATE, types.int64, types.int64, I32_OUT, returns=types.int64)
def close_clusters(chain, state, until, now, closed):
    """Put the told clusters that end at or before `until` into `closed`, in the order of their end; how many.

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
            bucket = state.buckets[cluster.underlying * MINUTES + (now // MINUTE_NS) % MINUTES]
            _start_minute(bucket, now // MINUTE_NS)
            bucket.sweep_usd += cluster.premium_usd
            state.days[cluster.underlying].sweep_usd += cluster.premium_usd
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
