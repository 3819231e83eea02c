"""Measures a made-up market: one session of its tape, one chain, and years of its days. Pure."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.core.calendar import NS, Calendar
from standin.market.book import smile_of
from standin.market.events import schedule_of
from standin.market.paths import Vols, day_of
from standin.market.scenario import Scenario
from standin.market.seeded import SeededMarket
from standin.market.surface import swap_volatility, total_variance_atm
from standin.market.universe import VOLS
from standin.market.walk import MARKET, Morning, Walk
from standin.stylized_facts import facts
from standin.stylized_facts.facts import ChainFacts, Curve
from standin.stylized_facts.vix import FAMILY, VixFacts, VixRange, vix_facts

__all__ = ["MINUTE_SESSIONS", "SESSIONS", "MarketStats", "measured_stats"]

Floats = NDArray[np.float64]

# A quarter of the tape is two million prints: shares to a tenth of a percent.
INTENSITY = 0.25
SESSIONS = 750
# Sessions that are looked at by the minute.
MINUTE_SESSIONS = 20
CHAIN_AFTER_S = 3600
MONTH_SESSIONS = 21


class MarketStats(NamedTuple):
    """What a market showed; None where the data cannot say.

    origin: which data said what, in words by field. bands: by field, between which two curves all of those lie whose
    middle the field is.
    """

    name: str
    origin: dict[str, str] = {}  # noqa: RUF012 - never changed, as a named tuple's fields are not
    bands: dict[str, tuple[Floats, Floats]] = {}  # noqa: RUF012
    half_hours: Curve | None = None
    sizes: Floats | None = None
    mean_size: float | None = None
    conditions: dict[str, float] | None = None
    spreads: Curve | None = None
    smile: Curve | None = None
    term: Curve | None = None
    minute_acf: Curve | None = None
    minute_abs_acf: Curve | None = None
    daily_acf: Curve | None = None
    daily_abs_acf: Curve | None = None
    kurtosis: float | None = None
    leverage: tuple[float, float] | None = None
    vix_change: tuple[Floats, Floats] | None = None
    vix: VixFacts | None = None
    vix_range: VixRange | None = None
    vix_less_realised: float | None = None
    prints: int = 0


def measured_stats(seed: int, scenario: Scenario) -> MarketStats:
    """Measure the scenario's market: its first whole session, and the sessions of three years."""
    market = SeededMarket(seed, _open_of(scenario), scenario=scenario, intensity=INTENSITY, span_s=60)
    chain, seconds, sizes, conditions = _tape(market)
    return _years(seed, scenario)._replace(
        name=f"made up: {scenario.name}, seed {seed}",
        half_hours=facts.half_hours(seconds, np.ones(len(seconds))),
        sizes=facts.size_shares(sizes),
        mean_size=float(sizes.mean()),
        conditions=facts.condition_shares(conditions),
        spreads=facts.spreads(chain),
        smile=facts.smile(chain),
        term=facts.term_ratio(chain),
        prints=len(sizes),
    )


def _open_of(scenario: Scenario) -> int:
    session = Calendar.load(scenario.start, scenario.start).session_on(scenario.start)
    assert session is not None  # a scenario's start is a session by choice
    return session.open_ns


def _tape(market: SeededMarket) -> tuple[ChainFacts, Floats, NDArray[np.int64], NDArray[np.int32]]:
    """SPX's chain an hour after the open; (seconds after the open, size, condition) of every print of the session."""
    open_ns = market.clock_ns
    nobody = np.empty(0, np.int32)
    parts = []
    while market.is_open:
        if market.clock_ns == open_ns + CHAIN_AFTER_S * NS:
            chain = _chain(market)
        prints = market.advance(60 * NS, nobody).prints
        parts.append((prints.t_ms / 1000.0 - open_ns / NS, prints.size, prints.condition))
    seconds, sizes, conditions = (np.concatenate(column) for column in zip(*parts, strict=True))
    return chain, seconds, sizes, conditions


def _chain(market: SeededMarket) -> ChainFacts:
    listing = market.listing
    rows = np.arange(listing.slices["SPX"].start, listing.slices["SPX"].stop)
    state = market.snapshot(rows)
    days = np.floor((listing.settlement_ns[rows] - market.clock_ns) / (86_400 * NS) + 0.5)
    return ChainFacts(days, listing.right[rows], state.delta, state.bid, state.ask, state.iv)


def _years(seed: int, scenario: Scenario) -> MarketStats:
    """Daily facts over SESSIONS sessions from the beginning of the walk's period, after half a year to settle."""
    first = Walk.beginning(scenario.start)
    last = first + dt.timedelta(days=365 * 4)
    calendar = Calendar.load(first, last)
    identity = scenario.identity(seed)
    schedule = schedule_of(identity, scenario, calendar, last)
    walk = Walk(identity, scenario, calendar, schedule)
    mornings = [walk.morning(session) for session in calendar.sessions[125 : 125 + SESSIONS + 1]]
    returns = np.diff([morning.log_close[MARKET] for morning in mornings])
    # Mornings against mornings, as volatility is known when a session opens.
    overnight = np.diff([morning.log_open[MARKET] for morning in mornings])
    family = _family(scenario, mornings)
    vix = family["VIX"]
    months = range(len(returns) - MONTH_SESSIONS + 1)
    realised = 100.0 * np.sqrt(252.0) * np.array([np.std(returns[index : index + MONTH_SESSIONS]) for index in months])
    stats = MarketStats(
        name="",
        daily_acf=facts.autocorrelation(returns),
        daily_abs_acf=facts.autocorrelation(np.abs(returns)),
        kurtosis=facts.kurtosis(returns),
        leverage=facts.leverage(overnight, vix),
        vix_change=(100.0 * overnight, 100.0 * np.diff(np.log(vix))),
        vix=vix_facts(vix, family),
        vix_less_realised=float(np.mean(vix[: len(realised)] - realised)),
    )
    return _by_minute(stats, identity, mornings[:MINUTE_SESSIONS])


def _by_minute(stats: MarketStats, identity: int, mornings: list[Morning]) -> MarketStats:
    """With autocorrelations of SPX's one-minute returns: the middle session, and between which two all lie."""
    minutes = [np.diff(day_of(identity, morning).log_return[::60, MARKET].astype(np.float64)) for morning in mornings]
    signed, signed_band = facts.fan([facts.autocorrelation(minute) for minute in minutes])
    sizes, sizes_band = facts.fan([facts.autocorrelation(np.abs(minute)) for minute in minutes])
    bands = {**stats.bands, "minute_acf": signed_band, "minute_abs_acf": sizes_band}
    return stats._replace(minute_acf=signed, minute_abs_acf=sizes, bands=bands)


def _family(scenario: Scenario, mornings: list[Morning]) -> dict[str, Floats]:
    """The VIX formula over each horizon at every morning's volatilities, in points, announcements aside."""
    typical = VOLS[MARKET] * scenario.vol_scale
    now = typical * np.exp([morning.log_vol[MARKET] for morning in mornings])
    lasting = typical * np.exp([morning.log_lasting[MARKET] for morning in mornings])
    long = np.array([typical * scenario.long_ratio])
    family = {}
    for name, days in FAMILY.items():
        years = np.array([days / 365])
        theta = total_variance_atm(*Vols(now, lasting), long, years)
        points = swap_volatility(theta, np.repeat(years, len(theta)), *smile_of("SPX", "index"))
        family[name] = 100.0 * points
    return family
