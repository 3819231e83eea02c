"""Whatever the vendor's bytes and however they are cut: no crash, every reject counted, one order per partition."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from typing import Any

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.frames import CLOCK_FEED, CLOCK_WALL, Frame, Int16, Lane, Rows, TradeRows
from services.core.partitioner import Partitioner
from services.gateway.decoding.tabulate import Tabulator
from services.gateway.massive.messages import Trade, decode_frame
from services.gateway.massive.protocol import FeedProtocol
from services.gateway.sequencing.writer import Writer
from tests.support import vendor as v

PARTITIONS = 3
MUTATED_FRAMES = 100_000
TICKERS = [f"O:{root}251219{right}00001000" for root in ("A", "SPXW", "MSFT", "T1", "QQQ") for right in "CP"]
CONDITIONS = ([209], [], [219, 232], [999])


class Machine:
    """The gateway's pure path for one socket frame after another; by the `long_way` no frame is taken for plain."""

    def __init__(
        self, clock: int = CLOCK_WALL, cluster: str = "options", rows_max: int = 500, long_way: bool = False
    ) -> None:
        self.cluster, self.long_way = cluster, long_way
        self.session = FeedProtocol(cluster, "key", {"T.*"})
        self.table = Tabulator(Partitioner(PARTITIONS))
        self.writer = Writer(PARTITIONS, epoch=1, clock=clock, rows_max=rows_max)
        self.frames: list[Frame] = []
        self.rejects: Counter[str] = Counter()
        self.now_ns = v.T0_NS

    def feed(self, data: bytes) -> int:
        """How many elements were accounted for: a row, a repetition, a quote, a status, something unused, a reject."""
        self.now_ns += 1_000_000
        repeated = 0
        table = self.table.plain(data) if self.cluster == "options" and not self.long_way else None
        if table is not None:
            assert table.rejects == []
            self._write(Lane.TRADES, table.rows, table.partitions)
            return len(table.partitions) + table.repeated + table.quotes
        market, _ = self.session.receive_frame(data, self.now_ns)
        if self.cluster == "options":
            table = self.table.trades(market)
            lane, rows, partitions, rejects = Lane.TRADES, table.rows, table.partitions, table.rejects
            repeated = table.repeated
        else:
            ticks = self.table.ticks(market.events)
            lane, rows, partitions, rejects = Lane.TICKS, ticks.rows, ticks.partitions, ticks.rejects
        self.rejects.update(reject.reason for reject in (*market.rejects, *rejects))
        self._write(lane, rows, partitions)
        silent = sum(type(event) not in (Trade,) for event in market.events) if self.cluster == "options" else 0
        return len(partitions) + repeated + silent + len(market.rejects) + len(rejects)

    def _write(self, lane: Lane, rows: Rows, partitions: Int16) -> None:
        self.frames += self.writer.write(lane, rows, partitions, self.now_ns) + self.writer.tick(self.now_ns)

    def finish(self) -> list[Frame]:
        self.frames += self.writer.finish(self.now_ns)
        return self.frames


def columns_by_partition(frames: list[Frame]) -> dict[int, list[np.ndarray]]:  # type: ignore[type-arg]
    """Per partition every column of the trades lane, stamps left out."""
    found: dict[int, list[TradeRows]] = {}
    for frame in frames:
        if frame.header.rows:
            found.setdefault(frame.header.partition, []).append(frame.rows)  # type: ignore[arg-type]
    return {
        partition: [np.concatenate(column) for column in zip(*(rows[1:] for rows in parts), strict=True)]
        for partition, parts in found.items()
    }


def assert_sequenced(frames: list[Frame]) -> None:
    seen: dict[int, tuple[int, int, int]] = {}
    for frame in frames:
        head = frame.header
        seq, position, stamp = seen.get(head.partition, (0, 0, 0))
        assert (head.seq, head.position) == (seq, position)
        assert head.received_ns >= stamp
        seen[head.partition] = (seq + 1, position + head.rows, head.received_ns)


@st.composite
def elements(draw: st.DrawFn) -> dict[str, Any]:
    """Quotes, prints, a status and things that must be refused."""
    sym = draw(st.sampled_from(TICKERS))
    t = v.T0_MS + draw(st.integers(-5, 3000))
    kind = draw(st.sampled_from(["T", "T", "T", "Q", "Q", "status", "odd", "bad"]))
    if kind == "T":
        changes = {"p": draw(st.floats(0, 100)), "s": draw(st.integers(1, 9)), "c": draw(st.sampled_from(CONDITIONS))}
        return v.trade(sym, t=t, **changes)
    if kind == "Q":
        # In cents, which goes straight from bytes to columns, or as odd as a float can be, which does not.
        prices = st.one_of(st.integers(0, 5_000).map(lambda cents: cents / 100), st.floats(0, 50))
        return v.quote(sym, t=t, bp=draw(prices), ap=draw(prices))
    if kind == "status":
        return v.status("success", "subscribed to: T.*")
    return v.trade("NONSENSE") if kind == "odd" else v.trade(sym, p=-1.0)


@st.composite
def cuttings(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[int], list[int]]:
    """A stream of elements and two ways to cut it into frames."""
    stream = draw(st.lists(elements(), min_size=1, max_size=60))
    cut = st.lists(st.integers(0, len(stream)), max_size=12).map(sorted)
    return stream, draw(cut), draw(cut)


def in_frames(stream: list[dict[str, Any]], cuts: list[int]) -> list[bytes]:
    edges = [0, *cuts, len(stream)]
    return [v.frame(*stream[a:b]) for a, b in itertools.pairwise(edges) if b > a]


@given(cuttings(), st.sampled_from([CLOCK_WALL, CLOCK_FEED]), st.sampled_from([1, 3, 500]))
@settings(max_examples=150)
def test_how_the_stream_is_cut_into_socket_frames_changes_no_row_and_no_order(
    case: tuple[list[dict[str, Any]], list[int], list[int]], clock: int, rows_max: int
) -> None:
    stream, one, other = case
    machines = [Machine(clock, rows_max=rows_max, long_way=long_way) for long_way in (False, False, True)]
    for machine, cuts in zip(machines, (one, other, one), strict=True):
        for data in in_frames(stream, cuts):
            machine.feed(data)
        assert_sequenced(machine.finish())
    left, *others = (columns_by_partition(machine.frames) for machine in machines)
    for right in others:
        assert left.keys() == right.keys()
        for partition in left:
            for one_column, other_column in zip(left[partition], right[partition], strict=True):
                np.testing.assert_array_equal(one_column, other_column)
    assert machines[0].rejects == machines[1].rejects == machines[2].rejects


@given(st.lists(st.lists(elements(), min_size=1, max_size=8), min_size=1, max_size=8))
@settings(max_examples=100)
def test_every_element_is_a_row_a_quote_a_status_or_a_reject(stream: list[list[dict[str, Any]]]) -> None:
    machine = Machine()
    for batch in stream:
        assert machine.feed(v.frame(*batch)) == len(batch)


INSERTS = (b"-", b"1e9", b"null", b'"', b"[", b"}", b"\\u0000", b"\xff", b".5", b"99999999999")


def mutated(dice: random.Random, data: bytes) -> bytes:
    """One frame with one to three small accidents."""
    raw = bytearray(data)
    for _ in range(dice.randint(1, 3)):
        at = dice.randrange(len(raw)) if raw else 0
        accident = dice.randrange(6)
        if accident == 0 and raw:
            raw[at] = dice.randrange(256)
        elif accident == 1 and raw:
            raw[at] ^= 1 << dice.randrange(8)
        elif accident == 2:
            del raw[at : at + dice.randint(1, 8)]
        elif accident == 3:
            raw[at:at] = dice.choice(INSERTS)
        elif accident == 4:
            raw[at:at] = raw[at : at + dice.randint(1, 30)]
        else:
            del raw[at:]
    return bytes(raw)


def test_a_hundred_thousand_mutated_frames_crash_nothing_and_every_reject_is_counted() -> None:
    dice = random.Random(20261122)
    seeds = {
        "options": [v.frame(v.trade()), v.frame(v.quote(), v.trade(c=[232, 219]), v.status("error", "not authorized"))],
        "indices": [v.frame(v.index_value(), v.index_value("I:NDX"))],
        "stocks": [v.frame(v.stock_bar(), v.stock_bar("BRK.B"))],
    }
    clusters = list(seeds)
    machines = {cluster: Machine(CLOCK_FEED, cluster) for cluster in clusters}
    refused = 0
    for turn in range(MUTATED_FRAMES):
        cluster = clusters[turn % len(clusters)]
        data = mutated(dice, dice.choice(seeds[cluster]))
        before = sum(machines[cluster].rejects.values())
        machines[cluster].feed(data)
        newly = sum(machines[cluster].rejects.values()) - before
        try:
            whole = msgspec.json.decode(data, type=list[msgspec.Raw])
        except ValueError:
            assert newly >= 1, data
        else:
            events, rejects, _ = decode_frame(cluster, data)
            assert len(events) + len(rejects) == len(whole), data
            assert newly >= len(rejects), data
        refused += newly
    for machine in machines.values():
        assert_sequenced(machine.finish())
    assert refused > MUTATED_FRAMES // 2, "the mutations were too gentle to prove anything"
