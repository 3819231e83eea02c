"""A file's own vols tell when its quotes are from; made from known numbers, the moment must come back."""

import datetime as dt
from pathlib import Path

import numpy as np
import pytest

from services.chain.freshness import CLOSE, FILE, STATED_VOLS, quote_time
from services.chain.stated_clock import stated_time
from services.chain.table import ChainContract, Expiry, table_of
from services.core.calendar import Calendar, ny_ns
from services.quant import black

DAY = dt.date(2019, 5, 14)
HALF_HOUR = 1800  # Cboe counts a p.m. expiry to 16:30
EXPIRIES = [Expiry(dt.date(2019, 5, day)) for day in (15, 17, 20, 22)]


@pytest.fixture(scope="module")
def calendar():
    return Calendar.load(dt.date(2019, 4, 1), dt.date(2019, 12, 31))


def contracts_of(calendar, expiry, moment_ns, forward_shift=0.0):
    """Quotes of vol 0.15 at 2850, and the vols an exchange states for them at `moment_ns`."""
    close_ns = calendar.session_on(expiry.date).close_ns
    years = ((close_ns - moment_ns) / 1e9 + HALF_HOUR) / (365 * 86_400)
    found = []
    for strike in np.arange(2700.0, 3001.0, 5.0):
        for right in (1, -1):
            mid = black.price(2850.0, strike, years, 1.0, 0.15, right)[0]
            vol = black.implied_vol(mid, 2850.0 + forward_shift, strike, years, 1.0, right)[0][0]
            stated = round(float(vol), 4) if np.isfinite(vol) else 0.0
            half = min(0.1, 0.1 * mid)
            found.append(ChainContract(expiry, right, strike, mid - half, mid + half, 1000.0, 100.0, stated_iv=stated))
    return found


def chain(calendar, moment_ns, forward_shift=0.0, expiries=EXPIRIES, quote_date=DAY, **options):
    contracts = [one for expiry in expiries for one in contracts_of(calendar, expiry, moment_ns, forward_shift)]
    return table_of(Path("SPX.csv"), "made", "SPX", 2850.0, quote_date, contracts, **options)


@pytest.mark.parametrize("clock", [(9, 50), (13, 15), (15, 24), (16, 10)])
def test_the_moment_comes_back_to_the_minute(calendar, clock):
    moment = ny_ns(DAY, *clock)
    assert abs(stated_time(chain(calendar, moment), calendar) - moment) < 60e9
    assert quote_time(chain(calendar, moment), calendar).method == STATED_VOLS


def test_vols_around_another_forward_name_no_moment(calendar):
    table = chain(calendar, ny_ns(DAY, 15), forward_shift=3.0)
    assert stated_time(table, calendar) is None
    assert quote_time(table, calendar) == (ny_ns(DAY, 16), CLOSE, ())


def test_too_few_expiries_name_no_moment(calendar):
    assert stated_time(chain(calendar, ny_ns(DAY, 15), expiries=EXPIRIES[:2]), calendar) is None


def test_expiries_that_contradict_each_other_name_no_moment(calendar):
    contracts = [
        contract
        for hour, expiry in zip((10, 12, 14), EXPIRIES[:3], strict=True)
        for contract in contracts_of(calendar, expiry, ny_ns(DAY, hour))
    ]
    assert stated_time(table_of(Path("SPX.csv"), "made", "SPX", 2850.0, DAY, contracts), calendar) is None


def test_early_quotes_are_noted_and_late_ones_not(calendar):
    early = quote_time(chain(calendar, ny_ns(DAY, 13, 30)), calendar)
    assert early.notes == ("quotes from about 13:30, 150 minutes before the close, by their stated vols",)
    assert quote_time(chain(calendar, ny_ns(DAY, 15, 50)), calendar).notes == ()


def test_a_moment_of_another_day_is_not_believed(calendar):
    assert quote_time(chain(calendar, ny_ns(DAY - dt.timedelta(days=1), 15)), calendar).method == CLOSE


def test_a_time_in_the_file_stands_above_all(calendar):
    table = chain(calendar, ny_ns(DAY, 15), as_of_ns=ny_ns(DAY, 11))
    assert quote_time(table, calendar) == (ny_ns(DAY, 11), FILE, ())


def test_a_holiday_file_is_of_the_session_before(calendar):
    found = quote_time(chain(calendar, ny_ns(DAY, 15), quote_date=dt.date(2019, 4, 19)), calendar)
    assert found.as_of_ns == ny_ns(dt.date(2019, 4, 18), 16)
    assert found.notes == ("2019-04-19 is no trading day: the quotes are those of 2019-04-18 at best",)
