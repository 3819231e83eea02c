"""How the seeded market moves: levels and volatilities of every underlying through one session. Pure.

A day is drawn whole, before it is traded, from (seed, date) alone. A run that starts at noon therefore sees the same
market as one that started at the open, and yesterday leads into today without anybody having traded yesterday.

* Levels follow a slowly mean-reverting walk of daily returns: each day's return is drawn first and the seconds are a
  bridge to it. One market factor with betas, a technology and a small-cap factor inside it, the rest specific.
* Seconds have variance by the clock of `variance.py`, times a slow random factor, so that absolute returns cluster.
* Volatility falls when the level rises (leverage): about five times the return for indices, less for single names.
* What informed traders know moves the path too (`drifts`), whether or not anybody sees their orders.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.core.calendar import Calendar, Session
from services.standin.noise import DAY, PATH, stream
from services.standin.universe import CAST, position_of
from services.standin.variance import SESSION_SHARE, SESSIONS_A_YEAR, intraday_shape

__all__ = ["Day", "Drift", "day_of", "with_drifts"]

Floats = NDArray[np.float64]

MEMBERS = len(CAST)
VOLS = np.array([member.vol_annual for member in CAST])
BETAS = np.array([member.beta for member in CAST])
LEVELS = np.array([member.level_usd for member in CAST])
MARKET = position_of["SPX"]
MARKET_DAILY = CAST[MARKET].vol_annual / np.sqrt(SESSIONS_A_YEAR)
SPECIFIC_DAILY = np.sqrt(np.maximum(VOLS**2 / SESSIONS_A_YEAR - (BETAS * MARKET_DAILY) ** 2, 0.0))
# Relative change of at-the-money volatility for a change of the level: VIX moves about -5 times SPX's return.
LEVERAGE = np.where([member.is_index or bool(member.follows) for member in CAST], 5.0, 1.8)

# Daily returns that still matter today; older ones have decayed to 5 %.
MEMORY_SESSIONS = 120
LEVEL_DECAY = 0.975
VOL_DECAY = 0.94
VOL_OF_VOL_DAILY = 0.035
# The slow factor of intraday variance: a log-normal that forgets in about twenty minutes.
ACTIVITY_SIGMA = 0.35
ACTIVITY_DECAY_MINUTE = 0.95


class Drift(NamedTuple):
    """An informed move: `underlying` gains `log_return` evenly between two seconds of the session."""

    underlying: int
    start_s: int
    end_s: int
    log_return: float


class Day(NamedTuple):
    """One session of every underlying of CAST.

    open_usd, previous_close_usd (MEMBERS,). log_return (seconds + 1, MEMBERS): of the level since the open.
    log_vol (MEMBERS,): of at-the-money volatility relative to its long run at the open; `vol_noise` (seconds + 1,)
    what is added to it through the day besides leverage. activity (minutes + 1, MEMBERS): relative trading intensity.
    """

    session: Session
    open_usd: Floats
    previous_close_usd: Floats
    log_return: NDArray[np.float32]
    log_vol: Floats
    vol_noise: Floats
    activity: NDArray[np.float32]

    @property
    def seconds(self) -> int:
        """Length of the session."""
        return len(self.log_return) - 1

    def levels(self, second: int) -> Floats:
        """Level of every underlying at a second after the open (VIX's is not here: it follows from SPX's surface)."""
        levels: Floats = self.open_usd * np.exp(self.log_return[second].astype(np.float64))
        return levels

    def vols(self, second: int) -> Floats:
        """At-the-money volatility of every underlying now, a decimal a year."""
        moved = self.log_return[second].astype(np.float64)
        vols: Floats = VOLS * np.exp(self.log_vol - LEVERAGE * moved + self.vol_noise[second])
        return vols


def day_of(seed: int, session: Session, calendar: Calendar) -> Day:
    """Draw a session. The calendar must reach MEMORY_SESSIONS back for days to lead into each other."""
    before = [past for past in calendar.sessions if past.date < session.date][-MEMORY_SESSIONS:]
    returns = np.array([_daily_returns(seed, past.date) for past in before]).reshape(-1, MEMBERS)
    age = np.arange(len(before), 0, -1) - 1
    level_log = (LEVEL_DECAY ** age[:, None] * returns).sum(axis=0)
    # Yesterday's night is today's gap: a fifth of the variance.
    gap = np.sqrt((1 - SESSION_SHARE) / SESSION_SHARE) * _daily_returns(seed, session.date, night=1)
    market = returns[:, MARKET]
    vol_shocks = -LEVERAGE * market[:, None] * 0.6 + np.array([_vol_shock(seed, past.date) for past in before])[:, None]
    log_vol = (VOL_DECAY ** age[:, None] * vol_shocks).sum(axis=0) if len(before) else np.zeros(MEMBERS)
    seconds = (session.close_ns - session.open_ns) // 1_000_000_000
    rng = stream(seed, PATH, session.date.toordinal())
    return Day(
        session=session,
        open_usd=LEVELS * np.exp(level_log + gap),
        previous_close_usd=LEVELS * np.exp(level_log),
        log_return=_bridge(rng, seconds, _daily_returns(seed, session.date)),
        log_vol=np.clip(log_vol, -0.35, 1.2),
        vol_noise=_vol_noise(rng, seconds),
        activity=_activity(rng, seconds),
    )


def with_drifts(day: Day, drifts: Sequence[Drift]) -> Day:
    """The day with informed moves added to its path."""
    path = day.log_return.copy()
    for drift in drifts:
        ramp = np.clip((np.arange(len(path)) - drift.start_s) / max(drift.end_s - drift.start_s, 1), 0.0, 1.0)
        path[:, drift.underlying] += (drift.log_return * ramp).astype(np.float32)
    return day._replace(log_return=path)


def _daily_returns(seed: int, date: dt.date, night: int = 0) -> Floats:
    """The session's (or night's) log return of every underlying, (MEMBERS,), by the factor model."""
    normals = stream(seed, DAY, date.toordinal(), night).standard_normal(MEMBERS + 1)
    market = normals[MEMBERS] * MARKET_DAILY
    returns = (BETAS * market + SPECIFIC_DAILY * normals[:MEMBERS]) * np.sqrt(SESSION_SHARE)
    return _followed(returns)


def _followed(returns: Floats) -> Floats:
    """Give ETFs on an index the index's return, along the last axis."""
    for position, member in enumerate(CAST):
        if member.follows:
            returns[..., position] = returns[..., position_of[member.follows]]
    return returns


def _vol_shock(seed: int, date: dt.date) -> float:
    return VOL_OF_VOL_DAILY * float(stream(seed, DAY, date.toordinal(), 2).standard_normal())


def _bridge(rng: np.random.Generator, seconds: int, total: Floats) -> NDArray[np.float32]:
    """Log returns since the open, (seconds + 1, MEMBERS), that end at `total`; variance by the session's clock."""
    shape = intraday_shape(seconds)
    slow = np.repeat(_slow(rng, seconds // 60 + 1, 1, ACTIVITY_SIGMA)[:, 0], 60)[:seconds]
    pace = np.sqrt(shape * np.exp(2 * slow))
    pace /= np.sqrt(np.mean(pace**2))
    scale = (pace * np.sqrt(SESSION_SHARE / seconds)).astype(np.float32)
    steps = rng.standard_normal((seconds, MEMBERS), dtype=np.float32)
    market = rng.standard_normal((seconds, 1), dtype=np.float32) * np.float32(MARKET_DAILY)
    steps *= SPECIFIC_DAILY.astype(np.float32)
    steps += market * BETAS.astype(np.float32)
    steps *= scale[:, None]
    path = np.zeros((seconds + 1, MEMBERS), np.float32)
    np.cumsum(steps, axis=0, out=path[1:])
    elapsed = np.concatenate(([0.0], np.cumsum(pace**2) / np.sum(pace**2))).astype(np.float32)
    path += elapsed[:, None] * (total.astype(np.float32) - path[-1])
    for position, member in enumerate(CAST):
        if member.follows:
            path[:, position] = path[:, position_of[member.follows]]
    return path


def _slow(rng: np.random.Generator, minutes: int, columns: int, sigma: float) -> Floats:
    """A mean-reverting log factor by minute, (minutes, columns), of stationary deviation `sigma`."""
    shocks = rng.standard_normal((minutes, columns)) * sigma * np.sqrt(1 - ACTIVITY_DECAY_MINUTE**2)
    factor = np.empty((minutes, columns))
    factor[0] = rng.standard_normal(columns) * sigma
    for minute in range(1, minutes):
        factor[minute] = ACTIVITY_DECAY_MINUTE * factor[minute - 1] + shocks[minute]
    return factor


def _vol_noise(rng: np.random.Generator, seconds: int) -> Floats:
    """Volatility's own moves, common to all underlyings, (seconds + 1,): a walk of about 3 % a day."""
    steps = rng.standard_normal(seconds) * VOL_OF_VOL_DAILY / np.sqrt(seconds)
    return np.concatenate(([0.0], np.cumsum(steps)))


def _activity(rng: np.random.Generator, seconds: int) -> NDArray[np.float32]:
    """Relative intensity of orders by minute, (minutes + 1, MEMBERS): common and specific clustering."""
    minutes = seconds // 60 + 2
    return np.exp(_slow(rng, minutes, 1, 0.2) + _slow(rng, minutes, MEMBERS, 0.4) - 0.1).astype(np.float32)
