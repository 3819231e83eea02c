"""Raw SVI for one expiry: total variance as a hyperbola in log-moneyness.

    w(k) = a + b (rho (k - m) + sqrt((k - m)**2 + s**2)),   k = ln(K/F),  w = vol**2 * years

Gatheral (2004). Fitted quasi-explicitly (Zeliade, "Quasi-explicit calibration of Gatheral's SVI model", 2009): for
given (m, s) the curve is linear in the other three, whose constrained optimum is found exactly, and only (m, s) is
searched (Nelder-Mead). Constraints: b >= 0, |rho| <= 1, wing slopes b (1 + |rho|) <= 2 (Lee 2004), w >= 0 everywhere.
"""

from typing import NamedTuple

import numpy as np

from services.quant.arrays import Floats
from services.quant.jit import F64_IN, F64_OUT, I64_IN, called, inlined, kernel
from services.quant.special import exp

# Nelder-Mead on two parameters settles in 60 to 90 evaluations; this is a limit, not a target.
_EVALUATIONS_MAX = 250
# The simplex is done when it is this small; s is searched as its logarithm.
_SIMPLEX_MIN = 1e-6
# ln s is held to this range: narrower kinks than 1e-3 in k are quote noise, wider than 5 a straight line.
_LOG_S_MIN = -6.9
_LOG_S_MAX = 1.6
_LEE_SLOPE = 2.0


class Svi(NamedTuple):
    """Raw SVI parameters of one expiry and the weighted root-mean-square error in total variance."""

    a: float
    b: float
    rho: float
    m: float
    s: float
    rmse: float


def total_variance(fit: Svi, k: Floats) -> Floats:
    """w(k), same shape as k."""
    x = k - fit.m
    w: Floats = fit.a + fit.b * (fit.rho * x + np.sqrt(x * x + fit.s * fit.s))
    return w


def derivatives(fit: Svi, k: Floats) -> tuple[Floats, Floats]:
    """(dw/dk, d2w/dk2)."""
    x = k - fit.m
    root = np.sqrt(x * x + fit.s * fit.s)
    return fit.b * (fit.rho + x / root), fit.b * fit.s * fit.s / (root * root * root)


def fit_svi(k: Floats, w: Floats, weight: Floats) -> Svi:
    """Fit one expiry: k, w, weight are (quotes,), weight is 1/variance of w up to a factor; at least five quotes."""
    return fit_many(k, w, weight, np.array([0, k.size]))[0]


def fit_many(k: Floats, w: Floats, weight: Floats, starts: np.typing.NDArray[np.int64]) -> list[Svi]:
    """Fit several expiries laid end to end; expiry i is rows starts[i] to starts[i + 1]."""
    out = np.empty((starts.size - 1) * 6)
    _fit_rows(k, w, weight, starts, out)
    return [Svi(*row) for row in out.reshape(-1, 6).tolist()]


@inlined
def _edge(yy: float, yz: float, zz: float, ry: float, rz: float, y0: float, z0: float, dy: float, dz: float) -> float:
    """The best step along (dy, dz) from (y0, z0), clamped to the edge."""
    slope = dy * (ry - yy * y0 - yz * z0) + dz * (rz - yz * y0 - zz * z0)
    curve = dy * dy * yy + 2.0 * dy * dz * yz + dz * dz * zz
    return min(max(slope / curve, 0.0), 1.0) if curve > 0.0 else 0.0


@called
def _inner(
    k: Floats, w: Floats, weight: Floats, first: int, last: int, m: float, s: float
) -> tuple[float, float, float, float]:
    """(weighted squared error, a, d, c) of w = a + d y + c z with y = (k - m)/s, z = sqrt(y**2 + 1).

    d and c live in the diamond |d| <= c, c + |d| <= 2 s (rho and Lee's slope): the free optimum if it is inside,
    else the best point of the four edges.
    """
    n = sw = wy = wz = 0.0
    yy = yz = zz = ry = rz = rr = 0.0
    inverse = 1.0 / s
    for i in range(first, last):
        q = weight[i]
        y = (k[i] - m) * inverse
        z = np.sqrt(y * y + 1.0)
        v = w[i]
        n += q
        sw += q * v
        wy += q * y
        wz += q * z
        yy += q * y * y
        yz += q * y * z
        zz += q * z * z
        ry += q * y * v
        rz += q * z * v
        rr += q * v * v
    yy -= wy * wy / n
    yz -= wy * wz / n
    zz -= wz * wz / n
    ry -= wy * sw / n
    rz -= wz * sw / n
    rr -= sw * sw / n
    slope_max = _LEE_SLOPE * s
    determinant = yy * zz - yz * yz
    d = c = 0.0
    inside = False
    if determinant > 1e-14 * yy * zz:
        d = (ry * zz - rz * yz) / determinant
        c = (rz * yy - ry * yz) / determinant
        inside = abs(d) <= c and c + abs(d) <= slope_max
    best = rr - 2.0 * (d * ry + c * rz) + d * d * yy + 2.0 * d * c * yz + c * c * zz
    if not inside:
        best = np.inf
        half = 0.5 * slope_max
        for side in range(4):
            sign = 1.0 if side % 2 == 0 else -1.0
            outer = side >= 2
            y0 = sign * half if outer else 0.0
            z0 = half if outer else 0.0
            dy = -sign * half if outer else sign * half
            t = _edge(yy, yz, zz, ry, rz, y0, z0, dy, half)
            at_y = y0 + t * dy
            at_z = z0 + t * half
            error = rr - 2.0 * (at_y * ry + at_z * rz) + at_y * at_y * yy + 2.0 * at_y * at_z * yz + at_z * at_z * zz
            if error < best:
                best = error
                d = at_y
                c = at_z
    a = (sw - d * wy - c * wz) / n
    lowest = np.sqrt(max(c * c - d * d, 0.0))
    if a + lowest < 0.0:
        # The smallest total variance would be negative: lift the curve to touch zero and pay for it.
        best += n * (a + lowest) * (a + lowest)
        a = -lowest
    return best, a, d, c


@inlined
def _error(k: Floats, w: Floats, weight: Floats, first: int, last: int, m: float, log_s: float) -> float:
    inside = _LOG_S_MIN <= log_s <= _LOG_S_MAX and k[first] - 0.5 <= m <= k[last - 1] + 0.5
    return _inner(k, w, weight, first, last, m, exp(log_s))[0] if inside else np.inf


@kernel(F64_IN, F64_IN, F64_IN, I64_IN, F64_OUT)
def _fit_rows(k: Floats, w: Floats, weight: Floats, starts: np.typing.NDArray[np.int64], out: Floats) -> None:
    m = np.empty(3)
    ls = np.empty(3)
    f = np.empty(3)
    for e in range(starts.shape[0] - 1):
        first = starts[e]
        last = starts[e + 1]
        width = k[last - 1] - k[first]
        # Start at the lowest quote, with a kink a tenth of the quoted range wide.
        low = first
        for i in range(first, last):
            if w[i] < w[low]:
                low = i
        m[0] = m[2] = 0.5 * k[low]
        m[1] = 0.5 * k[low] + 0.1 * width
        ls[0] = ls[1] = -2.3
        ls[2] = -1.3
        for i in range(3):
            f[i] = _error(k, w, weight, first, last, m[i], ls[i])
        evaluations = 3
        while evaluations < _EVALUATIONS_MAX:
            # Sort the three corners: 0 best, 2 worst.
            for i in range(2):
                for j in range(2 - i):
                    if f[j + 1] < f[j]:
                        f[j], f[j + 1] = f[j + 1], f[j]
                        m[j], m[j + 1] = m[j + 1], m[j]
                        ls[j], ls[j + 1] = ls[j + 1], ls[j]
            if abs(m[2] - m[0]) + abs(ls[2] - ls[0]) + abs(m[1] - m[0]) + abs(ls[1] - ls[0]) < _SIMPLEX_MIN:
                break
            cm = 0.5 * (m[0] + m[1])
            cl = 0.5 * (ls[0] + ls[1])
            xm = 2.0 * cm - m[2]
            xl = 2.0 * cl - ls[2]
            fx = _error(k, w, weight, first, last, xm, xl)
            evaluations += 1
            if fx < f[0]:
                ym = 3.0 * cm - 2.0 * m[2]
                yl = 3.0 * cl - 2.0 * ls[2]
                fy = _error(k, w, weight, first, last, ym, yl)
                evaluations += 1
                if fy < fx:
                    m[2], ls[2], f[2] = ym, yl, fy
                else:
                    m[2], ls[2], f[2] = xm, xl, fx
            elif fx < f[1]:
                m[2], ls[2], f[2] = xm, xl, fx
            else:
                if fx < f[2]:
                    m[2], ls[2], f[2] = xm, xl, fx
                ym = 0.5 * (cm + m[2])
                yl = 0.5 * (cl + ls[2])
                fy = _error(k, w, weight, first, last, ym, yl)
                evaluations += 1
                if fy < f[2]:
                    m[2], ls[2], f[2] = ym, yl, fy
                else:
                    for i in range(1, 3):
                        m[i] = 0.5 * (m[0] + m[i])
                        ls[i] = 0.5 * (ls[0] + ls[i])
                        f[i] = _error(k, w, weight, first, last, m[i], ls[i])
                        evaluations += 1
        s = exp(ls[0])
        error, a, d, c = _inner(k, w, weight, first, last, m[0], s)
        total = 0.0
        for i in range(first, last):
            total += weight[i]
        at = 6 * e
        out[at] = a
        out[at + 1] = c / s
        out[at + 2] = d / c if c > 0.0 else 0.0
        out[at + 3] = m[0]
        out[at + 4] = s
        out[at + 5] = np.sqrt(max(error, 0.0) / total)
