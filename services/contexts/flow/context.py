"""Flow: who trades options how, print by print, and which way it leans."""

from __future__ import annotations

import datetime as dt
import functools
import math
from collections.abc import Sequence
from typing import Annotated, NamedTuple, TypeVar, cast

import msgspec
import numpy as np
from msgspec import Meta

from schemas.decisions import Contribution, Signal, Thesis, rounded
from schemas.frames import Frame, GreekRows, Lane, TickRows, TradeRows
from schemas.symbols import EPOCH_ORDINAL, Contract, symbol_code, symbol_text
from services.contexts.flow.clusters import BLOCK, close_clusters
from services.contexts.flow.filters import NO_CLUSTER, NO_MINUTE, ClusterFilter, MinuteFilter
from services.contexts.flow.kernel import take_spots, take_trades
from services.contexts.flow.state import (
    CLUSTER_INPUTS,
    FAR,
    KINDS,
    RING,
    Cluster,
    FlowState,
    Traded,
    grow,
    new_state,
    widen,
)  # fmt: skip
from services.core.bounds import Chance, Count, Milliseconds, Points, Room, Seconds, Share, Times, Usd
from services.core.calendar import NS, Session
from services.core.contract import Context, ContextView, Parameters, Trigger, TriggerKind, Views
from services.core.windows import MINUTE_NS, grouped_sums, window_sums
from services.market import chain_store
from services.market.chain_store import NEED_NOTHING, ChainStore
from services.market.records import taken
from services.quant.black import iv_greeks

__all__ = [
    "BLOCK_CLOSED", "CONTRACT_MINUTE", "SPLIT_CLOSED", "SWEEP_CLOSED", "ContractMinute", "Flow", "FlowCluster",
    "FlowParameters", "FlowView",
]  # fmt: skip

MS = 1_000_000
F = TypeVar("F", ClusterFilter, MinuteFilter)
# What a contract is, in its record.
KEY = ("root", "expiry_day", "strike_mills", "right")
# Room at the start, for a partition of a quiet day; arrays double from here. Untouched room costs nothing.
CONTRACTS_AT_START = 16_384
TRADED_AT_START = 16_384
UNDERLYINGS_AT_START = 64
CLUSTERS_AT_START = 2048

# Roots that trade on one exchange only (Cboe's and Nasdaq's index options), where no sweep can cross venues.
SINGLE_VENUE_ROOTS = (
    "SPX", "SPXW", "XSP", "VIX", "VIXW", "RUT", "RUTW", "MRUT", "NDX", "NDXP", "XND", "DJX", "OEX", "XEO", "NANOS",
)  # fmt: skip


class FlowParameters(Parameters, frozen=True, kw_only=True):
    """Defaults from spec/contexts.md C.4 unless another reason is given."""

    # Two prints of one order: market practice is 100 ms between them and half a second in all.
    sweep_gap_ms: Milliseconds = 100
    sweep_span_ms: Milliseconds = 500
    # A cluster is over when the log has been silent about it for the longest a sweep lasts.
    close_ms: Milliseconds = 500
    # An ISO of fewer contracts than this is noise; without the flag three prints on two venues make a sweep.
    sweep_contracts_min: Count = 10
    sweep_prints_min: Count = 3
    sweep_venues_min: Count = 2
    # Single-venue roots: five prints one way through the book within a quarter of a second (spec/detectors.md B.12).
    book_walk_prints_min: Count = 5
    book_walk_span_ms: Milliseconds = 250
    # A block: round-lot institution size and a premium that matters; crosses and floor trades are negotiated anyway.
    block_contracts_min: Count = 100
    block_premium_usd: Usd = 100_000.0
    negotiated_premium_usd: Usd = 50_000.0
    # The smallest tier of spec/detectors.md B.12 (small caps); anything less is not worth a trigger.
    cluster_premium_usd: Usd = 50_000.0
    # A quote, a snapshot and a last price older than a minute say nothing about the side of a print.
    quote_age_s: Seconds = 60
    chain_age_s: Seconds = 60
    # A snapshot of some minutes, moved by delta, is still a little better than the tick rule: a slow poll of a whole
    # chain must not make its flow sideless. Five minutes is about what a poller needs for all of OPRA.
    chain_old_s: Seconds = 300
    tick_age_s: Seconds = 60
    # Within a tenth of the spread of the middle nobody crossed it; twice that where the quote itself is a minute old.
    quote_dead_zone: Share = 0.10
    chain_dead_zone: Share = 0.20
    # Share of trades whose side each rule gets right (Savickas and Wilson 2003); outside the quote it is stale.
    p_quote: Chance = 0.83
    p_outside: Chance = 0.60
    p_chain: Chance = 0.65
    p_chain_old: Chance = 0.60
    p_tick: Chance = 0.59
    # A price-improvement auction prints inside the spread, where the quote rule knows less.
    auction_factor: Share = 0.6
    # Unflagged complex orders: legs within 5 ms. Below ten contracts equal sizes are a coincidence too often.
    leg_gap_ms: Milliseconds = 5
    leg_contracts_min: Count = 10
    # A contract's minute is told from the volume and the multiple of its open interest on that spec/detectors.md B.14
    # asks for, and from the middle premium of its tiers; most minutes of most contracts are nothing to judge.
    minute_volume_min: Count = 500
    minute_over_oi_min: Times = 2.0
    minute_premium_usd: Usd = 50_000.0
    # Below ten prints and $50k in the last quarter of an hour a lean is an anecdote.
    bias_prints_min: Count = 10
    bias_full_times: Annotated[float, Meta(gt=0, le=1_000)] = 5.0  # as many prints for full confidence
    bias_premium_usd: Usd = 50_000.0
    # As much as the spec gives flow, and no older than its own window (spec/contexts.md C.4).
    points_max: Points = 10.0
    half_life_s: Seconds = 900
    # Beyond a quarter of what it can say it leans; tanh(z / 2) is that at half a standard error.
    stance_min: Share = 0.25
    # Without twenty sessions of the same slot z is not comparable between symbols.
    no_history_factor: Share = 0.5
    # Bounds of memory: all of OPRA lists some 1.6 million contracts on 6,000 underlyings; a partition holds a share.
    contracts_max: Room = 2_097_152
    underlyings_max: Room = 16_384
    clusters_max: Room = 262_144


class FlowCluster(NamedTuple):
    """Facts of `flow.sweep`, `flow.block` and `flow.split`: prints of one order, closed.

    `side` is +1 bought, -1 sold, 0 unknown.
    """

    kind: str  # SWEEP, BLOCK or SPLIT
    contract: Contract
    side: int
    prints: int
    venues: int
    contracts: int
    premium_usd: float
    delta_usd: float  # side x confidence x delta x size x multiplier x spot, summed
    p_side: float  # premium-weighted chance that the side is right, 0.5 to 1
    first_ns: int
    last_ns: int
    dte_days: int
    delta: float  # NaN when no chain row came
    spot_usd: float  # NaN when unknown
    iso: bool
    negotiated: bool
    multi_leg: bool
    book_walk: bool
    p_best: float  # p_side of the best rule

    @property
    def leaning(self) -> int:
        """+1 when it gains from a rise of the underlying, -1 from a fall, 0 unknown."""
        return self.side * self.contract.right


class ContractMinute(NamedTuple):
    """Facts of the trigger `flow.contract_minute`: a contract's day so far, at the end of a minute in which it traded.

    `volume` is what was seen: a capture that began in mid-session understates it, and so its ratio to open interest.
    """

    contract: Contract
    volume: int
    open_interest: int  # -1 when unknown
    premium_usd: float
    opening_share_min: float  # max(0, V - OI) / V: what must be new positions
    single_share: float  # of volume
    imbalance: float  # -1 all sold, +1 all bought, each by the best rule; sides less sure count for less
    p_side: float  # mean chance that the sides are right
    repeat_hits: int
    delta_usd: float
    delta: float
    spot_usd: float
    dte_days: int
    last_price_usd: float
    p_best: float  # p_side of the best rule


SWEEP_CLOSED = TriggerKind("flow.sweep", FlowCluster)
BLOCK_CLOSED = TriggerKind("flow.block", FlowCluster)
SPLIT_CLOSED = TriggerKind("flow.split", FlowCluster)
CONTRACT_MINUTE = TriggerKind("flow.contract_minute", ContractMinute)
# By the number of a cluster's kind, which is its place in KINDS.
CLUSTER_TRIGGERS = (SWEEP_CLOSED, SWEEP_CLOSED, BLOCK_CLOSED, SPLIT_CLOSED)


class FlowView(ContextView, frozen=True, kw_only=True):
    """The lean of an underlying's option flow. Dollars; windows of 5, 15 and 60 minutes and the day (log time)."""

    prints_15m: int
    prints_day: int
    premium_15m_usd: float
    premium_day_usd: float
    net_premium_5m_usd: float
    net_premium_15m_usd: float
    net_premium_60m_usd: float
    net_premium_day_usd: float
    net_delta_5m_usd: float
    net_delta_15m_usd: float
    net_delta_60m_usd: float
    net_delta_day_usd: float
    delta_z_15m: float
    put_z_15m: float
    sweep_share_15m: float
    single_share_15m: float
    put_call_bought_60m: float | None
    persistence_15m: float
    side_confidence_15m: float
    bias: float


class Flow(Context):
    """Print hygiene, trade side with method and confidence, sweeps, blocks and splits, and the lean of it all.

    Watches prints (side from the joined quote, else the chain snapshot moved by delta, else the tick rule, else
    unknown), chain rows (open interest, delta, quotes) and ticks (spot). Multi-leg, stock-tied, late, refilled and
    extended-hours prints count as volume and carry no direction; cancels take an earlier print back, in the minute they
    arrive.

    Raises `flow.sweep`, `flow.block` or `flow.split` when a cluster of at least `cluster_premium_usd` has closed, half
    a second of log time after its last print, and `flow.contract_minute` at the end of each minute for contracts past
    `minute_volume_min` and `minute_over_oi_min` times their open interest.

    The bias is tanh(z / 2) x persistence, z being net delta-notional of 15 minutes over the root of the sum of its
    squared parts. (Against twenty sessions of the same slot z would be comparable between symbols; without that
    history this one says how improbable the lean is if sides were coin flips, and its confidence is halved.)

    References: Savickas and Wilson, "On Inferring the Direction of Option Trades" (2003); Lee and Ready (1991).
    """

    name = "flow"
    version = "1"
    lanes = frozenset({Lane.TRADES, Lane.GREEKS, Lane.TICKS})
    view_type = FlowView
    raises = (SWEEP_CLOSED, BLOCK_CLOSED, SPLIT_CLOSED, CONTRACT_MINUTE)
    stops = True
    Parameters = FlowParameters
    parameters: FlowParameters

    def __init__(self, parameters: FlowParameters) -> None:
        super().__init__(parameters)
        self.points_max, self.half_life_s = parameters.points_max, parameters.half_life_s
        self._epoch = 0
        self._today = 0
        self._due_ns = FAR
        self.chain: ChainStore
        self.state: FlowState
        self._start()

    def open_session(self, day: dt.date, session: Session | None) -> None:
        self._today = day.toordinal() - EPOCH_ORDINAL
        self._start()

    def open_epoch(self, epoch: int) -> None:
        self._views.clear()
        self._close(FAR)
        self.state.clusters["close_ns"] = 0
        self._epoch = epoch
        self.state.scalars["epoch"] = epoch
        self._set_due()

    def update(self, frame: Frame, start: int, stop: int, views: Views) -> int:
        self._epoch = frame.header.epoch
        self.state.scalars["epoch"] = self._epoch
        self._views.clear()
        rows = frame.rows
        if isinstance(rows, TradeRows):
            while True:
                start = take_trades(
                    rows.received_ns, rows.event_ns, rows.underlying, rows.root, rows.expiry_day, rows.strike_mills,
                    rows.right, rows.price_usd, rows.size_contracts, rows.exchange, rows.condition_bits, rows.bid_usd,
                    rows.ask_usd, rows.quote_age_ns, self.chain, self.state, frame.header.position, start, stop,
                )  # fmt: skip
                if not self._made_room():
                    break
            self._set_due()
            return int(start)
        if isinstance(rows, GreekRows):
            self.chain = chain_store.take_rows(self.chain, rows, frame.header.epoch, frame.header.position, start, stop)
            self.state = widen(self.state, len(self.chain.underlyings))
            return stop
        assert isinstance(rows, TickRows)
        take_spots(rows.received_ns, rows.symbol, rows.price_usd, self.chain, start, stop)
        return stop

    @property
    def due_ns(self) -> int:
        return self._due_ns

    def tick(self, now_ns: int, views: Views) -> None:
        scalars = self.state.scalars
        self._views.clear()
        self.chain.counts["now_ns"] = max(now_ns, int(self.chain.counts["now_ns"][0]))
        if scalars["close_due_ns"][0] <= now_ns:
            self._close(now_ns)
        if scalars["minute_due_ns"][0] <= now_ns:
            self._tell_minutes()
        self._set_due()

    def underlyings(self) -> Sequence[str]:
        held = self.chain.underlyings[: int(self.chain.counts["underlyings"][0])]
        touched = np.flatnonzero(held["touched"])
        held["touched"] = 0
        return [symbol_text(code) for code in held["code"][touched].tolist()]

    def view(self, underlying: str) -> FlowView | None:
        # Detectors and the scanner ask for the same one at the same point of the log.
        if underlying not in self._views:
            self._views[underlying] = self._view(underlying)
        return self._views[underlying]

    def _view(self, underlying: str) -> FlowView | None:
        state, p = self.state, self.parameters
        at = self.chain.underlying_at(symbol_code(underlying))
        if at < 0 or not self.chain.underlyings["seen_ns"][at]:
            return None
        minute = int(self.chain.counts["now_ns"][0]) // MINUTE_NS
        five, quarter, hour = window_sums(state.buckets, at, minute, (5, 15, 60))
        day = {name: float(state.days[name][at]) for name in quarter}
        deltas = grouped_sums(state.buckets, at, minute, 15, "delta_usd", 3)
        z = _ratio(quarter["delta_usd"], math.sqrt(max(quarter["delta_sq"], 0.0)))
        persistence = sum(1 for delta in deltas if delta * z > 0) / len(deltas)
        # Rounded before anything is decided by it: tanh is the platform's.
        bias = round(math.tanh(z / 2) * persistence, 9)
        sure = _ratio(quarter["sure_usd"], quarter["single_usd"])
        enough = quarter["prints"] >= p.bias_prints_min and quarter["premium_usd"] >= p.bias_premium_usd
        bought = hour["bought_call_usd"] + hour["bought_put_usd"]
        # How one-sided put buying is: its share of all buying, in standard errors of a fair coin of as many prints.
        puts = _ratio(quarter["bought_put_usd"], quarter["bought_call_usd"] + quarter["bought_put_usd"], 0.5)
        return FlowView(
            underlying=underlying,
            as_of_ns=int(self.chain.underlyings["seen_ns"][at]),
            ready=enough,
            reason="" if enough else f"fewer than {p.bias_prints_min} prints or ${p.bias_premium_usd:,.0f} in 15 min",
            stance="BULLISH" if bias >= p.stance_min else "BEARISH" if bias <= -p.stance_min else "NEUTRAL",
            confidence=p.no_history_factor * min(1.0, quarter["prints"] / (p.bias_full_times * p.bias_prints_min))
            if enough
            else 0.0,
            prints_15m=int(quarter["prints"]),
            prints_day=int(day["prints"]),
            premium_15m_usd=quarter["premium_usd"],
            premium_day_usd=day["premium_usd"],
            net_premium_5m_usd=five["net_premium_usd"],
            net_premium_15m_usd=quarter["net_premium_usd"],
            net_premium_60m_usd=hour["net_premium_usd"],
            net_premium_day_usd=day["net_premium_usd"],
            net_delta_5m_usd=five["delta_usd"],
            net_delta_15m_usd=quarter["delta_usd"],
            net_delta_60m_usd=hour["delta_usd"],
            net_delta_day_usd=day["delta_usd"],
            delta_z_15m=z,
            put_z_15m=(puts - 0.5) * 2 * math.sqrt(max(quarter["prints"], 0.0)) if bought else 0.0,
            sweep_share_15m=min(1.0, _ratio(quarter["sweep_usd"], quarter["premium_usd"])),
            single_share_15m=_ratio(quarter["single_usd"], quarter["premium_usd"]),
            put_call_bought_60m=_ratio(hour["bought_put_usd"], hour["bought_call_usd"])
            if hour["bought_call_usd"] > 0
            else None,
            persistence_15m=persistence,
            side_confidence_15m=sure,
            bias=bias,
        )

    def contribution(self, signal: Signal, thesis: Thesis, view: ContextView, now_ns: int) -> Contribution | None:
        """`points_max` x direction x bias x mean side confidence (spec/contexts.md C.4), whatever the thesis."""
        assert isinstance(view, FlowView)
        way = {"LONG": 1, "SHORT": -1}.get(signal.direction, 0)
        points = self.points_max * way * view.bias * view.side_confidence_15m
        if not view.ready or points == 0:
            return None
        return Contribution(
            source=self.name,
            points=points,
            confidence=view.confidence,
            age_s=max(0, now_ns - view.as_of_ns) / NS,
            reason=f"option flow of 15 min is {view.stance.lower()}: net delta ${view.net_delta_15m_usd:,.0f}",
        )

    @property
    def counts(self) -> dict[str, int]:
        """Running totals of the day: prints by side tier, cancels, what was left out and why."""
        scalars = (
            "traded", "bad", "cancels", "cancels_unmatched", "late", "multi_leg", "inferred_multi_leg", "tier_a",
            "tier_c", "tier_d", "tier_u",
        )  # fmt: skip
        counts = {name: int(self.chain.counts[name][0]) for name in ("contracts", "underlyings", "overflow")}
        return counts | {name: int(self.state.scalars[name][0]) for name in scalars}

    def _start(self) -> None:
        p = self.parameters
        underlyings = min(UNDERLYINGS_AT_START, p.underlyings_max)
        self._names: dict[int, tuple[Contract, str]] = {}  # of those told about: at most what trades
        self._views: dict[str, FlowView | None] = {}  # as of now
        self.chain = chain_store.new_chain(
            min(CONTRACTS_AT_START, p.contracts_max),
            underlyings,
            p.contracts_max,
            p.underlyings_max,
            [symbol_code(root) for root in SINGLE_VENUE_ROOTS],
        )
        state = self.state = new_state(TRADED_AT_START, underlyings, min(CLUSTERS_AT_START, p.clusters_max))
        rules = {
            "sweep_gap_ns": p.sweep_gap_ms * MS, "sweep_span_ns": p.sweep_span_ms * MS, "close_ns": p.close_ms * MS,
            "book_walk_span_ns": p.book_walk_span_ms * MS, "leg_gap_ns": p.leg_gap_ms * MS,
            "quote_age_ns": p.quote_age_s * NS, "chain_age_ns": p.chain_age_s * NS, "chain_old_ns": p.chain_old_s * NS,
            "tick_age_ns": p.tick_age_s * NS,
            "epoch": self._epoch,
        }  # fmt: skip
        names = state.scalars.dtype.names or ()
        rules |= {name: value for name, value in msgspec.structs.asdict(p).items() if name in names}
        for name, value in rules.items():
            state.scalars[name] = value
        for number, kind in enumerate(CLUSTER_TRIGGERS[1:], 1):
            wanted, slot = self._wanted(kind, ClusterFilter(), NO_CLUSTER), state.asked[number]
            slot["premium_usd"], slot["sided"], slot["single_leg"] = wanted.premium_usd, wanted.sided, wanted.single_leg
            slot["expiry_min"], slot["expiry_max"] = self._today + wanted.dte_min, self._today + wanted.dte_max
        self._set_due()

    def _wanted(self, kind: TriggerKind, everything: F, nothing: F) -> F:
        """What a trigger of this kind must be for anybody to act on it."""
        if self.listened is None:
            return everything
        return cast("F", self.listened[kind] or everything) if kind in self.listened else nothing

    def _made_room(self) -> bool:
        """Whether the kernel stopped for want of room, which it now has."""
        if self.chain.counts["need"][0] != NEED_NOTHING:
            self.chain = chain_store.grow(self.chain)
            self.state = widen(self.state, len(self.chain.underlyings))
            return True
        if self.state.scalars["need"][0]:
            self.state = grow(self.state)
            return True
        return False

    def _set_due(self) -> None:
        scalars = self.state.scalars
        self._due_ns = min(int(scalars["close_due_ns"][0]), int(scalars["minute_due_ns"][0]))

    def _close(self, now_ns: int) -> None:
        state = self.state
        # A closing for a new epoch has no time of its own; its sums belong to the last minute there was.
        closed = np.empty(int(state.scalars["pending"][0]), np.int32)
        count = close_clusters(self.chain, state, now_ns, int(self.chain.counts["now_ns"][0]), closed)
        if not count:
            return
        told = closed[:count]
        for at, held in zip(told.tolist(), taken(state.clusters, told).tolist(), strict=True):
            cluster = Cluster._make(held)
            self.triggers.append(self._cluster_trigger(at, cluster))

    def _cluster_trigger(self, at: int, cluster: Cluster) -> Trigger:
        contract, underlying = self._named(cluster.traded)
        first, epoch, position = at * CLUSTER_INPUTS, self._epoch, cluster.first_position
        behind = self.state.inputs[first : first + cluster.inputs].tolist()
        venues = cluster.venues.bit_count()
        delta, delta_usd = cluster.delta, cluster.delta_usd
        # Rounded, because a mean of equal numbers may come out a last bit below them.
        p_side = rounded(_ratio(cluster.p_usd, cluster.premium_usd, 0.5))
        if delta != delta and cluster.side and not cluster.multi_leg:  # without a side it has no delta-notional anyway
            delta, delta_usd = self._own_delta(cluster, contract, p_side)
        facts = FlowCluster(
            kind=KINDS[cluster.kind],
            contract=contract,
            side=cluster.side,
            prints=cluster.prints,
            venues=venues,
            contracts=cluster.contracts,
            premium_usd=cluster.premium_usd,
            delta_usd=delta_usd,
            p_side=p_side,
            first_ns=cluster.first_ns,
            last_ns=cluster.last_ns,
            dte_days=contract.expiry_day - self._today,
            delta=delta,
            spot_usd=cluster.spot_usd,
            iso=bool(cluster.iso),
            negotiated=bool(cluster.negotiated),
            multi_leg=bool(cluster.multi_leg),
            book_walk=cluster.kind != BLOCK and not cluster.iso and venues == 1,
            p_best=self.parameters.p_quote,
        )
        return Trigger(
            kind=CLUSTER_TRIGGERS[cluster.kind],
            underlying=underlying,
            event_ns=cluster.last_ns,
            inputs=tuple([(epoch, position + steps) for steps in behind]),
            facts=facts,
        )

    def _own_delta(self, cluster: Cluster, contract: Contract, p_side: float) -> tuple[float, float]:
        """(delta, delta-notional) from the price paid, where no chain row came yet; NaN and 0 when it has none.

        Black's formula at zero carry and calendar days to the expiry's close. Rounded, because it decides.
        """
        days = contract.expiry_day - self._today
        price, spot = cluster.last_price_usd, cluster.spot_usd
        if not (spot > 0.0 and days >= 0 and cluster.contracts > 0):
            return math.nan, 0.0
        # As columns of one row, which the room of arithmetic takes as they are.
        row = np.array([[price], [spot], [contract.strike_usd], [max(days, 0.5) / 365.0], [1.0], [0.0]])
        _, status, greeks = iv_greeks(
            row[0], row[1], row[2], row[3], row[4], row[5], np.array([contract.right], np.int8)
        )
        if status[0]:
            return math.nan, 0.0
        delta = rounded(float(greeks.delta[0]))
        sure = 2.0 * p_side - 1.0
        return delta, cluster.side * sure * delta * (cluster.premium_usd / price) * spot

    def _tell_minutes(self) -> None:
        scalars = self.state.scalars
        active = self.state.active[: int(scalars["active"][0])]
        scalars["active"] = 0
        scalars["minute_due_ns"] = FAR
        traded, contracts = self.state.traded, self.chain.contracts
        asked = self._wanted(CONTRACT_MINUTE, MinuteFilter(), NO_MINUTE)
        premium_usd = traded["premium_usd"][active]
        active = active[premium_usd >= max(self.parameters.minute_premium_usd, asked.premium_usd)]
        traded = taken(traded, active)
        open_interest = contracts["open_interest"][traded["contract"]]
        dte_days = contracts["expiry_day"][traded["contract"]] - self._today
        telling = (
            (asked.dte_min <= dte_days)
            & (dte_days <= asked.dte_max)
            & (open_interest >= 0)
            & (traded["volume"] >= np.maximum(self.parameters.minute_over_oi_min * open_interest, 1))
        )
        for at, held in zip(active[telling].tolist(), taken(traded, telling).tolist(), strict=True):
            self.triggers.append(self._minute_trigger(at, Traded._make(held)))

    def _minute_trigger(self, at: int, traded: Traded) -> Trigger:
        held = self.chain.contracts[traded.contract]
        contract, underlying = self._named(at)
        volume, open_interest = traded.volume, int(held["open_interest"])
        ring = self.state.prints[at * RING : at * RING + min(traded.prints, RING)]
        best = 2.0 * self.parameters.p_quote - 1.0
        facts = ContractMinute(
            contract=contract,
            volume=volume,
            open_interest=open_interest,
            premium_usd=traded.premium_usd,
            opening_share_min=max(0.0, (volume - open_interest) / volume) if open_interest >= 0 else 0.0,
            single_share=traded.single_volume / volume,
            imbalance=max(-1.0, min(1.0, _ratio(traded.signed, best * traded.single_volume))),
            p_side=0.5 + 0.5 * _ratio(traded.weight, float(traded.single_volume)),
            repeat_hits=traded.repeat_hits,
            delta_usd=traded.delta_usd,
            delta=float(held["delta"]),
            spot_usd=float(self.chain.underlyings["spot_usd"][held["underlying"]]),
            dte_days=contract.expiry_day - self._today,
            last_price_usd=traded.last_price_usd,
            p_best=self.parameters.p_quote,
        )
        return Trigger(
            kind=CONTRACT_MINUTE,
            underlying=underlying,
            event_ns=traded.event_ns,
            inputs=tuple(sorted(zip(ring["epoch"].tolist(), ring["position"].tolist(), strict=True))),
            facts=facts,
        )

    def _named(self, traded_at: int) -> tuple[Contract, str]:
        """The contract of a record of `traded`, and its underlying's symbol."""
        if traded_at not in self._names:
            held = self.chain.contracts[int(self.state.traded["contract"][traded_at])]
            root, expiry_day, strike_mills, right = (int(held[name]) for name in KEY)
            contract = Contract(_symbol(root), expiry_day, strike_mills, right)
            owner = int(self.chain.underlyings["code"][held["underlying"]])
            self._names[traded_at] = contract, _symbol(owner)
        return self._names[traded_at]


_symbol = functools.lru_cache(maxsize=4096)(symbol_text)


def _ratio(part: float, whole: float, otherwise: float = 0.0) -> float:
    return part / whole if whole > 0 else otherwise
