"""A heavily shorted stock is bought through its calls; dealers, short gamma, chase it."""

from standin.market.scenario import BurstRules, Halt, Ramp, Scenario

__all__ = ["SCENARIO"]

_MINUTE = 60
_TICKER = "GME"

SCENARIO = Scenario(
    name="squeeze",
    about="GME rises a third in a morning on call buying, dealers short gamma, two volatility halts, half given back",
    ramps=(
        Ramp(ticker=_TICKER, start_s=10 * _MINUTE, end_s=45 * _MINUTE, log_return=0.09, vol_log=0.35),
        Ramp(ticker=_TICKER, start_s=45 * _MINUTE, end_s=60 * _MINUTE, log_return=0.12, vol_log=0.25),
        Ramp(ticker=_TICKER, start_s=75 * _MINUTE, end_s=110 * _MINUTE, log_return=0.09, vol_log=0.2),
        Ramp(ticker=_TICKER, start_s=200 * _MINUTE, end_s=330 * _MINUTE, log_return=-0.14, vol_log=-0.1),
    ),
    # Limit up: five minutes each.
    halts=(
        Halt(ticker=_TICKER, start_s=58 * _MINUTE, end_s=63 * _MINUTE),
        Halt(ticker=_TICKER, start_s=108 * _MINUTE, end_s=113 * _MINUTE),
    ),
    dealers=((_TICKER, -1),),
    bursts=BurstRules(focus=_TICKER, focus_share=0.35, focus_direction=1),
)
