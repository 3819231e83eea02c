"""One expiry of a chain: quotes side by side per strike, its clock, forward, vols and fitted smile."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.chain.table import ChainTable, Expiry
from services.core.calendar import Calendar
from services.core.settlement import settlement_ns
from services.quant import american, black, clock, smile, variance_index
from services.quant import forward as parity
from services.quant.arrays import Floats, Signs
from services.quant.smile import Smile
from services.quant.variance_index import Strip

__all__ = ["BuiltSlices", "Slice", "build_slices", "settle_instant"]

# Parity of expiries nearer than this says nothing about the rate: a cent of noise is whole per cents.
_RATE_YEARS_MIN = 20.0 / 365.0
# American options shorter than this are read as European on their out-of-the-money side: at most 0.25 vol points off.
AMERICAN_YEARS = 90.0 / 365.0
# Strikes nearest the money that decide an American forward: odd, so that the median is one of them.
_PAIRS = 5
# The free-butterfly check looks this close to the forward; further out quotes are a tick wide and say nothing.
_CHECKED_LOG_MONEYNESS = 0.10


@dataclass(frozen=True)
class Slice:
    """One expiry, worked out. Strike arrays are (strikes,) ascending; row arrays are one entry a listed contract."""

    expiry: Expiry
    settle_ns: int
    years: float
    forward: float
    discount: float
    forward_method: str
    strike: Floats
    call_bid: Floats
    call_ask: Floats
    put_bid: Floats
    put_ask: Floats
    vol: Floats  # (strikes,) from the out-of-the-money side; NaN without a usable quote
    half_spread_vol: Floats
    fit: Smile
    strip: Strip
    rows: NDArray[np.int64]  # of the table
    row_strike: Floats
    row_right: Signs
    row_vol: Floats  # a contract's own strike's vol, else the smile's, else the one the file states
    row_stated: NDArray[np.bool_]  # whose vol is the stated one
    open_interest: Floats  # NaN where not given

    @property
    def rate(self) -> float:
        """Continuous rate behind the discount factor."""
        return -math.log(self.discount) / self.years

    def call_quotes_near_the_money(self) -> tuple[Floats, Floats, Floats]:
        """(strike, bid, ask) of the calls whose quotes can be trusted to be tradable."""
        near = np.abs(black.log_moneyness(self.strike, self.forward)) <= _CHECKED_LOG_MONEYNESS
        near &= parity.usable_quotes(self.call_bid, self.call_ask)
        return self.strike[near], self.call_bid[near], self.call_ask[near]


@dataclass(frozen=True)
class BuiltSlices:
    """All expiries that are still running, and what was left out on the way."""

    slices: tuple[Slice, ...]
    rate: float
    rate_method: str
    rejected: dict[str, int]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Quotes:
    """One expiry's quotes before anything is known about it; missing sides are bids and asks of zero."""

    expiry: Expiry
    settle_ns: int
    years: float
    strike: Floats
    call_bid: Floats
    call_ask: Floats
    put_bid: Floats
    put_ask: Floats
    rows: NDArray[np.int64]  # of the table

    def parity(self, curve_discount: float) -> parity.Forward:
        return parity.implied_forward(
            self.strike, self.call_bid, self.call_ask, self.put_bid, self.put_ask, self.years, curve_discount
        )


def settle_instant(expiry: Expiry, calendar: Calendar) -> int:
    """When the expiry settles: as the file says, else by the one rule of settlement."""
    return expiry.settle_ns or settlement_ns(expiry.date, expiry.am_settled, calendar)


def build_slices(
    table: ChainTable, calendar: Calendar, now_ns: int, rate: float | None, early_exercise: bool | None
) -> BuiltSlices:
    """Every running expiry, nearest first. `early_exercise` None de-Americanises what is American and long."""
    rejected = dict(table.rejected)
    running = _running(table, calendar, now_ns, rejected)
    method = "given"
    if rate is None:
        found = _rate_of(running)
        rate, method = (0.0, "assumed") if found is None else (found, "parity")
    notes: list[str] = []
    slices = []
    for quotes in running:
        forward, how = _forward(table, quotes, rate, method == "given")
        if not math.isfinite(forward.forward):
            notes.append(f"{quotes.expiry.date}: too few two-sided quotes for a forward")
        american_style = not table.european and (
            quotes.years > AMERICAN_YEARS if early_exercise is None else early_exercise
        )
        if american_style:
            forward, how = _american_forward(table, quotes, forward, how)
        slices.append(_slice(table, quotes, forward, how, american_style, rejected))
    return BuiltSlices(tuple(slices), rate, method, dict(sorted(rejected.items())), tuple(notes))


def _count(rejected: dict[str, int], reason: str, rows: int) -> None:
    if rows:
        rejected[reason] = rejected.get(reason, 0) + int(rows)


def _running(table: ChainTable, calendar: Calendar, now_ns: int, rejected: dict[str, int]) -> list[_Quotes]:
    found = []
    for place, expiry in enumerate(table.expiries):
        settle_ns = settle_instant(expiry, calendar)
        (years,), (status,) = clock.calendar_years(now_ns, settle_ns)
        rows = np.flatnonzero(table.expiry == place)
        if status == clock.EXPIRED:
            _count(rejected, "expired", rows.size)
            continue
        found.append(_side_by_side(table, expiry, settle_ns, float(years), rows, rejected))
    return sorted(found, key=lambda quotes: quotes.settle_ns)


def _side_by_side(
    table: ChainTable,
    expiry: Expiry,
    settle_ns: int,
    years: float,
    rows: NDArray[np.int64],
    rejected: dict[str, int],
) -> _Quotes:
    strike, place = np.unique(table.strike[rows], return_inverse=True)
    bid, ask = table.bid[rows], table.ask[rows]
    missing = ~(ask > 0.0)
    crossed = ~missing & (bid > ask)
    _count(rejected, "no_quote", int(missing.sum()))
    _count(rejected, "crossed", int(crossed.sum()))
    # An inverse option is quoted in the coin; times its forward that is dollars.
    unit = table.forward[rows] if table.coin_priced else np.ones(rows.size)
    good = ~missing & ~crossed
    sides = []
    for right in (1, -1):
        chosen = good & (table.right[rows] == right)
        for price in (bid, ask):
            column = np.zeros(strike.size)
            column[place[chosen]] = (price * unit)[chosen]
            sides.append(column)
    call_bid, call_ask, put_bid, put_ask = sides
    return _Quotes(expiry, settle_ns, years, strike, call_bid, call_ask, put_bid, put_ask, rows)


def _rate_of(running: list[_Quotes]) -> float | None:
    """One flat rate: the median over the expiries whose parity line has a trustworthy slope, longer ones counting more.

    None where no expiry has one. The line's first guess of the discount is 1; it only picks the strikes near the money.
    """
    rates, weights = [], []
    for quotes in running:
        if quotes.years < _RATE_YEARS_MIN:
            continue
        found = quotes.parity(1.0)
        if found.status == parity.OK:
            rates.append(-math.log(found.discount) / quotes.years)
            weights.append(quotes.years * math.sqrt(found.strikes))
    if not rates:
        return None
    order = np.argsort(rates, kind="stable")
    climbed = np.cumsum(np.array(weights)[order])
    return float(np.array(rates)[order][np.searchsorted(climbed, 0.5 * climbed[-1])])


def _forward(table: ChainTable, quotes: _Quotes, rate: float, rate_given: bool) -> tuple[parity.Forward, str]:
    curve = math.exp(-rate * quotes.years)
    if table.coin_priced:
        # Coin-margined: quoted against the future, nothing to discount.
        named = table.forward[quotes.rows]
        return parity.Forward(float(np.median(named)), 1.0, int(named.size), 0.0, parity.OK), "file"
    found = quotes.parity(curve)
    # Early exercise bends the parity line of American options: its slope is not their discount factor.
    if found.status == parity.OK and (rate_given or not table.european):
        found = _under_discount(quotes, found, curve)
    if found.status == parity.TOO_FEW and math.isfinite(table.spot):
        return found._replace(forward=table.spot / curve, discount=curve), "spot"
    return found, "parity" if found.status == parity.OK else "parity_with_curve_discount"


def _under_discount(quotes: _Quotes, found: parity.Forward, curve: float) -> parity.Forward:
    """The forward again under the discount the user named: parity holds the put-call gap near the money fixed."""
    near = quotes.strike[np.abs(quotes.strike - found.forward).argmin()]
    moved = near + (found.forward - near) * found.discount / curve
    return found._replace(forward=float(moved), discount=curve, status=parity.CURVE_DISCOUNT)


def _american_forward(
    table: ChainTable, quotes: _Quotes, start: parity.Forward, how: str
) -> tuple[parity.Forward, str]:
    """The forward at which American calls and puts near the money agree on the vol."""
    if not (math.isfinite(start.forward) and math.isfinite(table.spot)):
        return start, how
    both = (quotes.call_bid > 0.0) & (quotes.put_bid > 0.0)
    near = np.flatnonzero(both)[np.argsort(np.abs(quotes.strike[both] - start.forward), kind="stable")[:_PAIRS]]
    rate = -math.log(start.discount) / quotes.years
    guess = rate - math.log(start.forward / table.spot) / quotes.years
    call = 0.5 * (quotes.call_bid + quotes.call_ask)[near]
    put = 0.5 * (quotes.put_bid + quotes.put_ask)[near]
    found = american.implied_dividend_yield(quotes.strike[near], call, put, table.spot, quotes.years, rate, guess)
    if not math.isfinite(found):
        return start, how
    return start._replace(forward=table.spot * math.exp((rate - found) * quotes.years)), "american_parity"


def _slice(
    table: ChainTable,
    quotes: _Quotes,
    forward: parity.Forward,
    how: str,
    american_style: bool,
    rejected: dict[str, int],
) -> Slice:
    strike, f, d = quotes.strike, forward.forward, forward.discount
    call = strike >= f
    bid, ask = np.where(call, quotes.call_bid, quotes.put_bid), np.where(call, quotes.call_ask, quotes.put_ask)
    right = np.where(call, 1, -1).astype(np.int8)
    mid = np.where(bid > 0.0, 0.5 * (bid + ask), np.nan)
    if math.isfinite(f):
        spot = table.spot if american_style else math.nan
        vol, half = _vols(mid, 0.5 * (ask - bid), f, strike, quotes.years, d, right, spot, rejected)
    else:
        vol = half = np.full(strike.size, np.nan)
    usable = parity.usable_quotes(bid, ask)
    k = black.log_moneyness(strike, f)
    fit = smile.fit_smile(k, np.where(usable, vol, np.nan), half, quotes.years)
    strip = variance_index.strip(
        strike, quotes.call_bid, quotes.call_ask, quotes.put_bid, quotes.put_ask, quotes.years,
        -math.log(d) / quotes.years,
    )  # fmt: skip
    own = np.searchsorted(strike, table.strike[quotes.rows])
    filled = np.where(np.isfinite(vol), vol, smile.vol_at(fit, k))[own]
    stated = table.stated_iv[quotes.rows]
    row_stated = ~np.isfinite(filled) & (stated > 0.0)
    return Slice(
        expiry=quotes.expiry,
        settle_ns=quotes.settle_ns,
        years=quotes.years,
        forward=f,
        discount=d,
        forward_method=how,
        strike=strike,
        call_bid=quotes.call_bid,
        call_ask=quotes.call_ask,
        put_bid=quotes.put_bid,
        put_ask=quotes.put_ask,
        vol=vol,
        half_spread_vol=half,
        fit=fit,
        strip=strip,
        rows=quotes.rows,
        row_strike=table.strike[quotes.rows],
        row_right=table.right[quotes.rows],
        row_vol=np.where(row_stated, stated, filled),
        row_stated=row_stated,
        open_interest=table.open_interest[quotes.rows],
    )


def _vols(
    mid: Floats,
    half_spread: Floats,
    forward: float,
    strike: Floats,
    years: float,
    discount: float,
    right: Signs,
    spot: float,
    rejected: dict[str, int],
) -> tuple[Floats, Floats]:
    """(vol, half spread in vol) of the out-of-the-money side at each strike; a given spot asks for de-Americanising."""
    if math.isfinite(spot):
        rate = -math.log(discount) / years
        dividend_yield = rate - math.log(forward / spot) / years
        vol, status = american.implied_vol(mid, spot, strike, years, rate, dividend_yield, right)
    else:
        vol, status = black.implied_vol(mid, forward, strike, years, discount, right)
    quoted = np.isfinite(mid)
    _count(rejected, "no_bid", int((~quoted).sum()))
    for code in (black.BELOW_INTRINSIC, black.ABOVE_MAXIMUM, black.BAD_TIME, black.BAD_INPUT):
        _count(rejected, black.STATUS_NAMES[code], int((quoted & (status == code)).sum()))
    vega = black.greeks(forward, strike, years, discount, 0.0, right, vol).vega
    with np.errstate(all="ignore"):
        half = half_spread / vega
    return vol, half
