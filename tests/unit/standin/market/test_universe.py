"""What is listed, and how a command line chooses a source."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest

from schemas.symbols import EPOCH_ORDINAL, Contract, parse_contract
from services.core.calendar import Calendar, ny_ns
from standin.errors import StandInError
from standin.feed.listing import ListedContracts, Listing, Underlying, settlement_ns
from standin.files.sources import open_source
from standin.files.tape import Tape
from standin.market.seeded import SeededMarket
from standin.market.universe import LEVELS, list_contracts
from tests.unit.standin.conftest import DAY, write_tape

MONDAY = dt.date(2025, 12, 15)


@pytest.fixture(scope="module")
def calendar() -> Calendar:
    return Calendar.load(MONDAY - dt.timedelta(days=30), MONDAY + dt.timedelta(days=480))


@pytest.fixture(scope="module")
def listing(calendar: Calendar) -> Listing:
    return list_contracts(7, MONDAY, LEVELS, calendar)


def day_of(date: dt.date) -> int:
    return date.toordinal() - EPOCH_ORDINAL


def test_rows_are_unique_sorted_within_an_underlying_and_found_by_ticker(listing: Listing) -> None:
    assert len(set(listing.tickers)) == len(listing)
    for rows in listing.slices.values():
        tickers = listing.tickers[rows]
        assert list(tickers) == sorted(tickers)
    assert all(listing.tickers[row] == ticker for ticker, row in listing.row_of.items())


def test_columns_say_what_the_ticker_says(listing: Listing) -> None:
    for row in range(0, len(listing), 997):
        contract = parse_contract(listing.tickers[row])
        assert contract == Contract(
            listing.roots[row], int(listing.expiry_day[row]), int(listing.strike_mills[row]), int(listing.right[row])
        )


def test_nothing_listed_has_expired_and_spx_expires_today_and_every_day_of_the_week(listing: Listing) -> None:
    assert listing.expiry_day.min() == day_of(MONDAY)
    spx = listing.slices["SPX"]
    daily = set(listing.expiry_day[spx].tolist())
    assert {day_of(MONDAY + dt.timedelta(days=days)) for days in range(5)} <= daily


def test_the_third_friday_has_both_spx_roots_settling_at_different_hours(listing: Listing) -> None:
    friday = dt.date(2025, 12, 19)
    spx = listing.slices["SPX"]
    rows = np.arange(spx.start, spx.stop)[listing.expiry_day[spx] == day_of(friday)]
    hours = {listing.roots[row]: int(listing.settlement_ns[row]) for row in rows}
    assert hours == {"SPX": ny_ns(friday, 9, 30), "SPXW": ny_ns(friday, 16)}


def test_calls_and_puts_are_listed_in_pairs(listing: Listing) -> None:
    for row in range(0, len(listing), 313):
        ticker = listing.tickers[row]
        other = ticker[:-9] + ("P" if ticker[-9] == "C" else "C") + ticker[-8:]
        assert other in listing.row_of


def test_walls_stand_at_round_strikes_on_their_side_of_the_money(listing: Listing) -> None:
    spy = listing.slices["SPY"]
    strikes, rights = listing.strike_mills[spy] / 1000.0, listing.right[spy]
    interest = listing.open_interest[spy]
    for right in (1, -1):
        top = np.argsort(interest * (rights == right))[-10:]
        assert np.mean((strikes[top] - 680.0) * right > 0) >= 0.8
        assert np.all(strikes[top] % 5 == 0)
        assert interest[top].min() > 5 * np.median(interest[rights == right])


def test_open_interest_stays_where_it_is_from_one_morning_to_the_next(calendar: Calendar, listing: Listing) -> None:
    tomorrow = list_contracts(7, MONDAY + dt.timedelta(days=1), LEVELS, calendar)
    common = [ticker for ticker in listing.tickers if ticker in tomorrow.row_of]
    far = [t for t in common if listing.expiry_day[listing.row_of[t]] > day_of(MONDAY) + 20]
    ratio = [
        (1 + tomorrow.open_interest[tomorrow.row_of[t]]) / (1 + listing.open_interest[listing.row_of[t]]) for t in far
    ]
    assert len(far) > 10_000
    assert np.mean(np.abs(np.log(ratio)) < 0.2) > 0.97


@pytest.mark.parametrize(
    ("root", "expiry", "settled"),
    [
        ("SPY", dt.date(2025, 12, 24), ny_ns(dt.date(2025, 12, 24), 13)),  # a half day
        ("SPY", dt.date(2025, 12, 20), ny_ns(dt.date(2025, 12, 19), 16)),  # a Saturday
        ("SPX", dt.date(2025, 12, 19), ny_ns(dt.date(2025, 12, 19), 9, 30)),  # a.m. settled
        ("SPY", dt.date(2030, 1, 18), ny_ns(dt.date(2030, 1, 18), 16)),  # beyond the calendar
    ],
)
def test_settlement_instants(calendar: Calendar, root: str, expiry: dt.date, settled: int) -> None:
    assert settlement_ns(root, day_of(expiry), calendar) == settled


def test_a_listing_of_nothing_is_empty() -> None:
    empty = Listing.build((Underlying("XYZ", "stock", "XYZ"),), list[ListedContracts](), lambda root, day: 0)
    assert len(empty) == 0
    assert empty.slices == {"XYZ": slice(0, 0)}


def test_the_command_line_chooses_a_tape_or_a_market(tmp_path: Path) -> None:
    assert isinstance(open_source(tape=write_tape(tmp_path), date=DAY, underlying="xyz"), Tape)
    noon = ny_ns(dt.date(2026, 1, 5), 12)
    market = open_source(seed=5, start_ns=noon)
    assert isinstance(market, SeededMarket)
    assert market.clock_ns == noon
    night = open_source(seed=5, start_ns=ny_ns(dt.date(2026, 1, 2), 20))
    assert night.clock_ns == ny_ns(dt.date(2026, 1, 5), 9, 30)  # the Monday after


def test_leaps_reach_two_januaries_and_have_fewer_strikes(calendar: Calendar) -> None:
    far = Calendar.load(MONDAY, MONDAY + dt.timedelta(days=1200))
    listing = list_contracts(7, MONDAY, LEVELS, far)
    for ticker in ("SPY", "NVDA"):
        expiries, counts = np.unique(listing.expiry_day[listing.slices[ticker]], return_counts=True)
        assert {day_of(dt.date(2027, 1, 15)), day_of(dt.date(2028, 1, 21))} <= set(expiries.tolist())
        assert counts[-1] < counts[0]


def test_four_times_the_density_is_nearly_four_times_the_contracts(calendar: Calendar, listing: Listing) -> None:
    dense = list_contracts(7, MONDAY, LEVELS, calendar, density=4)
    assert 3 < len(dense) / len(listing) < 4.5


@pytest.mark.parametrize(
    ("requested", "named"),
    [
        ({"tape": Path("x")}, "date"),
        ({"tape": Path("nowhere"), "date": DAY, "underlying": "XYZ"}, "nowhere"),
        ({"scenario": "bedlam"}, "bedlam.*plain, calm, crash"),
        ({"seed": -1}, "-1"),
        ({"start_ns": 10**19}, str(10**19)),
    ],
)
def test_a_wrong_wish_is_refused_by_name(requested: dict[str, object], named: str) -> None:
    with pytest.raises(StandInError, match=named):
        open_source(**requested)  # type: ignore[arg-type]


def test_no_strike_has_more_digits_than_a_ticker(calendar: Calendar) -> None:
    """An index that has tripled: a strike half as high again would need nine."""
    far = list_contracts(7, MONDAY, 3.0 * LEVELS, calendar)
    assert far.strike_mills.max() <= 99_999_999
    assert far.strike_mills.max() > 90_000_000
    assert all(parse_contract(ticker).strike_mills > 0 for ticker in far.tickers[:: len(far) // 500])
