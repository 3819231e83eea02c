# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (compiled functions state their types in the decorator, where numba checks them)
"""Quotes from vendor bytes, and the join of prints with the quotes that stood before them."""

from __future__ import annotations

import numba
import numpy as np
from numba import types

from services.gateway.decoding.text_kernel import (
    COUNT_MAX,
    MS,
    MS_FIRST,
    MS_LAST,
    PRICE_MAX,
    contract_at,
    decimal,
    integer,
    says_ticker,
    ticker_words,
)
from services.quant.jit import F64_OUT, I64_IN, inlined, kernel

__all__ = ["QUOTE", "QUOTES", "STANDING", "join_quotes", "read_quote", "says_quote"]

# A quote as it stands, and whose it is.
_STANDS = [
    ("stamp_ns", np.int64),
    ("bid_usd", np.float64),
    ("ask_usd", np.float64),
    ("contract", np.int32),
    ("bid_size", np.int32),
    ("ask_size", np.int32),
]
STANDING = np.dtype(_STANDS, align=True)
# A quote as it came. `prints_before` is how many prints of its frame stood before it, `ticker_at` where in the frame
# its ticker begins, for whoever has to introduce a new contract.
QUOTE = np.dtype([*_STANDS, ("prints_before", np.int32), ("ticker_at", np.int32)], align=True)
QUOTES = types.Array(numba.from_dtype(QUOTE), 1, "C")
_QUOTES_IN = types.Array(numba.from_dtype(QUOTE), 1, "C", readonly=True)
_STANDING = types.Array(numba.from_dtype(STANDING), 1, "C")
_I32_OUT = types.Array(types.int32, 1, "C")
_I64_OUT = types.Array(types.int64, 1, "C")

MARK, COMMA, COLON = (ord(mark) for mark in '",:')
CAPITAL_Q = ord("Q")
A, B, E, P, Q, S, T, V, X = (ord(letter) for letter in "abepqstvx")

# A bit for each key that a quote has shown; the first four it must have.
HAS_SYM, HAS_BP, HAS_AP, HAS_T, HAS_BS, HAS_AS, HAS_BX, HAS_AX, HAS_Q = (1 << bit for bit in range(9))
NEEDED = HAS_SYM | HAS_BP | HAS_AP | HAS_T


@inlined
def says_quote(data, at):
    """Whether `"ev":"Q"` stands at a place, whose quotation mark was seen."""
    says_ev = data[at + 1] == E and data[at + 2] == V and data[at + 3] == MARK and data[at + 4] == COLON
    return says_ev and data[at + 5] == MARK and data[at + 6] == CAPITAL_Q and data[at + 7] == MARK


@inlined
def _names_side(data, at):
    """Whether one of `"bp":`, `"bs":`, `"bx":`, `"ap":`, `"as":`, `"ax":` stands at a place, whose mark was seen."""
    side = data[at + 1]
    if not (side == A) | (side == B):
        return False
    what = data[at + 2]
    return ((what == P) | (what == S) | (what == X)) and data[at + 3] == MARK and data[at + 4] == COLON


@inlined
def _set_side(quote, side, letter, data, at):
    """Fill in a price, a size or a venue (which is not kept) of a side; the key's bit, 0 when it is not plain, and the
    place behind it.
    """
    if letter == P:
        price, at = decimal(data, at)
        if not 0.0 <= price <= PRICE_MAX:
            return 0, at
        if side == B:
            quote.bid_usd = price
            return HAS_BP, at
        quote.ask_usd = price
        return HAS_AP, at
    value, at = integer(data, at)
    if letter == X:
        return (0 if value < 0 else HAS_BX if side == B else HAS_AX), at
    if letter != S or not 0 <= value <= COUNT_MAX:
        return 0, at
    if side == B:
        quote.bid_size = value
        return HAS_BS, at
    quote.ask_size = value
    return HAS_AS, at


@inlined
def read_quote(data, at, places, quote):
    """A quote from the place behind its `"ev":"Q"` on; the place behind its last value, -1 when it is not plain."""
    quote.bid_size, quote.ask_size = 0, 0
    shown = 0
    while data[at] == COMMA:
        at += 1
        if data[at] != MARK:
            return -1
        letter, key = data[at + 1], 0
        if _names_side(data, at):
            key, at = _set_side(quote, letter, data[at + 2], data, at + 5)
        elif ((letter == T) | (letter == Q)) and data[at + 2] == MARK and data[at + 3] == COLON:
            value, at = integer(data, at + 4)
            if letter == Q:
                key = 0 if value < 0 else HAS_Q
            elif MS_FIRST <= value <= MS_LAST:
                key, quote.stamp_ns = HAS_T, value * MS
        elif says_ticker(data, at):
            quote.ticker_at = at + 7
            one, two, three, at = ticker_words(data, at + 7)
            quote.contract = contract_at(places, one, two, three)
            if data[at] == MARK:
                key = HAS_SYM
                at += 1
        if key == 0 or shown & key:
            return -1
        shown |= key
    return at if shown & NEEDED == NEEDED else -1


@inlined
def _take(quote, slot_of, standing, ring):
    """Let a quote stand. `ring`: the slot of the contract that has been there longest, and how many there are."""
    if quote.contract < 0:
        return
    slot = slot_of[quote.contract]
    if slot < 0:
        capacity = standing.shape[0]
        slot = (ring[0] + ring[1]) % capacity
        if ring[1] == capacity:
            slot_of[standing[slot].contract] = -1
            ring[0] = (ring[0] + 1) % capacity
        else:
            ring[1] += 1
        slot_of[quote.contract] = slot
    stands = standing[slot]
    stands.contract, stands.stamp_ns = quote.contract, quote.stamp_ns
    stands.bid_usd, stands.ask_usd = quote.bid_usd, quote.ask_usd
    stands.bid_size, stands.ask_size = quote.bid_size, quote.ask_size


@kernel(
    _QUOTES_IN, I64_IN, I64_IN, _I32_OUT, _STANDING, _I64_OUT, F64_OUT, F64_OUT, _I32_OUT, _I32_OUT, _I64_OUT
)  # fmt: skip
def join_quotes(quotes, contract, print_ns, slot_of, standing, ring, bid_usd, ask_usd, bid_size, ask_size, age_ns):
    """Prints and quotes in the order of the stream: each print's quote into the last five, where one stood; `slot_of`
    by contract, `standing` and `ring` as the quotes leave them. What has no contract (-1) has no quote.
    """
    taken = 0
    for row in range(contract.shape[0]):
        while taken < quotes.shape[0] and quotes[taken].prints_before <= row:
            _take(quotes[taken], slot_of, standing, ring)
            taken += 1
        slot = slot_of[contract[row]] if contract[row] >= 0 else -1
        if slot < 0:
            continue
        stands = standing[slot]
        age = print_ns[row] - stands.stamp_ns
        if age < 0:  # a late report: this quote did not stand yet
            continue
        bid_usd[row], ask_usd[row] = stands.bid_usd, stands.ask_usd
        bid_size[row], ask_size[row] = stands.bid_size, stands.ask_size
        age_ns[row] = age
    while taken < quotes.shape[0]:
        _take(quotes[taken], slot_of, standing, ring)
        taken += 1
