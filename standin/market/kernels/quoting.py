# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (compiled functions state their types in the decorator, where numba checks them)
"""Quotes around model values, a sheet of rows at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

from services.quant.jit import inner, kernel
from services.quant.special import floor
from standin.market.kernels.pricing import DEEP, FORWARD, TIME_VALUE, VALUE, lay_out, value_sheet
from standin.market.kernels.rng import bits, hashed
from standin.market.kernels.tables import F64_IN, I32_IN, SHEET, TABLE, VENUE_BITS, records_of

__all__ = ["QUOTE", "QUOTE_RECORDS", "lay_out_quote", "quote_rows", "quote_sheet", "take_quote"]

# A quote: prices in cents, so that ticks are exact; a side without a bid or offer has size 0.
QUOTE = np.dtype(
    [
        ("bid_cents", "i4"), ("ask_cents", "i4"), ("tick_cents", "i4"), ("bid_size", "i4"), ("ask_size", "i4"),
        ("bid_venue", "i2"), ("ask_venue", "i2"),
    ],
    align=True,
)  # fmt: skip
QUOTE_RECORDS: Any = records_of(QUOTE)

# Columns of the sheet after those of the value.
SPREAD, SHIFT_DRAW, TICK, TICK_HIGH, PER_TICK, PER_TICK_HIGH, BID, ASK = range(12 * SHEET, 20 * SHEET, SHEET)
PENNY_BELOW_CENTS = 300.0
# Beyond a tick, width has two parts, both times the underlying's own. One goes with the root of time value, which is
# most at the money: 3 cents for a dollar of it. The other comes with depth in the money, where whoever takes the other
# side holds the stock against it: in the end 5 basis points of the level, half of that one deviation deep. Fitted to 25
# daily SPX chains of 2019 (275,000 quotes, 3.2 times wide): 0.4 wide at 27 dollars of time value and 0.1 at 0.3, and in
# the money by 0.5 to 1 deviations 1.7, by 1 to 1.5 2.2, by 2 to 3 4.1, whatever the tenor; GOOG's quotes of 2015-12-24
# have the same form.
WIDE_CENTS, DEEP_SHARE = 3.0, 0.0005
# The middle is off the value by up to half of this share of the width.
SHIFTED = 0.3
# A day of quotes' moments by row.
MOMENTS = 86_400
# A hash is cut into a place, two sizes and two venues, of so many bits each.
SIZE_BITS, SHIFT_DRAW_BITS = 14, 12
_SIZE_TO_UNIT, _SHIFT_DRAW_TO_UNIT = 2.0**-SIZE_BITS, 2.0**-SHIFT_DRAW_BITS


@inner
def lay_out_quote(table, row, fraction, sheet, index, quote):
    """What the quote of a contract follows from into row `at`, and its sizes and venues, which only a hash says."""
    contract = table.contracts[row]
    lay_out(table, contract, fraction, sheet, index)
    now, member = table.now[0], table.members[contract.underlying]
    sheet[SPREAD + index] = member.width * now.opening * table.slots[contract.slot].away
    sheet[TICK + index] = member.tick_low
    sheet[TICK_HIGH + index] = member.tick_high
    sheet[PER_TICK + index] = member.per_tick_low
    sheet[PER_TICK_HIGH + index] = member.per_tick_high
    z = hashed(now.key, np.int64(row) * MOMENTS + now.moment)
    sheet[SHIFT_DRAW + index] = bits(z, 0, SHIFT_DRAW_BITS) * _SHIFT_DRAW_TO_UNIT
    bid_draw = bits(z, SHIFT_DRAW_BITS, SIZE_BITS) * _SIZE_TO_UNIT
    ask_draw = bits(z, SHIFT_DRAW_BITS + SIZE_BITS, SIZE_BITS) * _SIZE_TO_UNIT
    bid_venue = table.venues[table.venue_draws[bits(z, 40, VENUE_BITS)]]
    ask_venue = table.venues[table.venue_draws[bits(z, 52, VENUE_BITS)]]
    # Nobody quotes while the underlying does not trade.
    quoted = 0 if member.halted else 1
    quote.bid_size = quoted * (1 + np.int64(member.depth * bid_draw * bid_draw * bid_draw))
    quote.ask_size = quoted * (1 + np.int64(member.depth * ask_draw * ask_draw * ask_draw))
    home = member.home
    quote.bid_venue = home if home > 0 else bid_venue
    quote.ask_venue = home if home > 0 else ask_venue


@inner
def quote_sheet(sheet, count):
    """Bid, ask and tick in cents of the first `count` rows, around their values."""
    value_sheet(sheet, count)
    for j in range(count):
        value = sheet[VALUE + j]
        cents = value * 100.0
        low, high, per_low, per_high = (
            sheet[TICK + j],
            sheet[TICK_HIGH + j],
            sheet[PER_TICK + j],
            sheet[PER_TICK_HIGH + j],
        )
        tick = low if cents < PENNY_BELOW_CENTS else high
        per_tick = per_low if cents < PENNY_BELOW_CENTS else per_high
        deep = max(sheet[DEEP + j], 0.0)
        deep *= deep
        wide = WIDE_CENTS * np.sqrt(max(sheet[TIME_VALUE + j], 0.0))
        wide += 100.0 * DEEP_SHARE * sheet[FORWARD + j] * deep / (1.0 + deep)
        width = tick + sheet[SPREAD + j] * wide
        shift = (sheet[SHIFT_DRAW + j] - 0.5) * SHIFTED * width
        bid = max(floor((cents + shift - 0.5 * width) * per_tick), 0.0) * tick
        sheet[TICK + j] = tick
        sheet[BID + j] = bid
        sheet[ASK + j] = bid + max(-floor(-width * per_tick), 1.0) * tick


@inner
def take_quote(sheet, index, quote):
    """The quote of row `at` as it stands."""
    quoted = quote.ask_size > 0
    quote.bid_cents = np.int64(sheet[BID + index]) if quoted else 0
    quote.ask_cents = np.int64(sheet[ASK + index]) if quoted else 0
    quote.tick_cents = np.int64(sheet[TICK + index])
    if quote.bid_cents == 0:
        quote.bid_size = 0


@kernel(TABLE, I32_IN, F64_IN, QUOTE_RECORDS)
def quote_rows(table, rows, fraction, out):
    """Bid and ask around the model value of contracts, each at its fraction of the span."""
    sheet = table.sheet
    for first in range(0, rows.shape[0], SHEET):
        count = min(SHEET, rows.shape[0] - first)
        for index in range(count):
            lay_out_quote(table, rows[first + index], fraction[first + index], sheet, index, out[first + index])
        quote_sheet(sheet, count)
        for index in range(count):
            take_quote(sheet, index, out[first + index])
