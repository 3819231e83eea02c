"""How fast vendor bytes become sequenced frames, beside msgspec decoding the same bytes and doing nothing else.

The frames are what the vendor sends in a busy second: arrays of 500 prints in 3,000 contracts of 100 underlyings. The
peer is the msgspec decoder that the gateway uses for every frame that is not all healthy. Healthy ones it reads
straight into columns, so it may well be ahead, although it does columns, contract table, partitions and sequencing
besides. The table of contracts is warm, as a gateway's is after the first chain snapshots. Frames that mix quotes with
prints have an entry of their own.
"""

from __future__ import annotations

import itertools
import random
import statistics
from typing import Any

import msgspec

from bench.harness import entry, interleaved
from schemas.frames import CLOCK_WALL, Lane, encode_frame
from services.core.partitioner import Partitioner
from services.gateway.decoding.tabulate import Tabulator
from services.gateway.massive.messages import Quote, Status, Trade
from services.gateway.massive.protocol import FeedProtocol
from services.gateway.sequencing.writer import Writer

__all__ = ["run"]

RUNS = 9
FRAMES, EVENTS = 200, 500
PARTITIONS = 4
UNDERLYINGS, CONTRACTS_EACH = 100, 30
TARGET_RATIO = 0.40
QUOTES_A_TRADE = 5


def contract_tickers(rng_state: random.Random) -> list[str]:
    """Three thousand tickers of a hundred underlyings."""
    roots = [f"{chr(65 + i % 26)}{chr(65 + i // 26)}{chr(65 + i % 7)}"[: 2 + i % 3] for i in range(UNDERLYINGS)]
    return [
        f"O:{root}26{rng_state.randrange(1, 13):02d}{rng_state.randrange(1, 28):02d}"
        f"{rng_state.choice('CP')}{rng_state.randrange(10, 1500) * 500:08d}"
        for root in roots
        for _ in range(CONTRACTS_EACH)
    ]


def trade_frames(rng_state: random.Random, tickers: list[str]) -> list[bytes]:
    """Frames of prints: sizes heavy at 1 to 10, a handful of venues and conditions, 20 prints a millisecond.

    Activity falls with a contract's rank (Zipf), as it does in any market. Equal activity everywhere, the worst case
    for a processor's caches, was measured to change the ratio by less than a tenth.
    """
    weights = list(itertools.accumulate(1.0 / (1 + rank) for rank in range(len(tickers))))
    tickers = rng_state.sample(tickers, len(tickers))
    start_ms = 1_790_000_000_000

    def element(index: int) -> dict[str, Any]:
        return {
            "ev": "T",
            "sym": rng_state.choices(tickers, cum_weights=weights)[0],
            "x": rng_state.choice((300, 302, 304, 308, 313, 316, 320, 325)),
            "p": round(rng_state.expovariate(0.3), 2),
            "s": min(1 + int(rng_state.paretovariate(1.2)), 5000),
            "c": [rng_state.choices((209, 219, 232, 227, 236), (45, 8, 25, 12, 10))[0]],
            "t": start_ms + index // 20,
            "q": 1_844_730_912 + 7 * index,
        }

    return [msgspec.json.encode([element(f * EVENTS + e) for e in range(EVENTS)]) for f in range(FRAMES)]


def quoted_frames(rng_state: random.Random, tickers: list[str]) -> list[bytes]:
    """Frames of the same length in which five quotes precede each print, in the 950 contracts that may have them, at
    prices in cents, as options trade.
    """
    quoted = tickers[:950]
    frames: list[bytes] = []
    for _ in range(FRAMES):
        elements: list[dict[str, Any]] = []
        while len(elements) < EVENTS:
            mid, t = round(1 + rng_state.expovariate(0.3), 2), 1_790_000_000_000 + len(frames) * 25
            for _ in range(QUOTES_A_TRADE):
                sym = rng_state.choice(quoted)
                quote = {
                    "ev": "Q",
                    "sym": sym,
                    "bx": 302,
                    "ax": 313,
                    "bp": round(mid - 0.02, 2),
                    "ap": round(mid + 0.02, 2),
                }
                elements.append(quote | {"bs": 41, "as": 17, "t": t, "q": len(elements)})
            q = len(frames) * EVENTS + len(elements)
            trade = {"ev": "T", "sym": sym, "x": 302, "p": mid, "s": 3, "c": [209], "t": t, "q": q}
            elements.append(trade)
        frames.append(msgspec.json.encode(elements))
    return frames


def sequenced(frames: list[bytes], table: Tabulator, encode: bool) -> int:
    """The gateway's own path, without the sockets: the rows written."""
    session = FeedProtocol("options", "")
    table.repeats.clear()  # each round is a day of its own
    writer = Writer(PARTITIONS, epoch=1, clock=CLOCK_WALL)
    rows = 0
    for index, data in enumerate(frames):
        now_ns = index * 1_000_000  # a frame a millisecond: what 500,000 prints a second are
        trades = table.plain(data)
        if trades is None:
            trades = table.trades(session.receive_frame(data, now_ns).market)
        cut = writer.write(Lane.TRADES, trades.rows, trades.partitions, now_ns) + writer.tick(now_ns)
        for frame in cut:
            rows += frame.header.rows
            if encode:
                encode_frame(frame)
    return rows + sum(frame.header.rows for frame in writer.finish(2**40))


def decode_only(frames: list[bytes]) -> None:
    """The peer."""
    decoder = msgspec.json.Decoder(list[Trade | Quote | Status])
    for data in frames:
        decoder.decode(data)


def compare(name: str, frames: list[bytes], events: int, *, encode: bool, target_ratio: float | None) -> dict[str, Any]:
    """One line of the table: events a second, ours against the peer's."""
    table = Tabulator(Partitioner(PARTITIONS))  # learns the contracts in the warming round
    works = {"ours": lambda: sequenced(frames, table, encode), "peer": lambda: decode_only(frames)}
    seconds = interleaved(works, RUNS)
    peer = statistics.median(events / took for took in seconds["peer"])
    return entry(
        name,
        [events / took for took in seconds["ours"]],
        "events/s",
        "msgspec decoding the same frames and nothing else",
        peer,
        target=None if target_ratio is None else target_ratio * peer,
    )


def run() -> list[dict[str, Any]]:
    """The gateway's entries of `make bench`."""
    rng_state = random.Random(20261122)
    tickers = contract_tickers(rng_state)
    trades = trade_frames(rng_state, tickers)
    quoted = quoted_frames(rng_state, tickers)
    both = sum(len(msgspec.json.decode(data)) for data in quoted)
    return [
        compare("gateway_trades_per_s", trades, FRAMES * EVENTS, encode=False, target_ratio=TARGET_RATIO),
        compare("gateway_trades_encoded_per_s", trades, FRAMES * EVENTS, encode=True, target_ratio=None),
        compare("gateway_quotes_and_trades_per_s", quoted, both, encode=False, target_ratio=None),
    ]
