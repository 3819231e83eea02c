"""What can go wrong in the stand-in, as one sentence for the person who asked."""

from __future__ import annotations

__all__ = ["StandInError"]


class StandInError(Exception):
    """Bad input to the stand-in: a missing or damaged tape, a date without a session, an unknown scenario.

    `str(error)` is one sentence that names the file, date or name at fault.
    """
