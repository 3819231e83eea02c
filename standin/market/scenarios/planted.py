"""A stated edge after a stated pattern, and none after its twin.

After sweeping bursts (three to five sweeps in one contract within five minutes) the underlying moves the buyer's way in
four of five cases, by 0.4 to 0.8 daily standard deviations, beginning two to seven minutes after the first and over
within 47. After opening bursts nothing follows. The truth names every burst and its drift.
"""

from standin.market.scenario import BurstRules, Scenario

__all__ = ["SCENARIO"]

SCENARIO = Scenario(
    name="planted",
    about="sweeping bursts are followed four times in five by 0.4 to 0.8 daily deviations, opening bursts never",
    level_decay=1.0,
    bursts=BurstRules(
        mean_gap_s=180.0,
        sweeping_informed=0.8,
        opening_informed=0.0,
        drift_low=0.4,
        drift_high=0.8,
        variance_share=None,
    ),
)
