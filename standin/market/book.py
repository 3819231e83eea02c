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
from services.quant import exact
from standin.feed.listing import AM_SETTLED_ROOTS, Listing
from standin.feed.valuation import YEAR_NS, Shown, shown
from standin.market.events import EventSchedule
from standin.market.kernels.moving import Terms, move_book
from standin.market.kernels.pricing import value_rows
from standin.market.kernels.quoting import QUOTE, quote_rows
from standin.market.kernels.tables import VENUE_DRAWS, Table, new_table
from standin.market.paths import Day, Vols
from standin.market.random_streams import QUOTES, key_of
from standin.market.scenario import Scenario
from standin.market.surface import KAPPA_LASTING, KAPPA_PASSING, swap_volatility, total_variance_atm
from standin.market.universe import CAST, LIQUID_WEIGHT, VOLS, YIELDS, position_of
from standin.market.variance import RATE, intraday_shape, remaining_share, years_of_variance
from standin.market.venues import HOME, SORTED_VENUES, venue_draw_table

__all__ = ["VIX_EVERY_S", "VIX_FAMILY", "Book", "TwoSided", "smile_of"]

Floats = NDArray[np.float64]
Rows = NDArray[np.integer]

SPX, VIX = position_of["SPX"], position_of["VIX"]
# Calendar days each member of the family looks ahead.
VIX_FAMILY = {"I:VIX1D": 1, "I:VIX9D": 9, "I:VIX": 30, "I:VIX3M": 93, "I:VIX6M": 182, "I:VIX1Y": 365}
_HORIZONS = np.array(list(VIX_FAMILY.values())) / 365.0
_HORIZONS_NS = (_HORIZONS * YEAR_NS).astype(np.int64)
_FAMILY_OF = np.full(len(_HORIZONS), SPX)
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
# How wide makers quote, in units of `kernels.quoting`; index options as recorded, the others by choice.
_WIDTH = np.array(
    [0.2 if m.ticker in _PENNY else 3.2 if m.is_index else 0.5 if m.weight >= LIQUID_WEIGHT else 1.4 for m in CAST]
)
_DEPTH = np.array([120.0 if m.ticker in _PENNY else 40.0 if m.weight >= LIQUID_WEIGHT else 15.0 for m in CAST])


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
        schedule: EventSchedule,
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
        self._remaining = remaining_share(intraday_shape(day.seconds))
        at_open = np.array([listing.roots[row] in AM_SETTLED_ROOTS for row in first])
        sessions_after = _sessions_after(listing.expiry_day[first], day, calendar)
        later = years_of_variance(sessions_after, at_open, 0.0)
        of = self.slot_underlying
        self._terms = Terms(
            self._settles,
            of.astype(np.int64),
            later,
            years_of_variance(sessions_after, at_open, 1.0) - later,
            self._long_vol[of] ** 2,
            _ETA[of],
        )
        self.carry = RATE - YIELDS[of]
        self.years = np.zeros(len(first))
        self.table = self._laid_out(len(first))
        self._vix_slots = np.flatnonzero(of == VIX)
        self._lumps = np.zeros(len(first))
        self._announced = self._family_block = -1
        self.halted: NDArray[np.bool_] | None = None
        self.second = -1
        self.move_to(0)

    def _laid_out(self, slots: int) -> Table:
        """The table with what stays the same through the day."""
        listing = self.listing
        table = new_table(len(listing), len(CAST), slots)
        contracts, members = table.contracts, table.members
        contracts["strike_usd"], contracts["right"], contracts["slot"] = self.strike, listing.right, self.slot
        contracts["underlying"], contracts["open_interest"] = listing.underlying, listing.open_interest
        contracts["mirror"] = _mirror(listing)
        members["rho"], members["width"], members["depth"] = _RHO, _WIDTH, _DEPTH
        members["tick_low"], members["tick_high"], members["home"] = _TICK_LOW, _TICK_HIGH, HOME
        members["per_tick_low"], members["per_tick_high"] = 1.0 / _TICK_LOW, 1.0 / _TICK_HIGH
        members["american"] = _AMERICAN
        table.now["key"] = key_of(self._seed, QUOTES, self.day.session.date.toordinal())
        return table._replace(venues=SORTED_VENUES, venue_draws=venue_draw_table(VENUE_DRAWS))

    @property
    def theta(self) -> Floats:
        """Total variance at the money of each slot, (slots,)."""
        theta: Floats = self.table.slots["theta"]
        return theta

    @property
    def discount(self) -> Floats:
        """Discount factor to each slot's settlement, (slots,)."""
        discount: Floats = self.table.slots["discount"]
        return discount

    @property
    def growth(self) -> Floats:
        """Forward over level of each slot, (slots,)."""
        growth: Floats = self.table.slots["growth"]
        return growth

    def move_to(self, second: int) -> None:
        """Move to a second after the open."""
        if second == self.second:
            return
        self.second = second
        self.now_ns = self.day.session.open_ns + second * 1_000_000_000
        self.vols = self.day.vols(second)
        halted = self.day.halted(second)
        if halted is not None or self.halted is not None:
            self.table.members["halted"] = False if halted is None else halted
        self.halted = halted
        vix_level = self._vix_level()
        following = min(second + self.span_s, self.day.seconds)
        move_book(
            self.day.log_return, self.day.open_usd, second, following, VIX, vix_level,
            self._terms, self.now_ns, self._remaining[second], self.vols.now, self.vols.lasting,
            self._event_variance(), self.carry, RATE, KAPPA_LASTING, KAPPA_PASSING, self.table, self.years,
        )  # fmt: skip

    def levels(self, underlying: Rows, fraction: Floats | float) -> Floats:
        """Level of each underlying at a fraction of the present span."""
        members = self.table.members[underlying]
        level: Floats = members["level_usd"] + members["move_usd"] * fraction
        return level

    def value(self, rows: Rows, fraction: Floats | float) -> tuple[Floats, Floats]:
        """(model value in USD, volatility a calendar year) of contracts at a fraction of the present span."""
        value, deviation = np.empty(len(rows)), np.empty(len(rows))
        value_rows(self.table, *_requested(rows, fraction), value, deviation)
        return value, deviation / np.sqrt(self.years[self.slot[rows]])

    def quote(self, rows: Rows, fraction: Floats | float) -> TwoSided:
        """Bid and ask around the model value. A bid of zero has size zero."""
        quote = np.empty(len(rows), QUOTE)
        quote_rows(self.table, *_requested(rows, fraction), quote)
        columns = [quote[name].astype(np.int32 if name.endswith("venue") else np.int64) for name in TwoSided._fields]
        return TwoSided._make(columns)

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
        return self._lumps

    def _vix_level(self) -> float:
        """VIX, which is published, and traded on, every fifteen seconds; so are its forwards."""
        block = self.second // VIX_EVERY_S
        if block != self._family_block:
            self._family_block = block
            begins_ns = self.day.session.open_ns + block * VIX_EVERY_S * 1_000_000_000
            vols = self.day.vols(block * VIX_EVERY_S)
            spx = Vols(vols.now[SPX : SPX + 1], vols.lasting[SPX : SPX + 1])
            theta = total_variance_atm(*spx, self._long_vol[SPX : SPX + 1], _HORIZONS)
            theta += self._schedule.variance(_FAMILY_OF, begins_ns + _HORIZONS_NS, begins_ns)
            self._family = 100.0 * swap_volatility(theta, _HORIZONS, float(_RHO[SPX]), float(_ETA[SPX]))
            left_ns = np.maximum(self._settles[self._vix_slots] - begins_ns, 1_000_000_000)
            self.carry[self._vix_slots] = self._vix_carry(spx, left_ns / YEAR_NS)
            self._vix = float(self._family[_VIX_AT])
        return self._vix

    def _vix_carry(self, spx: Vols, years: Floats) -> Floats:
        """Carry of VIX to each of its expiries: its forward is the forward thirty-day volatility of SPX."""
        long = self._long_vol[SPX : SPX + 1]
        month = 30 / 365
        ahead = total_variance_atm(*spx, long, years + month) - total_variance_atm(*spx, long, years)
        today = total_variance_atm(*spx, long, np.array([month]))
        carry: Floats = 0.5 * exact.log(ahead / today) / years
        return carry


def _requested(rows: Rows, fraction: Floats | float) -> tuple[NDArray[np.int32], Floats]:
    """Rows and a fraction each as the loops take them."""
    fractions: Floats = np.ascontiguousarray(np.broadcast_to(fraction, len(rows)), np.float64)
    return np.ascontiguousarray(rows, np.int32), fractions


def _mirror(listing: Listing) -> NDArray[np.int32]:
    """Row of the other right at the same strike, (rows,); the row itself where it is not listed."""
    swap = {"C": "P", "P": "C"}
    found = (
        listing.row_of.get(f"{ticker[:-9]}{swap[ticker[-9]]}{ticker[-8:]}", row)
        for row, ticker in enumerate(listing.tickers)
    )
    return np.fromiter(found, np.int32, len(listing))


def _sessions_after(expiry_day: NDArray[np.int32], day: Day, calendar: Calendar) -> NDArray[np.int64]:
    dates = np.array([session.date.toordinal() for session in calendar.sessions]) - EPOCH_ORDINAL
    today = dt.date.toordinal(day.session.date) - EPOCH_ORDINAL
    return np.searchsorted(dates, expiry_day, side="right") - np.searchsorted(dates, today, side="right")
