"""An ordinary market in the middle of the 2020s, with a premium on options and informed traders to be found."""

from standin.market.scenario import PLAIN, Scenario

__all__ = ["SCENARIO"]

SCENARIO = Scenario(name=PLAIN, about="an ordinary market; informed bursts, some of which the underlying follows")
