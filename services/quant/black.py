"""Black-76: price, implied volatility and greeks for batches of options.

    price = D * (F N(d1) - K N(d2)) for a call,  d1 = ln(F/K) / s + s / 2,  d2 = d1 - s,  s = vol * sqrt(years)

Everything is float64, C-contiguous, one row an option; `right` is int8, +1 call and -1 put. Scalars broadcast (they
are expanded to arrays; give arrays of the same shape and `out` to allocate nothing). A bad row gives NaN, and from
`implied_vol` a status; it never raises and never disturbs its neighbours.

Raw units: volatility per year as a fraction, years as the caller's clock counts them, vega per 1.00 of vol, theta
and charm per year at fixed forward, rho per 1.00 of rate at fixed forward, delta dV/dF (discounted). `spot_view` and
`trader_view` convert.

Sources: Black, "The pricing of commodity contracts" (1976). Implied volatility: one vector pass that inverts the
normal (Bachelier) model for a seed and takes one Householder step of third order on ln(price), the objective of
Jaeckel, "Let's Be Rational" (2016); the rows that this does not settle are finished by a bracketed scalar loop.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from services.quant.arrays import Floats, Statuses, flat_out, rows_of
from services.quant.black_kernels import greeks_rows, log_ratio_rows, price_rows
from services.quant.implied_vol import ABOVE_MAXIMUM, BAD_INPUT, BAD_TIME, BELOW_INTRINSIC, OK, implied_vol_rows

__all__ = [
    "ABOVE_MAXIMUM",
    "BAD_INPUT",
    "BAD_TIME",
    "BELOW_INTRINSIC",
    "CALL",
    "OK",
    "PUT",
    "STATUS_NAMES",
    "Greeks",
    "greeks",
    "implied_vol",
    "iv_greeks",
    "log_moneyness",
    "price",
    "spot_view",
    "trader_view",
]

STATUS_NAMES = ("ok", "below_intrinsic", "above_maximum", "bad_time", "bad_input")

CALL = 1
PUT = -1
_NO_RIGHT = np.int8(CALL)  # for columns that have none


class Greeks(NamedTuple):
    """Partial derivatives of the Black-76 price, one array each; raw units of the module docstring."""

    delta: Floats  # dV/dF
    gamma: Floats  # d2V/dF2
    vega: Floats  # dV/dvol, per 1.00
    theta: Floats  # dV/dt at fixed F, per year (negative of dV/dT)
    rho: Floats  # dV/dr at fixed F, per 1.00
    vanna: Floats  # d2V/(dF dvol)
    charm: Floats  # d2V/(dF dt) at fixed F, per year
    vomma: Floats  # d2V/dvol2


def price(
    forward: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    discount: ArrayLike,
    vol: ArrayLike,
    right: ArrayLike,
    out: Floats | None = None,
) -> Floats:
    """Discounted Black-76 value; the discounted intrinsic value where vol or years is zero.

    >>> price(100.0, 100.0, 1.0, 1.0, 0.2, 1).round(6)
    array([7.965567])
    """
    rows = rows_of(forward, strike, years, discount, vol, right=right)
    if out is None:
        out = np.empty(rows.shape)
    price_rows(*rows.floats, rows.right, flat_out(out, rows.shape))
    return out


def implied_vol(
    price: ArrayLike,
    forward: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    discount: ArrayLike,
    right: ArrayLike,
    out: tuple[Floats, Statuses] | None = None,
) -> tuple[Floats, Statuses]:
    """(vol, status): the volatility per year that gives the price, NaN with a status where there is none.

    >>> vol, status = implied_vol([7.965567455405804, 0.0], 100.0, 100.0, 1.0, 1.0, 1)
    >>> vol.round(12), status
    (array([0.2, nan]), array([0, 1], dtype=uint8))
    """
    rows = rows_of(price, forward, strike, years, discount, right=right)
    if out is None:
        out = np.empty(rows.shape), np.empty(rows.shape, dtype=np.uint8)
    vol, status = out
    implied_vol_rows(*rows.floats, rows.right, flat_out(vol, rows.shape), flat_out(status, rows.shape))
    return out


def greeks(
    forward: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    discount: ArrayLike,
    rate: ArrayLike,
    right: ArrayLike,
    vol: ArrayLike,
    out: Greeks | None = None,
) -> Greeks:
    """Eight greeks in raw units; `rate` is the continuous rate behind `discount` and enters theta and charm only.

    >>> greeks(100.0, 100.0, 1.0, 1.0, 0.0, 1, 0.2).delta.round(6)
    array([0.539828])
    """
    rows = rows_of(forward, strike, years, discount, rate, vol, right=right)
    if out is None:
        out = Greeks(*(np.empty(rows.shape) for _ in Greeks._fields))
    greeks_rows(*rows.floats, rows.right, *(flat_out(greek, rows.shape) for greek in out))
    return out


def iv_greeks(
    price: ArrayLike,
    forward: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    discount: ArrayLike,
    rate: ArrayLike,
    right: ArrayLike,
    out: tuple[Floats, Statuses, Greeks] | None = None,
) -> tuple[Floats, Statuses, Greeks]:
    """(vol, status, greeks at that vol) in one call; greeks are NaN where the status is not 0."""
    rows = rows_of(price, forward, strike, years, discount, rate, right=right)
    if out is None:
        vol, status = np.empty(rows.shape), np.empty(rows.shape, dtype=np.uint8)
        out = vol, status, Greeks(*(np.empty(rows.shape) for _ in Greeks._fields))
    value, f, k, t, d, r = rows.floats
    vol, status = flat_out(out[0], rows.shape), flat_out(out[1], rows.shape)
    implied_vol_rows(value, f, k, t, d, rows.right, vol, status)
    greeks_rows(f, k, t, d, r, vol, rows.right, *(flat_out(greek, rows.shape) for greek in out[2]))
    return out


def log_moneyness(strike: ArrayLike, forward: ArrayLike, out: Floats | None = None) -> Floats:
    """k = ln(K/F) with the same bits on every processor, which numpy's logarithm does not promise; NaN for a bad row.

    >>> log_moneyness([90.0, 100.0, 0.0], 100.0).round(6)
    array([-0.105361,  0.      ,       nan])
    """
    rows = rows_of(strike, forward, right=_NO_RIGHT)
    if out is None:
        out = np.empty(rows.shape)
    log_ratio_rows(*rows.floats, flat_out(out, rows.shape))
    return out


def spot_view(greeks: Greeks, spot: ArrayLike, forward: ArrayLike, years: ArrayLike) -> Greeks:
    """The same greeks with respect to spot, at a fixed carry ln(F/S)/years: what vendors and desks call delta.

    theta and charm are at fixed spot (the forward rolls down to it), rho moves the forward with the rate.
    """
    f, t = np.asarray(forward, dtype=np.float64), np.asarray(years, dtype=np.float64)
    ratio = f / np.asarray(spot, dtype=np.float64)
    carry = log_moneyness(f, spot) / t
    return Greeks(
        delta=greeks.delta * ratio,
        gamma=greeks.gamma * ratio * ratio,
        vega=greeks.vega,
        theta=greeks.theta - carry * f * greeks.delta,
        rho=greeks.rho + t * f * greeks.delta,
        vanna=greeks.vanna * ratio,
        charm=(greeks.charm - carry * (greeks.delta + f * greeks.gamma)) * ratio,
        vomma=greeks.vomma,
    )


def trader_view(greeks: Greeks, days_per_year: float = 365.0) -> Greeks:
    """Vega, rho, vanna and vomma per point (0.01; vomma per point of vega's point), theta and charm per day."""
    return Greeks(
        delta=greeks.delta,
        gamma=greeks.gamma,
        vega=greeks.vega / 100.0,
        theta=greeks.theta / days_per_year,
        rho=greeks.rho / 100.0,
        vanna=greeks.vanna / 100.0,
        charm=greeks.charm / days_per_year,
        vomma=greeks.vomma / 10_000.0,
    )
