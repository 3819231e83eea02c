"""How the seeded market moves through one session: every level and volatility, second by second. Pure.

A day is drawn whole, before it is traded. A run that starts at noon therefore sees the same market as one that started
at the open.

* The walk from day to day (`walk.py`) says where a session opens and what its diffusion comes to by the close; the
  seconds are a bridge to it, with variance by the clock of `variance.py`, times a slow random factor, so that absolute
  returns cluster.
* Jumps, announcements, scripted moves and what informed traders know are added where they happen.
* Volatility answers to the level at once (leverage), and has a move of its own.
* While an underlying is halted its level stands still; it reopens where it would have been.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.core.calendar import Session
from services.quant import exact
from standin.market.informed import MOVES
from standin.market.random_streams import PATH, stream
from standin.market.universe import CAST, LEVELS, VOLS
from standin.market.variance import intraday_shape
from standin.market.walk import LASTING, MARKET_PART, SPECIFIC_PART, Morning, followed

__all__ = ["Day", "Vols", "day_of", "frozen"]

Floats = NDArray[np.float64]
Path = NDArray[np.float32]

MEMBERS = len(CAST)
# The slow factor of intraday variance: a log-normal that forgets in about twenty minutes.
ACTIVITY_SIGMA = 0.35
ACTIVITY_DECAY_MINUTE = 0.95


class Vols(NamedTuple):
    """At-the-money volatility of every underlying, a decimal a year, (members,): now, and what it would be if the part
    of its moves that passes within weeks were over."""

    now: Floats
    lasting: Floats


class Day(NamedTuple):
    """One session of every underlying of CAST.

    open_usd, previous_close_usd (members,). log_return (seconds + 1, members): of the level since the open. typical_vol
    (members,): at-the-money volatility at which log_vol, its logarithm relative to that at the open, is 0; log_lasting
    (members,) the part of that which lasts; vol_noise (seconds + 1,) what is added to log_vol through the day besides
    leverage and steps. activity (minutes + 2, members): relative trading intensity.
    """

    morning: Morning
    open_usd: Floats
    previous_close_usd: Floats
    log_return: Path
    typical_vol: Floats
    log_vol: Floats
    log_lasting: Floats
    vol_residual: Floats
    activity: Path

    @property
    def session(self) -> Session:
        """The session this is the day of."""
        return self.morning.session

    @property
    def seconds(self) -> int:
        """Length of the session."""
        return len(self.log_return) - 1

    def levels(self, second: int) -> Floats:
        """Level of every underlying at a second after the open (VIX's is not here: it follows from SPX's surface)."""
        levels: Floats = self.open_usd * exact.exp(self.log_return[second].astype(np.float64))
        return levels

    def vols(self, second: int) -> Vols:
        """Volatilities at a second after the open."""
        moved = self.vol_residual[second] - self.morning.leverage * self.log_return[second].astype(np.float64)
        for step in self.morning.steps:
            moved += step.log_vol * min(max((second - step.start_s) / (step.end_s - step.start_s), 0.0), 1.0)
        return Vols(
            followed(self.typical_vol * exact.exp(self.log_vol + moved)),
            followed(self.typical_vol * exact.exp(self.log_lasting + LASTING * moved)),
        )

    def halted(self, second: int) -> NDArray[np.bool_] | None:
        """Whose trading is halted in this second, (members,); None when nobody's is."""
        now = [who for start, end, who in self.morning.halts if start <= second < end]
        return np.logical_or.reduce(now) if now else None

    def reopening_s(self, second: int, within_s: int) -> NDArray[np.int64] | None:
        """How much longer than a second each one's trading was resumed less than `within_s` ago, (members,), 0 where it
        was not; None when nobody's was."""
        now = [
            np.where(who, end + within_s - second, 0)
            for _, end, who in self.morning.halts
            if 0 <= second - end < within_s
        ]
        return np.maximum.reduce(now) if now else None


def day_of(seed: int, morning: Morning, vol_scale: float = 1.0) -> Day:
    """The session that a morning leads to."""
    session = morning.session
    seconds = (session.close_ns - session.open_ns) // 1_000_000_000
    rng = stream(seed, PATH, session.date.toordinal())
    path = _bridge(rng, seconds, morning)
    for step in morning.steps:
        moved = np.flatnonzero(step.log_return)
        _ramp(path, step.start_s, step.end_s, moved, step.log_return[moved])
    informed = morning.informed
    for index in np.flatnonzero(informed.deviations).tolist():
        who = informed.moves[index : index + 1]
        far = informed.deviations[index] * morning.daily_sd[who]
        _ramp(path, int(informed.drift_start_s[index]), int(informed.drift_end_s[index]), who, far)
    return Day(
        morning=morning,
        open_usd=LEVELS * exact.exp(morning.log_open),
        previous_close_usd=LEVELS * exact.exp(morning.log_close),
        # A second is a row of memory: that is how it is read.
        log_return=frozen(np.take(path, MOVES, axis=1), morning),
        typical_vol=VOLS * vol_scale,
        log_vol=morning.log_vol,
        log_lasting=morning.log_lasting,
        vol_residual=_vol_residual(rng, seconds, morning.vol_sd, morning.vol_shock),
        activity=_activity(rng, seconds),
    )


def frozen(path: Path, morning: Morning) -> Path:
    """The path with halted levels standing still."""
    for start, end, who in morning.halts:
        path[start:end, who] = path[start, who]
    return path


def _ramp(path: Path, start_s: int, end_s: int, who: NDArray[np.integer], log_return: Floats) -> None:
    """Add a move of the columns `who`, even between two seconds and kept after; a move of no length is a jump."""
    last = len(path) - 1
    start_s = min(start_s, last)
    end_s = min(max(end_s, start_s + 1), last)
    if end_s > start_s:
        share = np.arange(1, end_s - start_s + 1, dtype=np.float32) / np.float32(end_s - start_s)
        path[start_s + 1 : end_s + 1, who] += share[:, None] * log_return.astype(np.float32)
        path[end_s + 1 :, who] += log_return.astype(np.float32)


def _bridge(rng: np.random.Generator, seconds: int, morning: Morning) -> Path:
    """Diffusive log returns since the open, (seconds + 1, members), that end at the morning's total."""
    shape = intraday_shape(seconds)
    slow = np.repeat(_slow(rng, seconds // 60 + 1, 1, ACTIVITY_SIGMA)[:, 0], 60)[:seconds]
    pace = np.sqrt(shape * exact.exp(2 * slow))
    pace /= np.sqrt(np.mean(pace**2))
    scale = (pace / np.sqrt(seconds)).astype(np.float32)
    steps = rng.standard_normal((seconds, MEMBERS), dtype=np.float32)
    market = rng.standard_normal((seconds, 1), dtype=np.float32)
    steps *= (SPECIFIC_PART * morning.diffusion_sd).astype(np.float32)
    steps += market * (MARKET_PART * morning.diffusion_sd).astype(np.float32)
    steps *= scale[:, None]
    path = np.zeros((seconds + 1, MEMBERS), np.float32)
    np.cumsum(steps, axis=0, out=path[1:])
    elapsed = np.concatenate(([0.0], np.cumsum(pace**2) / np.sum(pace**2))).astype(np.float32)
    path += elapsed[:, None] * (morning.total.astype(np.float32) - path[-1])
    return path


def _slow(rng: np.random.Generator, minutes: int, columns: int, sigma: float) -> Floats:
    """A mean-reverting log factor by minute, (minutes, columns), of stationary deviation `sigma`."""
    shocks = rng.standard_normal((minutes, columns)) * sigma * np.sqrt(1 - ACTIVITY_DECAY_MINUTE**2)
    factor = np.empty((minutes, columns))
    factor[0] = rng.standard_normal(columns) * sigma
    for minute in range(1, minutes):
        factor[minute] = ACTIVITY_DECAY_MINUTE * factor[minute - 1] + shocks[minute]
    return factor


def _vol_residual(rng: np.random.Generator, seconds: int, sd: float, total: float) -> Floats:
    """Volatility's own moves, common to all underlyings, (seconds + 1,): a walk that ends at `total`."""
    steps = rng.standard_normal(seconds) * sd / np.sqrt(seconds)
    walk = np.concatenate(([0.0], np.cumsum(steps)))
    bridge: Floats = walk + np.linspace(0.0, 1.0, seconds + 1) * (total - walk[-1])
    return bridge


def _activity(rng: np.random.Generator, seconds: int) -> Path:
    """Relative intensity of orders by minute, (minutes + 2, members): common and specific clustering."""
    minutes = seconds // 60 + 2
    return exact.exp(_slow(rng, minutes, 1, 0.2) + _slow(rng, minutes, MEMBERS, 0.4) - 0.1).astype(np.float32)
