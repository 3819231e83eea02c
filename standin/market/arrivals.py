"""How many orders come in each second: a Hawkes process in whole seconds, an underlying a component. Pure.

Orders bring orders (Hawkes 1971; for order flow Bacry, Mastromatteo and Muzy, "Hawkes processes in finance", 2015). The
rate of an underlying u in second t is

    rate_u(t) = base_u(t) (1 - n_own - n_all) + n_own excitement_u(t) + n_all base_u(t) excitement(t) / base(t)

where an excitement is the average of past counts under a kernel that is half a decay of 3 s, half one of 45 s, so that
each order brings n_own + n_all others on average, and the mean rate is `base`: U-shaped through the session, and slowly
wandering. Six in ten orders answer to others; estimates of that share run from 0.3 to 0.9 (Filimonov and Sornette 2012,
Hardiman, Bercot and Bouchaud 2013).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from services.quant import exact
from standin.market.kernels.pacing import excite
from standin.market.random_streams import ARRIVALS, rng_state

__all__ = ["BRANCHING", "Arrivals"]

Floats = NDArray[np.float64]

OWN, ALL = 0.45, 0.15
BRANCHING = OWN + ALL
DECAY_S = (3.0, 45.0)
BLOCK_S = 60
# What is left of an excitement a second later, by decay.
_KEEP = exact.exp(-1.0 / np.array(DECAY_S))


class Arrivals:
    """Counts of orders by second and underlying, of one day; made a minute at a time, each once.

    `base(second)` gives the mean rate, orders a second, (members,).
    """

    def __init__(self, seed: int, date: dt.date, base: Callable[[int], Floats]) -> None:
        self._seed, self._date, self._base = seed, date, base
        self._blocks: list[NDArray[np.int64]] = []
        self._excited: NDArray[np.float64] | None = None

    def counts(self, second: int, span_s: int = 1) -> NDArray[np.int64]:
        """Orders that come in this second, (members,), or in the `span_s` seconds of a minute that begin with it."""
        while len(self._blocks) <= second // BLOCK_S:
            self._blocks.append(self._block(len(self._blocks)))
        first = second % BLOCK_S
        counts: NDArray[np.int64] = self._blocks[second // BLOCK_S][first : first + span_s].sum(axis=0)
        return counts

    def _block(self, minute: int) -> NDArray[np.int64]:
        base = np.array([self._base(minute * BLOCK_S + second) for second in range(BLOCK_S)])
        if self._excited is None:
            # As if it had gone on for long.
            self._excited = np.tile(base[0], (len(_KEEP), 1))
        made = np.empty(base.shape, np.int64)
        words = rng_state(self._seed, ARRIVALS, self._date.toordinal(), minute)
        excite(words, base, _KEEP, OWN, ALL, self._excited, made)
        return made
