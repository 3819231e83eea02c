"""Prices of the seeded market: every contract's model value and the quote around it, at any instant of a day. Pure.

A quote depends on seed, contract and time only, never on who asked or what was asked before.
"""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.symbols import EPOCH_ORDINAL
from services.core.calendar import Calendar
from services.quant import black
from services.standin.events import Schedule
from services.standin.listing import AM_SETTLED_ROOTS, Listing
from services.standin.noise import uniforms
from services.standin.paths import Day
from services.standin.scenario import Scenario
from services.standin.surface import Smile, swap_volatility, total_variance_at, total_variance_atm
from services.standin.universe import CAST, LIQUID_WEIGHT, VOLS, YIELDS, position_of
from services.standin.valuation import YEAR_NS, Shown, shown
from services.standin.variance import RATE, intraday_shape, remaining_share, years_of_variance
from services.standin.venues import venue_of

__all__ = ["VIX_EVERY_S", "VIX_FAMILY", "Book", "TwoSided", "smile_of"]

Floats = NDArray[np.float64]
Rows = NDArray[np.integer]

SPX, VIX = position_of["SPX"], position_of["VIX"]
# Calendar days each member of the family looks ahead.
VIX_FAMILY = {"I:VIX1D": 1, "I:VIX9D": 9, "I:VIX": 30, "I:VIX3M": 93, "I:VIX6M": 182, "I:VIX1Y": 365}
_HORIZONS = np.array(list(VIX_FAMILY.values())) / 365.0
VIX_EVERY_S = 15
_VIX_AT = list(VIX_FAMILY).index("I:VIX")


def smile_of(ticker: str, kind: str) -> tuple[float, float]:
    """(rho, eta): index skews are steep, single names' mild, VIX's points up; eta (1 + |rho|) < 2 throughout."""
    if ticker == "VIX":
        return 0.65, 0.9
    return (-0.7, 0.8) if kind == "index" or ticker in INDEX_ETFS else (-0.35, 0.75)


INDEX_ETFS = frozenset({"SPY", "QQQ", "IWM", "DIA"})
_RHO, _ETA = (np.array(column) for column in zip(*(smile_of(m.ticker, m.kind) for m in CAST), strict=True))
_IS_BROAD = np.array([(m.kind == "index" and m.ticker != "VIX") or bool(m.follows) for m in CAST])
_AMERICAN = np.array([not member.is_index for member in CAST])
# Tick in cents below and from three dollars: SPY, QQQ and IWM in pennies, index options in nickels and dimes.
_PENNY = frozenset({"SPY", "QQQ", "IWM"})
_TICK_LOW = np.array([5 if m.is_index and m.ticker != "VIX" else 1 for m in CAST])
_TICK_HIGH = np.array([1 if m.ticker in _PENNY else 10 if m.is_index and m.ticker != "VIX" else 5 for m in CAST])
# How wide makers quote relative to the middle of the field.
_WIDTH = np.array(
    [0.35 if m.ticker in _PENNY else 2.5 if m.is_index else 1.0 if m.weight >= LIQUID_WEIGHT else 2.0 for m in CAST]
)
_DEPTH = np.array([120.0 if m.ticker in _PENNY else 40.0 if m.weight >= LIQUID_WEIGHT else 15.0 for m in CAST])
PENNY_BELOW_CENTS = 300
SECONDS_A_YEAR = 365 * 86_400.0
# Makers quote about twice as wide in the first minutes.
OPENING_SECONDS = 240.0
# What is a year out is quoted a quarter wider than what is near, and what expires today in its last minutes wider too.
WIDER_A_YEAR = 0.25
ENDING_SECONDS = 300.0
# Salt of the hashed parts of a quote.
_QUOTE = 0


class TwoSided(NamedTuple):
    """Quotes of some rows, (n,) each: prices in cents, so that ticks are exact."""

    bid_cents: NDArray[np.int64]
    ask_cents: NDArray[np.int64]
    tick_cents: NDArray[np.int64]
    bid_size: NDArray[np.int64]
    ask_size: NDArray[np.int64]
    bid_venue: NDArray[np.int32]
    ask_venue: NDArray[np.int32]


class Book:
    """All contracts of one day at one second, and through the `span_s` seconds that begin with it, over which levels
    are interpolated. Move it with `at`; then ask for values, quotes and greeks.

    Contracts of one underlying and settlement share a *slot*: forward, discount and variance are worked out a slot.
    """

    def __init__(
        self,
        seed: int,
        day: Day,
        listing: Listing,
        calendar: Calendar,
        schedule: Schedule,
        scenario: Scenario,
        span_s: int = 1,
    ) -> None:
        self.day, self.listing, self._seed, self._schedule = day, listing, seed, schedule
        self.span_s = span_s
        self._long_vol = VOLS * scenario.vol_scale * np.where(_IS_BROAD, scenario.long_ratio, 1.0)
        self.underlying = listing.underlying.astype(np.intp)
        self.strike = listing.strike_mills / 1000.0
        self.right = listing.right
        key = self.underlying.astype(np.int64) << 40 | (listing.settlement_ns - day.session.open_ns) // 1_000_000_000
        _, first, self.slot = np.unique(key, return_index=True, return_inverse=True)
        self.slot_underlying = self.underlying[first]
        # Where each underlying's rows end; they are adjacent.
        self.last_row = np.searchsorted(self.underlying, np.arange(len(CAST)), side="right") - 1
        self._settles = listing.settlement_ns[first]
        self._at_open = np.array([listing.roots[row] in AM_SETTLED_ROOTS for row in first])
        self._sessions_after = _sessions_after(listing.expiry_day[first], day, calendar)
        self._remaining = remaining_share(intraday_shape(day.seconds))
        self._row_smile = Smile(_RHO[self.underlying], _ETA[self.underlying])
        self._american = _AMERICAN[self.underlying]
        self._lumps = np.zeros(len(first))
        self._announced = self._family_block = -1
        self.second = -1
        self.at(0)

    def at(self, second: int) -> None:
        """Move to a second after the open."""
        if second == self.second:
            return
        self.second = second
        self.now_ns = self.day.session.open_ns + second * 1_000_000_000
        self.vols = self.day.vols(second)
        self.halted = self.day.halted(second)
        self._levels = self._with_vix(self.day.levels(second))
        following = min(second + self.span_s, self.day.seconds)
        self._levels_next = self.day.levels(following)
        self._levels_next[VIX] = self._levels[VIX]
        of = self.slot_underlying
        # A second is kept on the clock, so that what settles today has a value to the last.
        self.years = np.maximum(self._settles - self.now_ns, 1_000_000_000) / YEAR_NS
        tau = years_of_variance(self._sessions_after, self._at_open, float(self._remaining[second]))
        self.theta = (
            total_variance_atm(self.vols[of], self._long_vol[of], np.maximum(tau, 1e-8)) + self._event_variance()
        )
        self.carry = RATE - YIELDS[of]
        self.carry[of == VIX] = self._vix_carry(self.years[of == VIX])
        self.discount = np.exp(-RATE * self.years)
        self.growth = np.exp(self.carry * self.years)

    def levels(self, underlying: Rows, fraction: Floats | float) -> Floats:
        """Level of each underlying at a fraction of the present span."""
        low, high = self._levels[underlying], self._levels_next[underlying]
        level: Floats = low + (high - low) * fraction
        return level

    def value(self, rows: Rows, fraction: Floats | float) -> tuple[Floats, Floats]:
        """(model value in USD, volatility a calendar year) of contracts at a fraction of the present span."""
        slot = self.slot[rows]
        spot = self.levels(self.underlying[rows], fraction)
        forward, strike, right = spot * self.growth[slot], self.strike[rows], self.right[rows]
        smile = Smile(self._row_smile.rho[rows], self._row_smile.eta[rows])
        w = total_variance_at(np.log(strike / forward), self.theta[slot], smile)
        years = self.years[slot]
        vol = np.sqrt(w / years)
        value = black.price(forward, strike, years, self.discount[slot], vol, right)
        # Early exercise puts a floor under American options; the rest of its premium is left out.
        floor = np.where(self._american[rows], right * (spot - strike), 0.0)
        return np.maximum(value, floor), vol

    def quote(self, rows: Rows, fraction: Floats | float) -> TwoSided:
        """Bid and ask around the model value. A bid of zero has size zero."""
        value, _ = self.value(rows, fraction)
        of = self.underlying[rows]
        cents = value * 100.0
        tick = np.where(cents < PENNY_BELOW_CENTS, _TICK_LOW[of], _TICK_HIGH[of])
        # Width grows with price, slower than price does; far from the money makers are few.
        opening = 1.0 + np.exp(-self.second / OPENING_SECONDS)
        years = self.years[self.slot[rows]]
        ending = 1.0 + np.exp(-years * SECONDS_A_YEAR / ENDING_SECONDS)
        away = (1.0 + WIDER_A_YEAR * np.minimum(years, 2.0)) * ending
        width = tick + _WIDTH[of] * opening * away * 0.9 * np.maximum(value, 0.01) ** 0.7
        position = rows.astype(np.int64) * 86_400 + self.second // 2
        place, bids, asks, venues = uniforms(self._seed, _QUOTE, position)
        shift = (place - 0.5) * 0.3 * width
        bid = np.maximum(np.floor((cents + shift - 0.5 * width) / tick), 0.0) * tick
        ask = bid + np.maximum(np.ceil(width / tick), 1.0) * tick
        depth = _DEPTH[of]
        bid_size = 1 + np.floor(depth * bids**3)
        ask_size = 1 + np.floor(depth * asks**3)
        if self.halted is not None:
            # Nobody quotes while the underlying does not trade.
            trading = ~self.halted[of]
            bid, ask, ask_size = bid * trading, ask * trading, ask_size * trading
        return TwoSided(
            bid.astype(np.int64),
            ask.astype(np.int64),
            tick.astype(np.int64),
            np.where(bid > 0, bid_size, 0).astype(np.int64),
            ask_size.astype(np.int64),
            venue_of(of, venues),
            venue_of(of, np.modf(venues * 256.0)[0]),
        )

    def greeks(self, rows: Rows) -> Shown:
        """Volatility and greeks at the beginning of the present second."""
        _, vol = self.value(rows, 0.0)
        slot = self.slot[rows]
        spot = self.levels(self.underlying[rows], 0.0)
        return shown(spot, self.carry[slot], RATE, self.strike[rows], self.years[slot], self.right[rows], vol)

    def family(self) -> Floats:
        """The VIX family from SPX's surface, in index points, in the order of VIX_FAMILY."""
        points: Floats = self._family
        return points

    def _event_variance(self) -> Floats:
        """Variance of announcements still to come before each slot settles; worked out again when one has passed."""
        announced = int(np.searchsorted(self._schedule.market_ns, self.now_ns, side="right"))
        if announced != self._announced:
            self._announced = announced
            self._lumps = self._schedule.variance(self.slot_underlying, self._settles, self.now_ns)
            settles = self.now_ns + (_HORIZONS * YEAR_NS).astype(np.int64)
            self._family_lumps = self._schedule.variance(np.full(len(settles), SPX), settles, self.now_ns)
        return self._lumps

    def _with_vix(self, levels: Floats) -> Floats:
        """The levels with VIX's, which is published, and traded on, every fifteen seconds."""
        block = self.second // VIX_EVERY_S
        if block != self._family_block:
            self._family_block = block
            self._event_variance()
            vol = np.full(len(_HORIZONS), self.day.vols(block * VIX_EVERY_S)[SPX])
            theta = total_variance_atm(vol, self._long_vol[SPX : SPX + 1], _HORIZONS) + self._family_lumps
            self._family = 100.0 * swap_volatility(theta, _HORIZONS, float(_RHO[SPX]), float(_ETA[SPX]))
        levels[VIX] = self._family[_VIX_AT]
        return levels

    def _vix_carry(self, years: Floats) -> Floats:
        """Carry of VIX to each of its expiries: its forward is the forward thirty-day volatility of SPX."""
        now, long = np.full(len(years), self.vols[SPX]), self._long_vol[SPX : SPX + 1]
        month = 30 / 365
        ahead = total_variance_atm(now, long, years + month) - total_variance_atm(now, long, years)
        today = total_variance_atm(now[:1], long, np.array([month]))
        carry: Floats = 0.5 * np.log(ahead / today) / years
        return carry


def _sessions_after(expiry_day: NDArray[np.int32], day: Day, calendar: Calendar) -> NDArray[np.int64]:
    dates = np.array([session.date.toordinal() for session in calendar.sessions]) - EPOCH_ORDINAL
    today = dt.date.toordinal(day.session.date) - EPOCH_ORDINAL
    return np.searchsorted(dates, expiry_day, side="right") - np.searchsorted(dates, today, side="right")
