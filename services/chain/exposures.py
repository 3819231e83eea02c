"""Dealer exposure of a chain under each convention that can be told, and the profiles behind the pictures. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.chain.flow import FlowPositions
from services.chain.report import ExposureReport
from services.chain.slices import Slice
from services.chain.table import ChainTable
from services.quant import black, exposure, gamma_profile, strike_levels
from services.quant.arrays import Floats, Signs
from services.quant.black import Greeks

__all__ = ["Exposures", "Profile", "exposures"]

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
class _Rows:
    """Contracts of the chosen expiries, one row each, and the greeks they share under every convention."""

    table_row: NDArray[np.int64]
    forward: Floats
    strike: Floats
    years: Floats
    discount: Floats
    vol: Floats
    open_interest: Floats
    right: Signs
    settle_ns: NDArray[np.int64]
    greeks: Greeks  # spot view
    at: strike_levels.Listed
    stated: NDArray[np.bool_]  # valued by the vol the file states
    unknown: int  # whose open interest is not given; counted as none


class Exposures(NamedTuple):
    """(report, profile) by convention, why a convention is not there, and what the sums do not hold."""

    reports: dict[str, ExposureReport]
    profiles: dict[str, Profile]
    absent: dict[str, str]
    notes: tuple[str, ...]


def exposures(
    table: ChainTable, slices: tuple[Slice, ...], spot: float, until_ns: int, flow: FlowPositions | None
) -> Exposures:
    """Exposure over the expiries that settle by `until_ns`; what is not known is told, never counted as zero."""
    needs = _missing(table, slices, spot)
    if needs:
        return Exposures({}, {}, dict.fromkeys((exposure.NAIVE, exposure.ALL_SHORT, exposure.FLOW), needs), ())
    rows = _rows_of([one for one in slices if one.settle_ns <= until_ns and np.isfinite(one.forward)], spot)
    signs = {name: exposure.dealer_sign(rows.right, name) for name in (exposure.NAIVE, exposure.ALL_SHORT)}
    if flow is not None:
        position, volume = flow.position[rows.table_row], flow.volume[rows.table_row]
        signs[exposure.FLOW] = exposure.flow_sign(rows.right, rows.open_interest, position, volume)
    reach = _INDEX_REACH if table.european and not table.coin_priced else _STOCK_REACH
    grid = gamma_profile.spot_grid(spot, reach, _GRID_POINTS)
    worked = {name: _under(sign, rows, spot, grid, table.multiplier) for name, sign in signs.items()}
    absent = {} if flow is not None else {exposure.FLOW: "needs customers' signed positions (--flow FILE)"}
    return Exposures(
        {name: one[0] for name, one in worked.items()},
        {name: one[1] for name, one in worked.items()},
        absent,
        _not_in_the_sums(rows),
    )


def _missing(table: ChainTable, slices: tuple[Slice, ...], spot: float) -> str:
    """What exposure cannot be worked out without, empty if it is all there."""
    if not any(np.isfinite(one.open_interest).any() for one in slices):
        return f"needs open interest, which {table.format} files do not have or this one leaves out"
    return "" if np.isfinite(spot) and spot > 0.0 else "needs a spot (--spot)"


def _not_in_the_sums(rows: _Rows) -> tuple[str, ...]:
    """One line each for contracts valued by stated vols, contracts nobody can value, and open interest not given."""
    notes = []
    total = float(rows.open_interest.sum())
    held = rows.open_interest > 0.0
    stated, nothing = held & rows.stated, held & ~np.isfinite(rows.greeks.gamma)
    if stated.any():
        share = 100.0 * float(rows.open_interest[stated].sum()) / total
        notes.append(
            f"exposure: {int(stated.sum()):,} contracts ({share:.1f} % of open interest) have no usable quote and "
            "count with the vol the file states"
        )
    if nothing.any():
        share = 100.0 * float(rows.open_interest[nothing].sum()) / total
        notes.append(
            f"exposure lacks {int(nothing.sum()):,} contracts ({share:.1f} % of open interest) without quote or vol"
        )
    if rows.unknown:
        notes.append(f"exposure lacks {rows.unknown:,} contracts whose open interest is not given")
    return tuple(notes)


def _under(sign: Floats, rows: _Rows, spot: float, grid: Floats, multiplier: float) -> tuple[ExposureReport, Profile]:
    dollars = exposure.exposure(rows.greeks, spot, rows.open_interest, sign, multiplier)
    cells = gamma_profile.cells(
        spot, rows.forward, rows.strike, rows.years, rows.discount, rows.vol, sign * rows.open_interest, multiplier
    )
    gamma = gamma_profile.profile(cells, spot, grid)
    roots = gamma_profile.refine(cells, spot, gamma_profile.zero_gamma(grid, gamma), float(grid[1] - grid[0]))
    found = strike_levels.levels(rows.at, rows.right, dollars.gex_usd, rows.open_interest, spot)
    first_ns = int(rows.settle_ns.min()) if rows.settle_ns.size else 0
    report = ExposureReport(
        net_gex=found.net_usd,
        gross_gex=float(np.abs(dollars.gex_usd).sum()),
        net_vex=float(dollars.vex_usd.sum()),
        net_cex=float(dollars.cex_usd.sum()),
        net_dex=float(dollars.dex_usd.sum()),
        call_wall=found.call_wall.strike if found.call_wall else None,
        put_wall=found.put_wall.strike if found.put_wall else None,
        largest_strike=found.largest,
        zero_gamma=roots,
        nearest_zero_gamma=gamma_profile.nearest(roots, spot),
        max_pain=found.max_pain,
        concentration=found.concentration,
        share_expiring_first=exposure.expiring_share(dollars.gex_usd, rows.settle_ns, first_ns),
    )
    calls = strike_levels.sum_by_strike(rows.at, np.where(rows.right > 0, dollars.gex_usd, 0.0))
    puts = strike_levels.sum_by_strike(rows.at, np.where(rows.right < 0, dollars.gex_usd, 0.0))
    return report, Profile(grid, gamma, rows.at.strikes, calls, puts)


def _rows_of(slices: list[Slice], spot: float) -> _Rows:
    counts = [one.row_strike.size for one in slices]

    def spread(values: list[float]) -> Floats:
        return np.repeat(np.array(values, dtype=np.float64), counts)

    def joined(columns: list[Floats]) -> Floats:
        return np.concatenate(columns) if columns else np.empty(0)

    forward, years = spread([one.forward for one in slices]), spread([one.years for one in slices])
    discount, rate = spread([one.discount for one in slices]), spread([one.rate for one in slices])
    strike, vol = joined([one.row_strike for one in slices]), joined([one.row_vol for one in slices])
    right = np.concatenate([one.row_right for one in slices]) if slices else np.empty(0, dtype=np.int8)
    given = joined([one.open_interest for one in slices])
    raw = black.greeks(forward, strike, years, discount, rate, right, vol)
    return _Rows(
        table_row=np.concatenate([one.rows for one in slices]) if slices else np.empty(0, dtype=np.int64),
        forward=forward,
        strike=strike,
        years=years,
        discount=discount,
        vol=vol,
        open_interest=np.nan_to_num(given, nan=0.0),
        right=right,
        settle_ns=np.repeat(np.array([one.settle_ns for one in slices], dtype=np.int64), counts),
        greeks=black.spot_view(raw, spot, forward, years),
        at=strike_levels.listed(strike),
        stated=np.concatenate([one.row_stated for one in slices]) if slices else np.empty(0, dtype=np.bool_),
        unknown=int(np.isnan(given).sum()),
    )
