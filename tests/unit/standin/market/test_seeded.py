"""The seeded market: the same for everyone with the same seed, plausible in shape, and honest about its truth."""

from __future__ import annotations

import collections
import datetime as dt
import functools
import hashlib
import itertools
import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from services.core.calendar import ny_ns
from standin.feed.reference import CONDITIONS
from standin.feed.source import Batch, IndexState, Prints, joined
from standin.market.orders import OrderKind
from standin.market.seeded import SeededMarket
from standin.market.truth import Truth
from standin.market.universe import CAST
from standin.protocol.wire import encode, option_events

ROOT = Path(__file__).resolve().parents[4]
SECOND_NS = 1_000_000_000
NOBODY = np.empty(0, np.int32)
SWEEP, MULTI_LEG, CANCELS = {219}, {232, 233, 234, 235, 236, 238, 239}, {201, 203, 205, 207}


def run(market: SeededMarket, seconds: int, quoted: np.ndarray = NOBODY) -> list[Batch]:
    return [market.advance(SECOND_NS, quoted) for _ in range(seconds)]


def prints_of(batches: list[Batch]) -> Prints:
    return joined([batch.prints for batch in batches])


class Ten:
    """Ten minutes from the open of one market, with the truth and with quotes of a thousand contracts."""

    def __init__(self) -> None:
        self.market = SeededMarket(7, keep_truth=True)
        rows = np.sort(np.argsort(-self.market.listing.open_interest, kind="stable")[:950])
        self.quoted = rows.astype(np.int32)
        self.batches = run(self.market, 600, self.quoted)
        self.prints = prints_of(self.batches)
        assert self.market.truth is not None
        self.truth: Truth = self.market.truth.table()


@pytest.fixture(scope="module")
def ten() -> Ten:
    return Ten()


def digest(market: SeededMarket, seconds: int) -> str:
    wire = hashlib.sha256()
    for batch in run(market, seconds, np.arange(0, 3000, 7, dtype=np.int32)):
        wire.update(encode(option_events(batch.listing, batch.prints, batch.quotes)))
        wire.update(batch.values.value.tobytes() + batch.bars.close.tobytes())
    return wire.hexdigest()


def test_equal_seeds_give_equal_bytes_and_others_others() -> None:
    assert digest(SeededMarket(3), 10) == digest(SeededMarket(3), 10)
    assert digest(SeededMarket(3), 10) != digest(SeededMarket(4), 10)


FINGERPRINT = """
from standin.market.seeded import SeededMarket
from tests.unit.standin.market.test_seeded import digest
print(digest(SeededMarket(3), 5), digest(SeededMarket(3, scenario="crash"), 5), digest(SeededMarket(3, span_s=60), 5))
"""


@functools.cache
def fingerprint(**environment: str) -> str:
    """Digests of two markets by the second and one by the minute, made in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", FINGERPRINT], env=os.environ | environment, capture_output=True, text=True, check=True
    ).stdout.strip()


def test_the_bytes_do_not_depend_on_the_hash_seed() -> None:
    assert fingerprint(PYTHONHASHSEED="0") == fingerprint(PYTHONHASHSEED="77")


def test_the_bytes_are_those_on_record() -> None:
    """Written on one machine, compared on every other. After a deliberate change of the market, put what the failure
    shows into tests/golden/market_fingerprint.txt, and a line into the changelog: seeds give other markets then."""
    recorded = (ROOT / "tests" / "golden" / "market_fingerprint.txt").read_text().strip()
    assert fingerprint() == recorded


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="names x86 processor features")
def test_a_processor_without_avx_makes_the_same_bytes() -> None:
    """Compiled loops, numpy and the C library all told to do without: each has other code for newer processors."""
    without = {
        "NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "", "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3",
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-AVX",
    }  # fmt: skip
    assert fingerprint(**without) == fingerprint()


def test_starting_later_finds_the_same_market_but_for_cancels() -> None:
    """A second follows from seed, date and second; only a cancel remembers what was printed before."""
    early = SeededMarket(3)
    open_ns = early.clock_ns
    run(early, 40)
    late = SeededMarket(3, open_ns + 40 * SECOND_NS)

    def without_cancels(market: SeededMarket) -> list[tuple[object, ...]]:
        prints = prints_of(run(market, 5))
        kept = ~np.isin(prints.condition, list(CANCELS))
        return list(zip(*(column[kept].tolist() for column in prints), strict=True))

    expected = without_cancels(early)
    assert len(expected) > 1000
    assert without_cancels(late) == expected


def test_prints_do_not_depend_on_who_wants_quotes() -> None:
    quiet, busy = SeededMarket(3), SeededMarket(3)
    everything = np.arange(len(busy.listing), dtype=np.int32)
    for one, other in zip(run(quiet, 5), run(busy, 5, everything), strict=True):
        assert [column.tolist() for column in one.prints] == [column.tolist() for column in other.prints]
        assert len(other.quotes.q) > len(everything)


def test_any_step_hands_out_the_same_events() -> None:
    whole = prints_of(run(SeededMarket(3), 4))
    market = SeededMarket(3)
    sliced = prints_of([market.advance(37_000_000, NOBODY) for _ in range(108)])
    assert sliced.q.tolist() == whole.q[: len(sliced.q)].tolist()
    assert len(whole.q) - len(sliced.q) < 0.02 * len(whole.q)


def test_nothing_is_handed_out_before_its_time() -> None:
    market = SeededMarket(3)
    for _ in range(60):
        before, batch = market.clock_ns, market.advance(50_000_000, NOBODY)
        for times in (batch.prints.t_ms, batch.values.t_ms):
            assert np.all((times * 1_000_000 >= before) & (times * 1_000_000 < market.clock_ns))


def test_a_snapshot_knows_no_print_that_has_not_been_handed_out() -> None:
    market = SeededMarket(3)
    rows = np.arange(len(market.listing))
    volume = np.zeros(len(rows))
    counted = np.array([condition.id for condition in CONDITIONS if condition.updates_volume])
    for _ in range(50):
        prints = market.advance(25_000_000, NOBODY).prints
        kept = np.isin(prints.condition, counted)
        volume += np.bincount(prints.contract[kept], prints.size[kept], minlength=len(rows))
        state = market.snapshot(rows)
        assert state.last_ns.max() < market.clock_ns
        assert np.array_equal(state.day_volume, volume)
    assert volume.sum() > 1000


def test_a_day_of_minutes_opens_without_a_print() -> None:
    market = SeededMarket(3, span_s=60)
    market.advance(1, NOBODY)
    assert not market.snapshot(np.arange(len(market.listing))).day_volume.any()


def test_no_day_repeats_anothers_chances() -> None:
    """Volumes of bars, and sizes and places of quotes, at the same second of two days."""
    days = [SeededMarket(3, ny_ns(dt.date(2025, 12, day), 10)) for day in (15, 16)]
    rows = np.flatnonzero(days[0].listing.underlying == days[0].listing.underlying[0])
    sizes = [market.snapshot(rows).bid_size for market in days]
    assert np.mean(sizes[0] == sizes[1]) < 0.5
    bars = [market.advance(SECOND_NS, NOBODY).bars for market in days]
    both = np.intersect1d(bars[0].symbol, bars[1].symbol)
    assert 20 < len(both) < max(len(bars[0].symbol), len(bars[1].symbol))
    one, other = (bar.volume[np.isin(bar.symbol, both)] for bar in bars)
    assert np.mean(one == other) < 0.1
    quotes = [market.advance(SECOND_NS, rows.astype(np.int32)).quotes for market in days]
    own = [np.sort(quote.t_ms[quote.q % 8192 == 0] % 1000) for quote in quotes]
    assert own[0].tolist() != own[1].tolist()


def test_sequence_numbers_rise_with_time_over_prints_and_quotes(ten: Ten) -> None:
    assert np.all(np.diff(ten.prints.q) > 0)
    assert np.all(np.diff(ten.prints.t_ms) >= 0)
    for batch in ten.batches[:60]:
        q = np.concatenate((batch.prints.q, batch.quotes.q))
        t_ms = np.concatenate((batch.prints.t_ms, batch.quotes.t_ms))
        order = np.argsort(q)
        assert np.all(np.diff(t_ms[order]) >= 0)
        assert np.all(np.diff(q[order])[np.diff(batch.prints.contract[:1]).size :] >= 0)


def test_about_a_hundred_underlyings_and_tens_of_thousands_of_contracts(ten: Ten) -> None:
    assert 100 <= len(CAST) <= 130
    assert 25_000 <= len(ten.market.listing) <= 45_000
    spy = ten.market.listing.slices["SPY"]
    assert spy.stop - spy.start > 2_000
    assert {"SPX", "SPXW"} <= set(ten.market.listing.roots)


def test_the_condition_mix_is_that_of_the_tape(ten: Ten) -> None:
    counts = collections.Counter(ten.prints.condition.tolist())
    total = sum(counts.values())

    def share(conditions: set[int]) -> float:
        return sum(counts[condition] for condition in conditions) / total

    assert share({209}) == pytest.approx(0.45, abs=0.04)
    assert share(MULTI_LEG) == pytest.approx(0.30, abs=0.03)
    assert share(SWEEP) == pytest.approx(0.08, abs=0.02)
    assert share({227, 228}) == pytest.approx(0.12, abs=0.02)
    assert share({229, 230}) == pytest.approx(0.02, abs=0.01)
    assert share({231}) == pytest.approx(0.02, abs=0.01)
    assert 0.001 < share({202, 204} | CANCELS) < 0.006
    assert len(set(ten.prints.exchange.tolist())) == 18


def test_sizes_are_heavy_at_one_to_ten_with_blocks(ten: Ten) -> None:
    assert 0.65 < np.mean(ten.prints.size <= 10) < 0.92
    assert 0.0005 < np.mean(ten.prints.size >= 500) < 0.02


def test_a_sweep_takes_three_to_eight_venues_within_200_ms_in_one_contract(ten: Ten) -> None:
    sweeps = np.flatnonzero((ten.truth.kind == OrderKind.SWEEP) & (ten.truth.cancels == 0))
    clusters = collections.defaultdict(list)
    for row in sweeps.tolist():
        clusters[int(ten.truth.parent[row])].append(row)
    assert len(clusters) > 1000
    for rows in list(clusters.values())[:2000]:
        assert len(set(ten.prints.contract[rows].tolist())) == 1
        assert len(set(ten.prints.exchange[rows].tolist())) == len(rows) <= 8
        assert np.ptp(ten.prints.t_ms[rows]) <= 200
        assert len(set(ten.truth.side[rows].tolist())) == 1
    big = [rows for rows in clusters.values() if ten.prints.size[rows].sum() >= 8]
    assert min(map(len, big)) >= 3


def test_index_products_trade_on_one_venue_and_are_never_swept(ten: Ten) -> None:
    listing = ten.market.listing
    for ticker, home in (("SPX", 302), ("VIX", 302), ("NDX", 323), ("RUT", 302)):
        rows = listing.slices[ticker]
        here = (ten.prints.contract >= rows.start) & (ten.prints.contract < rows.stop)
        assert here.any()
        assert set(ten.prints.exchange[here].tolist()) == {home}
        assert not {219, 228, 230} & set(ten.prints.condition[here].tolist())


def test_legs_of_a_spread_share_time_venue_underlying_and_condition(ten: Ten) -> None:
    legs = np.flatnonzero((ten.truth.leg >= 0) & (ten.truth.cancels == 0))
    groups = collections.defaultdict(list)
    for row in legs.tolist():
        groups[int(ten.truth.parent[row])].append(row)
    underlying = ten.market.listing.underlying
    for rows in list(groups.values())[:3000]:
        assert 2 <= len(rows) <= 4
        for column in (ten.prints.t_ms, ten.prints.exchange, ten.prints.condition):
            assert len(set(column[rows].tolist())) == 1
        assert len(set(underlying[ten.prints.contract[rows]].tolist())) == 1
        assert set(ten.prints.condition[rows].tolist()) <= MULTI_LEG


def test_aggressors_pay_the_spread(ten: Ten) -> None:
    """Against the quote just before, takers of plain orders and sweeps buy above the middle and sell below it."""
    checked = agreed = 0
    offset = 0
    for batch in ten.batches:
        quotes = {
            q + 1: (bid, ask) for q, bid, ask in zip(batch.quotes.q, batch.quotes.bid, batch.quotes.ask, strict=True)
        }
        for at, q in enumerate(batch.prints.q.tolist()):
            kind, side = ten.truth.kind[offset + at], ten.truth.side[offset + at]
            if q in quotes and kind in (OrderKind.PLAIN, OrderKind.SWEEP):
                bid, ask = quotes[q]
                price = batch.prints.price[at]
                assert bid - 1e-9 <= price <= max(ask, 0.01) + 1e-9
                middle = (bid + ask) / 2
                if abs(price - middle) > 1e-9:
                    checked += 1
                    agreed += (price > middle) == (side > 0)
        offset += len(batch.prints.q)
    assert checked > 5_000
    assert agreed / checked > 0.97


def test_a_cancel_repeats_an_earlier_print_and_names_it_in_the_truth(ten: Ten) -> None:
    by_key = {(row, q): at for at, (row, q) in enumerate(zip(ten.prints.contract, ten.prints.q, strict=True))}
    cancels = np.flatnonzero(np.isin(ten.prints.condition, list(CANCELS)))
    assert len(cancels) > 100
    for at in cancels.tolist():
        gone = by_key[ten.prints.contract[at], ten.truth.cancels[at]]
        assert gone < at
        for column in (ten.prints.price, ten.prints.size, ten.prints.exchange):
            assert column[gone] == column[at]


def test_truth_has_a_row_for_every_print_under_its_key(ten: Ten) -> None:
    tickers = ten.market.listing.tickers
    assert ten.truth.q.tolist() == ten.prints.q.tolist()
    assert ten.truth.ticker.tolist() == [tickers[row].encode() for row in ten.prints.contract.tolist()]


def test_informed_bursts_come_with_the_crowd_and_are_worth_an_alert(ten: Ten) -> None:
    bursts = [number for number in set(ten.truth.burst.tolist()) if number >= 0]
    # Ten minutes at the open, where they come two and a half times as often as in the mean.
    assert 8 <= len(bursts) <= 25
    premiums = []
    for number in bursts:
        rows = np.flatnonzero(ten.truth.burst == number)
        assert set(ten.truth.side[rows].tolist()) == {1}
        assert len(set(ten.prints.contract[rows].tolist())) == 1
        premiums.append(float((ten.prints.price[rows] * ten.prints.size[rows]).sum() * 100))
    assert np.median(premiums) > 200_000


def test_an_opening_burst_passes_twice_the_open_interest(ten: Ten) -> None:
    plan = ten.market._today.plan
    listing = ten.market.listing
    openings = [number for number, burst in enumerate(plan.bursts) if burst.opening and burst.start_s < 300]
    assert openings
    for number in openings:
        rows = np.flatnonzero(ten.truth.burst == number)
        bought = int(ten.prints.size[rows].sum())
        assert bought >= 500
        assert bought >= 2 * listing.open_interest[plan.bursts[number].row]


def test_the_chain_is_free_of_static_arbitrage_and_its_quotes_straddle_the_model(ten: Ten) -> None:
    listing, market = ten.market.listing, ten.market
    rows = np.arange(listing.slices["SPY"].start, listing.slices["SPY"].stop)
    state = market.snapshot(rows)
    assert np.all(state.ask > state.bid)
    value, _ = market._today.book.value(rows, 0.0)
    assert np.all(state.bid <= value + 0.3 * (state.ask - state.bid) + 1e-9)
    assert np.all(state.ask >= value - 0.3 * (state.ask - state.bid) - 1e-9)
    for slot in np.unique(market._today.book.slot[rows])[:6]:
        for right in (1, -1):
            here = rows[(market._today.book.slot[rows] == slot) & (listing.right[rows] == right)]
            strike, price = listing.strike_mills[here] / 1000.0, market._today.book.value(here, 0.0)[0]
            slope = np.diff(price) / np.diff(strike)
            # American floors bend the European curve where they bind; elsewhere prices are convex in strike.
            assert np.all(slope * right <= 1e-9)
            assert np.all(np.abs(slope) <= 1.0 + 1e-9)
            assert np.all(np.diff(slope) >= -1e-3)


def test_greeks_are_there_for_most_but_not_all_contracts(ten: Ten) -> None:
    listing = ten.market.listing
    rows = np.arange(listing.slices["SPY"].start, listing.slices["SPY"].stop)
    share = np.isfinite(ten.market.snapshot(rows).delta).mean()
    assert 0.6 < share < 1.0


def test_the_vix_family_is_served_and_other_indices_are_not(ten: Ten) -> None:
    for ticker in ("I:VIX", "I:VIX9D", "I:VIX3M", "I:VIX6M", "I:VVIX"):
        state = ten.market.index_state(ticker)
        assert state is not None
        assert 8 < state.value < 200
        assert state.low <= state.value <= state.high
    assert ten.market.index_state("I:TICK") is None


def test_the_days_range_of_vix_only_widens_and_is_the_same_however_a_run_came_there() -> None:
    market = SeededMarket(7)
    open_ns = market.clock_ns

    def at(hour: int) -> IndexState:
        market._clock_ns = open_ns + hour * 3600 * SECOND_NS
        state = market.index_state("I:VIX")
        assert state is not None
        assert state.updated_ns == market.clock_ns
        return state

    states = [at(hour) for hour in range(7)]
    assert all(one.high <= other.high and one.low >= other.low for one, other in itertools.pairwise(states))
    assert states[-1].high > max(states[0].open, states[-1].value), "it is not a matter of two instants"
    assert SeededMarket(7, market.clock_ns).index_state("I:VIX") == states[-1]


def test_asking_for_the_range_of_vix_changes_nothing() -> None:
    requested, left = SeededMarket(3), SeededMarket(3)
    for market in (requested, left):
        run(market, 20)
    requested.index_state("I:VIX")
    requested.snapshot(np.arange(50))
    assert digest(requested, 3) == digest(left, 3)


def test_a_market_at_its_very_beginning_has_no_yesterday() -> None:
    market = SeededMarket(7)
    first = market._calendar.sessions[0]
    begun = SeededMarket(7, first.open_ns)
    state = begun.index_state("I:VIX")
    assert state is not None
    assert np.isnan(state.previous_close)
    assert np.isnan(begun.snapshot(np.arange(5)).previous_close).all()


def test_after_the_close_the_next_session_opens() -> None:
    market = SeededMarket(3)
    close_ns = market._today.day.session.close_ns
    late = SeededMarket(3, close_ns - 2 * SECOND_NS)
    run(late, 2)
    assert late.clock_ns == close_ns
    assert not late.is_open
    before = late.listing
    batch = late.advance(SECOND_NS, NOBODY)
    assert late.is_open
    assert late.clock_ns > close_ns + 17 * 3600 * SECOND_NS
    assert batch.listing is late.listing is not before
    assert len(batch.prints.q) > 100
    level, yesterday = late.index_state("I:SPX"), market.index_state("I:SPX")
    assert level is not None
    assert yesterday is not None
    assert level.value == pytest.approx(yesterday.value, rel=0.06)


def quotes_by_ticker(market: SeededMarket) -> dict[str, tuple[float, float]]:
    state = market.snapshot(np.arange(len(market.listing)))
    return dict(zip(market.listing.tickers, zip(state.bid.tolist(), state.ask.tolist(), strict=True), strict=True))


@pytest.mark.parametrize("scenario", ["plain", "crash"])
def test_todays_close_is_tomorrows_previous_close_however_a_run_came_there(scenario: str) -> None:
    """With dealers as well, whose hedging the walk from day to day does not know; and their hedging does not depend on
    what a run traded."""
    close_ns = SeededMarket(7, scenario=scenario)._today.day.session.close_ns
    market = SeededMarket(7, close_ns - SECOND_NS, scenario=scenario)
    market.advance(SECOND_NS, NOBODY)
    closed = [market.index_state(ticker) for ticker in market.index_tickers]
    quoted = quotes_by_ticker(market)
    market.advance(1, NOBODY)
    begun = SeededMarket(7, market.clock_ns, scenario=scenario)
    for ticker, before in zip(market.index_tickers, closed, strict=True):
        opened = market.index_state(ticker)
        assert before is not None
        assert opened is not None
        assert opened.previous_close == pytest.approx(before.value, abs=0.02)
        assert opened == begun.index_state(ticker)
    rows = np.arange(len(market.listing))
    previous = market.snapshot(rows).previous_close
    assert np.array_equal(previous, begun.snapshot(rows).previous_close, equal_nan=True)
    pairs = [(usd, *quoted[t]) for t, usd in zip(market.listing.tickers, previous, strict=True) if t in quoted]
    usd, bid, ask = np.array(pairs).T
    assert np.count_nonzero(usd > 0) > 20_000
    assert np.mean(np.abs(usd - (bid + ask) / 2)[usd > 0] <= (ask - bid)[usd > 0]) > 0.99
    assert np.all(bid[np.isnan(usd)] <= 0.05), "only what is worthless has no closing value"
    assert market.listing.open_interest.tolist() != begun.listing.open_interest.tolist()
    assert np.array_equal(market._today.day.log_return, begun._today.day.log_return)


@pytest.mark.parametrize("span_s", [0, 7, 61, 120])
def test_a_span_divides_a_minute(span_s: int) -> None:
    with pytest.raises(ValueError, match=f"span of {span_s} s"):
        SeededMarket(7, span_s=span_s)


def test_a_long_run_lists_what_a_run_begun_late_lists() -> None:
    """The calendar goes on with the market, beyond what was loaded at its beginning."""
    market = SeededMarket(7)
    late = next(session for session in market._calendar.sessions if session.date >= dt.date(2028, 6, 1))
    market._begin(late, late.open_ns)
    begun = SeededMarket(7, late.open_ns)
    assert market.listing.tickers == begun.listing.tickers
    assert np.array_equal(market._today.day.log_return, begun._today.day.log_return)
    assert market._calendar.sessions[-1].date > late.date + dt.timedelta(days=1000)


def test_a_contracts_quotes_can_be_made_again_and_asking_changes_nothing() -> None:
    quoted = np.array([1000], np.int32)
    requested, unasked = SeededMarket(7), SeededMarket(7)
    told = [requested.advance(SECOND_NS, quoted).quotes for _ in range(20)]
    for _ in range(20):
        unasked.advance(SECOND_NS, quoted)
    ticker = requested.listing.tickers[1000]
    again = requested.quotes_of(ticker, 0, requested.clock_ns, 1000, newest=True)
    received = {q: (bid, ask) for quotes in told for q, bid, ask in zip(quotes.q, quotes.bid, quotes.ask, strict=True)}
    assert len(again.q) == 20
    assert all(received[q] == (bid, ask) for q, bid, ask in zip(again.q, again.bid, again.ask, strict=True))
    assert requested.quotes_of(ticker, 0, requested.clock_ns, 2, newest=True).q.tolist() == again.q[-2:].tolist()
    assert requested.quotes_of(ticker, 0, requested.clock_ns, 2, newest=False).q.tolist() == again.q[:2].tolist()
    assert len(requested.quotes_of("O:NOPE", 0, requested.clock_ns, 5, newest=True).q) == 0
    assert (
        requested.advance(SECOND_NS, quoted).prints.q.tolist() == unasked.advance(SECOND_NS, quoted).prints.q.tolist()
    )
