"""Weeks in which nothing happens: VIX near twelve, no jumps, few who know anything."""

from standin.market.scenario import BurstRules, Scenario

__all__ = ["SCENARIO"]

# 2017 realised seven percent, the calmest year of the index's history; VIX averaged eleven.
SCENARIO = Scenario(
    name="calm",
    about="VIX near twelve, no jumps, no scheduled events, an informed burst every ten minutes",
    vol_scale=0.65,
    vol_of_vol_daily=0.02,
    alarm_chance=0.0,
    jump_share=0.0,
    bursts=BurstRules(mean_gap_s=600.0),
    scheduled=False,
)
