# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (compiled functions state their types in the decorator, where numba checks them)
"""Quotes around model values, a sheet of rows at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

from services.quant.jit import inner, kernel
from services.quant.special import floor
from services.standin.market.kernels.dice import bits, exponent_of, hashed
from services.standin.market.kernels.pricing import VALUE, lay_out, value_sheet
from services.standin.market.kernels.tables import F64_IN, I32_IN, SHEET, TABLE, VENUE_BITS, records_of

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
SPREAD, PLACE, TICK, TICK_HIGH, PER_TICK, PER_TICK_HIGH, BID, ASK = range(10 * SHEET, 18 * SHEET, SHEET)
PENNY_BELOW_CENTS = 300.0
# Where an underlying's width is 1, a contract of a dollar is quoted so many cents wider than a tick, and one of ten
# dollars five times that: width grows with price, slower than price does. The middle is off the value by up to half of
# SHIFTED of it. By choice: recorded SPX chains are half as wide again.
WIDE_CENTS, WIDE_POWER, SHIFTED = 0.9, 0.7, 0.3
# A day of quotes' moments by row.
MOMENTS = 86_400
# A hash is cut into a place, two sizes and two venues, of so many bits each.
SIZE_BITS, PLACE_BITS = 14, 12
_SIZE_TO_UNIT, _PLACE_TO_UNIT = 2.0**-SIZE_BITS, 2.0**-PLACE_BITS


@inner
def lay_out_quote(table, row, fraction, sheet, at, quote):
    """What the quote of a contract follows from into row `at`, and its sizes and venues, which only a hash says."""
    contract = table.contracts[row]
    lay_out(table, contract, fraction, sheet, at)
    now, member = table.now[0], table.members[contract.underlying]
    sheet[SPREAD + at] = member.width * now.opening * table.slots[contract.slot].away
    sheet[TICK + at] = member.tick_low
    sheet[TICK_HIGH + at] = member.tick_high
    sheet[PER_TICK + at] = member.per_tick_low
    sheet[PER_TICK_HIGH + at] = member.per_tick_high
    z = hashed(now.key, np.int64(row) * MOMENTS + now.moment)
    sheet[PLACE + at] = bits(z, 0, PLACE_BITS) * _PLACE_TO_UNIT
    bids = bits(z, PLACE_BITS, SIZE_BITS) * _SIZE_TO_UNIT
    asks = bits(z, PLACE_BITS + SIZE_BITS, SIZE_BITS) * _SIZE_TO_UNIT
    bid_venue = table.venues[table.places[bits(z, 40, VENUE_BITS)]]
    ask_venue = table.venues[table.places[bits(z, 52, VENUE_BITS)]]
    # Nobody quotes while the underlying does not trade.
    quoted = 0 if member.halted else 1
    quote.bid_size = quoted * (1 + np.int64(member.depth * bids * bids * bids))
    quote.ask_size = quoted * (1 + np.int64(member.depth * asks * asks * asks))
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
        wide = WIDE_CENTS * exponent_of(WIDE_POWER, max(value, 0.01))
        width = tick + sheet[SPREAD + j] * wide
        shift = (sheet[PLACE + j] - 0.5) * SHIFTED * width
        bid = max(floor((cents + shift - 0.5 * width) * per_tick), 0.0) * tick
        sheet[TICK + j] = tick
        sheet[BID + j] = bid
        sheet[ASK + j] = bid + max(-floor(-width * per_tick), 1.0) * tick


@inner
def take_quote(sheet, at, quote):
    """The quote of row `at` as it stands."""
    quoted = quote.ask_size > 0
    quote.bid_cents = np.int64(sheet[BID + at]) if quoted else 0
    quote.ask_cents = np.int64(sheet[ASK + at]) if quoted else 0
    quote.tick_cents = np.int64(sheet[TICK + at])
    if quote.bid_cents == 0:
        quote.bid_size = 0


@kernel(TABLE, I32_IN, F64_IN, QUOTE_RECORDS)
def quote_rows(table, rows, fraction, out):
    """Bid and ask around the model value of contracts, each at its fraction of the span."""
    sheet = table.sheet
    for first in range(0, rows.shape[0], SHEET):
        count = min(SHEET, rows.shape[0] - first)
        for at in range(count):
            lay_out_quote(table, rows[first + at], fraction[first + at], sheet, at, out[first + at])
        quote_sheet(sheet, count)
        for at in range(count):
            take_quote(sheet, at, out[first + at])
