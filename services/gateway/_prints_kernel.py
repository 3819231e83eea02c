# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (compiled functions state their types in the decorator, where numba checks them)
"""The compiled loop from vendor bytes to prints: one pass over a frame's characters, no object per print.

It reads what a healthy feed sends and nothing else: `[{...},{...}]` without blanks, every element a print with known
keys in any order, each at most once, numbers plain and within the limits of `massive`. At the first thing that is
different it gives up, and the frame is decoded by msgspec, which says what is wrong with it. So this loop may be strict
without losing anything, and what it does accept is what msgspec would have made of it, to the bit (a test compares).

Contracts are found by their ticker's characters, three words of eight padded with NUL, in a table of open addressing
(linear probing, a power of two long, at most half full). The fourth word of a place is the contract's id plus one; 0
marks a place nobody took. A place is half a cache line, so a print whose contract is known costs one random access.
"""

from __future__ import annotations

import numba
import numpy as np
from numba import types

from services.quant.jit import inlined, kernel

__all__ = ["NOT_PLAIN", "PLACE_WORDS", "PRINT", "TICKER_BYTES", "UNKNOWN_CONTRACT", "learn", "scan_prints"]

# What `scan_prints` answers for a frame that is to be decoded the long way.
NOT_PLAIN = -1
UNKNOWN_CONTRACT = -1
TICKER_WORDS = 3
TICKER_BYTES = 8 * TICKER_WORDS  # `O:`, a root of up to six, date, right and strike: 23 at most
PLACE_WORDS = TICKER_WORDS + 1

# One print. `ticker_at` is where in the frame its ticker begins, for whoever has to introduce a new contract.
PRINT = np.dtype(
    [
        ("event_ns", np.int64),
        ("price_usd", np.float64),
        ("vendor_seq", np.int64),
        ("condition_bits", np.uint64),
        ("contract", np.int32),
        ("size_contracts", np.int32),
        ("ticker_at", np.int32),
        ("exchange", np.int16),
        ("condition", np.int16),
    ],
    align=True,
)

_BYTES_IN = types.Array(types.uint8, 1, "C", readonly=True)
_PLACES = types.Array(types.uint64, 2, "C")
_PLACES_IN = types.Array(types.uint64, 2, "C", readonly=True)
_PRINTS = types.Array(numba.from_dtype(PRINT), 1, "C")
_BITS_IN = types.Array(types.uint64, 1, "C", readonly=True)
_FLAGS_IN = types.Array(types.boolean, 1, "C", readonly=True)

QUOTE, COMMA, COLON, DOT, ZERO, NINE = (ord(mark) for mark in '",:.09')
OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT = (ord(mark) for mark in "[]{}")
CAPITAL_A, CAPITAL_T, CAPITAL_Z = (ord(letter) for letter in "ATZ")
E, V, S, Y, M, P, T, X, C, Q = (ord(letter) for letter in "evsymptxcq")

# A bit for each key that an element has shown; the first five it must have.
HAS_EV, HAS_SYM, HAS_P, HAS_S, HAS_T, HAS_X, HAS_C, HAS_Q = (1 << bit for bit in range(8))
NEEDED = HAS_EV | HAS_SYM | HAS_P | HAS_S | HAS_T

# The limits of `massive.Trade`.
PRICE_MAX = 1e9
CODE_MAX, SIZE_MAX = 2**15 - 1, 2**31 - 1
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


@kernel(_PLACES_IN, _PLACES, returns=types.int64)
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
def _integer(data, at):
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
def _price(data, at):
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


# Neither of the two looks behind a bracket: each character is looked at only after the one before was the expected one.
@inlined
def _says_trade(data, at):
    """Whether `"ev":"T"` stands at a place, whose quotation mark was seen."""
    says_ev = data[at + 1] == E and data[at + 2] == V and data[at + 3] == QUOTE and data[at + 4] == COLON
    return says_ev and data[at + 5] == QUOTE and data[at + 6] == CAPITAL_T and data[at + 7] == QUOTE


@inlined
def _says_ticker(data, at):
    """Whether `"sym":"` stands at a place, whose quotation mark was seen."""
    says_sym = data[at + 1] == S and data[at + 2] == Y and data[at + 3] == M and data[at + 4] == QUOTE
    return says_sym and data[at + 5] == COLON and data[at + 6] == QUOTE


@inlined
def _conditions(data, at, bits_of, quiet):
    """A list of ids: the first (-1 when the list is not plain), the bits of all, the place of the closing bracket."""
    first, bits = np.int64(0), _FREE
    if data[at] != OPEN_LIST:
        return np.int64(-1), bits, at
    if data[at + 1] == CLOSE_LIST:
        return first, bits, at + 1
    number = 0
    while True:
        code, at = _integer(data, at + 1)
        if not 0 <= code <= CODE_MAX or not quiet[code]:
            return np.int64(-1), bits, at
        bits |= bits_of[code]
        if number == 0:
            first = code
        number += 1
        if data[at] != COMMA:
            break
    return (first if data[at] == CLOSE_LIST else np.int64(-1)), bits, at


@inlined
def _ticker(data, at):
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


@inlined
def _set_number(printed, letter, value, latest_ns, quiet_exchanges):
    """Fill in a whole number by its key; the key's bit, or 0 when it is not plain."""
    if letter == T:
        if not MS_FIRST <= value <= MS_LAST or value * MS > latest_ns:
            return 0
        printed.event_ns = value * MS
        return HAS_T
    if letter == Q:
        if value < 0:
            return 0
        printed.vendor_seq = value
        return HAS_Q
    if letter == S:
        if not 1 <= value <= SIZE_MAX:
            return 0
        printed.size_contracts = value
        return HAS_S
    if letter == X:
        if not 0 <= value <= CODE_MAX or not quiet_exchanges[value]:
            return 0
        printed.exchange = value
        return HAS_X
    return 0


@kernel(_BYTES_IN, _PLACES_IN, _BITS_IN, _FLAGS_IN, _FLAGS_IN, types.int64, _PRINTS, returns=types.int64)
def scan_prints(data, places, bits_of, quiet_conditions, quiet_exchanges, latest_ns, prints):
    """The prints of a frame into `prints`; how many, or NOT_PLAIN.

    `bits_of` is the bit of each condition id; ids that need no warning are `quiet`. Nothing later than `latest_ns` is
    plain. A contract that `places` does not know is UNKNOWN_CONTRACT.
    """
    end = data.shape[0]
    # The frame ends with a bracket, at which every loop stops: nothing is read behind it.
    if end < 2 or data[0] != OPEN_LIST or data[end - 1] != CLOSE_LIST:
        return NOT_PLAIN
    at, row = 1, 0
    while True:
        if data[at] != OPEN_OBJECT or row == prints.shape[0]:
            return NOT_PLAIN
        printed = prints[row]
        printed.vendor_seq, printed.condition_bits, printed.exchange, printed.condition = 0, _FREE, 0, 0
        shown = 0
        while True:
            at += 1
            if data[at] != QUOTE:
                return NOT_PLAIN
            letter, key = data[at + 1], 0
            if letter != CLOSE_LIST and data[at + 2] == QUOTE and data[at + 3] == COLON:
                at += 4
                if letter == P:
                    price, at = _price(data, at)
                    if 0.0 <= price <= PRICE_MAX:
                        key, printed.price_usd = HAS_P, price
                elif letter == C:
                    first, bits, at = _conditions(data, at, bits_of, quiet_conditions)
                    # This is the one bracket inside that may be the frame's last.
                    if first < 0 or at + 1 == end:
                        return NOT_PLAIN
                    at += 1
                    key, printed.condition, printed.condition_bits = HAS_C, first, bits
                else:
                    value, at = _integer(data, at)
                    key = _set_number(printed, letter, value, latest_ns, quiet_exchanges)
            elif _says_trade(data, at):
                key = HAS_EV
                at += 8
            elif _says_ticker(data, at):
                printed.ticker_at = at + 7
                one, two, three, at = _ticker(data, at + 7)
                printed.contract = np.int64(places[_place(places, one, two, three), 3]) - 1
                if data[at] == QUOTE:
                    key = HAS_SYM
                    at += 1
            if key == 0 or shown & key:
                return NOT_PLAIN
            shown |= key
            if data[at] != COMMA:
                break
        if data[at] != CLOSE_OBJECT or shown & NEEDED != NEEDED:
            return NOT_PLAIN
        row += 1
        at += 1
        if data[at] != COMMA:
            break
        at += 1
    return row if data[at] == CLOSE_LIST and at + 1 == end else NOT_PLAIN
