"""The kernels are vector code, and give the same bits without AVX as with it."""

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import numba
import pytest

from services.quant.black_kernels import greeks_rows, price_rows
from services.quant.gamma_profile import _profile
from services.quant.implied_vol import implied_vol_rows

ROOT = Path(__file__).resolve().parents[3]

FINGERPRINT = """
import hashlib
import numpy as np
from services.quant import black, gamma_profile
rng = np.random.default_rng(1)
n = 3001
forward = rng.uniform(20, 6000, n)
strike = forward * (1 + rng.uniform(-0.6, 0.9, n))
years = rng.uniform(0.0005, 2, n)
vol = rng.uniform(0.05, 1.5, n)
discount = 1 - 0.04 * years
right = np.where(rng.random(n) < 0.5, 1, -1).astype(np.int8)
value = black.price(forward, strike, years, discount, vol, right)
solved, status = black.implied_vol(value, forward, strike, years, discount, right)
greeks = black.greeks(forward, strike, years, discount, 0.04, right, vol)
view = black.spot_view(greeks, 100.0, forward, years)
rows = gamma_profile.cells(100.0, forward, strike, years, discount, vol, 1.0)
profile = gamma_profile.profile(rows, 100.0, np.linspace(80, 120, 41))
digest = hashlib.sha256()
for column in (value, solved, status, *greeks, *view, profile):
    digest.update(column.tobytes())
print(digest.hexdigest())
"""


def fingerprint(**environment):
    done = subprocess.run(
        [sys.executable, "-c", FINGERPRINT],
        env={**os.environ, **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout.strip()


@pytest.mark.parametrize("loop", [price_rows, implied_vol_rows, greeks_rows, _profile])
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="looks for x86 vector registers")
def test_the_hot_loop_is_vectorised(loop):
    # numba can only show code it compiled itself, so the cache is left aside here.
    signature, function = loop._signature, loop._function
    compiled = numba.njit(signature, error_model="numpy", nogil=True)(function)
    (text,) = compiled.inspect_asm().values()
    packed = re.findall(r"\bv?mulpd\b.*(?:[xyz]mm)", text)
    wide = [line for line in packed if "ymm" in line or "zmm" in line]
    assert len(wide) >= 10, "no 256-bit multiplications: the loop was not vectorised"
    assert "vfmadd" not in text, "contracted multiply-adds would make results depend on the machine"


def test_results_are_the_bits_on_record():
    """Written on one machine, compared on every other: a difference is a processor that decides otherwise.

    After a deliberate change of a kernel, put what the failure shows into tests/golden/quant_fingerprint.txt.
    """
    recorded = (ROOT / "tests" / "golden" / "quant_fingerprint.txt").read_text().strip()
    assert fingerprint() == recorded


def test_results_are_the_same_bits_on_a_processor_without_avx():
    assert fingerprint() == fingerprint(NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES="")
