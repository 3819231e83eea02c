"""No edge anywhere: whoever finds one here has found noise.

Levels are martingales after financing, realised variance is what options price, and bursts come as often as in the
plain market but nothing follows them.
"""

from standin.market.scenario import BurstRules, Scenario

__all__ = ["SCENARIO"]

SCENARIO = Scenario(
    name="driftless",
    about="the plain market's bursts without anything that follows them; levels are martingales, options are fair",
    realised_share=1.0,
    long_ratio=1.0,
    level_decay=1.0,
    bursts=BurstRules(sweeping_informed=0.0, opening_informed=0.0),
)
