"""The seeded market's cast: what trades, at about what level and volatility, and what is listed on a given day.

Levels, volatilities and weights are invented but plausible for the middle of the 2020s; nothing here is a price of any
day. The weight is the share of option prints an underlying gets: SPY, SPX and QQQ carry about two fifths of the tape.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.symbols import EPOCH_ORDINAL, STRIKE_MILLS_MAX, Contract
from services.core.calendar import Calendar
from services.quant import exact
from standin.feed.listing import Kind, ListedContracts, Listing, Underlying, settlement_ns

__all__ = ["BETAS", "CAST", "LEVELS", "VOLS", "WEIGHTS", "YIELDS", "Member", "list_contracts", "position_of"]


class Member(NamedTuple):
    """One underlying of the seeded market.

    level_usd: the level it hovers around. vol_annual: long-run at-the-money volatility. beta: to the market's return.
    follows: the index whose path it tracks, for ETFs on one. weight: share of prints, not normalised.
    """

    ticker: str
    name: str
    kind: Kind
    level_usd: float
    vol_annual: float
    beta: float
    weight: float
    dividend_yield: float = 0.0
    follows: str = ""

    @property
    def is_index(self) -> bool:
        """Index options trade on one exchange only: no sweeps."""
        return self.kind == "index"


# fmt: off
_LEADERS = (
    Member("SPX", "S&P 500", "index", 6800.0, 0.14, 1.0, 70.0, 0.012),
    Member("SPY", "SPDR S&P 500 ETF", "etf", 680.0, 0.14, 1.0, 160.0, 0.012, "SPX"),
    Member("NDX", "Nasdaq-100", "index", 25000.0, 0.20, 1.2, 6.0, 0.007),
    Member("QQQ", "Invesco QQQ", "etf", 608.0, 0.20, 1.2, 100.0, 0.006, "NDX"),
    Member("RUT", "Russell 2000", "index", 2450.0, 0.22, 1.15, 4.0, 0.013),
    Member("IWM", "iShares Russell 2000", "etf", 243.0, 0.22, 1.15, 30.0, 0.012, "RUT"),
    Member("VIX", "Cboe Volatility Index", "index", 16.5, 0.90, 0.0, 14.0),
)
# ticker, level, volatility, beta, weight
_ETFS = """
DIA 470 .14 .9 3|GLD 370 .17 .1 8|SLV 46 .30 .2 7|TLT 90 .13 -.1 8|XLF 53 .18 1.0 4|XLE 90 .24 .8 4
XLK 285 .22 1.2 3|SMH 350 .34 1.6 5|EEM 54 .19 .9 3|HYG 81 .07 .3 4|KRE 62 .30 1.2 2|GDX 75 .38 .3 4
FXI 40 .32 .8 4|ARKK 80 .42 1.7 3|SOXL 42 .95 3.4 5|TQQQ 54 .60 3.4 6|USO 72 .33 .4 2
"""
_STOCKS = """
NVDA 185 .42 1.8 46|TSLA 430 .55 1.7 44|AAPL 270 .26 1.1 22|AMZN 230 .30 1.2 18|META 640 .33 1.3 15
MSFT 500 .24 1.0 13|GOOGL 285 .30 1.1 14|AMD 240 .52 1.8 18|PLTR 180 .60 1.8 20|MSTR 260 .80 2.2 12
COIN 310 .70 2.2 10|AVGO 350 .42 1.6 10|NFLX 1110 .34 1.1 6|INTC 37 .50 1.3 9|BABA 165 .42 .9 8
MU 230 .48 1.5 7|SMCI 42 .75 1.9 6|HOOD 125 .65 2.0 8|SOFI 28 .60 1.8 6|GME 22 .60 .8 4|BAC 53 .25 1.1 5
JPM 310 .23 1.0 4|WFC 86 .27 1.1 2|C 101 .28 1.2 3|GS 790 .28 1.2 2|MS 165 .27 1.2 1.5|XOM 117 .22 .6 3
CVX 155 .22 .6 2|OXY 41 .30 .8 2|F 13 .33 1.1 3|GM 68 .32 1.2 2|BA 195 .32 1.1 4|DIS 112 .26 1.0 3
UBER 92 .36 1.2 4|ORCL 240 .45 1.4 7|CRM 245 .33 1.1 3|ADBE 330 .32 1.0 2|CRWD 540 .42 1.3 3
SNOW 265 .45 1.4 2|PANW 215 .33 1.1 2|SHOP 165 .45 1.6 3|PYPL 67 .35 1.1 3|RIVN 15 .65 1.4 2
LCID 17 .70 1.4 1.5|NIO 7 .65 1.0 2|BIDU 125 .45 .9 1.5|JD 32 .38 .8 1.5|PFE 25 .24 .5 3|LLY 900 .34 .6 3
UNH 330 .34 .5 4|JNJ 195 .16 .4 1.5|MRK 88 .23 .4 1.5|ABBV 225 .22 .5 1|MRNA 26 .60 1.0 1.5|WMT 103 .20 .6 3
COST 920 .20 .7 2|TGT 92 .33 .8 1.5|HD 375 .22 .9 1|LOW 235 .24 .9 .8|NKE 65 .32 .9 2|SBUX 86 .28 .8 1.5
MCD 305 .17 .5 1|KO 70 .15 .4 1.5|PEP 146 .18 .4 1|PG 147 .16 .4 1|CMG 33 .34 .9 1.5|CAT 570 .30 1.1 1.5
DE 475 .27 .9 .8|GE 305 .31 1.1 1|LMT 485 .22 .4 .8|RTX 175 .22 .6 .8|T 26 .20 .4 1.5|VZ 41 .20 .4 1.5
QCOM 172 .34 1.3 2|TXN 160 .31 1.1 1|TSM 290 .36 1.4 4|ASML 1020 .36 1.4 1|ARM 150 .52 1.8 2
DELL 145 .46 1.5 2|IBM 305 .28 .8 1.5|CVNA 320 .60 1.8 2|DKNG 31 .45 1.3 1|AAL 13 .45 1.3 1.5|DAL 60 .38 1.2 1
CCL 27 .38 1.4 1|MARA 15 .90 2.3 3|RIOT 16 .88 2.3 2
"""
# fmt: on


def _table(text: str, kind: Kind) -> Iterator[Member]:
    for entry in text.replace("\n", "|").split("|"):
        if entry:
            ticker, *numbers = entry.split()
            level, vol, beta, weight = map(float, numbers)
            yield Member(ticker, ticker, kind, level, vol, beta, weight)


CAST: tuple[Member, ...] = (*_LEADERS, *_table(_ETFS, "etf"), *_table(_STOCKS, "stock"))
position_of: dict[str, int] = {member.ticker: position for position, member in enumerate(CAST)}
# The cast by column, (members,) each.
BETAS = np.array([member.beta for member in CAST])
LEVELS = np.array([member.level_usd for member in CAST])
VOLS = np.array([member.vol_annual for member in CAST])
WEIGHTS = np.array([member.weight for member in CAST])
YIELDS = np.array([member.dividend_yield for member in CAST])


class _Terms(NamedTuple):
    """How an underlying's chain is laid out: expiries by kind, strikes an expiry, distance of strikes at the money."""

    dailies: int
    weeklies: int
    monthlies: int
    leaps: int
    strikes: int
    step_usd: float


def _terms(member: Member) -> _Terms:
    match member.ticker:
        case "SPX":
            return _Terms(8, 5, 10, 5, 110, 5.0)
        case "SPY" | "QQQ":
            return _Terms(8, 5, 9, 5, 80, 1.0)
        case "NDX":
            return _Terms(5, 3, 5, 2, 70, 50.0)
        case "RUT":
            return _Terms(5, 3, 5, 2, 60, 5.0)
        case "IWM":
            return _Terms(6, 4, 6, 2, 56, 1.0)
        case "VIX":
            return _Terms(0, 4, 7, 0, 40, 0.5)
    steps = ((25.0, 0.5), (100.0, 1.0), (250.0, 2.5), (500.0, 5.0), (math.inf, 10.0))
    step = next(step for below, step in steps if member.level_usd < below)
    liquid = member.weight >= LIQUID_WEIGHT
    return _Terms(0, 5, 5, 2, 26, step) if liquid else _Terms(0, 3, 4, 1, 16, step)


# From here on an underlying has the denser chain of the twenty busiest names.
LIQUID_WEIGHT = 7.0
# Strikes span this many standard deviations either side, plus wings on a coarse grid.
SPAN_SIGMA = 3.5
WINGS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.1, 1.2, 1.3, 1.5)
# Expiries further than the monthlies: in January, of the broadest products in June and December too.
LEAPS_MONTHS, LEAPS_MONTHS_DENSE = frozenset({1}), frozenset({1, 6, 12})
# From here on, half as many strikes.
LEAPS_DAYS = 300
AM_ROOTS = {"SPX": "SPXW", "NDX": "NDXP", "RUT": "RUTW"}


def list_contracts(
    seed: int, day: dt.date, levels: NDArray[np.float64], calendar: Calendar, density: int = 1
) -> Listing:
    """What is listed on `day`, strikes around `levels` (one an underlying of CAST), open interest drawn from `seed`.

    `density` times as many strikes an expiry are listed as usual.

    Open interest of a contract depends on seed, underlying and terms, hardly on the day, so that walls stay where they
    are from one morning to the next.
    """
    listed: list[ListedContracts] = []
    ahead = [session.date for session in calendar.sessions if session.date >= day]
    fridays = [date for date in ahead if _closes_week(date, calendar)]
    for position, member in enumerate(CAST):
        for root, expiry in _expiries(member, day, ahead, fridays):
            days = max((expiry - day).days, 1)
            strikes = _strikes(member, float(levels[position]), days, density)
            open_interest = _open_interest(seed, position, member, root, expiry, days, strikes, float(levels[position]))
            expiry_day = expiry.toordinal() - EPOCH_ORDINAL
            listed += (
                ListedContracts(position, Contract(root, expiry_day, mills, right), int(count))
                for right, counts in open_interest
                for mills, count in zip(strikes.tolist(), counts.tolist(), strict=True)
            )
    underlyings = tuple(Underlying(member.ticker, member.kind, member.name) for member in CAST)
    return Listing.build(underlyings, listed, lambda root, expiry_day: settlement_ns(root, expiry_day, calendar))


def _expiries(
    member: Member, day: dt.date, ahead: list[dt.date], fridays: list[dt.date]
) -> Iterator[tuple[str, dt.date]]:
    """(root, expiry) pairs, each once: the next sessions (`ahead`), the next weekly dates, the next third Fridays."""
    terms = _terms(member)
    if member.ticker == "VIX":
        wednesdays = [date for date in ahead if date.weekday() == 2 and date > day]
        monthly = {date for date in wednesdays if _is_vix_monthly(date)}
        for date in wednesdays[: terms.weeklies]:
            if date not in monthly:
                yield "VIXW", date
        for date in sorted(monthly)[: terms.monthlies]:
            yield "VIX", date
        return
    third = [date for date in fridays if 15 <= _friday_of(date).day <= 21]
    monthly_dates = third[: terms.monthlies]
    months = LEAPS_MONTHS_DENSE if terms.leaps > 2 else LEAPS_MONTHS
    leaps = [date for date in third if date.month in months and date > monthly_dates[-1]][: terms.leaps]
    dates = sorted({*ahead[: terms.dailies], *fridays[: terms.weeklies], *monthly_dates, *leaps})
    pm_root = AM_ROOTS.get(member.ticker, member.ticker)
    for date in dates:
        yield pm_root, date
    if pm_root != member.ticker:
        # A.m. settled monthlies stop trading the evening before they settle.
        for date in monthly_dates:
            if date > day:
                yield member.ticker, date


def _friday_of(date: dt.date) -> dt.date:
    return date + dt.timedelta(days=4 - date.weekday())


def _closes_week(date: dt.date, calendar: Calendar) -> bool:
    """True on Fridays, and on the Thursday before a Friday without a session."""
    if date.weekday() == 4:
        return True
    return date.weekday() == 3 and calendar.session_on(date + dt.timedelta(days=1)) is None


def _is_vix_monthly(date: dt.date) -> bool:
    """VIX settles thirty days before the third Friday of the month after."""
    friday = date + dt.timedelta(days=30)
    return friday.weekday() == 4 and 15 <= friday.day <= 21


def _strikes(member: Member, level: float, days: int, density: int) -> NDArray[np.int64]:
    """Strikes in thousandths, ascending: an even ladder over a few standard deviations, and coarse wings."""
    terms = _terms(member)
    room = terms.strikes * density // (2 if days > LEAPS_DAYS else 1)
    finest = terms.step_usd / density
    span = level * min(SPAN_SIGMA * member.vol_annual * math.sqrt(days / 365.0), 0.6)
    # The finest multiple of the step, in the pattern 1-2-5, that does not need more strikes than the chain has.
    multiples = (step * 10**power for power in range(5) for step in (1, 2, 5))
    step = finest * next(m for m in multiples if 2 * span / (finest * m) <= room)
    # Round to the grid first: an even ladder keeps its strikes when the level moves a little overnight.
    low = max(math.floor((level - span) / step), 1)
    high = max(math.ceil((level + span) / step), low + 6)
    strikes_near = np.arange(low, high + 1) * step
    coarse = np.round(level * np.array(WINGS) / (10 * terms.step_usd)) * 10 * terms.step_usd
    both = np.unique(np.round(np.concatenate((strikes_near, coarse)) * 1000).astype(np.int64))
    return both[(both > 0) & (both <= STRIKE_MILLS_MAX)]


def _open_interest(
    seed: int,
    position: int,
    member: Member,
    root: str,
    expiry: dt.date,
    days: int,
    strikes: NDArray[np.int64],
    level: float,
) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """(right, open interest a strike): most near the money, at round strikes and in monthlies; puts below, calls above.

    One put strike below and one call strike above hold several times their neighbours: the walls.
    """
    is_monthly = 15 <= expiry.day <= 21
    # Daily expiries are opened late and hold less; what trades in them today is many times what was open this morning.
    age = 0.9 if days <= 8 else 1.0
    # Single names list fewer strikes than index products here, so each holds more of what they trade in a few days.
    each, share = (60.0, 0.8) if member.is_index or member.follows else (900.0, 0.6)
    busy = each * float(exact.exp(share * exact.log(member.weight)))
    base = busy * (2.2 if is_monthly else 1.3) * age / (1.0 + days / 200.0)
    step = _terms(member).step_usd * 1000
    roundness = np.where(strikes % (10 * step) == 0, 4.0, np.where(strikes % (5 * step) == 0, 1.8, 0.7))
    moneyness = (strikes / 1000.0 / level - 1.0) / (member.vol_annual * math.sqrt(max(days, 3) / 365.0))
    for right in (1, -1):
        stream = (seed, OPEN_INTEREST_STREAM, position, expiry.toordinal(), len(root), right + 1)
        rng = np.random.Generator(np.random.PCG64(stream))
        # Written and held on the out-of-the-money side, about two thirds of a standard deviation away.
        shape = exact.exp(-0.5 * ((moneyness - 0.65 * right) / 1.1) ** 2) + 0.02
        # Noise by strike number, so that a strike keeps its count when the ladder's ends move.
        jitter = exact.exp(0.8 * rng.standard_normal(JITTER_STRIKES))[(strikes // 500) % JITTER_STRIKES]
        counts = base * roundness * shape * jitter
        outside = np.flatnonzero((moneyness * right > 0.3) & (moneyness * right < 1.6) & (roundness > 1.0))
        if len(outside):
            counts[outside[int(rng.integers(len(outside)))]] *= 5.0
        yield right, np.floor(counts).astype(np.int64)


# Strikes half a dollar apart repeat their noise after so many; no ladder near the money is that long.
JITTER_STRIKES = 512
# Names a stream of random numbers; any constant that no other stream uses.
OPEN_INTEREST_STREAM = 0x01
