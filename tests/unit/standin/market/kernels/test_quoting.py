"""Values and quotes, row by row, against the same said slowly with numpy."""

from __future__ import annotations

import numpy as np
import pytest

from services.quant import black
from standin.market.book import Book, smile_of
from standin.market.seeded import SeededMarket
from standin.market.surface import SurfaceSmile, total_variance_at
from standin.market.universe import CAST


@pytest.fixture(scope="module")
def book() -> Book:
    book = SeededMarket(7)._today.book
    book.move_to(4_321)
    return book


def test_a_value_is_black_on_the_surface_with_a_floor_under_american_options(book: Book) -> None:
    rows = np.arange(0, len(book.listing), 17)
    slot, who = book.slot[rows], book.underlying[rows]
    spot = book.levels(who, 0.25)
    forward, strike, right = spot * book.growth[slot], book.strike[rows], book.right[rows]
    smile = SurfaceSmile(
        *(np.array(shape)[who] for shape in zip(*(smile_of(m.ticker, m.kind) for m in CAST), strict=True))
    )
    w = total_variance_at(np.log(strike / forward), book.theta[slot], smile)
    price = black.price(forward, strike, 1.0, book.discount[slot], np.sqrt(w), right)
    american = np.array([not member.is_index for member in CAST])[who]
    expected = np.maximum(price, np.where(american, right * (spot - strike), 0.0))
    value, vol = book.value(rows, 0.25)
    assert value == pytest.approx(expected, rel=1e-10, abs=1e-12)
    assert vol == pytest.approx(np.sqrt(w / book.years[slot]), rel=1e-12)


def test_quotes_are_on_their_ticks_and_never_crossed(book: Book) -> None:
    quote = book.quote(np.arange(len(book.listing)), 0.5)
    assert np.all(quote.ask_cents > quote.bid_cents)
    assert not (quote.bid_cents % quote.tick_cents).any()
    assert not (quote.ask_cents % quote.tick_cents).any()
    assert np.array_equal(quote.bid_size > 0, quote.bid_cents > 0)
    assert np.all(quote.ask_size > 0)


def test_venues_of_quotes_are_drawn_by_their_shares(book: Book) -> None:
    rows = np.arange(book.listing.slices["SPY"].start, book.listing.slices["SPY"].stop)
    quote = book.quote(rows, 0.5)
    for venues in (quote.bid_venue, quote.ask_venue):
        assert len(set(venues.tolist())) == 18
        # Cboe EDGX's tenth, within three deviations and a half.
        assert np.mean(venues == 323) == pytest.approx(0.10, abs=0.02)


def test_quotes_are_wide_by_time_value_and_by_depth_in_the_money(book: Book) -> None:
    rows = np.arange(0, len(book.listing), 7)
    slot, who, right = book.slot[rows], book.underlying[rows], book.right[rows]
    forward, strike = book.levels(who, 0.5) * book.growth[slot], book.strike[rows]
    _, vol = book.value(rows, 0.5)
    deviation = vol * np.sqrt(book.years[slot])
    otm = np.where(strike >= forward, 1, -1).astype(np.int8)
    time_value = np.maximum(black.price(forward, strike, 1.0, 1.0, deviation, otm), 0.0)
    deep = np.maximum(right * np.log(forward / strike) / deviation, 0.0) ** 2
    member = book.table.members[who]
    spread = member["width"] * book.table.now["opening"][0] * book.table.slots["away"][slot]
    quote = book.quote(rows, 0.5)
    width = quote.tick_cents + spread * (3.0 * np.sqrt(time_value) + 0.05 * forward * deep / (1.0 + deep))
    quoted = quote.ask_cents - quote.bid_cents
    assert np.all(quoted > width - 1e-6)
    assert np.all(quoted < width + quote.tick_cents + 1e-6)


def test_the_same_strike_is_quoted_wider_in_the_money_than_out_of_it(book: Book) -> None:
    span = book.listing.slices["SPX"]
    rows = np.arange(span.start, span.stop)
    depth = np.abs(book.greeks(rows).delta)
    rows = rows[(depth > 0.7) & (depth < 0.95)]
    mirror = book.table.contracts["mirror"][rows]
    inside, outside = book.quote(rows, 0.5), book.quote(mirror, 0.5)
    assert len(rows) > 100
    ratio = (inside.ask_cents - inside.bid_cents) / (outside.ask_cents - outside.bid_cents)
    # 25 daily SPX chains of 2019: 1.6 to 2.4 dollars where the other right has 0.3 to 0.4.
    assert 3.0 < np.median(ratio) < 12.0
