"""The Friday after Thanksgiving: a session that ends at 13:00."""

import datetime as dt

from standin.market.scenario import Scenario

__all__ = ["SCENARIO"]

SCENARIO = Scenario(
    name="half_day", about="the Friday after Thanksgiving 2025, which closes at 13:00", start=dt.date(2025, 11, 28)
)
