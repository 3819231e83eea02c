"""The last two hours of a quarterly expiry, when everything that was written for it settles."""

import datetime as dt

from standin.market.scenario import Scenario

__all__ = ["SCENARIO"]

SCENARIO = Scenario(
    name="expiry",
    about="the third Friday of December 2025: SPX settles at the open, everything else at the close; from 14:00 on",
    start=dt.date(2025, 12, 19),
    start_s=270 * 60,
)
