"""Symbols and option tickers as fixed-width numbers, so that no string is made per trade.

A symbol (underlying, root, index) is at most eight ASCII characters. In Arrow it is a `fixed_size_binary(8)`, padded
with NUL, that anybody can read; in memory the same eight bytes are viewed as one little-endian uint64, its *code*,
which numba can hash and compare. A contract is its root, expiry, strike in thousandths of a dollar, and right: the four
fields of an OPRA ticker `O:` + root + YYMMDD + C|P + strike x 1000 in eight digits (OCC's 21-character form without the
blanks). Keyed by root, never by underlying: SPX (a.m. settled) and SPXW (p.m.) can share date, strike and right.
"""

from __future__ import annotations

import datetime as dt
import re
from functools import lru_cache
from typing import NamedTuple

__all__ = [
    "STRIKE_MILLS_MAX", "SYMBOL_BYTES", "Contract", "SymbolError", "contract_ticker", "parse_contract", "symbol_code",
    "symbol_text",
]  # fmt: skip

# Underlying tickers have up to six characters (BRK.B), option roots up to six, Cboe's volatility indices up to five.
SYMBOL_BYTES = 8
# A strike has eight digits, three of them behind the point.
STRIKE_MILLS_MAX = 99_999_999

EPOCH_ORDINAL = dt.date(1970, 1, 1).toordinal()
CALL, PUT = 1, -1

_TICKER = re.compile(r"(?:O:)?([A-Z0-9]{1,6})(\d{2})(\d{2})(\d{2})([CP])(\d{8})")


class SymbolError(ValueError):
    """A symbol or option ticker that cannot be one; the sentence quotes it."""


class Contract(NamedTuple):
    """One listed option. `expiry_day` counts days since 1970-01-01; `right` is +1 for a call, -1 for a put."""

    root: str
    expiry_day: int
    strike_mills: int
    right: int

    @property
    def expiry(self) -> dt.date:
        """The expiry as a date."""
        return dt.date.fromordinal(EPOCH_ORDINAL + self.expiry_day)

    @property
    def strike_usd(self) -> float:
        """The strike in dollars."""
        return self.strike_mills / 1000.0


def parse_contract(ticker: str) -> Contract:
    """Read an OPRA ticker. Raises SymbolError.

    >>> parse_contract("O:SPY251219C00650000")
    Contract(root='SPY', expiry_day=20441, strike_mills=650000, right=1)
    """
    match = _TICKER.fullmatch(ticker)
    if match is None:
        raise SymbolError(f"{ticker[:40]!r} is not an option ticker")
    root, year, month, day, right, strike = match.groups()
    try:
        expiry_day = dt.date(2000 + int(year), int(month), int(day)).toordinal() - EPOCH_ORDINAL
    except ValueError:
        raise SymbolError(f"{ticker[:40]!r} names a date that does not exist") from None
    return Contract(root, expiry_day, int(strike), CALL if right == "C" else PUT)


def contract_ticker(contract: Contract) -> str:
    """The OPRA ticker of a contract; the inverse of `parse_contract`.

    >>> contract_ticker(Contract("SPY", 20441, 650000, 1))
    'O:SPY251219C00650000'
    """
    return f"O:{contract.root}{contract.expiry:%y%m%d}{'C' if contract.right > 0 else 'P'}{contract.strike_mills:08d}"


@lru_cache(maxsize=65_536)  # some ten thousand symbols are listed; six times that bounds a hostile feed
def symbol_code(symbol: str) -> int:
    """The uint64 whose little-endian bytes are the symbol. Raises SymbolError.

    >>> symbol_code("SPY") == int.from_bytes(b"SPY", "little")
    True
    """
    raw = symbol.encode("ascii", "replace")
    if not 0 < len(raw) <= SYMBOL_BYTES or b"?" in raw or b"\0" in raw:
        raise SymbolError(f"{symbol[:40]!r} is not a symbol of 1 to {SYMBOL_BYTES} ASCII characters")
    return int.from_bytes(raw, "little")


@lru_cache(maxsize=65_536)
def symbol_text(code: int) -> str:
    """The symbol of a code.

    >>> symbol_text(symbol_code("BRK.B"))
    'BRK.B'
    """
    return int(code).to_bytes(SYMBOL_BYTES, "little").rstrip(b"\0").decode("ascii", "replace")
