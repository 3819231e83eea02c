"""Gamma: what dealers would have to trade as the underlying moves, and the strikes where that piles up."""

from __future__ import annotations

import datetime as dt
import math
from collections import deque
from collections.abc import Sequence
from typing import Annotated

import numpy as np
import numpy.typing as npt
from msgspec import Meta

from schemas.decisions import Contribution, Signal, Thesis
from schemas.frames import Frame, GreekRows, Lane
from schemas.symbols import EPOCH_ORDINAL, symbol_code, symbol_text
from services.contexts.gamma.levels import ChainArrays, Flip, Levels, at_the_money, flip, levels
from services.contexts.price import PriceView
from services.core.bounds import Count, Days, Points, Room, Seconds, Share, Times
from services.core.calendar import NS, Session, ny_ns
from services.core.contract import FAR_FUTURE_NS, Context, ContextView, Parameters, Trigger, TriggerKind, Views
from services.market import chain_store
from services.market.chain_store import ChainStore
from services.market.records import taken
from services.quant.clock import TRADING_MINUTES_PER_YEAR, calendar_years, settlement_ns

__all__ = ["LEVELS", "Gamma", "GammaParameters", "GammaView"]

# How often the context looks which chains are due to be measured.
LOOK_NS = 60 * NS
CONTRACTS_AT_START = 4096
UNDERLYINGS_AT_START = 32
# Roots that settle at the open of their expiry day.
AM_ROOTS = np.array([symbol_code(root) for root in ("SPX", "NDX", "RUT", "VIX", "VIXW", "DJX")], np.uint64)
INDICES = ("SPX", "NDX", "RUT", "XSP", "SPY", "QQQ", "IWM")


class GammaParameters(Parameters, frozen=True, kw_only=True):
    """Defaults from spec/contexts.md C.2 and spec/detectors.md B.5."""

    # Open interest stands all day and levels move slowly with spot: a quarter of an hour (spec/contexts.md C.2); a
    # chain that was never measured does not wait for it.
    levels_s: Seconds = 900
    # Re-pricing the whole chain on 121 spots is the dearest step, and its answer the slowest to move.
    flip_s: Seconds = 900
    # A wall counts when three snapshots a quarter of an hour apart agree on its strike.
    # More marks than a session has quarters of an hour never agree.
    wall_marks: Annotated[int, Meta(ge=1, le=100)] = 3
    wall_mark_s: Seconds = 900
    wall_share_min: Share = 0.10
    wall_lead_min: Times = 1.2
    dte_max: Days = 45
    # Share of spot on either side; at one the grid would reach zero.
    reach_index: Annotated[float, Meta(gt=0, lt=1)] = 0.15
    reach_stock: Annotated[float, Meta(gt=0, lt=1)] = 0.25
    # Chain rows older than this no longer tell where dealers stand.
    stale_s: Seconds = 3600
    # What gamma says of a signal, at all net and no gross (spec/contexts.md C.2): a move that hedgers feed, or one they
    # dampen; a wall that is the target (to a tenth of a per cent), or stands before it.
    points_max: Points = 10.0
    half_life_s: Seconds = 1800
    helps_points: Points = 10.0
    hinders_points: Points = 8.0
    wall_target_points: Points = 3.0
    wall_before_points: Points = 6.0
    wall_near_share: Share = 0.001
    # Where the conventions disagree about the sign, one of them is wrong.
    disagreement_factor: Share = 0.5
    # With fewer contracts a chain has no profile.
    contracts_min: Count = 6
    contracts_max: Room = 2_097_152
    underlyings_max: Room = 16_384


class GammaView(ContextView, frozen=True, kw_only=True):
    """Dealer gamma of one underlying: dollars of delta per 1 % move, strikes in dollars, None where there is none."""

    spot_usd: float
    contracts: int
    net_gex_naive_usd: float
    net_gex_all_short_usd: float
    gross_gex_usd: float
    signs_agree: bool
    call_wall_usd: float | None
    put_wall_usd: float | None
    put_wall_share: float
    put_wall_lead: float | None  # None when no other strike below spot has put gamma
    stable_call_wall_usd: float | None
    stable_put_wall_usd: float | None
    zero_gamma_usd: float | None
    zero_gamma_roots: int
    largest_strike_usd: float | None
    concentration: float
    expiring_today_share: float
    max_pain_usd: float | None
    atm_iv_annual: float | None
    expected_move_usd: float | None  # S x IV x root of the trading time left today


LEVELS = TriggerKind("gamma.levels", GammaView)


class _Book:
    """What is remembered of one underlying between two looks at its chain."""

    __slots__ = ("call_walls", "flip", "flip_ns", "measured_ns", "put_walls", "settle_ns", "slots", "view")

    def __init__(self, marks: int) -> None:
        self.put_walls: deque[float | None] = deque(maxlen=marks)
        self.call_walls: deque[float | None] = deque(maxlen=marks)
        self.flip = Flip(None, 0)
        self.flip_ns = 0
        self.measured_ns = 0
        self.view: GammaView | None = None
        self.slots: npt.NDArray[np.int64] = np.empty(0, np.int64)  # of its contracts in the chain
        self.settle_ns: npt.NDArray[np.int64] = np.empty(0, np.int64)  # when each of them settles


class Gamma(Context):
    """Gamma exposure per strike under two conventions, walls, zero-gamma, concentration, max pain, expected move.

    Watches chain rows of expiries within `dte_max` days; spot is the price context's, or that of a newer snapshot
    when no tick came for a minute. Measures a chain with its first rows and then every `levels_s` while new ones come,
    raises `gamma.levels`, and marks the walls every `wall_mark_s`: a wall is stable when the last `wall_marks` marks
    name the same strike, each time with `wall_share_min` of its side's gamma and `wall_lead_min` times the runner-up.
    Zero-gamma is re-priced every `flip_s`, under the naive convention; there may be none.

    Conventions: *naive*, dealers long calls and short puts; *all short*, dealers short both, the bound. Their signs
    agree only when the naive sum is negative too. The flow-signed convention needs ten sessions of captured flow.

    Open interest describes the previous close. A half day's early close is known for today only, so expiries on a
    later half day are taken to settle three hours late.

    References: Perfiliev, "How to calculate gamma exposure" (2022); Barbon and Buraschi, "Gamma Fragility" (2021).
    """

    name = "gamma"
    version = "1"
    lanes = frozenset({Lane.GREEKS})
    view_type = GammaView
    raises = (LEVELS,)
    needs = (PriceView,)
    Parameters = GammaParameters
    parameters: GammaParameters

    def __init__(self, parameters: GammaParameters) -> None:
        super().__init__(parameters)
        self.points_max, self.half_life_s = parameters.points_max, parameters.half_life_s
        self.open_session(dt.date(1970, 1, 1), None)

    def open_session(self, day: dt.date, session: Session | None) -> None:
        p = self.parameters
        self._today = day.toordinal() - EPOCH_ORDINAL
        self._session = session
        self.chain: ChainStore = chain_store.new_chain(
            min(CONTRACTS_AT_START, p.contracts_max),
            min(UNDERLYINGS_AT_START, p.underlyings_max),
            p.contracts_max,
            p.underlyings_max,
            [0],
        )
        self._books: dict[int, _Book] = {}
        self._settles: dict[tuple[int, bool], int] = {}
        self._by_owner = np.empty(0, np.int64)
        self._owners = np.empty(0, np.int32)
        self._touched: list[int] = []
        # Always due while the session lasts, for the reason that the price context gives.
        self._levels_ns = self._mark_ns = FAR_FUTURE_NS
        if session is not None:
            self._levels_ns = session.open_ns + LOOK_NS
            self._mark_ns = session.open_ns + p.wall_mark_s * NS

    def update(self, frame: Frame, start: int, stop: int, views: Views) -> int:
        head, rows = frame.header, frame.rows
        assert isinstance(rows, GreekRows)
        self.chain = chain_store.take_rows(self.chain, rows, head.epoch, head.position, start, stop)
        return stop

    @property
    def due_ns(self) -> int:
        return min(self._levels_ns, self._mark_ns)

    def tick(self, now_ns: int, views: Views) -> None:
        p, session = self.parameters, self._session
        assert session is not None, "nothing is due without a session"
        marking = self._mark_ns <= now_ns
        for at in range(int(self.chain.counts["underlyings"][0])):
            book = self._books.setdefault(at, _Book(p.wall_marks))
            due = book.view is None or now_ns - book.measured_ns >= p.levels_s * NS
            if marking or (due and int(self.chain.underlyings["chain_ns"][at]) >= book.measured_ns):
                self._measure(at, book, now_ns, marking, views)
        open_still = now_ns < session.close_ns
        if self._levels_ns <= now_ns:
            self._levels_ns = now_ns + LOOK_NS if open_still else FAR_FUTURE_NS
        if marking:
            self._mark_ns = now_ns + p.wall_mark_s * NS if open_still else FAR_FUTURE_NS

    def underlyings(self) -> Sequence[str]:
        touched, self._touched = self._touched, []
        return [self._symbol(at) for at in dict.fromkeys(touched)]

    def view(self, underlying: str) -> GammaView | None:
        book = self._books.get(self.chain.underlying_at(symbol_code(underlying)))
        return None if book is None else book.view

    def contribution(self, signal: Signal, thesis: Thesis, view: ContextView, now_ns: int) -> Contribution | None:
        """Short gamma feeds moves and starves reversals; a wall in the way, or as the target, counts beside it."""
        assert isinstance(view, GammaView)
        if signal.direction not in ("LONG", "SHORT") or view.gross_gex_usd <= 0:
            return None
        # In place of a percentile over sessions: how much of the gross gamma the net is.
        strength = min(1.0, abs(view.net_gex_naive_usd) / view.gross_gex_usd)
        p, short = self.parameters, view.net_gex_naive_usd < 0
        points = strength * (p.helps_points if short == (thesis != "reversal") else -p.hinders_points)
        reason = f"dealers are {'short' if short else 'long'} gamma, which {'feeds' if short else 'dampens'} moves"
        wall = view.call_wall_usd if signal.direction == "LONG" else view.put_wall_usd
        if wall is not None and signal.target_usd is not None:
            beyond = (signal.target_usd - wall) * (1 if signal.direction == "LONG" else -1)
            if abs(beyond) <= p.wall_near_share * wall:
                points, reason = points + p.wall_target_points, f"{reason}; the target is the wall at {wall:g}"
            elif beyond > 0:
                points, reason = (
                    points - p.wall_before_points,
                    f"{reason}; the wall at {wall:g} stands before the target",
                )
        if points == 0:
            return None
        return Contribution(
            source=self.name,
            points=points,
            confidence=view.confidence,
            age_s=max(0, now_ns - view.as_of_ns) / NS,
            reason=reason,
        )

    def _measure(self, at: int, book: _Book, now_ns: int, marking: bool, views: Views) -> None:
        """Look at one chain, remember its view, and say so."""
        p, owner = self.parameters, self.chain.underlyings[at]
        symbol, chain_ns = self._symbol(at), int(owner["chain_ns"])
        price = views.get(PriceView, symbol)
        ticking = price is not None and (price.fresh(now_ns) or price.as_of_ns >= chain_ns)
        spot = price.price_usd if price is not None and ticking else float(owner["spot_usd"])
        chain = self._arrays(at, now_ns)
        fresh = now_ns - chain_ns <= p.stale_s * NS
        book.measured_ns = now_ns
        if not (spot > 0.0 and fresh and len(chain.strike) >= p.contracts_min):
            # Three marks in a row must agree; one that could not be taken breaks the row.
            book.put_walls.clear()
            book.call_walls.clear()
            book.view = None
            return
        found = levels(chain, spot)
        if now_ns - book.flip_ns >= p.flip_s * NS:
            book.flip = flip(chain, spot, p.reach_index if symbol in INDICES else p.reach_stock)
            book.flip_ns = now_ns
        if marking:
            book.put_walls.append(self._valid(found.put_wall_usd, found.put_wall_share, found.put_wall_lead))
            book.call_walls.append(self._valid(found.call_wall_usd, found.call_wall_share, found.call_wall_lead))
        book.view = self._view(symbol, book, found, chain, spot, now_ns, chain_ns)
        self._touched.append(at)
        inputs = ((int(owner["epoch"]), int(owner["position"])),)
        self.triggers.append(Trigger(LEVELS, symbol, int(owner["event_ns"]), inputs, book.view))

    def _valid(self, wall_usd: float | None, share: float, lead: float) -> float | None:
        p = self.parameters
        return wall_usd if share >= p.wall_share_min and lead >= p.wall_lead_min else None

    def _stable(self, marks: deque[float | None]) -> float | None:
        return marks[-1] if len(marks) == self.parameters.wall_marks and len(set(marks)) == 1 else None

    def _view(
        self, symbol: str, book: _Book, found: Levels, chain: ChainArrays, spot: float, now_ns: int, chain_ns: int
    ) -> GammaView:
        p, session = self.parameters, self._session
        assert session is not None
        iv = at_the_money(chain, spot)
        left = max(0, session.close_ns - now_ns) / (60 * NS) / TRADING_MINUTES_PER_YEAR
        agree = (found.net_naive_usd < 0) == (found.net_all_short_usd < 0)
        ready = found.gross_usd > 0
        return GammaView(
            underlying=symbol,
            as_of_ns=chain_ns,
            ready=ready,
            reason="" if ready else "no open interest with a gamma",
            stance="LONG_GAMMA" if found.net_naive_usd > 0 else "SHORT_GAMMA" if found.net_naive_usd < 0 else "FLAT",
            confidence=(1.0 if agree else p.disagreement_factor) * found.priced_share if ready else 0.0,
            spot_usd=spot,
            contracts=len(chain.strike),
            net_gex_naive_usd=found.net_naive_usd,
            net_gex_all_short_usd=found.net_all_short_usd,
            gross_gex_usd=found.gross_usd,
            signs_agree=agree,
            call_wall_usd=self._valid(found.call_wall_usd, found.call_wall_share, found.call_wall_lead),
            put_wall_usd=self._valid(found.put_wall_usd, found.put_wall_share, found.put_wall_lead),
            put_wall_share=found.put_wall_share,
            put_wall_lead=found.put_wall_lead if math.isfinite(found.put_wall_lead) else None,
            stable_call_wall_usd=self._stable(book.call_walls),
            stable_put_wall_usd=self._stable(book.put_walls),
            zero_gamma_usd=book.flip.zero_gamma_usd,
            zero_gamma_roots=book.flip.roots,
            largest_strike_usd=found.largest_usd,
            concentration=found.concentration,
            expiring_today_share=found.expiring_today_share,
            max_pain_usd=found.max_pain_usd,
            atm_iv_annual=iv,
            expected_move_usd=None if iv is None else spot * iv * math.sqrt(left),
        )

    def _arrays(self, at: int, now_ns: int) -> ChainArrays:
        """The rows of one underlying with open interest and at most `dte_max` days, in the order they were met."""
        chain, book, count = self.chain, self._books[at], int(self.chain.underlyings["contracts"][at])
        if len(book.slots) != count:
            book.slots = self._slots(at)
            book.settle_ns = self._settle_ns(taken(chain.contracts, book.slots))
        held = taken(chain.contracts, book.slots)
        days = held["expiry_day"] - self._today
        near = (days >= 0) & (days <= self.parameters.dte_max) & (held["open_interest"] > 0)
        years = calendar_years(now_ns, book.settle_ns, floor_s=300.0).years
        alive = near & np.isfinite(years)
        held, years = taken(held, alive), years[alive]
        return ChainArrays(
            strike=held["strike_mills"] / 1000.0,
            right=held["right"].astype(np.int8),
            years=years,
            iv_annual=held["iv_annual"].copy(),
            gamma=held["gamma"].copy(),
            open_interest=held["open_interest"].astype(np.float64),
            multiplier=held["multiplier"].astype(np.float64),
            expires_today=held["expiry_day"] == self._today,
        )

    def _slots(self, at: int) -> npt.NDArray[np.int64]:
        """The records of one underlying's contracts, in the order they were met; all are sorted out at once."""
        count = int(self.chain.counts["contracts"][0])
        if len(self._by_owner) != count:
            owners = self.chain.contracts["underlying"][:count]
            self._by_owner = np.argsort(owners, kind="stable")
            self._owners = owners[self._by_owner]
        first, last = np.searchsorted(self._owners, [at, at + 1])
        return self._by_owner[first:last]

    def _settle_ns(self, held: npt.NDArray[np.void]) -> npt.NDArray[np.int64]:
        morning = (held["root"][:, None] == AM_ROOTS).any(axis=1)
        kinds, which = np.unique(2 * held["expiry_day"].astype(np.int64) + morning, return_inverse=True)
        settle_ns = [self._settlement_ns(kind // 2, bool(kind % 2)) for kind in kinds.tolist()]
        return np.array(settle_ns, np.int64)[which]

    def _settlement_ns(self, days: int, am_settled: bool) -> int:
        """When contracts of an expiry settle; looked up once a day and expiry."""
        if (days, am_settled) not in self._settles:
            day = dt.date.fromordinal(EPOCH_ORDINAL + days)
            known = self._session is not None and self._session.date == day
            opened, closed = self._session[1:] if known and self._session else (ny_ns(day, 9, 30), ny_ns(day, 16))
            self._settles[days, am_settled] = settlement_ns(opened, closed, am_settled)
        return self._settles[days, am_settled]

    def _symbol(self, at: int) -> str:
        return symbol_text(int(self.chain.underlyings["code"][at]))
