"""A day that falls seven percent into a market-wide halt and goes on falling, with dealers short gamma."""

from standin.market.scenario import EVERYTHING, BurstRules, Halt, Ramp, Scenario

__all__ = ["SCENARIO"]

_MINUTE = 60

# Level 1 of the market-wide circuit breaker: a fall of seven percent stops everything for fifteen minutes.
_HALT_S = 40 * _MINUTE
SCENARIO = Scenario(
    name="crash",
    about="seven percent down within forty minutes, a market-wide halt of fifteen, three more by the close",
    ramps=(
        Ramp(start_s=5 * _MINUTE, end_s=25 * _MINUTE, log_return=-0.03, vol_log=0.15),
        Ramp(start_s=25 * _MINUTE, end_s=_HALT_S, log_return=-0.0426, vol_log=0.25),
        Ramp(start_s=_HALT_S, end_s=_HALT_S + 15 * _MINUTE, log_return=-0.01),
        Ramp(start_s=120 * _MINUTE, end_s=200 * _MINUTE, log_return=0.015, vol_log=-0.1),
        Ramp(start_s=300 * _MINUTE, end_s=385 * _MINUTE, log_return=-0.035, vol_log=0.15),
        Ramp(session=1, start_s=0, end_s=60 * _MINUTE, log_return=-0.02, vol_log=0.1),
        Ramp(session=1, start_s=180 * _MINUTE, end_s=380 * _MINUTE, log_return=0.035, vol_log=-0.15),
    ),
    halts=(Halt(ticker=EVERYTHING, start_s=_HALT_S, end_s=_HALT_S + 15 * _MINUTE),),
    dealers=(("SPX", -1),),
    bursts=BurstRules(mean_gap_s=70.0, focus="SPY", focus_share=0.3, focus_direction=-1),
)
