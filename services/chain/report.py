"""The report of one chain: what `strikewire chain --json` prints. Fields may be added, never change meaning."""

from __future__ import annotations

import msgspec

__all__ = ["ChainReport", "ExpiryReport", "ExposureReport"]


class ExpiryReport(msgspec.Struct, frozen=True, kw_only=True):
    """One expiry; null where the quotes do not determine a figure."""

    expiry: str  # date
    settlement: str  # am, pm
    settle_ns: int
    years: float
    forward: float | None
    discount: float | None
    forward_method: str  # parity, parity_with_curve_discount, american_parity, file, spot
    atm_iv: float | None
    rr25: float | None
    bf25: float | None
    slope: float | None
    curve: str  # svi, quadratic, flat
    svi: dict[str, float] | None  # a, b, rho, m, s
    checks: dict[str, bool]  # true is bad: butterfly, calendar, quotes, wide_fit
    usable: bool  # no check failed and the forward is known
    quotes: int
    rmse_vol: float | None
    model_free_vol: float | None
    open_interest: float | None  # null where no row gives it
    max_pain: float | None


class ExposureReport(msgspec.Struct, frozen=True, kw_only=True):
    """Dealer exposure under one convention over the contracts within the horizon; dollars as in quant.exposure."""

    net_gex: float
    gross_gex: float
    net_vex: float
    net_cex: float
    net_dex: float
    call_wall: float | None
    put_wall: float | None
    largest_strike: float | None
    zero_gamma: list[float]  # every root on the grid, ascending; empty is none
    nearest_zero_gamma: float | None
    max_pain: float | None
    concentration: float
    share_expiring_first: float  # of gross gamma, in the nearest expiry


class ChainReport(msgspec.Struct, frozen=True, kw_only=True):
    """One chain file worked out."""

    file: str
    format: str
    underlying: str
    spot: float
    spot_method: str  # file, front_forward
    as_of: str  # ISO time, New York
    as_of_ns: int
    as_of_method: str  # file, stated_vols (the clock behind them), close (of the date in the file), given,
    # session_end (the file's time is after the quotes can be from)
    rate: float  # continuous, given or from parity
    rate_method: str  # given, parity, or assumed (zero, where no expiry tells it)
    expiries: list[ExpiryReport]
    cm30: float | None
    variance_index: dict[str, float | None]  # vix9d, vix, vix3m, vix6m
    exposure: dict[str, ExposureReport]  # naive, all_short, and flow where signed positions are given
    exposure_absent: dict[str, str]  # conventions that are not there, and what they need
    horizon_days: float
    contracts: int
    rejected: dict[str, int]
    notes: list[str]
