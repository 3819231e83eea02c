"""Time to expiry: seconds to the settlement instant, never days to a date.

Two conventions, never to be mixed in one column:

    calendar years   seconds / (365 * 86,400), what the option formulas here take
    trading years    open-market minutes / (252 * 390), the alternative for the last day, when most of what is left
                     of the calendar is night

One minute of error with an hour left is 0.8 % of the volatility. Times are int64 nanoseconds since 1970 UTC.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.quant.arrays import Floats, Statuses

Nanoseconds = NDArray[np.int64]

OK = 0
FLOORED = 1  # closer to settlement than the floor; the floor was used
EXPIRED = 2  # at or past settlement; NaN

NS_PER_SECOND = 1_000_000_000
SECONDS_PER_YEAR = 365 * 86_400
TRADING_MINUTES_PER_YEAR = 252 * 390
# Greeks grow without bound as time runs out, and one minute is about how well feed and settlement clocks agree.
FLOOR_SECONDS = 60.0


class Years(NamedTuple):
    """Time to settlement, and whether it is to be trusted."""

    years: Floats
    status: Statuses


def settlement_ns(session_open_ns: int, session_close_ns: int, am_settled: bool) -> int:
    """When a contract that expires in this session settles: at its open if a.m.-settled, else at its close.

    Half days need no rule: their close is earlier. An expiry on a holiday belongs to the session before it.
    """
    return session_open_ns if am_settled else session_close_ns


def calendar_years(now_ns: int, settle_ns: Nanoseconds | int, floor_s: float = FLOOR_SECONDS) -> Years:
    """Actual seconds over 365 days for each settlement instant.

    >>> calendar_years(0, np.array([365 * 86_400 * NS_PER_SECOND, 1, 0]))
    Years(years=array([1.00000000e+00, 1.90258752e-06,            nan]), status=array([0, 1, 2], dtype=uint8))
    """
    # Integers are subtracted before anything becomes a float: 2**53 ns is only 104 days.
    left = np.atleast_1d(np.asarray(settle_ns, dtype=np.int64)) - np.int64(now_ns)
    return _floored(left / NS_PER_SECOND, floor_s, SECONDS_PER_YEAR)


def trading_years(
    now_ns: int,
    settle_ns: Nanoseconds | int,
    session_open_ns: Nanoseconds,
    session_close_ns: Nanoseconds,
    floor_s: float = FLOOR_SECONDS,
) -> Years:
    """Open-market time up to settlement over 252 sessions of 390 minutes; sessions ascending, without overlap."""
    settle = np.atleast_1d(np.asarray(settle_ns, dtype=np.int64))
    opened = np.maximum(session_open_ns[None, :], np.int64(now_ns))
    closed = np.minimum(session_close_ns[None, :], settle[:, None])
    open_ns = np.maximum(closed - opened, 0).sum(axis=1)
    result = _floored(open_ns / NS_PER_SECOND, floor_s, TRADING_MINUTES_PER_YEAR * 60)
    # With the market shut there may be no open minute left before an a.m. settlement: floored, but not expired.
    pending = (result.status == EXPIRED) & (settle > now_ns)
    result.years[pending] = floor_s / (TRADING_MINUTES_PER_YEAR * 60)
    result.status[pending] = FLOORED
    return result


def _floored(seconds: Floats, floor_s: float, seconds_per_year: float) -> Years:
    status = np.full(seconds.shape, OK, dtype=np.uint8)
    status[seconds < floor_s] = FLOORED
    status[seconds <= 0.0] = EXPIRED
    years = np.where(status == EXPIRED, np.nan, np.maximum(seconds, floor_s) / seconds_per_year)
    return Years(years, status)
