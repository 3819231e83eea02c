"""exp, log of a ratio and erfcx from + - * / and bit moves only: branch-free, so loops over them vectorise.

The platform's libm is not called: its last bit differs between processors and vector widths, and numbers from here
end in decisions that are replayed elsewhere. Coefficients are Chebyshev fits at 60 digits, rounded to float64;
tests/unit/quant/test_special.py compares them with mpmath. 64-bit integer <-> float conversions and arithmetic
shifts are avoided because AVX2 has neither; the classic 1.5 * 2**52 addition does both.
"""

import numpy as np

from services.quant.jit import inlined

_LOG2_E = 1.4426950408889634
# ln 2 in two parts; the high one has 32 trailing zero bits, so its product with an exponent is exact.
_LN2_HIGH = 6.93147180369123816490e-01
_LN2_LOW = 1.90821492927058770002e-10
# Adding this to |x| < 2**51 rounds x to an integer and leaves that integer in the low mantissa bits.
_ROUND = 6755399441055744.0
_EXPONENT_BIAS = np.int64(1023)
# exp(-708) is the smallest result with a normal exponent; beyond it the result is taken as that.
_EXP_MIN = -708.0
_EXP_MAX = 709.0

_HALF_STEP = np.int64(1 << 51)
_SIGN_BIT = np.int64(-(1 << 63))
_EXPONENT_MASK = np.int64(-(1 << 52))
_TWO_52_BITS = np.int64(0x4330000000000000)
# 2**52 for the integer-to-float trick plus 2048 for the bias that keeps the shifted exponent positive.
_TWO_52_AND_BIAS = 4503599627370496.0 + 2048.0

SQRT_HALF = 0.7071067811865476
SQRT_2_OVER_PI = 0.7978845608028654
INVERSE_SQRT_2PI = 0.3989422804014327
# The polynomial of erfcx holds from here to infinity.
ERFCX_FROM = -1.0


@inlined
def exp(x: float) -> float:
    """e**x, relative error < 3e-16 for -708 <= x <= 709; clamped outside. NaN in, NaN not guaranteed out."""
    x = min(max(x, _EXP_MIN), _EXP_MAX)
    shifted = x * _LOG2_E + _ROUND
    whole = shifted - _ROUND
    r = (x - whole * _LN2_HIGH) - whole * _LN2_LOW
    # Estrin's order: the same terms in a tree, because a Horner chain leaves the vector units waiting.
    r2 = r * r
    r4 = r2 * r2
    low = 0.5000000000000019 + r * 0.16666666666666702
    low = low + r2 * (0.04166666666648794 + r * 0.008333333333309507)
    middle = 0.0013888888952356135 + r * 0.00019841269909260645
    middle = middle + r2 * (2.480148543844738e-05 + r * 2.755722491836887e-06)
    high = 2.763265575933203e-07 + r * 2.5114882786996687e-08
    p = 1.0 + (r + r2 * (low + r4 * (middle + r4 * high)))
    scale = (np.float64(shifted).view(np.int64) + _EXPONENT_BIAS) << np.int64(52)
    return p * np.int64(scale).view(np.float64)


@inlined
def nearest(x: float) -> float:
    """The integer nearest to x, the even one of two, for |x| < 2**51: where `rint` is a call on older processors."""
    return (x + _ROUND) - _ROUND


@inlined
def floor(x: float) -> float:
    """The largest integer not above x, for |x| < 2**51: as `nearest` does without a call."""
    rounded = nearest(x)
    return rounded - (1.0 if rounded > x else 0.0)


@inlined
def exp2_negative(q: float) -> float:
    """2**-q for q >= 0, relative error < 5e-16; taken as 2**-1020 beyond q = 1020.

    Cheaper than `exp`: the fraction is exact without a two-part constant and the exponent is added as an integer.
    """
    q = min(q, 1020.0)
    shifted = _ROUND - q
    s = q + (shifted - _ROUND)
    s2 = s * s
    s4 = s2 * s2
    low = (1.0 - s * 0.69314718055995) + s2 * (0.24022650695910158 - s * 0.05550410866444762)
    middle = 0.009618129107587246 - s * 0.0013333558230180682
    middle = middle + s2 * (0.00015403530463736428 - s * 1.5252657251056535e-05)
    high = (1.3215432529909895e-06 - s * 1.0208692061807201e-07) + s2 * 7.074195334903874e-09
    p = low + s4 * (middle + s4 * high)
    moved = np.float64(p).view(np.int64) + (np.float64(shifted).view(np.int64) << np.int64(52))
    return np.int64(moved).view(np.float64)


@inlined
def log_ratio(p: float, q: float) -> float:
    """ln(p / q) with one division, for positive normal p and q with a normal ratio; near p = q it keeps full accuracy.

    The exponents are compared first, q is scaled next to p, and then ln(p/q) = 2 atanh((p - q) / (p + q)).
    """
    q_bits = np.float64(q).view(np.int64)
    # (p_bits - q_bits) / 2**52 is log2(p / q) to within 0.09; round it and keep it positive with the sign bit.
    moved = np.float64(p).view(np.int64) - q_bits + _HALF_STEP + _SIGN_BIT
    scaled = np.int64(q_bits + ((moved & _EXPONENT_MASK) ^ _SIGN_BIT)).view(np.float64)
    exponent_bits = np.int64(np.uint64(moved) >> np.uint64(52)) | _TWO_52_BITS
    exponent = np.int64(exponent_bits).view(np.float64) - _TWO_52_AND_BIAS
    f = (p - scaled) / (p + scaled)
    z = f * f
    z2 = z * z
    low = 0.6666666666666666 + z * 0.4000000000000814
    low = low + z2 * (0.28571428567188684 + z * 0.2222222306246992)
    high = 0.1818173654483929 + z * 0.15388910114049056
    high = high + z2 * (0.13208891124338815 + z * 0.13615206007112907)
    t = low + (z2 * z2) * high
    return exponent * _LN2_HIGH + (2.0 * f + (f * z * t + exponent * _LN2_LOW))


@inlined
def erfcx_scaled(u: float) -> float:
    """erfcx(y) * (y + 3.5) as a polynomial in u = (y - 1.5) / (y + 3.5), y >= -1; relative error < 2e-15."""
    u2 = u * u
    u4 = u2 * u2
    u8 = u4 * u4
    c0 = (1.6079270822715874 - u * 2.4826458610424056) + u2 * (2.9456611775782773 - u * 2.688967614094116)
    c4 = (1.835842430049304 - u * 0.8589302327777878) + u2 * (0.19499722626143556 + u * 0.04976766381519602)
    c8 = (-0.04840242770804973 + u * 0.0028995026934332396) + u2 * (0.008719785539489851 - u * 0.001555938807889495)
    c12 = (-0.0017570928543353345 + u * 0.00035014123528937766) + u2 * (
        0.00041793867174780026 - u * 4.74847257807005e-05
    )
    c16 = (-0.00010851544178895636 - u * 5.007689562215788e-06) + u2 * (
        2.7327966713025522e-05 + u * 6.700553185105092e-06
    )
    c20 = (-5.884499940372216e-06 - u * 2.7609429354688574e-06) + u2 * (
        9.206515250242505e-07 + u * 6.559247250562051e-07
    )
    c24 = -7.575923298742374e-08 - u * 7.332032850718579e-08
    c0 = c0 + u4 * c4
    c8 = c8 + u4 * c12
    c16 = c16 + u4 * c20
    return c0 + u8 * (c8 + u8 * (c16 + u8 * c24))


@inlined
def erfcx(y: float) -> float:
    """exp(y**2) erfc(y) for y >= -1."""
    r = 1.0 / (y + 3.5)
    return erfcx_scaled((y - 1.5) * r) * r


@inlined
def norm_cdf(x: float) -> float:
    """Standard normal distribution function, relative error < 1e-14 in the lower tail down to x = -37."""
    z = abs(x) * SQRT_HALF
    tail = 0.5 * exp(-0.5 * x * x) * erfcx(z)
    return 1.0 - tail if x > 0.0 else tail
