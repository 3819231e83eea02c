"""The seeded market played through the real way in, without sockets: wire, decoder, tabulator, writer; truth beside it.

What the gateway does with a socket's bytes and a REST page happens here in the same order with the same classes: index
values and bars, then prints and quotes, a rank-and-swap of quoted contracts a minute, near chains every half minute and
far ones every five. Truth wants one partition, so that the log has one order and a print is found by its position;
benchmarks take more, and a busier market.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from schemas.frames import CLOCK_FEED, Frame, Lane, TradeRows
from services.core.partitioner import Partitioner
from services.gateway.decoding.tabulate import Tabulator
from services.gateway.massive.messages import decode_frame
from services.gateway.policy.contract_ranking import ContractRanking
from services.gateway.sequencing.writer import Writer
from services.settings.gateway import GatewaySettings
from standin.feed.source import Batch
from standin.history.generator import chain_rows, contract_columns
from standin.market.bursts import Burst
from standin.market.seeded import SECOND_NS, SeededMarket
from standin.market.truth import Truth
from standin.protocol.wire import frames as wire_frames
from standin.protocol.wire import index_events, option_events, stock_events

__all__ = ["Played", "play", "played_log"]

NEAR_DAYS = 7
SETTINGS = GatewaySettings(clock="feed", partitions=1)


class Played(NamedTuple):
    """A stretch of market as a log, and what it really was.

    frames: in the log's order; row_of: position of a print in the log -> its row in `truth`; burst_ends_s: second of
    each burst's last order.
    """

    frames: list[Frame]
    truth: Truth
    row_of: dict[int, int]
    bursts: tuple[Burst, ...]
    burst_ends_s: list[int]
    open_ns: int


def play(seed: int, minutes: int, *, epoch: int = 1) -> Played:
    """The first minutes of a seed's market."""
    return _Feed(seed, epoch, 1, 1.0, keep_truth=True).run(minutes)


def played_log(seed: int, minutes: int, partitions: int, intensity: float) -> list[Frame]:
    """The same as a log alone, of several partitions; `intensity` is how many times the usual number of prints come."""
    feed = _Feed(seed, 1, partitions, intensity, keep_truth=False)
    feed.play(minutes)
    return feed.frames


class _Feed:
    def __init__(self, seed: int, epoch: int, partitions: int, intensity: float, *, keep_truth: bool) -> None:
        self.market = SeededMarket(seed, intensity=intensity, keep_truth=keep_truth)
        self.table = Tabulator(Partitioner(partitions, {}))
        self.interest = ContractRanking(self.table.contracts)
        self.writer = Writer(partitions, epoch, CLOCK_FEED, SETTINGS.frame_rows_max, SETTINGS.flush_ms)
        self.frames: list[Frame] = []
        listing = self.market.listing
        self.ids = np.array([self.table.contracts.id_of(ticker) for ticker in listing.tickers], np.intp)
        self.contracts = contract_columns(listing)
        days = (listing.settlement_ns - self.market.clock_ns) / (86_400 * SECOND_NS)
        self.near, self.far = np.flatnonzero(days <= NEAR_DAYS), np.flatnonzero(days > NEAR_DAYS)
        self.quoted = np.empty(0, np.int32)

    def play(self, minutes: int) -> None:
        for second in range(60 * minutes):
            if second % int(SETTINGS.poll_far_s) == 0:
                self._chain(self.far)
            if second % int(SETTINGS.poll_near_s) == 0:
                self._chain(self.near)
            if second % int(SETTINGS.quote_rerank_s) == 0:
                self._rank()
            self._take(self.market.advance(SECOND_NS, self.quoted))
        self.frames += self.writer.finish(0)

    def run(self, minutes: int) -> Played:
        open_ns = self.market.clock_ns
        self.play(minutes)
        truth = self.market.truth.table()  # type: ignore[union-attr]
        plan = self.market._today.plan
        ends_s = [int(plan.second[plan.burst == number].max()) for number in range(len(plan.bursts))]
        return Played(self.frames, truth, self._rows(truth), plan.bursts, ends_s, open_ns)

    def _take(self, batch: Batch) -> None:
        for cluster, events in (
            ("indices", index_events(self.market.index_tickers, batch.values)),
            ("stocks", stock_events(self.market.stock_tickers, batch.bars)),
        ):
            for data in wire_frames(events):
                ticks = self.table.ticks(decode_frame(cluster, data).events)
                assert not ticks.rejects
                self.frames += self.writer.write(Lane.TICKS, ticks.rows, ticks.partitions, 0)
        for data in wire_frames(option_events(batch.listing, batch.prints, batch.quotes)):
            trades = self.table.trades(decode_frame("options", data))
            assert not trades.rejects
            self.interest.prints(trades.contracts, trades.rows.price_usd, trades.rows.size_contracts)
            self.frames += self.writer.write(Lane.TRADES, trades.rows, trades.partitions, 0)
        # As on the feed's clock: nothing waits longer than the flush, whatever else comes.
        self.frames += self.writer.flush(0)

    def _chain(self, rows: np.ndarray) -> None:
        market, table = self.market, self.table.contracts
        at = self.ids[rows]
        columns = chain_rows(market, self.contracts, rows)
        self.interest.chain(at, columns)
        self.frames += self.writer.write(Lane.GREEKS, columns, table.partition.take(at), 0)

    def _rank(self) -> None:
        listing = self.market.listing
        held = frozenset(listing.tickers[row] for row in self.quoted.tolist())
        chosen = self.interest.best(SETTINGS.quote_contracts_max, held, self.market.clock_ns)
        self.table.quotes.forget(held.difference(chosen))
        self.quoted = np.array(sorted(listing.row_of[ticker] for ticker in chosen), np.int32)

    def _rows(self, truth: Truth) -> dict[int, int]:
        by_q = {q: row for row, q in enumerate(truth.q.tolist())}
        assert len(by_q) == len(truth.q), "the sequence numbers of a day are unique"
        found: dict[int, int] = {}
        for frame in self.frames:
            if isinstance(frame.rows, TradeRows):
                positions = range(frame.header.position, frame.header.position + frame.header.rows)
                found.update(zip(positions, map(by_q.__getitem__, frame.rows.vendor_seq.tolist()), strict=True))
        return found
