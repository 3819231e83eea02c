"""The vendor's condition ids as bits of a print, grouped by what they mean for flow. See `docs/glossary.md`.

What is in no group is a normal print.
"""

from __future__ import annotations

import numpy as np

from schemas.frames import CONDITION_REFILLED

__all__ = [
    "AUCTION", "CANCELLED", "CANCELS_FIRST", "EXTENDED", "ISO", "LATE", "MULTI_LEG", "NEGOTIATED", "NONE", "REFILLED",
]  # fmt: skip


def _mask(*ids: int) -> np.uint64:
    """Bits of condition ids, as the gateway sets them: bit (id - 200)."""
    return np.uint64(sum(1 << (condition - 200) for condition in ids))


CANCELLED = _mask(201, 203, 205, 207)
CANCELS_FIRST = _mask(205, 207)
LATE = _mask(202, 204, 206, 208)
ISO = _mask(219, 228, 230)
AUCTION = _mask(227, 228)
NEGOTIATED = _mask(229, 230, 231)
# Complex orders, those against single legs, compression, and orders tied to stock: no direction of their own.
MULTI_LEG = _mask(232, 233, 234, 235, 236, 238, 239, 246, 247, 237, 240, 241, 242, 243, 244, 245)
EXTENDED = _mask(248)
REFILLED = np.uint64(CONDITION_REFILLED)
NONE = np.uint64(0)
