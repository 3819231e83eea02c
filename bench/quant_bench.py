"""Option arithmetic beside its peers: iv-engine (Rust, Jaeckel's method), numpy, scipy; one thread each.

Beside iv-engine, the fastest package found, stand the other solvers a desk may know: lbriv (Cython), vollib (Python),
QuantLib (C++ behind a scalar Python call).
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from typing import Any

import llvmlite.binding
import numpy as np
from scipy.optimize import least_squares

from bench.harness import entry, interleaved
from bench.option_data import RATE, Options, options
from bench.option_peers import IvEngine, Lbriv, quantlib_vols, vollib_vols
from services.quant import american, black, gamma_profile, numpy_reference, svi
from services.quant.arrays import Floats

__all__ = ["run"]

RUNS = 9
OPTIONS = 200_000
LIVE_BATCH = 5_000
CONTRACTS, GRID = 20_000, 200
EXPIRIES, STRIKES = 40, 150
AMERICANS = 2_000
# vollib takes some 40 us an option, QuantLib some 4: so few suffice.
SCALAR_OPTIONS = 2_000
# What the issue asks, as multiples of the peer.
IV_RATIO, GREEKS_RATIO, BATCH_RATIO, GRID_RATIO, SVI_RATIO = 10.0, 8.0, 8.0, 5.0, 25.0
IV_ERROR_MAX = 1e-12
FIRST_IV_S = 1.5

FIRST_IV = "from services.quant import black; black.implied_vol(8.0, 100.0, 100.0, 1.0, 1.0, 1)"
TIMED_IV = """
import statistics, time
from bench.option_data import options
from services.quant import black
o = options(200_000, 7)
seconds = []
for _ in range(8):
    began = time.perf_counter()
    black.implied_vol(o.price, o.forward, o.strike, o.years, o.discount, o.right)
    seconds.append(time.perf_counter() - began)
print(o.price.size / statistics.median(seconds[1:]))
"""


def per_s(name: str, works: dict[str, Any], rows: int, against: str, target_ratio: float | None) -> dict[str, Any]:
    """An entry in options a second; `works` holds `ours` and `peer`."""
    seconds = interleaved(works, RUNS)
    peer = rows / statistics.median(seconds["peer"])
    target = None if target_ratio is None else target_ratio * peer
    return entry(name, [rows / took for took in seconds["ours"]], "options/s", against, peer, target=target)


def milliseconds(
    name: str, works: dict[str, Any], against: str, target_ratio: float | None, unit: str = "ms"
) -> dict[str, Any]:
    """An entry in milli or microseconds."""
    scale = {"ms": 1e3, "us": 1e6}[unit]
    seconds = interleaved(works, RUNS)
    peer = scale * statistics.median(seconds["peer"])
    target = None if target_ratio is None else peer / target_ratio
    ours = [scale * took for took in seconds["ours"]]
    return entry(name, ours, unit, against, peer, target=target, lower_is_better=True)


def implied_vols() -> list[dict[str, Any]]:
    """Speed and error of the vector kernel and of the numpy twin."""
    o = options(OPTIONS, 7)
    peer = IvEngine(o)
    out = np.empty(o.price.size), np.empty(o.price.size, dtype=np.uint8)
    terms = o[:6]
    works = {"ours": lambda: black.implied_vol(*terms, out=out), "peer": peer.vols}
    speed = per_s("iv_per_s", works, o.price.size, "iv-engine, serial", IV_RATIO)
    works = {"ours": lambda: numpy_reference.implied_vol(*terms), "peer": peer.vols}
    references = per_s("iv_twin_per_s", works, o.price.size, "iv-engine, serial", 1.0)
    error = entry(
        "iv_max_error",
        [float(np.abs(out[0] - o.vol).max())],
        "vol",
        "iv-engine",
        peer.error(o),
        target=IV_ERROR_MAX,
        lower_is_better=True,
    )
    return [speed, error, references]


def other_solvers() -> list[dict[str, Any]]:
    """The same inversion beside the other packages; lbriv's one call also gives delta, gamma and vega."""
    many = options(OPTIONS, 7)
    few = Options(*(column[:SCALAR_OPTIONS].copy() for column in many))
    lbriv = Lbriv(many)
    beside = {
        "iv_beside_lbriv_per_s": (many, lbriv.vols_and_greeks, "lbriv: vols, delta, gamma, vega"),
        "iv_beside_vollib_per_s": (few, lambda: vollib_vols(few), "vollib"),
        "iv_beside_quantlib_per_s": (few, lambda: quantlib_vols(few), "QuantLib, to 1e-12"),
    }
    return [
        per_s(name, {"ours": lambda o=o: black.implied_vol(*o[:6]), "peer": peer}, o.price.size, against, IV_RATIO)
        for name, (o, peer, against) in beside.items()
    ]


def all_greeks() -> dict[str, Any]:
    """Our eight greeks in one call, its five in five."""
    o = options(OPTIONS, 8)
    out = black.Greeks(*(np.empty(o.price.size) for _ in black.Greeks._fields))
    rate = np.full(o.price.size, RATE)
    terms = o.forward, o.strike, o.years, o.discount, rate, o.right, o.vol
    works = {"ours": lambda: black.greeks(*terms, out=out), "peer": IvEngine(o).greeks}
    return per_s("greeks_per_s", works, o.price.size, "iv-engine's five greeks, serial (ours are eight)", GREEKS_RATIO)


def live_batch() -> dict[str, Any]:
    """Vols and greeks of five thousand quotes: what a second of a busy index needs."""
    o = options(3 * LIVE_BATCH, 9)
    o = Options(*(column[:LIVE_BATCH].copy() for column in o))
    empty = lambda: np.empty(LIVE_BATCH)  # noqa: E731
    out = empty(), np.empty(LIVE_BATCH, dtype=np.uint8), black.Greeks(*(empty() for _ in black.Greeks._fields))
    terms = *o[:5], np.full(LIVE_BATCH, RATE), o.right
    works = {"ours": lambda: black.iv_greeks(*terms, out=out), "peer": IvEngine(o).both}
    return milliseconds("iv_greeks_5000_us", works, "iv-engine: vols and five greeks, serial", BATCH_RATIO, "us")


def gamma_grid() -> dict[str, Any]:
    """Dealer gamma of a whole index on two hundred spots."""
    rng_state = np.random.default_rng(1)
    spot = 6000.0
    strike = np.round(spot * np.exp(rng_state.normal(0, 0.12, CONTRACTS)) / 5) * 5
    years = rng_state.integers(1, 730, CONTRACTS) / 365.0
    vol = np.clip(0.15 - 0.15 * np.log(strike / spot) / np.sqrt(years + 0.2), 0.08, 1.2)
    contracts = rng_state.poisson(500, CONTRACTS) * np.where(rng_state.random(CONTRACTS) < 0.5, 1.0, -1.0)
    forward, discount = spot * np.exp(0.03 * years), np.exp(-RATE * years)
    rows = gamma_profile.cells(spot, forward, strike, years, discount, vol, contracts)
    grid = gamma_profile.spot_grid(spot, 0.10, GRID)
    out = np.empty(GRID)
    works = {
        "ours": lambda: gamma_profile.profile(rows, spot, grid, out),
        "peer": lambda: numpy_reference.profile(*rows, spot, grid),
    }
    return milliseconds("gamma_grid_ms", works, "the numpy twin", GRID_RATIO)


def smiles() -> dict[str, Any]:
    """Forty noisy expiries."""
    rng_state = np.random.default_rng(2)
    slices: list[tuple[Floats, Floats, Floats]] = []
    for number in range(EXPIRIES):
        years = (number + 1) ** 1.5 / 200
        root = np.sqrt(years)
        true = svi.Svi(0.01 * years, 0.1 * root, -0.6, 0.02 * root, 0.15 * root + 0.02, 0.0)
        k = np.linspace(-0.6, 0.35, STRIKES) * min(1.0, 2.0 * root + 0.1)
        w = svi.total_variance(true, k) * (1.0 + rng_state.normal(0, 0.004, STRIKES))
        slices.append((k, w, np.exp(-((k / (0.6 * root + 0.05)) ** 2)) + 0.02))
    k, w, weight = (np.concatenate([one[i] for one in slices]) for i in range(3))
    starts = np.arange(EXPIRIES + 1) * STRIKES

    def scipy_fits() -> None:
        bounds = ([-1, 0, -0.999, -1, 1e-4], [1, 5, 0.999, 1, 2])
        for x, y, z in slices:
            root = np.sqrt(z)
            start = (0.5 * y.min(), 0.1, -0.5, 0.0, 0.1)

            def residual(p: Floats, x: Floats = x, y: Floats = y, root: Floats = root) -> Floats:
                return root * (svi.total_variance(svi.Svi(*p, rmse=0.0), x) - y)

            least_squares(residual, start, bounds=bounds)

    works = {"ours": lambda: svi.fit_many(k, w, weight, starts), "peer": scipy_fits}
    return milliseconds("svi_40_ms", works, "scipy.optimize.least_squares on the same slices", SVI_RATIO)


def americans() -> dict[str, Any]:
    """De-Americanising, beside the European inversion it replaces: what right costs there."""
    o = options(2 * AMERICANS, 10)
    o = Options(*(column[:AMERICANS].copy() for column in o))
    spot = o.forward * np.exp(-0.03 * o.years)
    terms = spot, o.strike, o.years, np.full(AMERICANS, RATE), np.full(AMERICANS, 0.01)
    price = american.price(*terms, o.vol, o.right)
    works = {
        "ours": lambda: american.implied_vol(price, *terms, o.right),
        "peer": lambda: black.implied_vol(o.price, o.forward, o.strike, o.years, o.discount, o.right),
    }
    return per_s("american_iv_per_s", works, AMERICANS, "our European inversion", None)


def first_iv() -> dict[str, Any]:
    """A new process up to its first implied vol, with numba's cache filled, beside importing numba alone."""

    def python(code: str) -> None:
        subprocess.run([sys.executable, "-c", code], check=True)

    works = {"ours": lambda: python(FIRST_IV), "peer": lambda: python("import numpy, numba")}
    seconds = interleaved(works, 5)
    peer = statistics.median(seconds["peer"])
    against = "importing numpy and numba"
    return entry("first_iv_s", seconds["ours"], "s", against, peer, target=FIRST_IV_S, lower_is_better=True)


def vector_widths() -> list[dict[str, Any]]:
    """The same kernel compiled for narrower processors, in processes of their own; ratio to plain SSE2."""
    features = llvmlite.binding.get_host_cpu_features()
    without_512 = ",".join(
        f"{'+' if on and not name.startswith('avx512') else '-'}{name}" for name, on in features.items()
    )
    widths = {"iv_avx2_per_s": {"NUMBA_CPU_FEATURES": without_512}}
    if features.get("avx512f"):
        everything = ",".join(f"{'+' if on else '-'}{name}" for name, on in features.items())
        widths["iv_avx512_per_s"] = {"NUMBA_CPU_FEATURES": everything + ",-prefer-256-bit"}
    else:
        print("this processor has no AVX-512: iv_avx512_per_s is left out", file=sys.stderr)
    plain = _timed_elsewhere({"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""})
    return [
        entry(name, [_timed_elsewhere(extra)], "options/s", "the same kernel in SSE2", plain)
        for name, extra in widths.items()
    ]


def _timed_elsewhere(extra: dict[str, str]) -> float:
    done = subprocess.run(
        [sys.executable, "-c", TIMED_IV], env={**os.environ, **extra}, check=True, capture_output=True, text=True
    )
    return float(done.stdout)


def run() -> list[dict[str, Any]]:
    """The quant entries of `make bench`."""
    return [
        *implied_vols(),
        *other_solvers(),
        all_greeks(),
        live_batch(),
        gamma_grid(),
        smiles(),
        americans(),
        first_iv(),
        *vector_widths(),
    ]
