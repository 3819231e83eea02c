"""Surfaces, variance time and the day's path: what prices of the seeded market stand on."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.quant import black, variance_index
from standin.market.book import VIX_FAMILY, Book, smile_of
from standin.market.paths import Day
from standin.market.random_streams import key_of, uniform
from standin.market.seeded import SeededMarket
from standin.market.surface import SurfaceSmile, swap_volatility, total_variance_at, total_variance_atm
from standin.market.universe import CAST, position_of
from standin.market.variance import intraday_shape, remaining_share, years_of_variance
from standin.market.walk import LASTING


@pytest.fixture(scope="module")
def book() -> Book:
    return SeededMarket(7)._today.book


@pytest.fixture(scope="module")
def day(book: Book) -> Day:
    return book.day


@given(theta=st.floats(1e-5, 1.5), rho=st.sampled_from([-0.7, -0.35, 0.65]), eta=st.sampled_from([0.75, 0.8, 0.9]))
def test_a_smile_has_no_butterfly_arbitrage(theta: float, rho: float, eta: float) -> None:
    """Gatheral and Jacquier's density g(k) >= 0, by finite differences over eight deviations either side."""
    k = np.linspace(-8, 8, 1601) * np.sqrt(theta)
    w = total_variance_at(k, np.full(len(k), theta), SurfaceSmile(np.array(rho), np.array(eta)))
    step = k[1] - k[0]
    first, second = np.gradient(w, step), np.gradient(np.gradient(w, step), step)
    density = (1 - k * first / (2 * w)) ** 2 - first**2 / 4 * (1 / w + 0.25) + second / 2
    assert np.all(density[5:-5] > -1e-4)


@given(vol_now=st.floats(0.05, 2.0), vol_lasting=st.floats(0.05, 2.0), vol_long=st.floats(0.05, 2.0))
def test_variance_never_falls_with_time_at_any_strike(vol_now: float, vol_lasting: float, vol_long: float) -> None:
    tau = np.linspace(1e-6, 2.0, 200)
    theta = total_variance_atm(*(np.full(200, vol) for vol in (vol_now, vol_lasting, vol_long)), tau)
    assert np.all(np.diff(theta) > 0)
    for k in (-0.5, -0.1, 0.0, 0.1, 0.5):
        w = total_variance_at(np.full(200, k), theta, SurfaceSmile(np.array(-0.7), np.array(0.8)))
        assert np.all(np.diff(w) > -1e-12)


def test_the_nearer_the_horizon_the_more_a_passing_move_of_volatility_weighs() -> None:
    """By how much a tenth more volatility lifts the months ahead: what lasts lifts them all, what passes the near ones.
    Recorded (2011 to 2026), for a percent of VIX: VIX9D 1.5, VIX3M 0.6."""
    tau = np.array([9.0, 30.0, 93.0]) / 365

    def lifted(now: float, lasting: float) -> np.ndarray:
        before, after = (
            total_variance_atm(np.full(3, 0.14 * by), np.full(3, 0.14 * also), np.full(3, 0.245), tau)
            for by, also in ((1.0, 1.0), (now, lasting))
        )
        return 0.5 * np.log(after / before)

    passing, whole = lifted(1.1, 1.0), lifted(1.1, 1.1)
    assert np.all(np.diff(passing / whole) < 0)
    ordinary = lifted(1.1, 1.0 + 0.1 * LASTING)
    assert ordinary[0] / ordinary[1] == pytest.approx(1.35, abs=0.2)
    assert ordinary[2] / ordinary[1] == pytest.approx(0.6, abs=0.1)


def test_the_variance_swap_of_a_flat_smile_is_its_volatility() -> None:
    years = np.array([1 / 365, 30 / 365, 1.0])
    flat = swap_volatility(0.2**2 * years, years, 0.0, 1e-6)
    assert flat == pytest.approx(np.full(3, 0.2), rel=1e-3)


def test_a_steeper_skew_lifts_vix_above_the_money() -> None:
    years = np.array([30 / 365])
    assert swap_volatility(0.15**2 * years, years, -0.7, 0.8)[0] == pytest.approx(0.172, abs=0.01)


def test_the_variance_clock_runs_from_the_whole_session_to_nothing() -> None:
    left = remaining_share(intraday_shape(23_400))
    assert left[0] == pytest.approx(1.0)
    assert left[-1] == 0.0
    assert np.all(np.diff(left) < 0)
    at_open = np.array([False, False, True, True])
    years = years_of_variance(np.array([0, 1, 0, 1]), at_open, 0.5) * 252
    assert years == pytest.approx([0.8 * 0.5, 0.8 * 0.5 + 1.0, 0.0, 0.8 * 0.5 + 0.2])


def test_a_year_of_sessions_carries_a_year_of_variance() -> None:
    assert years_of_variance(np.array([251]), np.array([False]), 1.0)[0] == pytest.approx(1.0, abs=0.001)


def test_volatility_falls_when_the_level_rises(book: Book, day: Day) -> None:
    vix_at = list(VIX_FAMILY).index("I:VIX")
    spx, vix = [], []
    for second in range(0, day.seconds, 300):
        book.move_to(second)
        spx.append(np.log(book.levels(np.array([position_of["SPX"]]), 0.0)[0]))
        vix.append(np.log(book.family()[vix_at]))
    slope = np.polyfit(np.diff(spx), np.diff(vix), 1)[0]
    assert -7 < slope < -3
    assert np.corrcoef(np.diff(spx), np.diff(vix))[0, 1] < -0.6


def test_european_calls_and_puts_are_in_parity(book: Book) -> None:
    book.move_to(3600)
    listing = book.listing
    rows = np.arange(listing.slices["SPX"].start, listing.slices["SPX"].stop)
    calls = rows[listing.right[rows] > 0][::7]
    puts = np.array([listing.row_of[listing.tickers[row][:-9] + "P" + listing.tickers[row][-8:]] for row in calls])
    slot = book.slot[calls]
    forward = book.levels(book.underlying[calls], 0.0) * book.growth[slot]
    gap = book.value(calls, 0.0)[0] - book.value(puts, 0.0)[0]
    assert gap == pytest.approx(book.discount[slot] * (forward - book.strike[calls]), abs=1e-8)


def test_the_solver_finds_the_models_volatility_in_the_models_price(book: Book) -> None:
    book.move_to(7200)
    listing = book.listing
    rows = np.arange(listing.slices["QQQ"].start, listing.slices["QQQ"].stop)
    value, vol = book.value(rows, 0.0)
    slot = book.slot[rows]
    forward = book.levels(book.underlying[rows], 0.0) * book.growth[slot]
    intrinsic = book.discount[slot] * np.maximum(listing.right[rows] * (forward - book.strike[rows]), 0.0)
    solvable = value > intrinsic + 0.01
    solved, status = black.implied_vol(
        value[solvable], forward[solvable], book.strike[rows][solvable], book.years[slot][solvable],
        book.discount[slot][solvable], listing.right[rows][solvable],
    )  # fmt: skip
    assert not status.any()
    # The median, because rows on the floor of early exercise are worth more than the model's European price.
    assert np.median(np.abs(solved - vol[solvable])) < 1e-10


def test_quotes_are_on_the_tick_and_wider_where_little_trades(book: Book) -> None:
    book.move_to(3600)
    rows = np.arange(len(book.listing))
    quote = book.quote(rows, 0.5)
    assert np.all(quote.bid_cents % quote.tick_cents == 0)
    assert np.all(quote.ask_cents > quote.bid_cents)
    assert np.all((quote.bid_cents == 0) == (quote.bid_size == 0))
    spread = (quote.ask_cents - quote.bid_cents) / 100.0
    spy, ko = book.listing.slices["SPY"], book.listing.slices["KO"]
    assert np.median(spread[spy]) < 0.25
    value = book.value(rows, 0.5)[0]
    relative = spread / np.maximum(value, 0.05)
    near = (value > 1.0) & (value < 3.0)
    assert np.median(relative[spy][near[spy]]) < np.median(relative[ko][near[ko]])


def test_a_quote_depends_on_its_contract_and_time_only(book: Book) -> None:
    book.move_to(3601)
    alone = book.quote(np.array([1234]), 0.25)
    together = book.quote(np.arange(2000), 0.25)
    assert [column[0] for column in alone] == [column[1234] for column in together]


def test_every_smile_of_the_day_is_free_of_butterfly_and_calendar_arbitrage(book: Book) -> None:
    """Total variance rises with expiry at every moneyness, and call prices are convex in strike, announcements
    included: each underlying's slots, at the open, after a rate decision's hour and before the close."""
    for second in (0, 16_300, 23_000):
        book.move_to(second)
        for who in range(0, book.slot_underlying.max() + 1, 7):
            slots = np.flatnonzero((book.slot_underlying == who) & (book.years > 1e-4))
            order = slots[np.argsort(book._settles[slots], kind="stable")]
            theta = book.theta[order]
            assert np.all(np.diff(theta) > 0)
            smile = SurfaceSmile(*map(np.array, smile_of(CAST[who].ticker, CAST[who].kind)))
            k = np.linspace(-1.0, 1.0, 81)[:, None] * np.sqrt(theta[-1])
            w = total_variance_at(np.broadcast_to(k, (81, len(theta))), theta, smile)
            assert np.all(np.diff(w, axis=1) >= -1e-12)
            strikes = np.linspace(0.7, 1.3, 121)[:, None]
            w = total_variance_at(np.log(np.broadcast_to(strikes, (121, len(theta)))), theta, smile)
            price = black.price(1.0, strikes, 1.0, 1.0, np.sqrt(w), np.int8(1))
            assert np.all(np.diff(price, 2, axis=0) > -1e-9)


def test_calls_less_puts_is_the_forward_within_the_quotes(book: Book) -> None:
    """Parity holds between what can be traded: no conversion and no reversal pays."""
    book.move_to(5400)
    listing = book.listing
    rows = np.arange(listing.slices["SPX"].start, listing.slices["SPX"].stop)
    calls = rows[listing.right[rows] > 0]
    puts = np.array([listing.row_of[listing.tickers[row][:-9] + "P" + listing.tickers[row][-8:]] for row in calls])
    call, put, slot = book.quote(calls, 0.0), book.quote(puts, 0.0), book.slot[calls]
    forward = book.levels(book.underlying[calls], 0.0) * book.growth[slot]
    fair = 100.0 * book.discount[slot] * (forward - book.strike[calls])
    assert len(calls) > 1000
    assert np.all(call.bid_cents - put.ask_cents < fair)
    assert np.all(call.ask_cents - put.bid_cents > fair)


def test_the_middle_of_a_quote_implies_the_models_volatility_within_the_spread(book: Book) -> None:
    book.move_to(7200)
    rows = np.arange(book.listing.slices["SPX"].start, book.listing.slices["SPX"].stop)
    quote, (_, vol), slot = book.quote(rows, 0.0), book.value(rows, 0.0), book.slot[rows]
    forward = book.levels(book.underlying[rows], 0.0) * book.growth[slot]
    out = (book.right[rows] * (book.strike[rows] - forward) > 0) & (quote.bid_cents >= 50) & (book.years[slot] > 0.01)
    low, high = (
        black.implied_vol(
            cents[out] / 100.0, forward[out], book.strike[rows][out], book.years[slot][out], book.discount[slot][out],
            book.right[rows][out],
        )[0]
        for cents in (quote.bid_cents, quote.ask_cents)
    )  # fmt: skip
    assert np.count_nonzero(out) > 500
    inside = (low <= vol[out]) & (vol[out] <= high)
    # The middle is shifted by up to 15 % of the spread and rounded to the tick; the model's price stays inside.
    assert np.mean(inside) > 0.99
    assert np.median(np.abs(0.5 * (low + high) - vol[out])) < 0.005


def test_the_published_vix_is_what_the_exchanges_formula_makes_of_the_chain(book: Book) -> None:
    """Cboe's strip over the quoted SPX and SPXW chains nearest thirty days, against the published I:VIX."""
    book.move_to(3600)
    listing = book.listing
    rows = np.arange(listing.slices["SPX"].start, listing.slices["SPX"].stop)
    quote, years, variance = book.quote(rows, 0.0), [], []
    for slot in np.unique(book.slot[rows]):
        here = np.flatnonzero(book.slot[rows] == slot)
        calls, puts = here[listing.right[rows[here]] > 0], here[listing.right[rows[here]] < 0]
        if not 23 / 365 < book.years[slot] < 65 / 365:
            continue
        bids, asks = quote.bid_cents / 100.0, quote.ask_cents / 100.0
        piece = variance_index.strip(
            book.strike[rows[calls]], bids[calls], asks[calls], bids[puts], asks[puts],
            float(book.years[slot]), 0.04,
        )  # fmt: skip
        years.append(float(book.years[slot]))
        variance.append(piece.variance)
    vix = variance_index.index(np.array(years), np.array(variance), 30.0)
    assert vix == pytest.approx(book.family()[list(VIX_FAMILY).index("I:VIX")], rel=0.03)


def test_an_announcement_is_in_the_volatility_of_a_day_from_a_day_before_on() -> None:
    """The rate decision of 17 December 2025 at 14:00, seen from just after 14:00 of the day before."""
    open_ns = int(dt.datetime(2025, 12, 16, 14, 30, tzinfo=dt.UTC).timestamp()) * 1_000_000_000
    book = SeededMarket(7, open_ns)._today.book
    at = list(VIX_FAMILY).index("I:VIX1D")
    points = []
    for second in (16_185, 16_200, 16_215, 16_230):
        book.move_to(second)
        points.append(float(book.family()[at]))
    assert points[1] == pytest.approx(points[0], rel=0.02)
    assert points[2] > 1.05 * points[1]
    assert points[3] == pytest.approx(points[2], rel=0.02)


def test_hashed_numbers_are_uniform_and_repeatable() -> None:
    numbers = uniform(key_of(7, 1), np.arange(100_000))
    assert np.array_equal(numbers, uniform(key_of(7, 1), np.arange(100_000)))
    assert numbers.mean() == pytest.approx(0.5, abs=0.005)
    assert np.histogram(numbers, 10, (0, 1))[0] == pytest.approx(np.full(10, 10_000), rel=0.05)
    assert abs(np.corrcoef(numbers[:-1], numbers[1:])[0, 1]) < 0.01
    assert np.mean(numbers == uniform(key_of(7, 2), np.arange(100_000))) == 0
