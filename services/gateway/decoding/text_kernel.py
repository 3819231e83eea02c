# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (compiled functions state their types in the decorator, where numba checks them)
"""What the compiled loops over vendor bytes read: numbers, tickers, and where a ticker's contract stands.

Contracts are found by their ticker's characters, three words of eight padded with NUL, in a table of open addressing
(linear probing, a power of two long, at most half full). The fourth word of a place is the contract's id plus one; 0
marks a place nobody took. A place is half a cache line, so an event whose contract is known costs one random access.

No function here looks behind a bracket: each character is looked at only after the one before was the expected one.
"""

from __future__ import annotations

import numpy as np
from numba import types

from services.quant.jit import inlined, kernel

__all__ = [
    "CODE_MAX", "COUNT_MAX", "MS", "MS_FIRST", "MS_LAST", "PLACES_IN", "PLACE_WORDS", "PRICE_MAX", "TICKER_BYTES",
    "contract_at", "decimal", "integer", "learn", "says_ticker", "ticker_words",
]  # fmt: skip

TICKER_WORDS = 3
TICKER_BYTES = 8 * TICKER_WORDS  # `O:`, a root of up to six, date, right and strike: 23 at most
PLACE_WORDS = TICKER_WORDS + 1
PLACES_IN = types.Array(types.uint64, 2, "C", readonly=True)
_PLACES = types.Array(types.uint64, 2, "C")

QUOTE, COLON, DOT, ZERO, NINE = (ord(mark) for mark in '":.09')
CAPITAL_A, CAPITAL_Z = ord("A"), ord("Z")
S, Y, M = (ord(letter) for letter in "sym")

# The limits of `massive`.
PRICE_MAX = 1e9
CODE_MAX, COUNT_MAX = 2**15 - 1, 2**31 - 1
MS_FIRST, MS_LAST = 946_684_800_000, 4_102_444_800_000
MS = 1_000_000
# More digits might not fit an int64, nor a float's 53 bits: below both, arithmetic is exact and a price, the quotient
# of two exact numbers, correctly rounded (Clinger 1990).
INTEGER_DIGITS_MAX, PRICE_DIGITS_MAX = 18, 15
TENS = 10.0 ** np.arange(PRICE_DIGITS_MAX + 1)

# Odd constants with well-mixed bits (SplitMix64; Steele, Lea, Flood 2014).
_K0, _K1, _K2 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S29, _S32 = np.uint64(29), np.uint64(32)
_FREE = np.uint64(0)
_ONE = np.uint64(1)


@inlined
def _mixed(first, second, third):
    """Well-mixed bits of a ticker."""
    h = (first * _K0) ^ (second * _K1) ^ (third * _K2)
    h = (h ^ (h >> _S32)) * _K1
    return h ^ (h >> _S29)


@inlined
def _place(places, first, second, third):
    """Where a ticker stands, or the free place where it belongs."""
    mask = np.uint64(places.shape[0] - 1)
    at = _mixed(first, second, third) & mask
    while places[at, 3] != _FREE and (places[at, 0] != first or places[at, 1] != second or places[at, 2] != third):
        at = (at + _ONE) & mask
    return at


@kernel(PLACES_IN, _PLACES, returns=types.int64)
def learn(learnt, places):
    """Put places taken elsewhere into a table with room for them; how many were new to it."""
    new = 0
    for row in range(learnt.shape[0]):
        if learnt[row, 3] == _FREE:
            continue
        at = _place(places, learnt[row, 0], learnt[row, 1], learnt[row, 2])
        if places[at, 3] == _FREE:
            for word in range(PLACE_WORDS):
                places[at, word] = learnt[row, word]
            new += 1
    return new


@inlined
def contract_at(places, first, second, third):
    """The id of a ticker's contract; -1 for one that nobody introduced."""
    return np.int64(places[_place(places, first, second, third), 3]) - 1


@inlined
def integer(data, at):
    """The integer at a place and the place behind it; -1 when it is none, or not a plain one."""
    start, value = at, np.int64(0)
    while ZERO <= data[at] <= NINE and at - start < INTEGER_DIGITS_MAX:
        value = value * 10 + np.int64(data[at] - ZERO)
        at += 1
    digits = at - start
    # JSON has no leading zeros.
    if digits == 0 or (digits > 1 and data[start] == ZERO) or ZERO <= data[at] <= NINE:
        return np.int64(-1), at
    return value, at


@inlined
def decimal(data, at):
    """The same for a decimal number without sign or exponent."""
    start, value = at, np.int64(0)
    while ZERO <= data[at] <= NINE and at - start < PRICE_DIGITS_MAX:
        value = value * 10 + np.int64(data[at] - ZERO)
        at += 1
    digits = at - start
    if digits == 0 or (digits > 1 and data[start] == ZERO):
        return -1.0, at
    if data[at] != DOT:
        return float(value), at
    at += 1
    point = at
    while ZERO <= data[at] <= NINE and digits < PRICE_DIGITS_MAX:
        value = value * 10 + np.int64(data[at] - ZERO)
        at += 1
        digits += 1
    if at == point:
        return -1.0, at
    return float(value) / TENS[at - point], at


@inlined
def says_ticker(data, at):
    """Whether `"sym":"` stands at a place, whose quotation mark was seen."""
    says_sym = data[at + 1] == S and data[at + 2] == Y and data[at + 3] == M and data[at + 4] == QUOTE
    return says_sym and data[at + 5] == COLON and data[at + 6] == QUOTE


@inlined
def ticker_words(data, at):
    """A ticker's three words and the place behind it, which is no quotation mark when it is not plain."""
    first, second, third = _FREE, _FREE, _FREE
    start, letter = at, data[at]
    # Digits, the colon (which follows 9) and capitals.
    while ZERO <= letter <= COLON or CAPITAL_A <= letter <= CAPITAL_Z:
        length = at - start
        word = np.uint64(letter) << np.uint64(8 * (length & 7))
        if length < 8:
            first |= word
        elif length < 16:
            second |= word
        elif length < TICKER_BYTES:
            third |= word
        else:
            break
        at += 1
        letter = data[at]
    return first, second, third, at
