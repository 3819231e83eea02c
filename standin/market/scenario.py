"""What makes one made-up market differ from another: a scenario is plain data, and each stands in a file of its own.

A scenario is part of a market's identity: one seed gives different markets under different names. What a script says
is tied to dates, counted in sessions from the scenario's first, so that a run may begin anywhere in it.
"""

from __future__ import annotations

import datetime as dt
import importlib
import pkgutil
import zlib
from dataclasses import dataclass, field

import standin.market.scenarios

__all__ = ["EVERYTHING", "PLAIN", "BurstRules", "Halt", "Ramp", "Scenario", "names", "scenario_of"]

PLAIN = "plain"
# In place of a ticker: every underlying, by its beta where it is a return.
EVERYTHING = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ramp:
    """The script moves a level: `log_return` evenly between two seconds of a session, volatility with it.

    session: counted from the scenario's first. vol_log: added to the logarithm of volatility by the end, and kept.
    """

    ticker: str = EVERYTHING
    session: int = 0
    start_s: int
    end_s: int
    log_return: float
    vol_log: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Halt:
    """Trading stops between two seconds of a session, whole minutes both, as history is made in minutes: no prints, no
    quotes, no bars; the first print after is a reopening."""

    ticker: str = EVERYTHING
    session: int = 0
    start_s: int
    end_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BurstRules:
    """How often somebody informed comes, and what comes of it.

    sweeping_informed, opening_informed: the share of bursts of each kind that the underlying follows. drift_low,
    drift_high: how far, in daily standard deviations. variance_share: drifts are scaled down until they make at most
    this share of a session's variance, and the rest of the path makes room for them; None leaves them as they are.
    focus: an underlying that gets `focus_share` of all bursts, in `focus_direction`, on the scenario's first sessions;
    what follows these is the script's business.
    """

    mean_gap_s: float = 110.0
    sweeping_informed: float = 0.65
    opening_informed: float = 0.65
    drift_low: float = 0.33
    drift_high: float = 1.5
    variance_share: float | None = 0.35
    focus: str = ""
    focus_share: float = 0.0
    focus_direction: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One named market.

    start: the session a run begins with that was not told when, `start_s` seconds after its open. vol_scale: of every
    underlying's volatility. realised_share: realised over implied volatility; the rest is the premium option sellers
    earn (Carr and Wu, "Variance risk premiums", 2009). long_ratio: long-run over typical implied volatility of index
    products, which makes the term structure rise on ordinary days. vol_of_vol_daily: deviation of volatility's own
    daily move; alarm_chance, alarm_mean: how many sessions have an upward jump of it, and how far that lifts the
    logarithm of volatility on average. jump_share: of variance that comes in jumps. level_decay: how much of a level's
    distance from its mean is left a session later; 1 is a martingale. dealers: underlyings whose dealers' hedging moves
    them, with the sign of the dealers' gamma: +1 pins, -1 amplifies. earnings: underlyings that report after the close
    of a session, counted from the first. scheduled: whether earnings, rate decisions and inflation figures come by the
    calendar as well.
    """

    name: str
    about: str
    start: dt.date = dt.date(2025, 12, 15)
    start_s: int = 0
    vol_scale: float = 1.0
    realised_share: float = 0.92
    long_ratio: float = 1.85
    vol_of_vol_daily: float = 0.078
    alarm_chance: float = 0.12
    alarm_mean: float = 0.125
    jump_share: float = 0.1
    level_decay: float = 0.99
    bursts: BurstRules = field(default_factory=BurstRules)
    ramps: tuple[Ramp, ...] = ()
    halts: tuple[Halt, ...] = ()
    dealers: tuple[tuple[str, int], ...] = ()
    earnings: tuple[tuple[str, int], ...] = ()
    scheduled: bool = True

    def identity(self, seed: int) -> int:
        """The number all of this market's randomness comes from: the seed itself in the plain market.

        >>> scenario_of("plain").identity(7)
        7
        """
        return seed if self.name == PLAIN else seed + (zlib.crc32(self.name.encode()) << 32)


def names() -> tuple[str, ...]:
    """Every scenario there is: the files of the folder, in alphabetical order, the plain one first."""
    found = {module.name for module in pkgutil.iter_modules(standin.market.scenarios.__path__)}
    return (PLAIN, *sorted(found - {PLAIN}))


def scenario_of(name: str) -> Scenario:
    """The scenario of that name. Raises LookupError with a sentence that lists all of them."""
    if name not in names():
        raise LookupError(f"there is no scenario {name!r}; there are {', '.join(names())}")
    scenario: Scenario = importlib.import_module(f"{standin.market.scenarios.__name__}.{name}").SCENARIO
    assert scenario.name == name  # a file is named after its scenario
    return scenario
