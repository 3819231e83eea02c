"""Single stocks are halted: for news before the opening hour is over, and twice for volatility."""

from standin.market.scenario import Halt, Ramp, Scenario

__all__ = ["SCENARIO"]

_MINUTE = 60

SCENARIO = Scenario(
    name="halt",
    about="NVDA is halted for news after ten minutes and reopens eight percent lower; AMD and COIN for volatility",
    ramps=(
        Ramp(ticker="NVDA", start_s=12 * _MINUTE, end_s=18 * _MINUTE, log_return=-0.083, vol_log=0.3),
        Ramp(ticker="AMD", start_s=30 * _MINUTE, end_s=34 * _MINUTE, log_return=-0.055, vol_log=0.15),
        Ramp(ticker="COIN", start_s=95 * _MINUTE, end_s=99 * _MINUTE, log_return=0.11, vol_log=0.2),
    ),
    halts=(
        Halt(ticker="NVDA", start_s=10 * _MINUTE, end_s=20 * _MINUTE),
        Halt(ticker="AMD", start_s=34 * _MINUTE, end_s=39 * _MINUTE),
        Halt(ticker="COIN", start_s=99 * _MINUTE, end_s=104 * _MINUTE),
    ),
)
