"""Which source a command line asks for."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from services.standin.errors import StandInError
from services.standin.market import SeededMarket
from services.standin.source import Source
from services.standin.tape import Tape

__all__ = ["SCENARIOS", "open_source"]

# Scenarios of the seeded market by name. `plain` has informed bursts, some of which the underlying follows.
SCENARIOS = ("plain",)


def open_source(
    *,
    seed: int = 7,
    start_ns: int | None = None,
    scenario: str | None = None,
    tape: Path | None = None,
    date: dt.date | None = None,
    underlying: str | None = None,
) -> Source:
    """A tape when `tape` is given (with its date and underlying), else the market of `seed` from `start_ns`.

    Raises StandInError: a tape without date or underlying, a missing or damaged file, an unknown scenario, a start the
    calendar does not reach.
    """
    if tape is not None:
        if date is None or underlying is None:
            raise StandInError("a tape needs a date and an underlying")
        return Tape.open(tape, date, underlying)
    if scenario is not None and scenario not in SCENARIOS:
        raise StandInError(f"there is no scenario {scenario!r}; there is {', '.join(SCENARIOS)}")
    if seed < 0:
        raise StandInError(f"a seed is not negative, as {seed} is")
    try:
        return SeededMarket(seed, start_ns)
    except (LookupError, ValueError, OverflowError) as error:
        raise StandInError(f"the market cannot start at {start_ns} ns: {error}") from None
