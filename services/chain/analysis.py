"""From a chain's columns to its report: forwards, vols, smiles, indices, exposure. Pure; the calendar is handed in."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.chain.freshness import GIVEN, quote_time
from services.chain.indices import variance_indices
from services.chain.report import ChainReport, ExpiryReport, ExposureReport
from services.chain.slices import Slice, build_slices
from services.chain.table import ChainTable
from services.core.calendar import NEW_YORK, NS, Calendar
from services.quant import black, exposure, gamma_profile, smile, term
from services.quant.arrays import Floats

__all__ = ["ChainAnalysis", "Profile", "analyse"]

# Exposure beyond a month and a half hardly hedges today (domain rule); the whole chain is one option away.
HORIZON_DAYS = 45.0
_CM30_YEARS = 30.0 / 365.0
# Spot grid for zero gamma: an index rarely leaves 15 % before its walls move, a single stock may.
_INDEX_REACH, _STOCK_REACH = 0.15, 0.25
_GRID_POINTS = 121


@dataclass(frozen=True)
class Profile:
    """Net dealer gamma along a spot grid, and its split by strike, for plots."""

    grid: Floats
    gamma_usd: Floats
    strikes: Floats
    call_gex_usd: Floats
    put_gex_usd: Floats


@dataclass(frozen=True)
class ChainAnalysis:
    """The report and what plots need besides."""

    report: ChainReport
    slices: tuple[Slice, ...]
    profiles: dict[str, Profile]


def analyse(
    table: ChainTable,
    calendar: Calendar,
    *,
    as_of_ns: int | None = None,
    rate: float | None = None,
    horizon_days: float = HORIZON_DAYS,
    early_exercise: bool | None = None,
) -> ChainAnalysis:
    """Work the chain out as of `as_of_ns` (the file's own time by default) at `rate` (from parity by default)."""
    stamped = quote_time(table, calendar)
    now_ns = stamped.as_of_ns if as_of_ns is None else as_of_ns
    built = build_slices(table, calendar, now_ns, rate, early_exercise)
    slices = built.slices
    spot, spot_method = _spot(table, slices)
    flags = _calendar_flags(slices)
    expiries = [_expiry_report(one, flagged) for one, flagged in zip(slices, flags, strict=True)]
    reports, profiles = _exposures(table, slices, spot, now_ns, horizon_days)
    report = ChainReport(
        file=table.path.name,
        format=table.format,
        underlying=table.underlying,
        spot=spot,
        spot_method=spot_method,
        as_of=dt.datetime.fromtimestamp(now_ns / NS, NEW_YORK).isoformat(timespec="seconds"),
        as_of_ns=now_ns,
        as_of_method=stamped.method if as_of_ns is None else GIVEN,
        rate=built.rate,
        rate_method=built.rate_method,
        expiries=expiries,
        cm30=_cm30(expiries),
        variance_index=variance_indices(slices, calendar),
        exposure=reports,
        horizon_days=horizon_days,
        contracts=len(table),
        rejected=built.rejected,
        notes=[*table.notes, *stamped.notes, *built.notes],
    )
    return ChainAnalysis(report, slices, profiles)


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _spot(table: ChainTable, slices: tuple[Slice, ...]) -> tuple[float, str]:
    """The file's spot, else the nearest forward brought back to today at no carry (a day's carry is a hundredth %)."""
    if math.isfinite(table.spot) and table.spot > 0.0:
        return table.spot, "file"
    for one in slices:
        if math.isfinite(one.forward):
            return one.forward, "front_forward"
    return math.nan, "unknown"


def _calendar_flags(slices: tuple[Slice, ...]) -> list[bool]:
    """Per expiry: whether its total variance lies below the previous usable expiry's somewhere both are quoted."""
    flags: list[bool] = []
    last: Slice | None = None
    for one in slices:
        ready = one.fit.quotes >= smile.QUOTES_FOR_QUADRATIC
        flagged = ready and last is not None and smile.has_calendar_arbitrage(last.fit, one.fit)
        flags.append(flagged)
        if ready and not flagged:
            last = one
    return flags


def _expiry_report(one: Slice, calendar_flag: bool) -> ExpiryReport:
    figures = smile.figures(one.fit)
    ready = one.fit.quotes >= smile.QUOTES_FOR_QUADRATIC
    checks = {
        "butterfly": ready and smile.has_butterfly_arbitrage(one.fit),
        "calendar": calendar_flag,
        "quotes": smile.prices_bend_the_wrong_way(*one.call_quotes_near_the_money()),
        # A curve further from its quotes than their own half spread does not describe them.
        "wide_fit": ready and one.fit.rmse_half_spreads > 1.0,
    }
    parameters = dict(zip(("a", "b", "rho", "m", "s"), one.fit.curve, strict=False))
    return ExpiryReport(
        expiry=one.expiry.date.isoformat(),
        settlement="am" if one.expiry.am_settled else "pm",
        settle_ns=one.settle_ns,
        years=one.years,
        forward=_number(one.forward),
        discount=_number(one.discount),
        forward_method=one.forward_method,
        atm_iv=_number(figures.atm_iv),
        rr25=_number(figures.rr25),
        bf25=_number(figures.bf25),
        slope=_number(figures.slope),
        curve=one.fit.kind,
        svi=parameters if one.fit.kind == smile.SVI else None,
        checks=checks,
        usable=ready and math.isfinite(one.forward) and not (checks["butterfly"] or checks["calendar"]),
        quotes=one.fit.quotes,
        rmse_vol=_number(one.fit.rmse_vol),
        model_free_vol=_number(math.sqrt(one.strip.variance) if one.strip.variance > 0.0 else math.nan),
        open_interest=float(one.open_interest.sum()),
        max_pain=exposure.max_pain(one.row_strike, one.row_right, one.open_interest),
    )


def _cm30(expiries: list[ExpiryReport]) -> float | None:
    usable = [one for one in expiries if one.usable and one.atm_iv is not None]
    years = np.array([one.years for one in usable])
    vols = np.array([one.atm_iv for one in usable], dtype=np.float64)
    return _number(term.constant_maturity_vol(years, vols, _CM30_YEARS))


def _exposures(
    table: ChainTable, slices: tuple[Slice, ...], spot: float, now_ns: int, horizon_days: float
) -> tuple[dict[str, ExposureReport], dict[str, Profile]]:
    until_ns = now_ns + int(horizon_days * 86_400) * NS
    chosen = [one for one in slices if one.settle_ns <= until_ns and math.isfinite(one.forward)]
    rows = _ExposureRows.of(chosen)
    raw = black.greeks(rows.forward, rows.strike, rows.years, rows.discount, rows.rate, rows.right, rows.vol)
    view = black.spot_view(raw, spot, rows.forward, rows.years)
    reach = _INDEX_REACH if table.european and not table.coin_priced else _STOCK_REACH
    grid = gamma_profile.spot_grid(spot, reach, _GRID_POINTS)
    reports: dict[str, ExposureReport] = {}
    profiles: dict[str, Profile] = {}
    for convention in (exposure.NAIVE, exposure.ALL_SHORT):
        sign = exposure.dealer_sign(rows.right, convention)
        dollars = exposure.exposure(view, spot, rows.open_interest, sign, table.multiplier)
        cells = gamma_profile.cells(
            spot, rows.forward, rows.strike, rows.years, rows.discount, rows.vol,
            sign * rows.open_interest, table.multiplier,
        )  # fmt: skip
        gamma = gamma_profile.profile(cells, spot, grid)
        roots = gamma_profile.refine(cells, spot, gamma_profile.zero_gamma(grid, gamma), float(grid[1] - grid[0]))
        strikes, by_strike = exposure.by_strike(rows.strike, dollars.gex_usd)
        walls = exposure.walls(rows.strike, rows.right, dollars.gex_usd, spot)
        reports[convention] = ExposureReport(
            net_gex=float(dollars.gex_usd.sum()),
            gross_gex=float(np.abs(dollars.gex_usd).sum()),
            net_vex=float(dollars.vex_usd.sum()),
            net_cex=float(dollars.cex_usd.sum()),
            net_dex=float(dollars.dex_usd.sum()),
            call_wall=walls.call_wall,
            put_wall=walls.put_wall,
            largest_strike=walls.largest,
            zero_gamma=roots,
            nearest_zero_gamma=gamma_profile.nearest(roots, spot),
            max_pain=exposure.max_pain(rows.strike, rows.right, rows.open_interest),
            concentration=exposure.concentration(by_strike),
            share_expiring_first=exposure.expiring_share(
                dollars.gex_usd, rows.settle_ns, int(rows.settle_ns.min()) if rows.settle_ns.size else 0
            ),
        )
        calls = exposure.by_strike(rows.strike, np.where(rows.right > 0, dollars.gex_usd, 0.0))[1]
        profiles[convention] = Profile(grid, gamma, strikes, calls, by_strike - calls)
    return reports, profiles


@dataclass(frozen=True)
class _ExposureRows:
    """Contracts of the chosen expiries, one row each."""

    forward: Floats
    strike: Floats
    years: Floats
    discount: Floats
    rate: Floats
    vol: Floats
    open_interest: Floats
    right: NDArray[np.int8]
    settle_ns: NDArray[np.int64]

    @classmethod
    def of(cls, slices: list[Slice]) -> _ExposureRows:
        def spread(values: list[float]) -> Floats:
            counts = [one.row_strike.size for one in slices]
            return np.repeat(np.array(values, dtype=np.float64), counts)

        def joined(columns: list[Floats]) -> Floats:
            return np.concatenate(columns) if columns else np.empty(0)

        return cls(
            forward=spread([one.forward for one in slices]),
            strike=joined([one.row_strike for one in slices]),
            years=spread([one.years for one in slices]),
            discount=spread([one.discount for one in slices]),
            rate=spread([one.rate for one in slices]),
            vol=joined([one.row_vol for one in slices]),
            open_interest=joined([one.open_interest for one in slices]),
            right=np.concatenate([one.row_right for one in slices]) if slices else np.empty(0, dtype=np.int8),
            settle_ns=np.repeat(
                np.array([one.settle_ns for one in slices], dtype=np.int64), [one.row_strike.size for one in slices]
            ),
        )
