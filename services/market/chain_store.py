# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (compiled functions state their types in the decorator, where numba checks them)
"""The last chain row of every contract, by underlying: what flow and gamma both keep, each its own.

Records live in numpy arrays that grow by doubling up to a limit; what does not fit is counted.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt
from numba import types

from schemas.frames import GreekRows
from services.core.windows import MINUTE_NS
from services.market.hash_table import EMPTY, I32_IN, U64_IN, contract_hash, inlined, new_table, refill, symbol_hash
from services.market.records import doubled, line_record, records
from services.quant.jit import F64_IN, I8_IN, I64_IN, kernel

__all__ = [
    "CHAIN", "CONTRACT", "NEED_CONTRACTS", "NEED_NOTHING", "NEED_UNDERLYINGS", "ChainStore", "find", "grow",
    "is_contract", "new_chain", "new_contract", "take_chain", "take_rows",
]  # fmt: skip

Records = npt.NDArray[Any]
NEED_NOTHING, NEED_CONTRACTS, NEED_UNDERLYINGS = range(3)
ONE = np.uint64(1)

COUNTS = np.dtype(
    [
        ("contracts", "i8"), ("underlyings", "i8"), ("contracts_max", "i8"), ("underlyings_max", "i8"), ("need", "i8"),
        ("overflow", "i8"), ("now_ns", "i8"),
    ],
    align=True,
)  # fmt: skip
CONTRACT = line_record(
    {
        "mixed": "u8", "root": "u8", "expiry_day": "i4", "strike_mills": "i4", "right": "i1", "single_venue": "i1",
        "underlying": "i4", "traded": "i4", "multiplier": "i4", "delta": "f8", "bid_usd": "f8", "ask_usd": "f8",
        "chain_ns": "i8", "spot_usd": "f8", "iv_annual": "f8", "gamma": "f8", "open_interest": "i8", "event_ns": "i8",
    }
)  # fmt: skip
UNDERLYING = np.dtype(
    [
        ("mixed", "u8"), ("code", "u8"), ("contracts", "i4"), ("spot_usd", "f8"), ("spot_ns", "i8"),
        ("seen_ns", "i8"), ("chain_ns", "i8"), ("event_ns", "i8"), ("epoch", "i8"),
        ("position", "i8"), ("touched", "i1"),
        ("leg_head", "i4"), ("leg_ns", "i8"),
    ],
    align=True,
)  # fmt: skip


class ChainStore(NamedTuple):
    """All arrays; `single_venue` holds the codes of roots that trade on one exchange only."""

    counts: Records
    contracts: Records
    contract_table: npt.NDArray[np.int32]
    underlyings: Records
    underlying_table: npt.NDArray[np.int32]
    single_venue: npt.NDArray[np.uint64]

    def underlying_at(self, code: int) -> int:
        """The record number of an underlying; -1 when nothing was seen of it."""
        known = self.underlyings["code"][: int(self.counts["underlyings"][0])] == np.uint64(code)
        return int(known.argmax()) if known.any() else -1


def new_chain(
    contracts: int, underlyings: int, contracts_max: int, underlyings_max: int, single_venue: list[int]
) -> ChainStore:
    """Empty, with room for so many."""
    chain = ChainStore(
        counts=np.zeros(1, COUNTS),
        contracts=records(contracts, CONTRACT),
        contract_table=new_table(contracts),
        underlyings=records(underlyings, UNDERLYING),
        underlying_table=new_table(underlyings),
        single_venue=np.array(sorted(single_venue), np.uint64),
    )
    chain.counts["contracts_max"], chain.counts["underlyings_max"] = contracts_max, underlyings_max
    return chain


CHAIN = numba.typeof(new_chain(1, 1, 1, 1, [1]))


def grow(chain: ChainStore) -> ChainStore:
    """The chain with twice the room for whatever a kernel stopped for."""
    need = int(chain.counts["need"][0])
    chain.counts["need"] = NEED_NOTHING
    if need == NEED_CONTRACTS:
        contracts = doubled(chain.contracts)
        return chain._replace(contracts=contracts, contract_table=_table(contracts, int(chain.counts["contracts"][0])))
    assert need == NEED_UNDERLYINGS, f"a kernel stopped for {need}, which does not exist"
    underlyings = doubled(chain.underlyings)
    count = int(chain.counts["underlyings"][0])
    return chain._replace(underlyings=underlyings, underlying_table=_table(underlyings, count))


def _table(held: Records, count: int) -> npt.NDArray[np.int32]:
    table = new_table(len(held))
    refill(np.ascontiguousarray(held["mixed"][:count]), table)
    return table


def take_rows(chain: ChainStore, rows: GreekRows, epoch: int, frame_position: int, start: int, stop: int) -> ChainStore:
    """Keep rows [start, stop); the chain, grown where it had to be."""
    while True:
        start = take_chain(
            rows.received_ns, rows.event_ns, rows.underlying, rows.root, rows.expiry_day, rows.strike_mills, rows.right,
            rows.multiplier, rows.bid_usd, rows.ask_usd, rows.iv_annual, rows.delta, rows.gamma, rows.open_interest,
            rows.spot_usd, chain, epoch, frame_position, start, stop,
        )  # fmt: skip
        if chain.counts["need"][0] == NEED_NOTHING:
            return chain
        chain = grow(chain)


@inlined
def find(underlyings, table, code):
    """The record number of an underlying, -1 if nothing was seen of it."""
    mask = np.uint64(table.shape[0] - 1)
    at = symbol_hash(code) & mask
    while table[at] != EMPTY:
        slot = table[at]
        if underlyings[slot].code == code:
            return slot
        at = (at + ONE) & mask
    return -1


@inlined
def _underlying(counts, underlyings, table, code):
    """The record number of an underlying, taken up if new; -1 when there is no room now, -2 when never."""
    mixed = symbol_hash(code)
    mask = np.uint64(table.shape[0] - 1)
    at = mixed & mask
    while table[at] != EMPTY:
        slot = table[at]
        if underlyings[slot].code == code:
            return slot
        at = (at + ONE) & mask
    slot = counts.underlyings
    if slot >= counts.underlyings_max:
        return -2
    if slot >= underlyings.shape[0]:
        counts.need = NEED_UNDERLYINGS
        return -1
    table[at] = slot
    counts.underlyings = slot + 1
    underlyings[slot].mixed = mixed
    underlyings[slot].code = code
    underlyings[slot].spot_usd = np.nan
    return slot


@inlined
def is_contract(held, mixed, root, expiry_day, strike_mills, right):
    """Whether a record is the contract looked for."""
    return (
        held.mixed == mixed
        and held.root == root
        and held.strike_mills == strike_mills
        and held.expiry_day == expiry_day
        and (held.right > 0) == (right > 0)
    )


@inlined
def new_contract(
    counts, contracts, table, underlyings, underlying_table, single_venue, at, mixed, underlying, root, expiry_day,
    strike_mills, right,
):  # fmt: skip
    """Take a contract up at place `at` of the table: its record number, -1 for no room now, -2 for never."""
    slot = counts.contracts
    if slot >= counts.contracts_max:
        return -2
    if slot >= contracts.shape[0]:
        counts.need = NEED_CONTRACTS
        return -1
    owner = _underlying(counts, underlyings, underlying_table, underlying)
    if owner < 0:
        return owner
    table[at] = slot
    counts.contracts = slot + 1
    made = contracts[slot]
    made.mixed = mixed
    made.root = root
    made.expiry_day = expiry_day
    made.strike_mills = strike_mills
    made.right = 1 if right > 0 else -1
    made.underlying = owner
    underlyings[owner].contracts += 1
    made.multiplier = 100
    made.traded = EMPTY
    made.bid_usd = np.nan
    made.ask_usd = np.nan
    made.iv_annual = np.nan
    made.delta = np.nan
    made.gamma = np.nan
    made.spot_usd = np.nan
    made.open_interest = -1
    for venue in range(single_venue.shape[0]):
        if single_venue[venue] == root:
            made.single_venue = 1
    return slot


@kernel(
    I64_IN, I64_IN, U64_IN, U64_IN, I32_IN, I32_IN, I8_IN, I32_IN, F64_IN, F64_IN, F64_IN, F64_IN, F64_IN, I64_IN,
    F64_IN, CHAIN, types.int64, types.int64, types.int64, types.int64, returns=types.int64, trusting=True,
)  # fmt: skip
def take_chain(
    received_ns, event_ns, underlying, root, expiry_day, strike_mills, right, multiplier, bid_usd, ask_usd, iv_annual,
    delta, gamma, open_interest, spot_usd, chain, epoch, frame_position, start, stop,
):  # fmt: skip
    """Keep the last chain row of each contract. Returns the row it stopped before for want of room, or stop."""
    counts, contracts, table, single_venue = chain.counts[0], chain.contracts, chain.contract_table, chain.single_venue
    underlyings, underlying_table = chain.underlyings, chain.underlying_table
    mask = np.uint64(table.shape[0] - 1)
    for row in range(start, stop):
        mixed = contract_hash(root[row], expiry_day[row], strike_mills[row], right[row])
        place = mixed & mask
        at = table[place]
        while at != EMPTY and not is_contract(
            contracts[at], mixed, root[row], expiry_day[row], strike_mills[row], right[row]
        ):
            place = (place + ONE) & mask
            at = table[place]
        if at == EMPTY:
            at = new_contract(
                counts, contracts, table, underlyings, underlying_table, single_venue, place, mixed, underlying[row],
                root[row], expiry_day[row], strike_mills[row], right[row],
            )  # fmt: skip
        if at == -1:
            return row
        now = received_ns[row]
        counts.now_ns = now
        if at < 0:
            counts.overflow += 1
            continue
        contract = contracts[at]
        contract.multiplier = multiplier[row]
        contract.bid_usd = bid_usd[row]
        contract.ask_usd = ask_usd[row]
        contract.iv_annual = iv_annual[row]
        contract.delta = delta[row]
        contract.gamma = gamma[row]
        contract.spot_usd = spot_usd[row]
        contract.chain_ns = now
        contract.event_ns = event_ns[row]
        # A page without open interest does not make it unknown again: it is published once a day.
        if open_interest[row] >= 0:
            contract.open_interest = open_interest[row]
        held = underlyings[contract.underlying]
        held.chain_ns = now
        held.event_ns = max(held.event_ns, event_ns[row])
        held.epoch = epoch
        held.position = frame_position + row
        # The snapshot's spot stands in where no tick of the underlying comes, or none came for a minute.
        if 0.0 < spot_usd[row] < np.inf and (held.spot_ns == 0 or now - held.spot_ns > MINUTE_NS):
            held.spot_usd = spot_usd[row]
    return stop
