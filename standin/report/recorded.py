"""Measures recorded data, when a folder of it is given: what is not there is left out of the comparison.

chains/         Cboe's daily chains of SPX with volatility and delta    spreads, smile, term structure; VIX against SPX
lean/           LEAN folders of minute bars                             the day's shape, SPX by minute
thetadata/      option prints with conditions (ThetaData's ids)         sizes, conditions
vix_history/    VIX, VIX9D, VIX3M, VIX6M by day                         level, moves, memory, term structure
"""

from __future__ import annotations

import csv
import datetime as dt
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.chain.read import read_chain
from services.core.calendar import NS, ny_ns
from standin.errors import StandInError
from standin.files.lean import locate
from standin.stylized_facts import facts
from standin.stylized_facts.facts import ChainFacts, Curve
from standin.stylized_facts.market_stats import SESSIONS, MarketStats
from standin.stylized_facts.vix import ranges_of, vix_facts

__all__ = ["recorded_of"]

Floats = NDArray[np.float64]

# ThetaData's condition ids in the vendor's, as its own table describes them.
THETADATA = {18: 209, 0: 209, 95: 219, 125: 227, 126: 228, 127: 229, 128: 230, 129: 231, 130: 232, 131: 233, 138: 240}
# Before the crisis VIX was another market's: its options were hardly traded, and VIX3M is not known.
VIX_SINCE = dt.date(2010, 1, 1)
VIX_FILES = {
    "VIX9D": "VIX9D_History.csv",
    "VIX": "vix-daily.csv",
    "VIX3M": "VIX3M_History.csv",
    "VIX6M": "VIX6M_History.csv",
}
OPEN = (9, 30)
# Fewer pairs of days say nothing about a slope.
LEVERAGE_DAYS_MIN = 10


def recorded_of(directory: Path) -> MarketStats:
    """Everything the folder can say. Raises StandInError when it is no folder or says nothing."""
    if not directory.is_dir():
        raise StandInError(f"{directory} is no folder")
    stats = MarketStats(name="recorded")
    for part in (_chains, _day, _minutes, _prints, _vix):
        stats = part(directory, stats)
    if stats == MarketStats(name="recorded"):
        raise StandInError(f"{directory} has none of chains, lean, thetadata, vix_history")
    return stats


def _chains(directory: Path, stats: MarketStats) -> MarketStats:
    """Every daily chain: the middle of each curve, and between what all of them lie; and SPX's moves beside VIX's."""
    files = sorted(directory.glob("chains/*daily*/*.csv*"))
    if not files:
        return stats
    levels: dict[dt.date, float] = {}
    curves: dict[str, list[Curve]] = {"spreads": [], "smile": [], "term": []}
    for file in files:
        table = read_chain(file)
        levels[table.quote_date] = table.spot
        days = np.array([float((expiry.date - table.quote_date).days) for expiry in table.expiries])[table.expiry]
        chain = ChainFacts(days, table.right, table.stated_delta, table.bid, table.ask, table.stated_iv)
        for name, read in (("spreads", facts.spreads), ("smile", facts.smile), ("term", facts.term_ratio)):
            curves[name].append(read(chain))
    bands = dict(stats.bands)
    (spreads, bands["spreads"]), (smile, bands["smile"]), (term, bands["term"]) = map(facts.fan, curves.values())
    origin = f"{len(files)} daily SPX chains, {min(levels)} to {max(levels)}, of an hour that is not known"
    stats = _with_origin(stats, "spreads", origin)._replace(spreads=spreads, smile=smile, term=term, bands=bands)
    return _beside_vix(directory, stats, levels)


def _beside_vix(directory: Path, stats: MarketStats, levels: dict[dt.date, float]) -> MarketStats:
    """SPX's daily moves against VIX's, between days next to each other of which both are known."""
    vix = _closes(directory / "vix_history" / VIX_FILES["VIX"])
    dates = [date for date in sorted(levels) if date in vix]
    if len(dates) < LEVERAGE_DAYS_MIN:
        return stats
    index, points = (np.array([closes[date] for date in dates]) for closes in (levels, vix))
    returns = np.diff(np.log(index))
    return _with_origin(stats, "leverage", f"{len(returns)} days, {dates[0]} to {dates[-1]}")._replace(
        leverage=facts.leverage(returns, points), vix_change=(100.0 * returns, 100.0 * np.diff(np.log(points)))
    )


def _day(directory: Path, stats: MarketStats) -> MarketStats:
    """Contracts traded through a day in one stock's whole chain."""
    files = sorted(directory.glob("lean/option/*/*_trade_american.zip"))
    if not files:
        return stats
    # The largest is the busiest.
    path = max(files, key=lambda file: file.stat().st_size)
    date = dt.datetime.strptime(path.name[:8], "%Y%m%d").date()
    table = locate(directory / "lean", date, path.parent.name).option_table("trade", required=True)
    assert table is not None  # required: the reader raised otherwise
    seconds = (table.start_ns - ny_ns(date, *OPEN)) / NS
    origin = f"{path.parent.name.upper()} options of {date}, minutes with a trade"
    return _with_origin(stats, "half_hours", origin)._replace(
        half_hours=facts.half_hours(seconds, np.ones(len(seconds)))
    )


def _minutes(directory: Path, stats: MarketStats) -> MarketStats:
    """An index by the minute through one session."""
    files = sorted(directory.glob("lean/index/*/*_trade.zip"))
    if not files:
        return stats
    date = dt.datetime.strptime(files[0].name[:8], "%Y%m%d").date()
    table = locate(directory / "lean", date, files[0].parent.name).underlying_trades()
    if table is None:
        return stats
    inside = (table.start_ns >= ny_ns(date, *OPEN)) & (table.start_ns < ny_ns(date, 16))
    returns = np.diff(np.log(table.columns[inside, 3]))
    return _with_origin(stats, "minute_acf", f"{files[0].parent.name.upper()} on {date}")._replace(
        minute_acf=facts.autocorrelation(returns), minute_abs_acf=facts.autocorrelation(np.abs(returns))
    )


def _prints(directory: Path, stats: MarketStats) -> MarketStats:
    """Option prints of one contract: few, and said so by their number."""
    path = directory / "thetadata" / "option_history_trade_quote.csv"
    if not path.is_file():
        return stats
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    try:
        sizes = np.array([int(row["size"]) for row in rows], np.int64)
        conditions = np.array([THETADATA.get(int(row["condition"]), 209) for row in rows], np.int32)
    except (KeyError, ValueError) as error:
        raise StandInError(f"{path}: {error}") from None
    return _with_origin(stats, "sizes", f"{len(sizes)} prints of one SPY contract: too few to judge by")._replace(
        sizes=facts.size_shares(sizes),
        mean_size=float(sizes.mean()),
        conditions=facts.condition_shares(conditions),
        prints=len(sizes),
    )


def _vix(directory: Path, stats: MarketStats) -> MarketStats:
    closes = {name: _closes(directory / "vix_history" / file) for name, file in VIX_FILES.items()}
    vix = closes["VIX"]
    since = sorted(date for date in vix if date >= VIX_SINCE)
    if not since:
        return stats
    there = {name: each for name, each in closes.items() if each}
    common = [date for date in since if all(date in each for each in there.values())]
    family = {name: np.array([each[date] for date in common]) for name, each in there.items()}
    origin = f"VIX, {since[0]} to {since[-1]}"
    range_ = ranges_of(np.array([vix[date] for date in sorted(vix)]), SESSIONS)
    if range_ is not None:
        origin += f"; its range: nine in ten stretches of {SESSIONS} sessions, {min(vix).year} to {max(vix).year}"
    return _with_origin(stats, "vix", origin)._replace(
        vix=vix_facts(np.array([vix[date] for date in since]), family), vix_range=range_
    )


def _with_origin(stats: MarketStats, what: str, origin: str) -> MarketStats:
    """With the origin of a fact noted."""
    return stats._replace(origin={**stats.origin, what: origin})


def _closes(path: Path) -> dict[dt.date, float]:
    """Closing levels by day; dates of either order."""
    if not path.is_file():
        return {}
    closes: dict[dt.date, float] = {}
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            parts = [int(part) for part in re.split(r"[-/]", row["DATE"])]
            year, month, day = parts if parts[0] > 31 else (parts[2], parts[0], parts[1])
            closes[dt.date(year, month, day)] = float(row["CLOSE"])
    return closes
