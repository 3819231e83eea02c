# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# (compiled functions state their types in the decorator, where numba checks them)
"""The compiled loop from vendor bytes to prints and quotes: one pass over a frame's characters, no object an event.

It reads what a healthy feed sends and nothing else: `[{...},{...}]` without blanks, every element a print or a quote
with known keys in any order (a quote says first that it is one), each at most once, numbers plain and within the limits
of `massive`. At the first thing that is different it gives up, and the frame is decoded by msgspec, which says what is
wrong with it. So this loop may be strict without losing anything, and what it does accept is what msgspec would have
made of it, to the bit (a test compares).
"""

from __future__ import annotations

import numba
import numpy as np
from numba import types

from services.gateway.decoding.quotes_kernel import QUOTES, read_quote, says_quote
from services.gateway.decoding.text_kernel import (
    CODE_MAX,
    COUNT_MAX,
    MS,
    MS_FIRST,
    MS_LAST,
    PLACES_IN,
    PRICE_MAX,
    contract_at,
    decimal,
    integer,
    says_ticker,
    ticker_words,
)
from services.quant.jit import inlined, kernel

__all__ = ["NOT_PLAIN", "PRINT", "UNKNOWN_CONTRACT", "scan_frame"]

# What `scan_frame` answers for a frame that is to be decoded the long way.
NOT_PLAIN = -1
UNKNOWN_CONTRACT = -1

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
_PRINTS = types.Array(numba.from_dtype(PRINT), 1, "C")
_BITS_IN = types.Array(types.uint64, 1, "C", readonly=True)
_FLAGS_IN = types.Array(types.boolean, 1, "C", readonly=True)
_COUNTS = types.Array(types.int64, 1, "C")

QUOTE, COMMA, COLON = (ord(mark) for mark in '",:')
OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT = (ord(mark) for mark in "[]{}")
CAPITAL_T = ord("T")
E, V, P, S, T, X, C, Q = (ord(letter) for letter in "evpstxcq")

# A bit for each key that a print has shown; the first five it must have.
HAS_EV, HAS_SYM, HAS_P, HAS_S, HAS_T, HAS_X, HAS_C, HAS_Q = (1 << bit for bit in range(8))
NEEDED = HAS_EV | HAS_SYM | HAS_P | HAS_S | HAS_T

_FREE = np.uint64(0)


@inlined
def _says_trade(data, at):
    """Whether `"ev":"T"` stands at a place, whose quotation mark was seen."""
    says_ev = data[at + 1] == E and data[at + 2] == V and data[at + 3] == QUOTE and data[at + 4] == COLON
    return says_ev and data[at + 5] == QUOTE and data[at + 6] == CAPITAL_T and data[at + 7] == QUOTE


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
        code, at = integer(data, at + 1)
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
        if not 1 <= value <= COUNT_MAX:
            return 0
        printed.size_contracts = value
        return HAS_S
    if letter == X:
        if not 0 <= value <= CODE_MAX or not quiet_exchanges[value]:
            return 0
        printed.exchange = value
        return HAS_X
    return 0


@inlined
def _read_print(data, at, places, bits_of, quiet_conditions, quiet_exchanges, latest_ns, end, printed):
    """A print from the place of its bracket on; the place behind its last value, -1 when it is not plain."""
    printed.vendor_seq, printed.condition_bits, printed.exchange, printed.condition = 0, _FREE, 0, 0
    shown = 0
    while True:
        at += 1
        if data[at] != QUOTE:
            return -1
        letter, key = data[at + 1], 0
        if letter != CLOSE_LIST and data[at + 2] == QUOTE and data[at + 3] == COLON:
            at += 4
            if letter == P:
                price, at = decimal(data, at)
                if 0.0 <= price <= PRICE_MAX:
                    key, printed.price_usd = HAS_P, price
            elif letter == C:
                first, bits, at = _conditions(data, at, bits_of, quiet_conditions)
                # This is the one bracket inside that may be the frame's last.
                if first < 0 or at + 1 == end:
                    return -1
                at += 1
                key, printed.condition, printed.condition_bits = HAS_C, first, bits
            else:
                value, at = integer(data, at)
                key = _set_number(printed, letter, value, latest_ns, quiet_exchanges)
        elif _says_trade(data, at):
            key = HAS_EV
            at += 8
        elif says_ticker(data, at):
            printed.ticker_at = at + 7
            one, two, three, at = ticker_words(data, at + 7)
            printed.contract = contract_at(places, one, two, three)
            if data[at] == QUOTE:
                key = HAS_SYM
                at += 1
        if key == 0 or shown & key:
            return -1
        shown |= key
        if data[at] != COMMA:
            return at if shown & NEEDED == NEEDED else -1


@kernel(
    _BYTES_IN, PLACES_IN, _BITS_IN, _FLAGS_IN, _FLAGS_IN, types.int64, _PRINTS, QUOTES, _COUNTS, returns=types.int64
)  # fmt: skip
def scan_frame(data, places, bits_of, quiet_conditions, quiet_exchanges, latest_ns, prints, quotes, counts):
    """The events of a frame into `prints` and `quotes`, how many of each into `counts`; how many, or NOT_PLAIN.

    `bits_of` is the bit of each condition id; ids that need no warning are `quiet`. No print later than `latest_ns` is
    plain. A contract that `places` does not know is UNKNOWN_CONTRACT.
    """
    end = data.shape[0]
    # The frame ends with a bracket, at which every loop stops: nothing is read behind it.
    if end < 2 or data[0] != OPEN_LIST or data[end - 1] != CLOSE_LIST:
        return NOT_PLAIN
    at, row, quoted = 1, 0, 0
    while True:
        if data[at] != OPEN_OBJECT:
            return NOT_PLAIN
        if data[at + 1] == QUOTE and says_quote(data, at + 1):
            if quoted == quotes.shape[0]:
                return NOT_PLAIN
            quotes[quoted].prints_before = row
            at = read_quote(data, at + 9, places, quotes[quoted])
            quoted += 1
        else:
            if row == prints.shape[0]:
                return NOT_PLAIN
            at = _read_print(
                data, at, places, bits_of, quiet_conditions, quiet_exchanges, latest_ns, end, prints[row]
            )  # fmt: skip
            row += 1
        if at < 0 or data[at] != CLOSE_OBJECT:
            return NOT_PLAIN
        at += 1
        if data[at] != COMMA:
            break
        at += 1
    counts[0], counts[1] = row, quoted
    return row + quoted if data[at] == CLOSE_LIST and at + 1 == end else NOT_PLAIN
