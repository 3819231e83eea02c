"""Short words for people, the same everywhere: money, contracts."""

from __future__ import annotations

from schemas.symbols import Contract

__all__ = ["contract_words", "money"]


def money(usd: float) -> str:
    """Dollars as the tape's readers write them.

    >>> money(1_234_567), money(250_000), money(-999)
    ('$1.2M', '$250k', '-$999')
    """
    sign, size = "-" if usd < 0 else "", abs(usd)
    if size >= 999_500:
        return f"{sign}${size / 1e6:.1f}M"
    return f"{sign}${size / 1e3:.0f}k" if size >= 1000 else f"{sign}${size:.0f}"


def contract_words(contract: Contract) -> str:
    """A contract as one reads it out.

    >>> contract_words(Contract("SPY", 20441, 650000, 1))
    'SPY 650 call 2025-12-19'
    """
    return f"{contract.root} {contract.strike_usd:g} {'call' if contract.right > 0 else 'put'} {contract.expiry}"
