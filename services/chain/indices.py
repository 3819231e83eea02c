"""Which expiries Cboe's volatility indices are made of, and the indices of one chain.

Cboe, "Volatility Index Methodology" (VIX mathematics, 2022): VIX and VIX9D interpolate between the Fridays around
their horizon, standard (a.m.-settled) on third Fridays and weekly (p.m.) on others; VIX3M and VIX6M between
standard expiries. Expiries of other weekdays weigh weekends differently and move the index by up to half a point (SPX,
April and May 2019: with Fridays the published closing values come back to 0.05, with every expiry to 0.35 for VIX
and 1.1 for VIX9D).
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable

import numpy as np

from services.chain.slices import Slice
from services.core.calendar import Calendar
from services.quant import variance_index

__all__ = ["variance_indices"]

_FRIDAY = 4


def variance_indices(slices: Iterable[Slice], calendar: Calendar) -> dict[str, float | None]:
    """Index points by name; None where no expiries lie around the horizon."""
    known = list(slices)
    weekly = _enough(_week_ends(known, calendar), known)
    standard = _enough([one for one in weekly if one.expiry.am_settled], weekly)
    return {
        "vix9d": _index(weekly, variance_index.VIX9D),
        "vix": _index(weekly, variance_index.VIX),
        "vix3m": _index(standard, variance_index.VIX3M),
        "vix6m": _index(standard, variance_index.VIX6M),
    }


def _index(slices: list[Slice], horizon_days: float) -> float | None:
    years = np.array([one.years for one in slices])
    variance = np.array([one.strip.variance for one in slices])
    value = variance_index.index(years, variance, horizon_days)
    return value if math.isfinite(value) else None


def _enough(chosen: list[Slice], otherwise: list[Slice]) -> list[Slice]:
    """Those asked for, or all where the chain does not list two: other underlyings keep other weeks."""
    return chosen if len(chosen) >= 2 else otherwise


def _week_ends(slices: list[Slice], calendar: Calendar) -> list[Slice]:
    """The last expiry of each week's Friday; of two on one day the standard one."""
    standard = {one.expiry.date for one in slices if one.expiry.am_settled}
    return [
        one
        for one in slices
        if _ends_week(one.expiry.date, calendar) and (one.expiry.am_settled or one.expiry.date not in standard)
    ]


def _ends_week(date: dt.date, calendar: Calendar) -> bool:
    """A Friday, or the Thursday before one without a session (Good Friday)."""
    friday = date + dt.timedelta(days=(_FRIDAY - date.weekday()) % 7)
    return date == friday or (friday - date == dt.timedelta(days=1) and calendar.session_on(friday) is None)
