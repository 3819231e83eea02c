"""Which source a command line asks for."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from standin.errors import StandInError
from standin.feed.source import Source
from standin.files.tape import Tape
from standin.market.scenario import PLAIN, scenario_of
from standin.market.seeded import SeededMarket
from standin.market.truth import TruthLog

__all__ = ["open_source"]


def open_source(
    *,
    seed: int = 7,
    start_ns: int | None = None,
    scenario: str | None = None,
    tape: Path | None = None,
    date: dt.date | None = None,
    underlying: str | None = None,
    truth: TruthLog | None = None,
) -> Source:
    """A tape when `tape` is given (with its date and underlying), else the market of `seed` from `start_ns`, which
    tells `truth` what it really was.

    Raises StandInError: a tape without date or underlying, a missing or damaged file, an unknown scenario, a start the
    calendar does not reach.
    """
    if tape is not None:
        if date is None or underlying is None:
            raise StandInError("a tape needs a date and an underlying")
        return Tape.open(tape, date, underlying)
    if seed < 0:
        raise StandInError(f"a seed is not negative, as {seed} is")
    try:
        chosen = scenario_of(scenario or PLAIN)
    except LookupError as error:
        raise StandInError(error.args[0]) from None
    try:
        return SeededMarket(seed, start_ns, scenario=chosen, truth=truth)
    except (LookupError, ValueError, OverflowError) as error:
        raise StandInError(f"the market cannot start at {start_ns} ns: {error}") from None
