"""What the end of a connection means for the gap ledger. Pure."""

from __future__ import annotations

import enum

from services.gateway.massive.protocol import NORMAL_CLOSURE, Retry

__all__ = ["SILENCE", "LossMeaning", "meaning_of_loss"]

SILENCE = "silence"


class LossMeaning(enum.Enum):
    """What the ledger is told."""

    SWITCHED_OFF = "switched off"  # the plan does not have the cluster: nobody waits for the gap's end
    GAP = "gap"
    NOTHING = "nothing"


def meaning_of_loss(
    cluster: str, retry: Retry, cause: str, code: int | None, *, until_closed: bool, gap_is_open: bool
) -> LossMeaning:
    """What a connection that ended for `cause`, with a close code or without, means.

    `until_closed`: a normal closure ends the feed. A silence is in the ledger since the connection was given up; where
    its gap has closed since, what came after all has ended it, and the end of the connection opens another.
    """
    if retry is Retry.NEVER and cluster != "options":
        return LossMeaning.SWITCHED_OFF
    noted = cause == SILENCE and gap_is_open
    ended = until_closed and code == NORMAL_CLOSURE
    return LossMeaning.NOTHING if noted or ended else LossMeaning.GAP
