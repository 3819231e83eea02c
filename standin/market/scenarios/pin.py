"""A monthly expiry on which dealers are long gamma: their hedging draws levels towards the strikes they own."""

import datetime as dt

from standin.market.scenario import BurstRules, Scenario

__all__ = ["SCENARIO"]

SCENARIO = Scenario(
    name="pin",
    about="the third Friday of December 2025, dealers long gamma in SPX, AAPL, NVDA and TSLA",
    start=dt.date(2025, 12, 19),
    vol_scale=0.8,
    jump_share=0.0,
    alarm_chance=0.0,
    dealers=(("SPX", 1), ("AAPL", 1), ("NVDA", 1), ("TSLA", 1)),
    bursts=BurstRules(mean_gap_s=240.0),
    scheduled=False,
)
