"""The exercise boundary of an American put: the spot, by time left, at or below which it is exercised.

Start: QD+, of Li, "Analytical approximations for the critical stock prices of American options: a performance
comparison" (2010). Refined by a fixed point of Andersen, Lake & Offengenden, "High-performance American option
pricing" (2016): their system B, which follows from value matching. Their system A gains more digits a step while
rate * sqrt(T) / vol is below about 0.7, but diverges beyond 1, where B still converges.
Kept as they keep it: H(x) = ln(B / B(0+))**2 with x = sqrt(time left / T) is nearly a straight line, so a Chebyshev
polynomial of low degree holds it.

Integrals over time run along the angle whose sine and cosine are the roots of time passed and of time left: smooth at
both ends. A put is then worth what it should be to about 1e-8 of the strike, where rate * sqrt(T) / vol is 1 to 1e-7,
and to 1e-6 beyond.
"""

import numpy as np

from services.quant.arrays import Floats
from services.quant.jit import called, inlined
from services.quant.special import INVERSE_SQRT_2PI, exp, log_ratio, norm_cdf

# Fixed-point steps after QD+; each gains about half a digit of value.
_REFINEMENTS = 5
# Newton steps on the QD+ boundary; 3 to 5 are taken from a neighbour's boundary, halvings keep the rest in the bracket.
_BOUNDARY_STEPS_MAX = 60
# Of the strike; the refinement starts from here, so more digits would be thrown away.
_BOUNDARY_TOLERANCE = 1e-6
# Chebyshev's points on [-1, 1], ascending: -cos(i pi / 10). The first is no time left, where the boundary is its limit.
_PLACES = (
    -1.0,
    -0.9510565162951535,
    -0.8090169943749475,
    -0.5877852522924731,
    -0.30901699437494745,
    0.0,
    0.30901699437494745,
    0.5877852522924731,
    0.8090169943749475,
    0.9510565162951535,
    1.0,
)
DEGREE = len(_PLACES) - 1
# Of each quadrature node the roots of the shares of time passed and of time left, and its weight: sin, cos, and
# 2 sin cos times Gauss's weight, sixteen nodes.
NODES = (
    (0.008324390047870557, 0.9999653516649119, 0.00035503112097767017),
    (0.04351692853168925, 0.9990526897672454, 0.004251385094079633),
    (0.10533722527678947, 0.9944365585450823, 0.015657646148953673),
    (0.19092552371499144, 0.9816045254552141, 0.03668930032305557),
    (0.29563417222402116, 0.9553012279974405, 0.06636434224332013),
    (0.41293347805725034, 0.9107611886216619, 0.09992938781207442),
    (0.5347630019041759, 0.8450020898166076, 0.12961280457896754),
    (0.6524216941938686, 0.7578561426452927, 0.14714010267857136),
    (0.7578561426452927, 0.6524216941938686, 0.14714010267857136),
    (0.8450020898166076, 0.5347630019041759, 0.12961280457896754),
    (0.9107611886216619, 0.41293347805725034, 0.09992938781207442),
    (0.9553012279974405, 0.29563417222402116, 0.06636434224332013),
    (0.9816045254552141, 0.19092552371499144, 0.03668930032305557),
    (0.9944365585450823, 0.10533722527678947, 0.015657646148953673),
    (0.9990526897672454, 0.04351692853168925, 0.004251385094079633),
    (0.9999653516649119, 0.008324390047870557, 0.00035503112097767017),
)


@inlined
def boundary_limit(k: float, r: float, q: float) -> float:
    """The boundary as time runs out: min(1, r/q) of the strike."""
    return k * min(1.0, r / q) if q > 0.0 else k


@inlined
def boundary_at(root_left: float, limit: float, coefficients: Floats) -> float:
    """The boundary where `root_left` is the root of time left over T (Clenshaw's sum of the Chebyshev series)."""
    z = 2.0 * (2.0 * root_left - 1.0)
    above = 0.0
    here = coefficients[DEGREE]
    for n in range(DEGREE - 1, 0, -1):
        here, above = coefficients[n] + z * here - above, here
    squared_log = coefficients[0] + 0.5 * z * here - above
    return limit * exp(-np.sqrt(max(squared_log, 0.0)))


@called
def fit_boundary(k: float, t: float, r: float, q: float, vol: float, places: Floats, coefficients: Floats) -> None:
    """Fill `coefficients` (DEGREE + 1,) for a put with `t` years left and r > 0; `places` (same) is scratch."""
    limit = boundary_limit(k, r, q)
    guess = 0.8 * k
    for i in range(DEGREE, 0, -1):
        root_left = 0.5 * (1.0 + _PLACES[i])
        guess = _qd_plus(k, root_left * root_left * t, r, q, vol, guess)
        places[i] = guess
    places[0] = limit
    _interpolate(places, limit, coefficients)
    for _ in range(_REFINEMENTS):
        for i in range(1, DEGREE + 1):
            improved = _improved(0.5 * (1.0 + _PLACES[i]), places[i], k, t, r, q, vol, limit, coefficients)
            # Not where nothing is left of both integrals (no vol to speak of): there QD+ stands.
            places[i] = min(improved, limit) if improved > 0.0 else places[i]
        _interpolate(places, limit, coefficients)


@called
def _interpolate(places: Floats, limit: float, coefficients: Floats) -> None:
    """Chebyshev coefficients of H through the boundary at `_PLACES`."""
    coefficients[:] = 0.0
    for i in range(DEGREE + 1):
        z = _PLACES[i]
        logarithm = log_ratio(places[i], limit)
        height = logarithm * logarithm * (1.0 if i in (0, DEGREE) else 2.0) / DEGREE
        before, here = 1.0, z
        coefficients[0] += 0.5 * height
        for n in range(1, DEGREE + 1):
            coefficients[n] += height * here if n < DEGREE else 0.5 * height * here
            before, here = here, 2.0 * z * here - before


@called
def _improved(
    root_left: float, b: float, k: float, t: float, r: float, q: float, vol: float, limit: float, coefficients: Floats
) -> float:
    """One fixed-point step of the boundary `b` at the place `root_left`: K e**(-(r-q) left) N / D of the paper."""
    left = root_left * root_left * t
    total: float = vol * np.sqrt(left)
    d2 = (log_ratio(b, k) + (r - q) * left) / total - 0.5 * total
    n = norm_cdf(d2)
    d = norm_cdf(d2 + total)
    for root_passed, root_later, weight in NODES:
        gone = left * root_passed * root_passed
        later = left * root_later * root_later
        v = total * root_passed
        d2 = (log_ratio(b, boundary_at(root_left * root_later, limit, coefficients)) + (r - q) * gone) / v - 0.5 * v
        n += weight * left * r * exp(r * later) * norm_cdf(d2)
        if q != 0.0:
            d += weight * left * q * exp(q * later) * norm_cdf(d2 + v)
    return k * exp((q - r) * left) * n / d


@called
def _qd_plus(k: float, t: float, r: float, q: float, vol: float, guess: float) -> float:
    """QD+ critical spot of a put with `t` years left, for r > 0; between 0 and min(1, r/q) of the strike."""
    v: float = vol * np.sqrt(t)
    dr = exp(-r * t)
    dq = exp(-q * t)
    variance = vol * vol
    omega = 2.0 * (r - q) / variance
    # r / (1 - e**-rt), which is r/h of the paper, by its series where rt is small.
    rt = r * t
    rate_over_h = r / (1.0 - dr) if rt > 1e-5 else 1.0 / (t * (1.0 - 0.5 * rt * (1.0 - rt / 3.0)))
    root: float = np.sqrt((omega - 1.0) * (omega - 1.0) + 8.0 * rate_over_h / variance)
    exponent = -0.5 * (omega - 1.0 + root)
    exponent_slope = 2.0 * rate_over_h * rate_over_h / (variance * root)
    alpha = -2.0 * dr / (variance * root)
    beta = alpha * (rate_over_h - exponent_slope / root) - exponent
    low = 0.0
    high = k * min(1.0, r / q) if q > 0.0 else k
    s = min(max(guess, 1e-6 * high), high)
    for _ in range(_BOUNDARY_STEPS_MAX):
        d1 = log_ratio(s * dq, k * dr) / v + 0.5 * v
        d2 = d1 - v
        n1 = norm_cdf(-d1)
        n2 = norm_cdf(-d2)
        bell = INVERSE_SQRT_2PI * exp(-0.5 * d1 * d1)
        gap = k - s - (dr * k * n2 - dq * s * n1)
        theta = r * k * dr * n2 - q * s * dq * n1 - v * s * dq * bell / (2.0 * t)
        charm = -dq * (bell * ((r - q) / v - d2 / (2.0 * t)) + q * n1)
        # Value matching with the corrected exponent; rises through zero once.
        f = (1.0 - dq * n1) * s - beta * gap + alpha * theta / dr
        slope = (1.0 - dq * n1) * (1.0 + beta) + dq * bell / v + alpha * charm / dr
        if f > 0.0:
            high = s
        else:
            low = s
        following = s - f / slope
        if not (low < following < high):
            following = 0.5 * (low + high)
        if abs(following - s) < _BOUNDARY_TOLERANCE * k:
            return following
        s = following
    return s
