"""The afternoon before six large companies report, and the morning after: volatility ramps and is crushed."""

import datetime as dt

from standin.market.scenario import Scenario

__all__ = ["SCENARIO"]

SCENARIO = Scenario(
    name="earnings",
    about="NVDA, TSLA, META, NFLX, AMD and MU report after the first close; the run begins an hour before it",
    start=dt.date(2026, 1, 21),
    start_s=330 * 60,
    earnings=(("NVDA", 0), ("TSLA", 0), ("META", 0), ("NFLX", 0), ("AMD", 0), ("MU", 0)),
    scheduled=False,
)
