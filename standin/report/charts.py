"""The portrait's charts: the same curve of every market that has it, in one picture. Pure.

A shaded band in a market's colour is what its curve is the middle of; a grey one is what chance alone would show.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from services.chain.svg import Band, Chart, Line
from standin.stylized_facts.facts import SIZES, Curve
from standin.stylized_facts.market_stats import SESSIONS, MarketStats

__all__ = [
    "Draw",
    "autocorrelations",
    "curves",
    "log_vix_memory",
    "sizes",
    "spreads",
    "term",
    "vix_moves",
    "vix_spx",
    "years",
]

Floats = NDArray[np.float64]
# Draws one chart of all markets; None when none of them has what it shows.
Draw = Callable[[Sequence[MarketStats]], Chart | None]

SESSION_MINUTES = 390
TENOR_TICKS = (5, 7, 14, 30, 60, 91, 182, 270)
SPREAD_TICKS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
SHARE_TICKS = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)


def curves(name: str, title: str, x_label: str, y_label: str, scale: float = 1.0) -> Draw:
    """One line a market, on plain axes."""

    def draw(markets: Sequence[MarketStats]) -> Chart | None:
        lines, bands = _drawn(markets, name, lambda x: x, lambda y: scale * y)
        return Chart(title, x_label, y_label, lines, bands=bands) if lines else None

    return draw


def autocorrelations(name: str, title: str, x_label: str, observations: int) -> Draw:
    """Autocorrelations with what a series of that many independent observations shows by chance, in 19 of 20 lags."""

    def draw(markets: Sequence[MarketStats]) -> Chart | None:
        lines, bands = _drawn(markets, name, lambda x: x, lambda y: y)
        if not lines:
            return None
        lags, chance = lines[0].x, np.full(len(lines[0].x), 2.0 / math.sqrt(observations))
        # The bands of markets lie over it.
        bands.insert(0, Band(f"chance alone ({observations:,} returns)", lags, -chance, chance))
        return Chart(title, x_label, "correlation", lines, bands=bands)

    return draw


def sizes(markets: Sequence[MarketStats]) -> Chart | None:
    """Share of prints larger than a size, on logarithmic axes: a tail of blocks shows as a straight line."""
    lines = []
    for market in markets:
        if market.sizes is not None:
            beyond = 1.0 - np.cumsum(market.sizes)[:-1]
            present = beyond > 1e-9
            lines.append(Line(market.name, np.log10(np.array(SIZES))[present], np.log10(beyond[present])))
    return Chart(
        "Prints larger than a size", "contracts", "share of prints, %", lines,
        x_ticks=_logarithmic(SIZES, "{:g}"), y_ticks=_percents(SHARE_TICKS),
    ) if lines else None  # fmt: skip


def spreads(markets: Sequence[MarketStats]) -> Chart | None:
    """Spread over mid by delta, on a logarithmic axis."""
    lines, bands = _drawn(markets, "spreads", lambda x: x, np.log10)
    return Chart(
        "Quoted spread of SPX options of one to eight weeks", "absolute delta", "spread over mid, %", lines,
        bands=bands, y_ticks=_percents(SPREAD_TICKS),
    ) if lines else None  # fmt: skip


def term(markets: Sequence[MarketStats]) -> Chart | None:
    """Term structure by the root of time, which gives the crowded weeks as much room as the rest of the year."""
    lines, bands = _drawn(markets, "term", np.sqrt, lambda y: y)
    return Chart(
        "SPX volatility at the money over that at thirty days", "days to expiry (root scale)", "ratio", lines,
        bands=bands, x_ticks=[(math.sqrt(days), str(days)) for days in TENOR_TICKS],
    ) if lines else None  # fmt: skip


def years(markets: Sequence[MarketStats]) -> Chart | None:
    """The last three years of VIX that each market has."""
    there = [(market.name, market.vix.levels[-SESSIONS:]) for market in markets if market.vix is not None]
    lines = [Line(name, np.arange(1.0, len(levels) + 1.0), levels) for name, levels in there]
    return Chart("Three years of VIX", "session", "VIX, points", lines) if lines else None


def log_vix_memory(markets: Sequence[MarketStats]) -> Chart | None:
    """How long a move of VIX lasts; the recorded band is of stretches as long as the made-up history, for a short
    history makes any memory look shorter."""
    lines: list[Line] = []
    bands: list[Band] = []
    for market in markets:
        if market.vix is not None:
            lags, acf = market.vix.log_acf
            if market.vix_range is not None:
                low, high = market.vix_range.log_acf
                label = f"{market.name}, nine in ten stretches of {market.vix_range.sessions}"
                bands.append(Band(label, lags, low, high, len(lines)))
            lines.append(Line(market.name, lags, acf))
    title = "Autocorrelation of VIX's logarithm"
    return Chart(title, "lag, sessions", "correlation", lines, bands=bands) if lines else None


def vix_moves(markets: Sequence[MarketStats]) -> Chart | None:
    """How often VIX moves by more than so much in a day: rises and falls apart, for rises go further."""
    lines = []
    for market in markets:
        if market.vix is not None:
            changes = np.diff(np.log(market.vix.levels))
            for label, moves in ((market.name, changes), ("", -changes)):
                size = np.sort(moves[moves > 0])[::-1]
                share = (np.arange(len(size)) + 1.0) / len(changes)
                lines.append(Line(label, 100.0 * size, np.log10(share), dashed=not label))
    return Chart(
        "How often VIX rises (dashed: falls) by more in a day", "change of its logarithm, %", "share of days, %", lines,
        y_ticks=_percents(SHARE_TICKS),
    ) if lines else None  # fmt: skip


def vix_spx(markets: Sequence[MarketStats]) -> Chart | None:
    """A dot a day, and the line of least squares."""
    lines: list[Line] = []
    for market in markets:
        if market.vix_change is not None and market.leverage is not None:
            x, y = market.vix_change
            slope = market.leverage[1]
            ends = np.array([x.min(), x.max()])
            lines.append(Line(f"{market.name}: {slope:+.1f} % for 1 %", ends, y.mean() + slope * (ends - x.mean())))
            lines.append(Line("", x, y, dots=True))
    return Chart("VIX against SPX, day by day", "SPX, %", "VIX, %", lines) if lines else None


def _drawn(
    markets: Sequence[MarketStats], name: str, on_x: Callable[[Floats], Floats], on_y: Callable[[Floats], Floats]
) -> tuple[list[Line], list[Band]]:
    """Lines, and bands in their colours, of every market with the curve, through a scale for each axis."""
    lines: list[Line] = []
    bands: list[Band] = []
    for market in markets:
        curve: Curve | None = getattr(market, name)
        if curve is not None:
            x = on_x(curve[0])
            if name in market.bands:
                low, high = market.bands[name]
                bands.append(Band(f"{market.name}, lowest to highest", x, on_y(low), on_y(high), len(lines)))
            lines.append(Line(market.name, x, on_y(curve[1])))
    return lines, bands


def _logarithmic(values: Sequence[float], form: str) -> list[tuple[float, str]]:
    return [(math.log10(value), form.format(value)) for value in values]


def _percents(shares: Sequence[float]) -> list[tuple[float, str]]:
    return [(math.log10(share), f"{100 * share:g}") for share in shares]
