# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (compiled functions state their types in the decorator, where numba checks them)
"""The price context's compiled loops: ticks into running bars, and bars closed at the minute."""

from __future__ import annotations

import numba
import numpy as np
from numba import types

from services.contexts.price.state import BAR_RING, FRAMES, MINUTES_OF, new_state
from services.core.windows import MINUTE_NS
from services.market.hash_table import EMPTY, U64_IN, inlined, symbol_hash
from services.quant.jit import F64_IN, I64_IN, kernel

__all__ = ["close_bars", "take_ticks"]

STATE = numba.typeof(new_state(1))
ATR_BARS = 14  # Wilder's length ("New Concepts in Technical Trading Systems", 1978)


@inlined
def _widen(bar, start_ns, price, high, low, volume):
    """Count a tick into a running bar, which its first tick opens."""
    if bar.ticks == 0:
        bar.start_ns = start_ns
        bar.open_usd = price
        bar.high_usd = high
        bar.low_usd = low
        bar.volume = 0
    bar.ticks += 1
    bar.high_usd = max(bar.high_usd, high)
    bar.low_usd = min(bar.low_usd, low)
    bar.close_usd = price
    bar.volume += volume


@kernel(
    I64_IN, I64_IN, U64_IN, F64_IN, F64_IN, F64_IN, I64_IN, STATE, types.int64, types.int64, types.int64, types.int64,
    types.int64, types.int64, returns=types.int64, trusting=True,
)  # fmt: skip
def take_ticks(
    received_ns, event_ns, symbol, price_usd, high_usd, low_usd, volume, state, open_ns, close_ns, epoch,
    frame_position, start, stop,
):  # fmt: skip
    """Take ticks [start, stop). Returns the row it needs more room for, or stop. Outside the session only the last
    price is kept.
    """
    scalars, symbols, table, running = state.scalars[0], state.symbols, state.table, state.running
    mask = np.uint64(table.shape[0] - 1)
    scalars.need = 0
    for row in range(start, stop):
        price = price_usd[row]
        if not 0.0 < price < 1e9:
            scalars.bad += 1
            continue
        code = symbol[row]
        mixed = symbol_hash(code)
        place = mixed & mask
        at = table[place]
        while at != EMPTY and symbols[at].code != code:
            place = (place + np.uint64(1)) & mask
            at = table[place]
        if at == EMPTY:
            at = scalars.symbols
            if at >= scalars.symbols_max:
                scalars.overflow += 1
                continue
            if at >= symbols.shape[0]:
                scalars.need = 1
                return row
            table[place] = at
            scalars.symbols = at + 1
            symbols[at].mixed = mixed
            symbols[at].code = code
        held = symbols[at]
        held.touched = 1
        held.last_usd = price
        held.seen_ns = received_ns[row]
        held.event_ns = max(held.event_ns, event_ns[row])
        held.epoch = epoch
        held.position = frame_position + row
        now = received_ns[row]
        if now < open_ns or now >= close_ns:
            continue
        high = max(price, high_usd[row]) if high_usd[row] < np.inf else price
        low = min(price, low_usd[row]) if low_usd[row] > 0.0 else price
        shares = max(volume[row], 0)
        if held.open_usd == 0.0:
            held.open_usd = price
            held.high_usd = high
            held.low_usd = low
        held.high_usd = max(held.high_usd, high)
        held.low_usd = min(held.low_usd, low)
        held.volume += shares
        held.dollars += shares * (high + low + price) / 3.0
        for frame in range(FRAMES):
            span = MINUTES_OF[frame] * MINUTE_NS
            _widen(running[at * FRAMES + frame], now - now % span, price, high, low, shares)
    return stop


@inlined
def _true_range(bar, previous_close):
    if previous_close == 0.0:
        return bar.high_usd - bar.low_usd
    return max(bar.high_usd, previous_close) - min(bar.low_usd, previous_close)


@kernel(STATE, types.int64, types.Array(types.int64, 1, "C"), returns=types.int64, trusting=True)
def close_bars(state, now, closed):
    """Close the running bars that end at or before `now`; puts symbol x FRAMES + frame into `closed`, says how many."""
    scalars, running, rings, ranges = state.scalars[0], state.running, state.rings, state.ranges
    count = 0
    for at in range(scalars.symbols):
        for frame in range(FRAMES):
            slot = at * FRAMES + frame
            bar = running[slot]
            if bar.ticks == 0 or bar.start_ns + MINUTES_OF[frame] * MINUTE_NS > now:
                continue
            held = ranges[slot]
            reach = _true_range(bar, held.close_usd)
            # Wilder's average starts as the plain mean of the first fourteen.
            length = min(held.bars + 1, ATR_BARS)
            held.atr_usd += (reach - held.atr_usd) / length
            if held.close_usd > 0.0:
                change = bar.close_usd / held.close_usd - 1.0
                held.returns += 1
                held.return_sum += change
                held.return_sq += change * change
            ring = rings[slot * BAR_RING + held.bars % BAR_RING]
            ring.start_ns = bar.start_ns
            ring.open_usd = bar.open_usd
            ring.high_usd = bar.high_usd
            ring.low_usd = bar.low_usd
            ring.close_usd = bar.close_usd
            ring.volume = bar.volume
            ring.ticks = bar.ticks
            held.close_usd = bar.close_usd
            held.bars += 1
            bar.ticks = 0
            closed[count] = slot
            count += 1
    return count
