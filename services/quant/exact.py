"""exp, log and powers of whole arrays with the same last bit on every processor.

numpy's own are picked by what a processor can do (with AVX-512 they are other functions) and differ in the last
place; what is made up from a seed or decided must not (decision 0007). These are the loops of `special`, for arrays of
any shape.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from services.quant import special
from services.quant.jit import F64_IN, F64_OUT, kernel

__all__ = ["exp", "log", "power"]

Floats = NDArray[np.float64]


@kernel(F64_IN, F64_OUT)
def _exp_all(x, out):  # type: ignore[no-untyped-def]
    for at in range(x.shape[0]):
        out[at] = special.exp(x[at])


@kernel(F64_IN, F64_OUT)
def _log_all(x, out):  # type: ignore[no-untyped-def]
    for at in range(x.shape[0]):
        out[at] = special.log_ratio(x[at], 1.0)


def _through(loop: kernel, values: ArrayLike) -> Floats:
    x = np.asarray(values, np.float64, order="C")
    out = np.empty_like(x)
    loop(x.reshape(-1), out.reshape(-1))
    return out


def exp(values: ArrayLike) -> Floats:
    """e**x of an array of any shape, for -708 <= x <= 709, clamped outside (`special.exp`).

    >>> exp([0.0, 2.0]).tolist()
    [1.0, 7.38905609893065]
    """
    return _through(_exp_all, values)


def log(values: ArrayLike) -> Floats:
    """ln x of an array of any shape, for positive normal x (`special.log_ratio`).

    >>> log([1.0, 8.0]).tolist()
    [0.0, 2.0794415416798357]
    """
    return _through(_log_all, values)


def power(values: ArrayLike, whole: int) -> Floats:
    """x**n for a whole n >= 1 by multiplications, (values,): numpy takes the C library's `pow` for n > 2.

    >>> power([2.0, -1.0], 9).tolist()
    [512.0, -1.0]
    """
    base: Floats = np.asarray(values, np.float64)
    result: Floats | None = None
    while whole:
        if whole & 1:
            result = base if result is None else result * base
        base = base * base
        whole >>= 1
    assert result is not None, "a power of at least one"
    return result
