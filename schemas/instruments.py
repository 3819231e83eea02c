"""What is known of option roots: underlying, exercise, settlement, deliverable. One table for readers and live rooms.

Sources: Cboe and Nasdaq product specifications of each root. Roots that are not in the table are options on stocks and
funds: American, 100 shares, settled at the close.
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = [
    "AM_ROOTS",
    "EUROPEAN_ROOTS",
    "INSTRUMENTS",
    "MULTIPLIER",
    "Instrument",
    "OsiSymbol",
    "instrument_of",
    "is_adjusted",
    "osi_symbol",
]

# Shares per standard listed contract (OCC).
MULTIPLIER = 100.0


class Instrument(NamedTuple):
    """One option root."""

    root: str
    underlying: str
    european: bool = False
    am_settled: bool = False  # settles at the open of its expiry, else at the close
    multiplier: float = MULTIPLIER
    is_index: bool = False


def _index(
    root: str, underlying: str = "", *, am: bool = False, european: bool = True, multiplier: float = MULTIPLIER
) -> Instrument:
    return Instrument(root, underlying or root, european, am, multiplier, True)


INSTRUMENTS: dict[str, Instrument] = {
    one.root: one
    for one in (
        _index("SPX", am=True),
        _index("SPXW", "SPX"),
        _index("SPXPM", "SPX"),  # SPX p.m. monthlies traded under this root, 2011 to 2017
        _index("XSP"),
        _index("NANOS", multiplier=1.0),
        _index("OEX", european=False),
        _index("XEO"),
        _index("NDX", am=True),
        _index("NDXP", "NDX"),
        _index("NQX"),
        _index("XND"),
        _index("RUT", am=True),
        _index("RUTW", "RUT"),
        _index("MRUT"),
        _index("DJX", am=True),
        _index("VIX", am=True),
        _index("VIXW", "VIX", am=True),
        _index("MXEA", am=True),
        _index("MXEF", am=True),
        _index("RLG", am=True),
        _index("RLV", am=True),
        _index("RUI", am=True),
    )
}
AM_ROOTS = frozenset(one.root for one in INSTRUMENTS.values() if one.am_settled)
EUROPEAN_ROOTS = frozenset(one.root for one in INSTRUMENTS.values() if one.european)

# Root, expiry, right and strike of an OSI symbol: O:SPXW250903C02800000, SDS1  231020P00006000.
_OSI = re.compile(r"^(?:O:)?([A-Z][A-Z.^]*?)(\d?)\s*(\d{6})([CP])(\d{8})$")


class OsiSymbol(NamedTuple):
    """An option symbol taken apart; the root keeps the digit that marks an adjusted contract."""

    root: str
    expiry_yymmdd: str
    right: int  # +1 call, -1 put
    strike_usd: float


def osi_symbol(text: str) -> OsiSymbol | None:
    """The symbol's parts, None if it is no option symbol.

    >>> osi_symbol("O:SDS1231020P00006500")
    OsiSymbol(root='SDS1', expiry_yymmdd='231020', right=-1, strike_usd=6.5)
    """
    match = _OSI.match(text.strip())
    if match is None:
        return None
    letters, digit, date, right, strike = match.groups()
    return OsiSymbol(letters + digit, date, 1 if right == "C" else -1, int(strike) / 1000.0)


def is_adjusted(root: str) -> bool:
    """Whether a root names contracts whose deliverable was adjusted: OCC appends a digit (or puts one in front).

    >>> [is_adjusted(root) for root in ("SDS1", "SDS", "SPXW", "2SPY")]
    [True, False, False, True]
    """
    return root not in INSTRUMENTS and (root[-1:].isdigit() or root[:1].isdigit())


def instrument_of(root: str) -> Instrument:
    """The table's entry, else an option on a stock or fund, whose underlying is the root without digits.

    >>> instrument_of("VIXW").am_settled, instrument_of("AAPL").european, instrument_of("SDS1").underlying
    (True, False, 'SDS')
    """
    return INSTRUMENTS.get(root) or Instrument(root, root.strip("0123456789"))
