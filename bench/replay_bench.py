"""Replay: how fast a recorded log runs through every context and detector, and how soon a demo has its first frame.

The peer is what anybody would write first: a plain Python loop that keeps one rolling premium over the same prints. It
decides nothing; it is there because it states what one Python statement a row costs on this machine. Beside it stand
polars doing the same by its rolling sum, and the same loop compiled, which is the bound for one pass over the rows.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from bench.harness import entry, interleaved
from schemas.frames import Frame, Lane, TradeRows
from services.core.calendar import NS, Calendar, ny_ns
from services.history.engine import open_embedded
from services.history.warehouse import Warehouse
from services.replay.runner import calendar_of, recorded_rules, replay
from services.replay.source import epoch_frames, joined_frames
from services.runtime.config import RulesConfig
from services.wiring import build_pipeline, warm_up
from standin.market.seeded import DEFAULT_START
from tests.simulation.played import played_log

__all__ = ["NAMES", "run"]

NAMES = (
    "replay_trades_per_s", "replay_quiet_trades_per_s", "replay_from_warehouse_trades_per_s", "first_frame_s",
    "first_frame_cold_s",
)  # fmt: skip
# Ten times the made-up market's usual 350 to 700 prints a second: what OPRA carries in the bursts of the open (the
# planning figure is a few thousand, and 10,000 at the most), which is when the speed of a pipeline matters. The quiet
# log beside it is the demo's own, where the fixed cost of a frame weighs more than its rows.
BUSY_INTENSITY, BUSY_MINUTES = 10.0, 6
WINDOW_NS = 300_000_000_000
MULTIPLIER = 100.0
ROUNDS = 5
DEMO = ("--duration", "25s", "--seed", "7", "--speed", "40")
PACKAGES = "aiohttp, chdb, clickhouse_connect, exchange_calendars, msgspec, numba, numpy, prometheus_client, pyarrow"


def run() -> list[dict[str, Any]]:
    """A busy log made up in memory, a quiet one recorded by a demo; then the starts."""
    results = _replay("replay_trades_per_s", _busy_log(), Calendar.around(ny_ns(DEFAULT_START, 12)), target=2.2)
    with tempfile.TemporaryDirectory(prefix="strikewire-bench-") as scratch:
        data_dir = Path(scratch) / "var"
        _demo("demo", "--data-dir", data_dir, *DEMO)
        first = [_first_frame(Path(scratch) / f"first{number}") for number in range(3)]
        cold = _first_frame(Path(scratch) / "cold", {"NUMBA_CACHE_DIR": str(Path(scratch) / "numba")})
        imports = [_imports() for _ in range(3)]
        with open_embedded(data_dir, create=False) as client:
            warehouse = Warehouse(client)
            epochs = [epoch.epoch for epoch in warehouse.epochs()]
            log = {p: [f for e in epochs for f in epoch_frames(warehouse, p, e)] for p in warehouse.partitions()}
            results += _replay(
                "replay_quiet_trades_per_s", log, calendar_of(warehouse, data_dir), target=None, warehouse=warehouse
            )
    against = ("importing the packages", float(np.median(imports)))
    return [
        *results,
        entry("first_frame_s", first, "s", *against, target=5.0, lower_is_better=True),
        entry("first_frame_cold_s", [cold], "s", *against, target=30.0, lower_is_better=True),
    ]


def _busy_log() -> dict[int, list[Frame]]:
    """Minutes of the opening at OPRA's pace, joined as a replay joins them."""
    by_partition: dict[int, list[Frame]] = {}
    for frame in played_log(seed=7, minutes=BUSY_MINUTES, partitions=4, intensity=BUSY_INTENSITY):
        by_partition.setdefault(frame.header.partition, []).append(frame)
    return {partition: list(joined_frames(frames)) for partition, frames in sorted(by_partition.items())}


def _replay(
    name: str, log: dict[int, list[Frame]], calendar: Calendar, target: float | None, warehouse: Warehouse | None = None
) -> list[dict[str, Any]]:
    prints = [frame.rows for frames in log.values() for frame in frames if frame.header.lane is Lane.TRADES]
    trades = [rows for rows in prints if isinstance(rows, TradeRows) and len(rows.received_ns)]
    count = sum(len(rows.received_ns) for rows in trades)
    rules = RulesConfig()
    warm_up(rules, calendar)
    _compiled(trades)
    rounds: dict[str, Callable[[], object]] = {
        "ours": lambda: _pipelines(log, rules, calendar),
        "loop": lambda: _loop(trades),
        "polars": lambda: _polars(trades),
        "numba": lambda: _compiled(trades),
    }
    if warehouse is not None:
        rounds["warehouse"] = lambda: replay(warehouse, calendar, recorded_rules())
    seconds = interleaved(rounds, ROUNDS)
    rates = {which: [count / value for value in values] for which, values in seconds.items()}
    loop = float(np.median(rates["loop"]))
    span_s = max(frames[-1].header.received_ns - frames[0].header.received_ns for frames in log.values()) / NS
    print(
        f"{name}: {count:,} trades of {span_s:,.0f} s ({count / span_s:,.0f}/s) in"
        f" {sum(map(len, log.values())):,} joined frames; plain loop {loop:,.0f}/s,"
        f" polars {np.median(rates['polars']):,.0f}/s, compiled loop (bound) {np.median(rates['numba']):,.0f}/s",
        file=sys.stderr,
    )
    peer = ("plain Python loop", loop)
    results = [entry(name, rates["ours"], "trades/s", *peer, target=None if target is None else target * loop)]
    if "warehouse" in rates:
        results.append(entry("replay_from_warehouse_trades_per_s", rates["warehouse"], "trades/s", *peer))
    return results


def _pipelines(log: dict[int, list[Frame]], rules: RulesConfig, calendar: Calendar) -> int:
    decisions = 0
    for partition, frames in log.items():
        pipeline = build_pipeline(rules, calendar, partition, sampling=False)
        for frame in frames:
            decisions += len(pipeline.step(frame).decisions)
    return decisions


def _loop(trades: list[TradeRows]) -> float:
    """One rolling premium over five minutes, a row at a time."""
    window: deque[tuple[int, float]] = deque()
    total = peak = 0.0
    for rows in trades:
        if window and rows.received_ns[0] < window[-1][0]:  # the next partition
            window.clear()
            total = 0.0
        columns = rows.received_ns.tolist(), rows.price_usd.tolist(), rows.size_contracts.tolist()
        for received_ns, price_usd, size in zip(*columns, strict=True):
            premium = price_usd * size * MULTIPLIER
            total += premium
            window.append((received_ns, premium))
            while window[0][0] <= received_ns - WINDOW_NS:
                total -= window.popleft()[1]
            peak = max(peak, total)
    return peak


def _polars(trades: list[TradeRows]) -> float:
    import polars

    frame = polars.DataFrame(
        {
            "at": np.concatenate([rows.received_ns for rows in trades]),
            "price": np.concatenate([rows.price_usd for rows in trades]),
            "size": np.concatenate([rows.size_contracts for rows in trades]),
        }
    ).sort("at")
    premium = (polars.col("price") * polars.col("size") * MULTIPLIER).rolling_sum_by("at", window_size=f"{WINDOW_NS}i")
    return float(frame.select(premium.max()).item())


def _compiled(trades: list[TradeRows]) -> float:
    return max(_rolling(rows.received_ns, rows.price_usd, rows.size_contracts) for rows in trades)


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _rolling(received_ns: NDArray[np.int64], price: NDArray[np.float64], size: NDArray[np.int32]) -> float:
    total, peak, oldest = 0.0, 0.0, 0
    for row in range(len(received_ns)):
        total += price[row] * size[row] * MULTIPLIER
        while received_ns[oldest] <= received_ns[row] - WINDOW_NS:
            total -= price[oldest] * size[oldest] * MULTIPLIER
            oldest += 1
        peak = max(peak, total)
    return peak


def _demo(*arguments: object) -> None:
    subprocess.run(
        [sys.executable, "-m", "services.cli", *map(str, arguments), "--json"], check=True, capture_output=True
    )


def _first_frame(data_dir: Path, env: dict[str, str] | None = None) -> float:
    """Seconds from the start of the process to the first frame with rows, as the program logs it."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "services.cli", "demo", "--data-dir", str(data_dir), "--json", "--duration", "30s"],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env={**os.environ, **(env or {})},
    )  # fmt: skip
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if line.startswith("{") and json.loads(line)["message"].startswith("first frame with rows"):
                return time.perf_counter() - began
    finally:
        process.kill()
        process.wait()
    raise RuntimeError("the demo ended without a first frame")


def _imports() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {PACKAGES}, rich, websockets"], check=True)
    return time.perf_counter() - began
