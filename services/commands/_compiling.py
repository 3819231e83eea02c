"""A first start compiles the market's loops beside the pipeline's, in two processes: the compiler holds on to the
interpreter, and one after the other they take half a minute."""

from __future__ import annotations

import subprocess
import sys
import time

from services.core.calendar import Calendar
from services.gateway.decoding import plain_frames
from services.runtime.config import RulesConfig
from services.wiring import warm_up
from standin.market.kernels import warming

__all__ = ["compile_beside"]

# Whatever the other process has not done by then is compiled here when it is needed.
PATIENCE_S = 120.0


def compile_beside(rules: RulesConfig) -> None:
    """Compile whatever a market, a gateway and a pipeline call; at once where the cache has the market's loops already.

    Should the other process fail, its loops are compiled when the market opens, as they would have been without it.
    """
    if all(one.is_cached() for one in warming.kernels().values()):
        return
    with subprocess.Popen([sys.executable, "-m", warming.__name__]) as market:
        try:
            warm_up(rules, Calendar.around(time.time_ns()))
            plain_frames.warm_up()
            market.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            pass
        finally:
            market.kill()
