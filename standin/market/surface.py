"""Volatility surfaces of the seeded market: one closed form for every underlying, free of static arbitrage. Pure.

Gatheral and Jacquier, "Arbitrage-free SVI volatility surfaces" (2014), their SSVI with the power law of exponent 1/2:

    w(k, theta) = theta / 2 * (1 + rho phi k + sqrt((phi k + rho)^2 + 1 - rho^2)),   phi = eta / sqrt(theta (1 + theta))

where k = ln(K / F) and theta is the total variance at the money. There is no butterfly arbitrage while
eta (1 + |rho|) <= 2, and no calendar arbitrage as theta grows with time, which the variance term structure below does:

    theta(tau) = v_long tau + (v_lasting - v_long) g(kappa_lasting) + (v_now - v_lasting) g(kappa_passing)
    g(kappa) = (1 - exp(-kappa tau)) / kappa

Of what variance has moved, one part is priced to last for months and the rest to pass within weeks (Bergomi, "Smile
dynamics II", 2005; Gatheral, "Consistent modeling of SPX and VIX options", 2008). The forward variance of any instant
is a mean of v_long, v_lasting and v_now with weights from 0 to 1, and so positive, while kappa_passing is the larger.

The VIX family is the fair strike of a variance swap on SPX's surface, integrated over out-of-the-money options as
Cboe's strip does (Demeterfi, Derman, Kamal and Zou, 1999), with enough strikes that discretisation does not matter.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.quant import black, exact

__all__ = [
    "KAPPA_LASTING",
    "KAPPA_PASSING",
    "SurfaceSmile",
    "swap_volatility",
    "total_variance_at",
    "total_variance_atm",
]

Floats = NDArray[np.float64]

# How fast a year variance is priced to return: half lives of four months and of seven sessions. What passes is priced
# to stay longer than it does (walk.py), which is a premium; with the long-run volatility of index products above
# today's (scenario.py) VIX over VIX3M is near its usual 0.88, and VIX9D moves 1.4 times as far as VIX, VIX3M 0.6 times.
KAPPA_LASTING, KAPPA_PASSING = 2.0, 25.0


class SurfaceSmile(NamedTuple):
    """Shape parameters, one an underlying or one a row: correlation and curvature of SSVI."""

    rho: Floats
    eta: Floats


def total_variance_atm(vol_now: Floats, vol_lasting: Floats, vol_long: Floats, tau: Floats) -> Floats:
    """theta: total variance at the money over `tau` trading years, (n,), increasing in tau.

    vol_lasting: what volatility would be if the part of its moves that passes within weeks were over.
    """
    v_now, v_lasting, v_long = vol_now**2, vol_lasting**2, vol_long**2
    lasting = (1.0 - exact.exp(-KAPPA_LASTING * tau)) / KAPPA_LASTING
    passing = (1.0 - exact.exp(-KAPPA_PASSING * tau)) / KAPPA_PASSING
    theta: Floats = v_long * tau + (v_lasting - v_long) * lasting + (v_now - v_lasting) * passing
    return theta


def total_variance_at(log_moneyness: Floats, theta: Floats, smile: SurfaceSmile) -> Floats:
    """w(k, theta), (n,), from k = ln(K / F)."""
    phi_k = smile.eta / np.sqrt(theta * (1.0 + theta)) * log_moneyness
    root = np.sqrt((phi_k + smile.rho) ** 2 + 1.0 - smile.rho**2)
    w: Floats = 0.5 * theta * (1.0 + smile.rho * phi_k + root)
    return w


# 160 intervals from 9 standard deviations below to 6 above: a flat smile comes out 0.07 % high, 0.015 points at 20.
_GRID = np.linspace(-9.0, 6.0, 161)
_RIGHT = np.where(_GRID < 0, -1, 1).astype(np.int8)


def swap_volatility(theta: Floats, years: Floats, rho: float, eta: float) -> Floats:
    """Volatility of a variance swap over each horizon, a decimal a year, (n,): what the VIX formula measures.

    theta: total variance at the money at each horizon; years: the calendar years it is quoted over.
    """
    k = _GRID * np.sqrt(theta)[:, None]
    w = total_variance_at(k, theta[:, None], SurfaceSmile(np.array(rho), np.array(eta)))
    # Undiscounted out-of-the-money prices for a forward of 1; dK / K^2 = exp(-k) dk.
    prices = black.price(1.0, exact.exp(k), 1.0, 1.0, np.sqrt(w), _RIGHT)
    density = prices * exact.exp(-k)
    widths = np.diff(k, axis=1)
    integral = 2.0 * np.sum(0.5 * (density[:, 1:] + density[:, :-1]) * widths, axis=1)
    volatility: Floats = np.sqrt(integral / years)
    return volatility
