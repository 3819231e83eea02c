"""Condition and exchange ids: what is known passes quietly, what is unknown passes with one warning an id.

Condition ids are 200 + the position of OPRA's one-letter message type in A-Z, a-z; exchange ids 300 + the participant
letter. Both lists are the vendor's reference tables as of 2026 (33 conditions, 19 venue ids); new venues and new
conditions appear without notice, which must cost nobody a print.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from schemas.frames import Int16, UInt64

__all__ = ["CONDITIONS", "EXCHANGES", "UNKNOWN_BIT", "CodeTable"]

CONDITIONS = frozenset({*range(201, 211), 219, *range(227, 249)})
EXCHANGES = frozenset({*range(300, 305), *range(307, 310), *range(312, 317), *range(318, 321), 322, 323, 325})

# Bit `id - 200` of a known condition, this bit of any other. Bit 0 itself is free: there is no condition 200.
UNKNOWN_BIT = 1
_FIRST_CONDITION = 200

_IDS = 2**15  # the decoder lets only ids of 0 to 2**15 - 1 pass


def _bit_table() -> UInt64:
    table = np.full(_IDS, UNKNOWN_BIT, np.uint64)
    table[0] = 0  # no condition at all
    for condition in CONDITIONS:
        table[condition] = 1 << (condition - _FIRST_CONDITION)
    return table


class CodeTable:
    """Turns condition and exchange ids into columns, and remembers which unknown ones it has met.

    Whoever reports them takes them by `take_unknown`; each id is given out once. `bits` is the bit of each condition
    id; `quiet_conditions` and `quiet_exchanges` say of each id whether it is known or was reported. All three are to
    be read only.
    """

    def __init__(self) -> None:
        self.bits = _bit_table()
        # 0: none, or the vendor left it out.
        self.quiet_conditions = _flags({0, *CONDITIONS})
        self.quiet_exchanges = _flags({0, *EXCHANGES})
        self._unknown: list[tuple[str, int]] = []

    def conditions(self, conditions: list[tuple[int, ...] | None]) -> tuple[Int16, UInt64]:
        """Each print's first condition (0 when it has none) and the bits of all of them, both `(n,)`.

        >>> first, bits = CodeTable().conditions([(219, 232), (209,), None])
        >>> first.tolist(), [hex(b) for b in bits.tolist()]
        ([219, 209, 0], ['0x100080000', '0x200', '0x0'])
        """
        try:
            first = np.array([condition for (condition,) in conditions], np.int16)  # type: ignore[misc]
        except (TypeError, ValueError):  # none, or more than one: seldom
            return self._many(conditions)
        self._look("condition", self.quiet_conditions, first)
        return first, self.bits.take(first)

    def _many(self, conditions: list[tuple[int, ...] | None]) -> tuple[Int16, UInt64]:
        first = np.array([ids[0] if ids else 0 for ids in conditions], np.int16)
        bits = np.zeros(len(conditions), np.uint64)
        for row, ids in enumerate(conditions):
            for condition in ids or ():
                bits[row] |= self.bits[condition]
        self._look(
            "condition", self.quiet_conditions, np.array([each for ids in conditions for each in ids or ()], int)
        )
        return first, bits

    def check_exchanges(self, exchanges: Int16) -> None:
        """Look at the exchange ids of a frame, `(n,)`."""
        self._look("exchange", self.quiet_exchanges, exchanges)

    def take_unknown(self) -> list[tuple[str, int]]:
        """The unknown ids met since the last call that were never given out before: ("condition" | "exchange", id)."""
        unknown, self._unknown = self._unknown, []
        return unknown

    def _look(self, kind: str, quiet: npt.NDArray[np.bool_], ids: npt.NDArray[Any]) -> None:
        passing = quiet.take(ids)
        if np.count_nonzero(passing) == len(passing):  # a third of the time that `all` takes on so short an array
            return
        for code in np.unique(ids[~passing]).tolist():
            quiet[code] = True
            self._unknown.append((kind, code))


def _flags(ids: set[int]) -> npt.NDArray[np.bool_]:
    flags = np.zeros(_IDS, np.bool_)
    flags[list(ids)] = True
    return flags
