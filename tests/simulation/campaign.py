"""Sessions with bad days drawn from a seed, through stand-in, gateway, warehouse and rules; then the books are made up.

    python -m tests.simulation.campaign --sessions 200 --seed 1

For each session: every print the market made was recorded once, live or refilled, or lies in a gap of the ledger; none
was recorded that the market did not make; the same holds of index values and stock bars; and replay decides what live
decided. A print is told by contract, millisecond, price and size, for faults change `q`, conditions and exchange.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import multiprocessing
import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from schemas.frames import CONDITION_REFILLED, Lane, TradeRows
from schemas.gaps import Gap
from schemas.symbols import Contract, contract_ticker, symbol_text
from services.core.calendar import Calendar
from services.embedded import Embedded
from services.gateway.shell.gateway import Gateway
from services.gateway.shell.stats import GatewayStats
from services.history.engine import open_embedded
from services.history.warehouse import Warehouse
from services.replay.runner import recorded_rules, verify
from services.runtime.config import Config
from services.runtime.metrics import Metrics
from services.settings.gateway import GatewaySettings
from standin.faults.named import AbsentIndices, Fault, Lag
from standin.faults.protocol_options import ProtocolOptions
from standin.faults.requested import draw_faults, written
from standin.feed.source import Batch
from standin.market.seeded import SeededMarket
from standin.server.server import StandIn

__all__ = ["Books", "play_session"]

MS = 1_000_000
# Three minutes of market in three seconds: silences, ladders and refills all find room in it, their waits scaled alike.
SPEED, WALL_S = 60.0, 3.0
MARKET_S = SPEED * WALL_S
FAULTS_S = 120.0  # whatever strikes does so early enough for its end to be seen
INTENSITY = 0.25
# What a session's end cuts off was on its way: two flushes at this speed, and what a lag held.
UNDER_WAY_S = 4.0
# A client that is not heard is told so in a moment, not after ten seconds of wall time, which would be a whole session.
MANNERS = ProtocolOptions(auth_timeout_s=0.3)
CHANNELS = frozenset({"options.T", "indices.V", "stocks.A"})
SETTLE_S_MAX = 60.0
PLAY_S_MAX = 120.0  # a session that hangs is a finding, not a pause
# The embedded engine starts five threads whenever it is opened and ends none of them while the process lives; with what
# they hold a session leaves some ten megabytes behind. A process plays so many, then another goes on.
SESSIONS_A_PROCESS = 20

Print = tuple[str, int, float, int]  # contract, ms, price, size
Tick = tuple[str, int]  # symbol, ms


class Books(NamedTuple):
    """A session's accounts. `wrong` is empty when they balance; `facts` are what a person asks first."""

    seed: int
    faults: tuple[str, ...]
    facts: dict[str, int]
    causes: dict[str, int]
    wrong: tuple[str, ...]


class Witness:
    """The market, with everything it ever handed out written down."""

    def __init__(self, market: SeededMarket) -> None:
        self._market = market
        self.prints: Counter[Print] = Counter()
        self.ticks: dict[str, set[Tick]] = {"indices.V": set(), "stocks.A": set()}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._market, name)

    def advance(self, step_ns: int, quoted: np.ndarray[Any, Any]) -> Batch:
        batch = self._market.advance(step_ns, quoted)
        tickers = [batch.listing.tickers[row] for row in batch.prints.contract.tolist()]
        told = (batch.prints.t_ms, batch.prints.price, batch.prints.size)
        self.prints.update(zip(tickers, *(column.tolist() for column in told), strict=True))
        for channel, names, rows, times in (
            ("indices.V", self.index_tickers, batch.values.symbol, batch.values.t_ms),
            ("stocks.A", self.stock_tickers, batch.bars.symbol, batch.bars.end_ms),
        ):
            symbols = [names[row].removeprefix("I:") for row in rows.tolist()]
            self.ticks[channel].update(zip(symbols, times.tolist(), strict=True))
        return batch


def play_session(seed: int, data_dir: Path) -> Books:
    """Play one session and make up its books. The data directory's engine keeps a database for each seed."""
    witness = Witness(SeededMarket(seed, intensity=INTENSITY))
    faults = draw_faults(seed, over_s=FAULTS_S)
    with open_embedded(data_dir, create=True, database=f"session_{seed}") as client:
        warehouse = Warehouse(client)
        calendar = Calendar.around(witness.clock_ns)
        stats = asyncio.run(asyncio.wait_for(_play(witness, faults, seed, client, calendar), PLAY_S_MAX))
        absent = {ticker for fault in faults if isinstance(fault, AbsentIndices) for ticker in fault.tickers}
        never_sent = frozenset(ticker.removeprefix("I:") for ticker in absent)
        held_s = max((fault.by_s for fault in faults if isinstance(fault, Lag)), default=0.0)
        wrong = list(_differences(witness, warehouse, stats, never_sent, UNDER_WAY_S + held_s))
        if not verify(warehouse, calendar, recorded_rules()).equal:
            wrong.append("replay decides otherwise than live did")
        gaps = warehouse.gaps()
        client.command(f"DROP DATABASE session_{seed} SYNC")
    return Books(seed, tuple(map(written, faults)), _facts(witness, stats, gaps), dict(_causes(gaps)), tuple(wrong))


async def _play(
    witness: Witness, faults: tuple[Fault, ...], seed: int, client: Any, calendar: Calendar
) -> GatewayStats:
    config = Config()
    host = Embedded(config, client, calendar, lambda alert: None, Metrics())
    standin = StandIn(
        witness,  # type: ignore[arg-type]
        speed=SPEED, start_when=CHANNELS, duration_s=WALL_S, faults=faults, fault_seed=seed, options=MANNERS,
    )  # fmt: skip
    async with standin:
        started_ns = witness.clock_ns
        settings = GatewaySettings(
            ws_url=standin.ws_url,
            rest_url=standin.rest_url,
            api_key="demo-key",
            clock="feed",
            partitions=config.gateway.partitions,
            epoch=host.open_epoch(f"session {seed}", 1, started_ns),
            underlyings=("SPY", "QQQ"),
            poll_near_s=MARKET_S,
            poll_far_s=MARKET_S,
            quote_contracts_max=200,
            quote_rerank_s=MARKET_S / 4,
            refill_contracts_max=400,
            seed=seed,
        )
        gateway = Gateway(
            settings, host.on_frames, host.on_dead_letter,
            on_gap=host.on_gap, calendar=calendar, sleep=lambda seconds: asyncio.sleep(seconds / SPEED),
        )  # fmt: skip
        committer = asyncio.create_task(host.run())
        feed = asyncio.create_task(gateway.run())
        finished = asyncio.create_task(standin.finished.wait())
        await asyncio.wait({finished, feed, committer}, return_when=asyncio.FIRST_COMPLETED)
        await _settled(gateway)
        feed.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await feed
        host.stop()
        await committer
        await host.drain()
        return gateway.stats


async def _settled(gateway: Gateway) -> None:
    """Return when the gateway has had nothing to do for a while, or when it takes too long."""
    ends = time.monotonic() + SETTLE_S_MAX
    before = ()
    while time.monotonic() < ends:
        stats = gateway.stats
        now = (stats.trades, stats.ticks, stats.refilled, stats.rest_bytes)
        if now == before and not stats.refilling:
            return
        before = now
        await asyncio.sleep(0.4)


def _differences(
    witness: Witness, warehouse: Warehouse, stats: GatewayStats, never_sent: frozenset[str], under_way_s: float
) -> Iterator[str]:  # fmt: skip
    """What the ledger does not explain, a sentence each."""
    gaps = warehouse.gaps()
    live, refilled = _recorded_prints(warehouse)
    recorded = live + refilled
    invented = recorded - witness.prints
    if invented:
        yield f"{invented.total()} prints recorded too often or never made, such as {next(iter(invented))}"
    missing = witness.prints - recorded
    cut_ms = max((one[1] for one in recorded), default=0)
    cut_ms = max(cut_ms, witness.clock_ns // MS - int(1000 * under_way_s))
    unexplained = [one for one in missing if one[1] < cut_ms and not _within(gaps, "options.T", one[1])]
    if unexplained:
        yield f"{len(unexplained)} prints missing outside every gap, such as {min(unexplained, key=lambda it: it[1])}"
    if live.total() != stats.trades or refilled.total() != stats.refilled:
        yield f"{live.total()} and {refilled.total()} prints in the log, {stats.trades} and {stats.refilled} counted"
    for gap in gaps:
        if gap.channel == "options.T" and gap.state == "restored":
            yield f"gap {gap.number} was never asked for"
    ticks = _recorded_ticks(warehouse)
    for channel, made in witness.ticks.items():
        lost = [one for one in made - ticks if one[0] not in never_sent and not _within(gaps, channel, one[1])]
        if lost:
            yield f"{len(lost)} of {channel} missing outside every gap, such as {min(lost, key=lambda it: it[1])}"


def _within(gaps: list[Gap], channel: str, time_ms: int) -> bool:
    return any(
        gap.from_ns // MS <= time_ms and (gap.to_ns is None or time_ms <= gap.to_ns // MS)
        for gap in gaps
        if gap.channel == channel
    )


def _rows(warehouse: Warehouse, lane: Lane) -> Iterator[Any]:
    for epoch in warehouse.epochs():
        for partition in warehouse.partitions():
            for rows, _ in warehouse.lane_rows(lane, partition, epoch.epoch, 0, 2**62):
                yield rows


def _recorded_prints(warehouse: Warehouse) -> tuple[Counter[Print], Counter[Print]]:
    """The prints of the log: heard, and refilled."""
    found: tuple[Counter[Print], Counter[Print]] = Counter(), Counter()
    for rows in _rows(warehouse, Lane.TRADES):
        assert isinstance(rows, TradeRows)
        marked = (rows.condition_bits & np.uint64(CONDITION_REFILLED)) != 0
        for at in range(len(rows.event_ns)):
            ticker = contract_ticker(
                Contract(
                    symbol_text(int(rows.root[at])), int(rows.expiry_day[at]), int(rows.strike_mills[at]),
                    int(rows.right[at]),
                )
            )  # fmt: skip
            one = (ticker, int(rows.event_ns[at]) // MS, float(rows.price_usd[at]), int(rows.size_contracts[at]))
            found[int(marked[at])][one] += 1
    return found


def _recorded_ticks(warehouse: Warehouse) -> set[Tick]:
    return {
        (symbol_text(symbol), time_ns // MS)
        for rows in _rows(warehouse, Lane.TICKS)
        for symbol, time_ns in zip(rows.symbol.tolist(), rows.event_ns.tolist(), strict=True)
    }


def _facts(witness: Witness, stats: GatewayStats, gaps: list[Gap]) -> dict[str, int]:
    return {
        "prints_made": witness.prints.total(),
        "prints_heard": stats.trades,
        "prints_refilled": stats.refilled,
        "prints_repeated": stats.repeated,
        "prints_backward": stats.backward,
        "gaps": len(gaps),
        "reconnects": stats.reconnects,
        "silences": stats.silences,
        "dead_letters": stats.dead_letters.total(),
    }


def _causes(gaps: list[Gap]) -> Counter[str]:
    return Counter(f"{gap.channel} {gap.cause}" for gap in gaps)


def _played(seeds: Sequence[int], folder: Path) -> Iterator[Books]:
    """The books of every seed in turn, some sessions a process."""
    for first in range(0, len(seeds), SESSIONS_A_PROCESS):
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
            yield from process.map(partial(_play_quietly, folder), seeds[first : first + SESSIONS_A_PROCESS])


def _play_quietly(folder: Path, seed: int) -> Books:
    """Play a session in this process, whose engine keeps to one path: its own."""
    logging.getLogger("strikewire").setLevel(logging.CRITICAL)
    return play_session(seed, folder / str(os.getpid()))


def main() -> int:
    """0 when all books balance, 1 otherwise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=200, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the first session; the others follow")
    options = parser.parse_args()
    facts: Counter[str] = Counter()
    causes: Counter[str] = Counter()
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="strikewire-campaign-") as folder:
        for books in _played(range(options.seed, options.seed + options.sessions), Path(folder)):
            facts.update(books.facts)
            causes.update(books.causes)
            wrong += bool(books.wrong)
            print(json.dumps({**books._asdict(), "ok": not books.wrong}), flush=True)
    print(json.dumps({"sessions": options.sessions, "wrong": wrong, "facts": facts, "causes": causes}))
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
