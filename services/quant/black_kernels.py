"""The compiled loops behind `black.price` and `black.greeks`: branch-free bodies that LLVM turns into vector code."""

import numpy as np

from services.quant.arrays import Floats, Signs
from services.quant.jit import F64_IN, F64_OUT, I8_IN, inlined, kernel
from services.quant.special import INVERSE_SQRT_2PI, SQRT_HALF, erfcx, erfcx_scaled, exp, log_ratio


@inlined
def otm_price_scaled(x_abs: float, s: float) -> float:
    """Undiscounted out-of-the-money price over sqrt(F K), for x_abs = |ln(F/K)| and total volatility s > 0."""
    a = x_abs / s
    t = 0.5 * s
    near = (a - t) * SQRT_HALF
    far = (a + t) * SQRT_HALF
    inside = near >= -1.0
    bell = 0.5 * exp(-0.5 * (a * a + t * t))
    near_tail = erfcx(near if inside else -near)
    far_tail = erfcx(far)
    # Beyond near = -1 the price is close to its ceiling exp(-x/2), and what is missing from that is computed instead.
    from_zero = bell * (near_tail - far_tail)
    from_ceiling = exp(-0.5 * x_abs) - bell * (near_tail + far_tail)
    return from_zero if inside else from_ceiling


@kernel(F64_IN, F64_IN, F64_IN, F64_IN, F64_IN, I8_IN, F64_OUT)
def price_rows(
    forward: Floats,
    strike: Floats,
    years: Floats,
    discount: Floats,
    vol: Floats,
    right: Signs,
    out: Floats,
) -> None:
    """`black.price` over rows: flat columns of equal length, all (n,); NaN in `out` where an input cannot be."""
    for j in range(out.shape[0]):
        f = forward[j]
        k = strike[j]
        s = vol[j] * np.sqrt(years[j])
        intrinsic = max(f - k, 0.0) if right[j] > 0 else max(k - f, 0.0)
        time_value = np.sqrt(f * k) * otm_price_scaled(abs(log_ratio(f, k)), s)
        ok = (f > 0.0) & (k > 0.0) & (f < np.inf) & (k < np.inf) & (s >= 0.0) & (s < np.inf) & (right[j] != 0)
        value = discount[j] * (intrinsic + (time_value if s > 0.0 else 0.0))
        out[j] = value if ok else np.nan


@kernel(F64_IN, F64_IN, F64_OUT)
def log_ratio_rows(p: Floats, q: Floats, out: Floats) -> None:
    """ln(p / q) over rows, (n,) each; NaN where either is not a positive number."""
    for j in range(out.shape[0]):
        ok = (0.0 < p[j] < np.inf) & (0.0 < q[j] < np.inf)
        value = log_ratio(p[j], q[j])
        out[j] = value if ok else np.nan


@kernel(F64_IN, F64_IN, F64_IN, F64_IN, F64_IN, F64_IN, I8_IN, *(F64_OUT,) * 8)
def greeks_rows(
    forward: Floats,
    strike: Floats,
    years: Floats,
    discount: Floats,
    rate: Floats,
    vol: Floats,
    right: Signs,
    delta: Floats,
    gamma: Floats,
    vega: Floats,
    theta: Floats,
    rho: Floats,
    vanna: Floats,
    charm: Floats,
    vomma: Floats,
) -> None:
    """`black.greeks` over rows: flat columns of equal length, (n,); NaN in every output where an input cannot be."""
    for j in range(delta.shape[0]):
        f = forward[j]
        k = strike[j]
        t = years[j]
        v = vol[j]
        r = rate[j]
        ok = (f > 0.0) & (k > 0.0) & (t > 0.0) & (v > 0.0) & (f * k * t * v < np.inf) & (right[j] != 0)
        d = discount[j] if ok else np.nan
        root_t = np.sqrt(t)
        s = v * root_t
        fk = f * k
        # One division serves 1/s, 1/F and F/K.
        w = 1.0 / (fk * s)
        inverse_s = fk * w
        d1 = log_ratio(f, k) * inverse_s + 0.5 * s
        d2 = d1 - s
        bell1 = exp(-0.5 * d1 * d1)
        bell2 = bell1 * (f * f * s * w)
        z1 = abs(d1) * SQRT_HALF
        z2 = abs(d2) * SQRT_HALF
        high1 = z1 + 3.5
        high2 = z2 + 3.5
        both = 1.0 / (high1 * high2)
        inverse1 = both * high2
        inverse2 = both * high1
        tail1 = 0.5 * bell1 * (erfcx_scaled((z1 - 1.5) * inverse1) * inverse1)
        tail2 = 0.5 * bell2 * (erfcx_scaled((z2 - 1.5) * inverse2) * inverse2)
        # cp * N(cp * d) for a call and for a put, each from its own tail so that deep strikes keep their digits.
        call = right[j] > 0
        n1 = (1.0 - tail1 if d1 > 0.0 else tail1) if call else (-tail1 if d1 > 0.0 else tail1 - 1.0)
        n2 = (1.0 - tail2 if d2 > 0.0 else tail2) if call else (-tail2 if d2 > 0.0 else tail2 - 1.0)
        density = d * bell1 * INVERSE_SQRT_2PI
        value = d * (f * n1 - k * n2)
        unit_delta = d * n1
        unit_vega = f * density * root_t
        half_rate_of_s = 0.5 * v * v * inverse_s * inverse_s
        delta[j] = unit_delta
        gamma[j] = density * (k * s * w) * inverse_s
        vega[j] = unit_vega
        theta[j] = r * value - 0.5 * f * density * v * v * inverse_s
        rho[j] = -t * value
        vanna[j] = -density * d2 * (root_t * inverse_s)
        charm[j] = r * unit_delta + density * d2 * half_rate_of_s
        vomma[j] = unit_vega * d1 * d2 * (root_t * inverse_s)
