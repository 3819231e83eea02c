"""The four pictures of a chain: smiles, term structure, exposure by strike, gamma profile."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from services.chain.analysis import ChainAnalysis
from services.chain.exposures import Profile
from services.chain.slices import Slice
from services.chain.svg import Bars, Chart, Line, Mark
from services.errors import InputError
from services.quant import exposure, smile

__all__ = ["write_plots"]

# More smiles than this in one picture cannot be told apart.
_SMILES_MAX = 6
_SMILE_MARGIN = 0.15
# Exposure further than this from spot is nothing on the same scale.
_STRIKE_REACH = 0.10
_CURVE_POINTS = 160
_TENORS_DAYS = (1, 7, 14, 30, 60, 91, 182, 365, 730, 1095)


def write_plots(analysis: ChainAnalysis, folder: Path) -> list[Path]:
    """SVG files in `folder`, which is made if need be; returns what was written."""
    charts = {
        "smile": _smiles(analysis),
        "term_structure": _term_structure(analysis),
    }
    if analysis.profiles:  # without open interest there is no exposure to draw
        charts |= {"exposure_by_strike": _exposure(analysis), "gamma_profile": _gamma(analysis)}
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, chart in charts.items():
            path = folder / f"{name}.svg"
            path.write_text(chart.render(), encoding="utf-8")
            written.append(path)
    except OSError as error:
        raise InputError(folder, f"cannot be written ({error.strerror})") from None
    return written


def _smiles(analysis: ChainAnalysis) -> Chart:
    ready = [one for one in analysis.slices if one.fit.quotes >= smile.QUOTES_FOR_QUADRATIC]
    chosen = [ready[int(i)] for i in np.unique(np.linspace(0, len(ready) - 1, _SMILES_MAX).round())] if ready else []
    lines = [line for one in chosen for line in (_fitted(one), _quoted(one))]
    report = analysis.report
    title = f"{report.underlying} implied volatility, {report.as_of[:16].replace('T', ' ')}"
    fits = [one.fit for one in chosen]
    low, high = min((fit.k_low for fit in fits), default=0.0), max((fit.k_high for fit in fits), default=0.0)
    # A little of the quotes beyond the fits shows how they go on.
    room = _SMILE_MARGIN * (high - low)
    x_range = (low - room, high + room) if fits else None
    return Chart(
        title, "log-moneyness ln(K/F); lines are fitted, dots quoted", "implied vol, %", lines=lines, x_range=x_range
    )


def _fitted(one: Slice) -> Line:
    k = np.linspace(one.fit.k_low, one.fit.k_high, _CURVE_POINTS)
    label = f"{one.expiry.date}{' am' if one.expiry.am_settled else ''}"
    return Line(label, k, smile.vol_at(one.fit, k) * 100.0)


def _quoted(one: Slice) -> Line:
    """Vols of the quotes that pin their strike down to a tenth."""
    seen = np.isfinite(one.vol) & (one.half_spread_vol < 0.1 * one.vol)
    return Line("", np.log(one.strike / one.forward)[seen], one.vol[seen] * 100.0, dots=True)


def _term_structure(analysis: ChainAnalysis) -> Chart:
    rows = [one for one in analysis.report.expiries if one.atm_iv is not None]
    # The root of time gives the crowded weeks at the front as much room as the years behind them.
    root_days = [math.sqrt(one.years * 365.0) for one in rows]
    atm = [100.0 * one.atm_iv for one in rows if one.atm_iv is not None]
    free = [100.0 * one.model_free_vol if one.model_free_vol is not None else float("nan") for one in rows]
    return Chart(
        f"{analysis.report.underlying} term structure",
        "days to expiry (root scale)",
        "vol, %",
        lines=[Line("at the money", root_days, atm), Line("model-free (VIX strip)", root_days, free)],
        x_ticks=[(math.sqrt(days), f"{days}") for days in _TENORS_DAYS],
    )


def _exposure(analysis: ChainAnalysis) -> Chart:
    profile, spot = analysis.profiles[exposure.NAIVE], analysis.report.spot
    walls = analysis.report.exposure[exposure.NAIVE]
    marks = [Mark(f"spot {spot:,.0f}", spot)]
    marks += [
        Mark(f"{name} {x:,g}", x) for name, x in (("put wall", walls.put_wall), ("call wall", walls.call_wall)) if x
    ]
    return Chart(
        f"{analysis.report.underlying} dealer gamma by strike (naive: long calls, short puts)",
        "strike",
        "dollars per 1 % move",
        bars=[
            Bars("calls", profile.strikes, profile.call_gex_usd),
            Bars("puts", profile.strikes, profile.put_gex_usd),
        ],
        marks=marks,
        x_range=((1.0 - _STRIKE_REACH) * spot, (1.0 + _STRIKE_REACH) * spot),
    )


def _gamma(analysis: ChainAnalysis) -> Chart:
    report = analysis.report
    lines = [_profile_line(name, profile) for name, profile in analysis.profiles.items()]
    roots = report.exposure[exposure.NAIVE].zero_gamma
    marks = [Mark(f"spot {report.spot:,.0f}", report.spot), *(Mark(f"zero {root:,.1f}", root) for root in roots)]
    return Chart(
        f"{report.underlying} dealer gamma if spot were elsewhere (vol sticks to the strike)",
        "spot",
        "dollars per 1 % move",
        lines=lines,
        marks=marks,
    )


def _profile_line(name: str, profile: Profile) -> Line:
    return Line(name.replace("_", " "), profile.grid, profile.gamma_usd)
