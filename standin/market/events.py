"""What everybody knows will happen: earnings, rate decisions, inflation figures; and how much it may move. Pure.

An event adds a lump of variance to every option that outlives it (Dubinsky, Johannes, Kaeck and Seeger, "Option
pricing of earnings announcement risks", 2019): implied volatility ramps as the rest of an option's time runs out, is
crushed when the event has passed, and total variance still rises with expiry, so no calendar arbitrage comes of it.

Dates follow rules, not anybody's real calendar. A stock reports once a quarter, two to six weeks after its end, after
a close. Inflation figures come at 08:30 on the Wednesday from the 10th to the 16th of a month; rate decisions at 14:00
on the Wednesday from the 15th to the 21st, in eight months of the year (where both fall on one day, both happen).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.core.calendar import Calendar, ny_ns
from standin.market.random_streams import EVENTS, stream
from standin.market.scenario import Scenario
from standin.market.universe import BETAS, CAST, VOLS, position_of

__all__ = ["EventSchedule", "earnings_night", "schedule_of"]

Floats = NDArray[np.float64]

# Deviation of SPX's return on the announcement: with them, an ordinary year of 14 % has 15 % in all.
DECISION_SD, INFLATION_SD = 0.006, 0.005
DECISION_MONTHS = frozenset({1, 3, 5, 6, 7, 9, 11, 12})
# Of a stock's annual volatility: 7 % on earnings for a stock of 42 %, as straddles before earnings imply.
EARNINGS_OF_VOL = 0.17
NEVER_NS = 2**62


class EventSchedule(NamedTuple):
    """All events of a stretch of time.

    market_ns, market_sd (n,): when, in order, and the deviation of a return with beta 1. earnings_ns (members, k): each
    underlying's dates in order, NEVER_NS where there are fewer; earnings_sd (members,).
    """

    market_ns: NDArray[np.int64]
    market_sd: Floats
    earnings_ns: NDArray[np.int64]
    earnings_sd: Floats

    def variance(self, underlying: NDArray[np.intp], settles_ns: NDArray[np.int64], now_ns: int) -> Floats:
        """Event variance between `now_ns` and each settlement, (n,)."""
        total = np.concatenate(([0.0], np.cumsum(self.market_sd**2)))
        passed = int(np.searchsorted(self.market_ns, now_ns, side="right"))
        market = total[np.searchsorted(self.market_ns, settles_ns, side="left")] - total[passed]
        dates = self.earnings_ns[underlying]
        reports = np.count_nonzero((dates >= now_ns) & (dates < settles_ns[:, None]), axis=1)
        lumps: Floats = BETAS[underlying] ** 2 * np.maximum(market, 0.0) + reports * self.earnings_sd[underlying] ** 2
        return lumps


def schedule_of(seed: int, scenario: Scenario, calendar: Calendar, until: dt.date) -> EventSchedule:
    """Every event from the calendar's first session up to `until`."""
    first = calendar.sessions[0].date
    scale = scenario.vol_scale
    market: list[tuple[int, float]] = []
    earnings: list[list[int]] = [[] for _ in CAST]
    if scenario.scheduled:
        for year, month in _months(first, until):
            inflation = ny_ns(_wednesday(year, month, 10), 8, 30)
            market.append((inflation, INFLATION_SD * scale))
            if month in DECISION_MONTHS:
                market.append((ny_ns(_wednesday(year, month, 15), 14), DECISION_SD * scale))
        for position, member in enumerate(CAST):
            if member.kind == "stock":
                earnings[position] = [ny_ns(date, 16) for date in _reports(seed, position, first, until)]
    starts = [session.date for session in calendar.sessions].index(scenario.start) if scenario.earnings else 0
    for ticker, session in scenario.earnings:
        earnings[position_of[ticker]].append(calendar.sessions[starts + session].close_ns)
    market.sort()
    width = max(map(len, earnings), default=0)
    dates = np.full((len(CAST), max(width, 1)), NEVER_NS, np.int64)
    for position, times in enumerate(earnings):
        dates[position, : len(times)] = sorted(times)
    return EventSchedule(
        np.array([moment_s for moment_s, _ in market], np.int64),
        np.array([sd for _, sd in market], np.float64),
        dates,
        EARNINGS_OF_VOL * VOLS * scale,
    )


def earnings_night(schedule: EventSchedule, close_ns: int, open_ns: int) -> NDArray[np.bool_]:
    """Who reported in the night between a close and the open after it, (members,)."""
    dates = schedule.earnings_ns
    # On a half day the report still comes at the usual hour.
    night: NDArray[np.bool_] = np.any((dates >= close_ns) & (dates < open_ns), axis=1)
    return night


def _months(first: dt.date, until: dt.date) -> Iterator[tuple[int, int]]:
    month = first.year * 12 + first.month - 1
    while month <= until.year * 12 + until.month - 1:
        yield month // 12, month % 12 + 1
        month += 1


def _wednesday(year: int, month: int, earliest: int) -> dt.date:
    date = dt.date(year, month, earliest)
    return date + dt.timedelta(days=(2 - date.weekday()) % 7)


def _reports(seed: int, position: int, first: dt.date, until: dt.date) -> Iterator[dt.date]:
    """One date a quarter, of nearly the same week: two to six weeks after the quarter before, Monday to Thursday."""
    habit = int(stream(seed, EVENTS, position).integers(15, 42))
    for year, month in _months(first, until):
        if month % 3 == 1:
            date = dt.date(year, month, 1) + dt.timedelta(days=habit)
            yield date + dt.timedelta(days=(0, 0, 0, 0, 3, 2, 1)[date.weekday()])
