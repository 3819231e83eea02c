# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (compiled functions state their types in the decorator, where numba checks them)
"""The flow context's compiled loop: one pass over a frame's columns, state in records, no object per trade.

Sums are made in row order without reassociation, and no function of the platform's libm is called, so equal rows give
equal bits on every processor.
"""

from __future__ import annotations

import numpy as np
from numba import types

from services.contexts.flow.clusters import cluster_of, free_cluster, join_cluster, joins, start_cluster
from services.contexts.flow.sides import PRICE_MAX_USD, side_of
from services.contexts.flow.state import CLUSTER_INPUTS, LEGS, NEED_TRADED, RING, STATE
from services.contexts.flow.sums import add_direction, add_volume, start_minute, undirect
from services.core.windows import MINUTE_NS, MINUTES
from services.market.chain_store import CHAIN, find, is_contract, new_contract
from services.market.conditions import (
    AUCTION,
    CANCELLED,
    CANCELS_FIRST,
    EXTENDED,
    ISO,
    LATE,
    MULTI_LEG,
    NEGOTIATED,
    NONE,
    REFILLED,
)
from services.market.hash_table import EMPTY, I16_IN, I32_IN, U64_IN, contract_hash, inlined
from services.quant.jit import F64_IN, I8_IN, I64_IN, kernel, prefetch

__all__ = ["take_spots", "take_trades"]

ONE = np.uint64(1)
# Vendor exchange ids are 300 + the OPRA participant's place in the alphabet (capitals, then small letters).
FIRST_EXCHANGE = 300
VENUE_BITS = 63
# More than five single-leg prints within 100 ms are one repeated hit (a vendor's public rule; spec/detectors.md B.14).
HIT_PRINTS = 6
HIT_SPAN_NS = 100_000_000


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
def _cancel(clusters, prints, contract, traded, traded_at, epoch, bits, price, size, exchange, bucket, day):
    """Find the print a cancel means and take it back; False when it is not among the last ones."""
    last = traded.prints - 1
    oldest = max(last - RING + 1, 0)
    newest_first = (bits & CANCELS_FIRST) == NONE
    for step in range(last - oldest + 1):
        number = last - step if newest_first else oldest + step
        printed = prints[traded_at * RING + number % RING]
        if printed.live and printed.price_usd == price and printed.size == size and printed.exchange == exchange:
            printed.live = 0
            add_volume(bucket, -1.0, printed.premium_usd, printed.single)
            add_volume(day, -1.0, printed.premium_usd, printed.single)
            undirect(contract, traded, printed, bucket, day)
            traded.volume -= printed.size
            traded.premium_usd -= printed.premium_usd
            if printed.single:
                traded.single_volume -= printed.size
            at = cluster_of(clusters, printed) if printed.epoch == epoch else -1
            if at >= 0:
                cluster = clusters[at]
                cluster.prints -= 1
                cluster.contracts -= printed.size
                cluster.premium_usd -= printed.premium_usd
                cluster.p_usd -= (0.5 + 0.5 * printed.sure) * printed.premium_usd
                cluster.delta_usd -= printed.delta_usd
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
    # Mostly the last leg is too long ago, and then all are.
    for step in range(LEGS if event - held.leg_ns <= scalars.leg_gap_ns else 0):
        leg = legs[owner * LEGS + step]
        if leg.exchange != exchange or abs(leg.event_ns - event) > scalars.leg_gap_ns:
            continue
        alike = leg.size == size or leg.size == 2 * size or 2 * leg.size == size
        if alike and leg.traded != traded_at:
            found = True
            if not leg.flagged:
                leg.flagged = 1
                other = traded[leg.traded]
                printed = prints[leg.traded * RING + leg.ring]
                if printed.live and printed.position == leg.position:
                    undirect(contracts[other.contract], other, printed, bucket, day)
                    printed.side = 0
                    printed.sure = 0.0
                    printed.delta_usd = 0.0
                    printed.single = 0
                    other.single_volume -= printed.size
                    bucket.single_usd -= printed.premium_usd
                    day.single_usd -= printed.premium_usd
                    at = cluster_of(clusters, printed) if printed.epoch == scalars.epoch else -1
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
    held.leg_ns = max(held.leg_ns, event)
    return found


@inlined
def _known(table, contracts, root, expiry_day, strike_mills, right, start, stop):
    """The record numbers of the contracts of rows [start, stop), EMPTY where nothing was seen of one yet.

    A pass of its own: no row waits for another here, so that the processor looks many of them up at a time.
    """
    mask = np.uint64(table.shape[0] - 1)
    known = np.empty(stop - start, np.int32)
    for row in range(start, stop):
        mixed = contract_hash(root[row], expiry_day[row], strike_mills[row], right[row])
        place = mixed & mask
        at = table[place]
        while at != EMPTY and not is_contract(
            contracts[at], mixed, root[row], expiry_day[row], strike_mills[row], right[row]
        ):
            place = (place + ONE) & mask
            at = table[place]
        known[row - start] = at
    return known


@inlined
def _look_ahead(known, at, contracts, traded, prints, open_cluster, clusters):
    """Have what the next prints will touch fetched meanwhile: contracts are met at random, and memory is far away.

    Each step needs what an earlier one has fetched: a contract's record, then what traded of it, then its open clusters
    and the place of its next print.
    """
    last = known.shape[0] - 1
    later = known[min(at + 12, last)]
    if later != EMPTY:
        prefetch(contracts, later, 0)
        prefetch(contracts, later, 1)
    later = known[min(at + 8, last)]
    if later != EMPTY:
        later = contracts[later].traded
        if later != EMPTY:
            prefetch(traded, later, 0)
            prefetch(traded, later, 1)
            prefetch(open_cluster, later * 3, 0)
    later = known[min(at + 4, last)]
    if later != EMPTY:
        later = contracts[later].traded
        if later != EMPTY:
            prefetch(prints, later * RING + traded[later].prints % RING, 0)
            for side in range(3):
                cluster = open_cluster[later * 3 + side]
                if cluster >= 0:
                    prefetch(clusters, cluster, 0)
                    prefetch(clusters, cluster, 1)


@kernel(
    I64_IN, I64_IN, U64_IN, U64_IN, I32_IN, I32_IN, I8_IN, F64_IN, I32_IN, I16_IN, U64_IN, F64_IN, F64_IN, I64_IN,
    CHAIN, STATE, types.int64, types.int64, types.int64, returns=types.int64, trusting=True,
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
    open_cluster, pending, active, asked = state.open_cluster, state.pending, state.active, state.asked
    mask = np.uint64(contract_table.shape[0] - 1)
    minute = minute_ns = ring_minute = np.int64(0)
    known = _known(contract_table, contracts, root, expiry_day, strike_mills, right, start, stop)
    for row in range(start, stop):
        now = received_ns[row]
        if now >= scalars.close_due_ns or now >= scalars.minute_due_ns:
            return row
        counts.now_ns = now
        _look_ahead(known, row - start, contracts, traded_all, prints, open_cluster, clusters)
        price = price_usd[row]
        size = size_contracts[row]
        if not (0.0 < price < PRICE_MAX_USD and size > 0):
            scalars.bad += 1
            continue
        contract_at = known[row - start]
        if contract_at == EMPTY:
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
            fresh = free_cluster(scalars, clusters, now)
            if fresh == -1:
                return row
        traded = traded_all[traded_at]
        owner = contract.underlying
        held = underlyings[owner]
        held.touched = 1
        held.seen_ns = now
        event = event_ns[row]
        bits = condition_bits[row]
        if not minute_ns <= now < minute_ns + MINUTE_NS:
            minute = now // MINUTE_NS
            minute_ns = minute * MINUTE_NS
            ring_minute = minute % MINUTES
        bucket = buckets[owner * MINUTES + ring_minute]
        day = days[owner]
        start_minute(bucket, minute)
        if (bits & CANCELLED) != NONE:
            scalars.cancels += 1
            if not _cancel(
                clusters,
                prints,
                contract,
                traded,
                traded_at,
                scalars.epoch,
                bits,
                price,
                size,
                exchange[row],
                bucket,
                day,
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
            side, p = side_of(
                scalars, contract, traded, spot, price, bid_usd[row], ask_usd[row], quote_age_ns[row], now, negotiated
            )
            if (bits & AUCTION) != NONE:
                p = 0.5 + scalars.auction_factor * (p - 0.5)
        sure = 2.0 * p - 1.0
        delta_usd = side * sure * contract.delta * size * contract.multiplier * spot
        if not abs(delta_usd) < np.inf:
            delta_usd = 0.0

        add_volume(bucket, 1.0, premium, single)
        add_volume(day, 1.0, premium, single)
        add_direction(bucket, 1.0, premium, contract.right, side, sure, delta_usd)
        add_direction(day, 1.0, premium, contract.right, side, sure, delta_usd)
        traded.volume += size
        traded.premium_usd += premium
        traded.weight += sure * size
        traded.signed += side * sure * size
        traded.delta_usd += delta_usd
        if single:
            traded.single_volume += size
            # Values chosen and always stored, in place of branches that are taken every other time.
            anew = event - traded.run_start_ns > HIT_SPAN_NS
            traded.run_start_ns = event if anew else traded.run_start_ns
            traded.run_prints = 1 if anew else traded.run_prints + 1
            traded.repeat_hits += traded.run_prints == HIT_PRINTS
            last_usd = traded.last_price_usd
            moved = np.int64(price > last_usd) - np.int64(price < last_usd)
            tick = moved if moved != 0 else traded.tick
            traded.tick = tick if traded.last_price_ns != 0 else 0
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
                if at >= 0 and not joins(scalars, clusters[at], traded_at, side, event, now):
                    at = -1
            if at < 0 and fresh >= 0:
                at = fresh
                scalars.cluster_head = fresh + 1
                start_cluster(clusters[at], traded_at, contract, side, negotiated, event, position, price, spot)
                if not negotiated:
                    open_cluster[place] = at
            if at < 0:
                counts.overflow += 1
            else:
                printed.cluster = at
                venue = exchange[row] - FIRST_EXCHANGE
                if venue < 0 or venue > VENUE_BITS:
                    venue = VENUE_BITS
                iso = (bits & ISO) != NONE
                cluster = clusters[at]
                if join_cluster(
                    scalars, asked, cluster, contract, iso, venue, event, now, price, size, premium, p, delta_usd
                ):
                    pending[scalars.pending] = at
                    scalars.pending += 1
                if cluster.inputs < CLUSTER_INPUTS:
                    inputs[at * CLUSTER_INPUTS + cluster.inputs] = position - cluster.first_position
                    cluster.inputs += 1

        if traded.minute != minute and traded.volume >= scalars.minute_volume_min:
            traded.minute = minute
            active[scalars.active] = traded_at
            scalars.active += 1
            scalars.minute_due_ns = min(scalars.minute_due_ns, (minute + 1) * MINUTE_NS)
    return stop


@kernel(I64_IN, U64_IN, F64_IN, CHAIN, types.int64, types.int64, trusting=True)
def take_spots(received_ns, symbol, price_usd, chain, start, stop):
    """Keep the last price of each underlying that options were seen of."""
    counts, underlyings, table = chain.counts[0], chain.underlyings, chain.underlying_table
    for row in range(start, stop):
        counts.now_ns = received_ns[row]
        owner = find(underlyings, table, symbol[row])
        if owner >= 0 and 0.0 < price_usd[row] < np.inf:
            underlyings[owner].spot_usd = price_usd[row]
            underlyings[owner].spot_ns = received_ns[row]
