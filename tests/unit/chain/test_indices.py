"""Which expiries make a volatility index."""

import datetime as dt
from types import SimpleNamespace

import pytest

from services.chain.indices import variance_indices
from services.chain.table import Expiry
from services.core.calendar import Calendar

DAY = dt.date(2019, 3, 25)
GOOD_FRIDAY = dt.date(2019, 4, 19)


@pytest.fixture(scope="module")
def calendar():
    return Calendar.load(dt.date(2019, 3, 1), dt.date(2019, 12, 31))


def expiring(date, vol, am_settled=False):
    years = (date - DAY).days / 365
    return SimpleNamespace(expiry=Expiry(date, am_settled), years=years, strip=SimpleNamespace(variance=vol * vol))


def test_only_fridays_count(calendar):
    fridays = [expiring(dt.date(2019, 4, 12), 0.20), expiring(dt.date(2019, 4, 26), 0.20)]
    others = [expiring(dt.date(2019, 4, 24), 0.90), expiring(dt.date(2019, 4, 22), 0.90)]
    assert variance_indices([*fridays, *others], calendar)["vix"] == pytest.approx(20.0)


def test_the_standard_expiry_of_a_third_friday_stands_for_that_day(calendar):
    day = dt.date(2019, 5, 17)
    chain = [expiring(dt.date(2019, 4, 26), 0.20), expiring(day, 0.90), expiring(day, 0.20, am_settled=True)]
    assert variance_indices(chain, calendar)["vix"] == pytest.approx(20.0, abs=0.1)


def test_the_thursday_before_good_friday_ends_its_week(calendar):
    thursday = GOOD_FRIDAY - dt.timedelta(days=1)
    chain = [expiring(thursday, 0.20), expiring(dt.date(2019, 4, 11), 0.90), expiring(dt.date(2019, 4, 26), 0.20)]
    assert variance_indices(chain, calendar)["vix"] == pytest.approx(20.0)


def test_quarterly_horizons_take_standard_expiries(calendar):
    standard = [expiring(dt.date(2019, 6, 21), 0.20, True), expiring(dt.date(2019, 7, 19), 0.20, True)]
    weekly = [expiring(dt.date(2019, 6, 28), 0.90)]
    assert variance_indices([*standard, *weekly], calendar)["vix3m"] == pytest.approx(20.0)


def test_a_chain_of_other_weekdays_keeps_what_it_has(calendar):
    chain = [expiring(dt.date(2019, 4, 24), 0.20), expiring(dt.date(2019, 4, 22), 0.20)]
    assert variance_indices(chain, calendar)["vix"] == pytest.approx(20.0)


def test_no_expiries_no_indices(calendar):
    assert variance_indices([], calendar) == {"vix9d": None, "vix": None, "vix3m": None, "vix6m": None}
