"""A gap in one line, for the program's log. Pure."""

from __future__ import annotations

import datetime as dt

from schemas.gaps import Gap
from services.core.calendar import NEW_YORK, NS

__all__ = ["gap_sentence"]


def gap_sentence(gap: Gap) -> str:
    """What is known of a gap, times of New York."""
    name = f"gap {gap.number} of {gap.channel} ({gap.cause})"
    if gap.to_ns is None:
        return f"{name}: nothing heard since {_clock(gap.from_ns)}; connections lost so far: {gap.losses}"
    span = f"{_clock(gap.from_ns)} to {_clock(gap.to_ns)}, {(gap.to_ns - gap.from_ns) / NS:.1f} s"
    if gap.state == "restored":
        return f"{name}: over, {span}"
    why = f"; {gap.note}" if gap.note else ""
    asked = f"{gap.prints_refilled} prints from {gap.contracts_asked} contracts, {gap.contracts_failed} unanswered"
    return f"{name}: {gap.state.replace('_', ' ')}, {span}, {asked}{why}"


def _clock(time_ns: int) -> str:
    """New York's wall time, as people read a tape."""
    return dt.datetime.fromtimestamp(time_ns / NS, NEW_YORK).strftime("%H:%M:%S.%f")[:-3]
