"""From session to session: where every level and volatility stands when a session opens. Pure.

A session's moves follow from (seed, scenario, date), and the state before it from all sessions since the beginning of
its five-year period; so yesterday leads into today, whether or not anybody traded yesterday, and any date can be
reached. Returns are those of one market factor with betas and a specific part, in proportion to the volatility of the
day; volatility answers to returns (leverage), has moves of its own, some of them sudden (alarms), and comes back to its
mean on two scales: of every move a part lasts for months and the rest passes within days.

Per session, in shares of the variance that options price, times the scenario's realised share squared:

    night 20 %      session 80 %, of it: jumps and alarms (scenario), drifts of who is informed (informed.py),
                    diffusion: the rest

Announcements (events.py) come on top, as they do in option prices.
"""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.core.calendar import Calendar, Session
from services.quant import exact
from standin.market.events import EventSchedule, earnings_night
from standin.market.informed import MOVES, Informed, diffusive_share, informed_of
from standin.market.random_streams import DAY, stream
from standin.market.scenario import EVERYTHING, Halt, Ramp, Scenario
from standin.market.universe import BETAS, CAST, VOLS, YIELDS, position_of
from standin.market.variance import RATE, SESSION_SHARE, SESSIONS_A_YEAR

__all__ = [
    "LASTING",
    "LEVERAGE",
    "MARKET",
    "MARKET_PART",
    "SPECIFIC_PART",
    "VIX",
    "Morning",
    "Walk",
    "WalkStep",
    "followed",
]

Floats = NDArray[np.float64]

MEMBERS = len(CAST)
MARKET, VIX = position_of["SPX"], position_of["VIX"]
# Relative change of at-the-money volatility for a change of the level, at typical volatility: -10 times for SPX, of
# which VIX, whose month reverts on the way, shows -5 (Whaley 2009 has -4.5 on falls). What is more volatile moves its
# volatility less for the same return, and single names a third as much.
BROAD = np.array([member.is_index or bool(member.follows) for member in CAST])
LEVERAGE = np.where(BROAD, 1.4, 0.46) / np.maximum(VOLS, 0.14)
# It goes with the inverse root of volatility, so that returns twice as large move volatility 1.4 times as far: VIX's
# daily log move is 0.06 below 13 and 0.11 above 30 (2010 to 2026).
LEVERAGE_DAMPING = 0.5
# Of a move of volatility this share has a half life of 69 sessions and the rest one of four. VIX's logarithm, 2010
# to 2026, has autocorrelations of 0.97, 0.88, 0.66 over 1, 5 and 22 sessions: one scale alone that moves so far in a
# day wanders too far in a year, or comes back before the month is out.
LASTING = 0.38
LASTING_DECAY, PASSING_DECAY = 0.99, 0.85
VOL_LOG_RANGE = (-0.6, 1.5)
# A jump every fifty sessions in the market and in each name; its size then follows from the share of variance.
JUMP_CHANCE = 0.02
# An alarm takes a minute, in which the market falls by 0.4 of a session's deviation for a tenth of volatility.
ALARM_S, ALARM_FALL = 60, 4.0
# A return is this much the market's and this much its own, in units of its deviation.
MARKET_PART = BETAS * VOLS[MARKET] / VOLS
SPECIFIC_PART = np.sqrt(np.maximum(1.0 - MARKET_PART**2, 0.0))
# On a scenario's first two sessions its informed traders have a favourite.
FOCUSED = 2
# Walks begin anew with every fifth year.
PERIOD_YEARS = 5


class WalkStep(NamedTuple):
    """A move inside a session: log returns (members,) evenly between two seconds, and of volatility's logarithm."""

    start_s: int
    end_s: int
    log_return: Floats
    log_vol: Floats


class Morning(NamedTuple):
    """One session before it is traded, (members,) each where not said otherwise.

    log_close, log_open: of the level over its long-run one, at yesterday's close and today's open. log_vol: of
    at-the-money volatility over its typical one at the open; log_lasting: the part of it that lasts. leverage: how far
    log_vol falls for a rise of the level. daily_sd: standard deviation of a day's return; diffusion_sd: of the
    session's diffusion, and total: what that comes to. steps: jumps, alarms, announcements and scripted moves. vol_sd:
    deviation of volatility's own move in a session, common to all, and vol_shock: what it comes to.
    halts: (start, end, who) in seconds.
    """

    session: Session
    log_close: Floats
    log_open: Floats
    log_vol: Floats
    log_lasting: Floats
    leverage: Floats
    daily_sd: Floats
    diffusion_sd: Floats
    total: Floats
    steps: tuple[WalkStep, ...]
    informed: Informed
    vol_sd: float
    vol_shock: float
    halts: tuple[tuple[int, int, NDArray[np.bool_]], ...]


class _State(NamedTuple):
    """Where a session leaves everything, (members,): log level, log volatility, and the part of that which lasts."""

    log_close: Floats
    log_vol: Floats
    log_lasting: Floats


STILL = _State(np.zeros(MEMBERS), np.zeros(MEMBERS), np.zeros(MEMBERS))


class Walk:
    """Reaches the morning of any session of the calendar; cheap when asked for one session after another."""

    def __init__(self, seed: int, scenario: Scenario, calendar: Calendar, schedule: EventSchedule) -> None:
        self._seed, self._scenario, self._schedule = seed, scenario, schedule
        self._sessions = calendar.sessions
        self._index_of = {session.date: index for index, session in enumerate(calendar.sessions)}
        # The mean square of an exponential size is twice that of its mean.
        alarmed = scenario.alarm_chance * 2 * (ALARM_FALL * scenario.alarm_mean * MARKET_PART) ** 2
        self._diffusive = np.maximum(diffusive_share(scenario.bursts) - scenario.jump_share - alarmed, 0.1)
        self._next = -1
        self._state = STILL
        # Levels are the cast's own when the scenario begins; a constant, so that no return knows of it.
        self._shift = np.zeros(MEMBERS)
        if scenario.start in self._index_of:
            self._shift = self.morning(self._sessions[self._index_of[scenario.start]]).log_close

    @staticmethod
    def beginning(date: dt.date) -> dt.date:
        """Where the walk to a date begins; the calendar must reach back to it."""
        return dt.date(date.year // PERIOD_YEARS * PERIOD_YEARS, 1, 1)

    def morning(self, session: Session) -> Morning:
        """That session's morning. Raises LookupError for a session the calendar does not have."""
        if session.date not in self._index_of:
            raise LookupError(f"the calendar has no session on {session.date}")
        wanted = self._index_of[session.date]
        first = self._first(wanted)
        if not first <= self._next <= wanted:
            self._next, self._state = first, STILL
        while self._next < wanted:
            self._state = self._closed(self._morning(self._next))
            self._next += 1
        morning = self._morning(wanted)
        if self.beginning(session.date) != self.beginning(self._scenario.start):
            return morning
        return morning._replace(log_close=morning.log_close - self._shift, log_open=morning.log_open - self._shift)

    def _first(self, wanted: int) -> int:
        beginning = self.beginning(self._sessions[wanted].date)
        return next(index for index, session in enumerate(self._sessions) if session.date >= beginning)

    def _morning(self, index: int) -> Morning:
        """The morning of session `at`, from the state at the close before it."""
        session, scenario, state = self._sessions[index], self._scenario, self._state
        rng = stream(self._seed, DAY, session.date.toordinal())
        normals = rng.standard_normal((4, MEMBERS + 1))
        chance = rng.random((2, MEMBERS + 1))
        alarm = rng.random(3)
        daily = (
            scenario.realised_share * scenario.vol_scale * VOLS / np.sqrt(SESSIONS_A_YEAR) * exact.exp(state.log_vol)
        )
        daily[VIX] = 0.0  # its level follows from SPX's options
        # Financing, less half the variance: levels are worth what their forwards say.
        carry = (RATE - YIELDS) / SESSIONS_A_YEAR - 0.5 * daily**2
        reversion = (scenario.level_decay - 1.0) * state.log_close
        # What falls on alarms come to on average, so that they foretell nothing.
        in_session = np.sqrt(SESSION_SHARE) * daily
        carry += ALARM_FALL * scenario.alarm_chance * scenario.alarm_mean * in_session * MARKET_PART
        night = np.sqrt(1 - SESSION_SHARE) * daily * _factors(normals[0]) + followed(carry + reversion)
        night += self._announced_before(session, index, normals[2], rng)
        leverage = LEVERAGE * exact.exp(-LEVERAGE_DAMPING * state.log_vol)
        moved = -followed(leverage * night)
        seconds = (session.close_ns - session.open_ns) // 1_000_000_000
        diffusion_sd = in_session * np.sqrt(self._diffusive)
        number = index - self._index_of.get(scenario.start, index + 1)
        return Morning(
            session=session,
            log_close=state.log_close,
            log_open=state.log_close + night,
            log_vol=np.clip(state.log_vol + moved, *VOL_LOG_RANGE),
            log_lasting=np.clip(state.log_lasting + LASTING * moved, *VOL_LOG_RANGE),
            leverage=leverage,
            daily_sd=daily,
            diffusion_sd=diffusion_sd,
            total=diffusion_sd * _factors(normals[1]),
            steps=(
                *self._jumps(normals[3], chance, in_session, seconds),
                *self._alarms(alarm, in_session, seconds),
                *self._decisions(session, rng),
                *(_scripted(ramp) for ramp in scenario.ramps if ramp.session == number),
            ),
            informed=informed_of(self._seed, session.date, seconds, scenario.bursts, focused=0 <= number < FOCUSED),
            vol_sd=scenario.vol_of_vol_daily,
            # Less what alarms bring on average: they widen volatility's distribution and do not lift it.
            vol_shock=scenario.vol_of_vol_daily * float(normals[2, MEMBERS])
            - scenario.alarm_chance * scenario.alarm_mean,
            halts=tuple((h.start_s, h.end_s, _halted(h)) for h in scenario.halts if h.session == number),
        )

    def _closed(self, morning: Morning) -> _State:
        """The state at the close of a session."""
        move = morning.total + np.bincount(
            morning.informed.moves,
            morning.informed.deviations * morning.daily_sd[morning.informed.moves],
            minlength=MEMBERS,
        )
        stepped = np.zeros(MEMBERS)
        for step in morning.steps:
            move = move + step.log_return
            stepped += step.log_vol
        move = followed(move)
        moved = stepped - morning.leverage * move + morning.vol_shock
        lasting = np.clip(LASTING_DECAY * (morning.log_lasting + LASTING * moved), *VOL_LOG_RANGE)
        passing = PASSING_DECAY * (morning.log_vol - morning.log_lasting + (1.0 - LASTING) * moved)
        return _State(morning.log_open + move, np.clip(lasting + passing, *VOL_LOG_RANGE), lasting)

    def _announced_before(self, session: Session, index: int, normals: Floats, rng: np.random.Generator) -> Floats:
        """What was announced since the last close, as returns at the open."""
        if index == 0:
            return np.zeros(MEMBERS)
        close_ns = self._sessions[index - 1].close_ns
        schedule = self._schedule
        reported = earnings_night(schedule, close_ns, session.open_ns)
        moved = np.where(reported, schedule.earnings_sd * normals[:MEMBERS], 0.0)
        for sd in schedule.market_sd[(schedule.market_ns >= close_ns) & (schedule.market_ns < session.open_ns)]:
            moved = moved + BETAS * sd * rng.standard_normal()
        return self._scenario.realised_share * moved

    def _decisions(self, session: Session, rng: np.random.Generator) -> tuple[WalkStep, ...]:
        """What is announced during the session: a jump within two seconds."""
        schedule = self._schedule
        within = (schedule.market_ns >= session.open_ns) & (schedule.market_ns < session.close_ns)
        steps = []
        for at_ns, sd in zip(schedule.market_ns[within].tolist(), schedule.market_sd[within].tolist(), strict=True):
            second = (at_ns - session.open_ns) // 1_000_000_000
            move = self._scenario.realised_share * sd * rng.standard_normal() * BETAS
            steps.append(WalkStep(second, second + 2, move, np.zeros(MEMBERS)))
        return tuple(steps)

    def _jumps(self, normals: Floats, chance: Floats, in_session: Floats, seconds: int) -> tuple[WalkStep, ...]:
        """Jumps of the market and of single names, each within a few seconds (Merton 1976)."""
        share = self._scenario.jump_share
        if not share:
            return ()
        sizes = in_session * np.sqrt(share / JUMP_CHANCE)
        steps = []
        for who in np.flatnonzero(chance[0] < JUMP_CHANCE).tolist():
            move = np.zeros(MEMBERS)
            if who == MEMBERS:
                move = sizes * MARKET_PART * normals[MEMBERS]
            else:
                move[who] = sizes[who] * SPECIFIC_PART[who] * normals[who]
            second = int(chance[1, who] * (seconds - 10))
            steps.append(WalkStep(second, second + 5, move, np.zeros(MEMBERS)))
        return tuple(steps)

    def _alarms(self, chance: Floats, in_session: Floats, seconds: int) -> tuple[WalkStep, ...]:
        """Volatility's jump, up, everybody's, and by more than the fall that comes with it explains (Todorov and
        Tauchen, "Volatility jumps", 2011). Its size is exponential."""
        if chance[0] >= self._scenario.alarm_chance:
            return ()
        second = int(chance[1] * (seconds - ALARM_S))
        size = -self._scenario.alarm_mean * float(exact.log(1.0 - chance[2]))
        fall = -ALARM_FALL * size * in_session * MARKET_PART
        return (WalkStep(second, second + ALARM_S, fall, np.full(MEMBERS, size)),)


def followed(values: Floats) -> Floats:
    """Values along the last axis with every ETF on an index given its index's."""
    return values[..., MOVES]


def _factors(normals: Floats) -> Floats:
    """Unit returns of every underlying from (members + 1,) normals, the last being the market's."""
    return followed(MARKET_PART * normals[MEMBERS] + SPECIFIC_PART * normals[:MEMBERS])


def _weight_of(ticker: str) -> Floats:
    """How much of a scripted move each underlying takes, (members,): by beta, or the one that is named and what follows
    it."""
    if ticker == EVERYTHING:
        return BETAS
    alone = np.zeros(MEMBERS)
    alone[MOVES[position_of[ticker]]] = 1.0
    return alone


def _scripted(ramp: Ramp) -> WalkStep:
    weight = _weight_of(ramp.ticker)
    return WalkStep(ramp.start_s, ramp.end_s, weight * ramp.log_return, np.sign(weight) * ramp.vol_log)


def _halted(halt: Halt) -> NDArray[np.bool_]:
    if halt.ticker == EVERYTHING:
        return np.ones(MEMBERS, bool)
    return np.array([member.ticker == halt.ticker for member in CAST])
