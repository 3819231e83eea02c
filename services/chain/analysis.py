"""From a chain's columns to its report: forwards, vols, smiles, indices, exposure. Pure; the calendar is handed in."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass, replace

import numpy as np

from services.chain.exposures import Profile, exposures
from services.chain.flow import FlowPositions
from services.chain.freshness import GIVEN, SESSION, quote_time
from services.chain.indices import variance_indices
from services.chain.report import ChainReport, ExpiryReport
from services.chain.slices import Slice, build_slices
from services.chain.table import ChainTable
from services.core.calendar import NEW_YORK, NS, Calendar
from services.quant import black, smile, strike_levels, term

__all__ = ["HORIZON_DAYS", "ChainAnalysis", "analyse"]

# Exposure beyond a month and a half hardly hedges today (domain rule); the whole chain is one option away.
HORIZON_DAYS = 45.0
# A forward within two weeks differs from spot by carry of less than a quarter of a per cent and perhaps one dividend;
# more than this is another moment's price.
_FRONT_YEARS_MAX, _AFTER_HOURS_GAP = 14.0 / 365.0, 0.01
_CM30_YEARS = 30.0 / 365.0


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
    flow: FlowPositions | None = None,
) -> ChainAnalysis:
    """Work the chain out as of `as_of_ns` (the file's own time by default) at `rate` (from parity by default).

    `flow` is what customers are known to hold of each row of the table; without it that convention is left out.
    """
    stamped = quote_time(table, calendar)
    now_ns = stamped.as_of_ns if as_of_ns is None else as_of_ns
    built = build_slices(table, calendar, now_ns, rate, early_exercise)
    spot_note = _spot_of_later(table, built.slices) if stamped.method == SESSION else ""
    if spot_note:
        table = replace(table, spot=math.nan)
        built = build_slices(table, calendar, now_ns, rate, early_exercise)
    slices = built.slices
    spot, spot_method = _spot(table, slices)
    flags = _calendar_flags(slices)
    expiries = [_expiry_report(one, flagged) for one, flagged in zip(slices, flags, strict=True)]
    dealt = exposures(table, slices, spot, now_ns + int(horizon_days * 86_400) * NS, flow)
    given_notes = (stamped.notes if as_of_ns is None else ()) + ((spot_note,) if spot_note else ())
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
        exposure=dealt.reports,
        exposure_absent=dealt.absent,
        horizon_days=horizon_days,
        contracts=len(table),
        rejected=built.rejected,
        notes=[*table.notes, *given_notes, *built.notes, *dealt.notes],
    )
    return ChainAnalysis(report, slices, dealt.profiles)


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


def _spot_of_later(table: ChainTable, slices: tuple[Slice, ...]) -> str:
    """Why the file's last price is not the spot of quotes made at the close, empty if it may be."""
    near = next((one for one in slices if one.forward_method.startswith("parity")), None)
    if near is None or near.years > _FRONT_YEARS_MAX or not table.spot > 0.0:
        return ""
    if abs(math.log(near.forward / table.spot)) <= _AFTER_HOURS_GAP:
        return ""
    return f"spot {table.spot:,.2f} is of after hours: the quotes' own forward is {near.forward:,.2f}, which stands in"


def _calendar_flags(slices: tuple[Slice, ...]) -> list[bool]:
    """Per expiry: whether its total variance lies below the previous usable expiry's somewhere both are quoted."""
    flags: list[bool] = []
    last: Slice | None = None
    for one in slices:
        ready = one.fit.quotes >= smile.QUOTES_FOR_QUADRATIC
        k = black.log_moneyness(one.strike, one.forward)
        flagged = ready and last is not None and smile.has_calendar_arbitrage(last.fit, one.fit, k, one.half_spread_vol)
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
    known = np.nan_to_num(one.open_interest, nan=0.0)
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
        open_interest=float(known.sum()) if np.isfinite(one.open_interest).any() else None,
        max_pain=strike_levels.max_pain(strike_levels.listed(one.row_strike), one.row_right, known),
    )


def _cm30(expiries: list[ExpiryReport]) -> float | None:
    usable = [one for one in expiries if one.usable and one.atm_iv is not None]
    years = np.array([one.years for one in usable])
    vols = np.array([one.atm_iv for one in usable], dtype=np.float64)
    return _number(term.constant_maturity_vol(years, vols, _CM30_YEARS))
