"""The arithmetic against figures somebody else published about real chains."""

import csv
import datetime as dt

import numpy as np
import pytest

from services.chain.analysis import analyse
from services.chain.freshness import quote_time
from services.chain.read import read_chain
from services.core.calendar import Calendar
from services.quant import black, clock


@pytest.fixture(scope="module")
def calendar():
    return Calendar.load(dt.date(2019, 4, 1), dt.date(2026, 12, 31))


@pytest.fixture(scope="module")
def spring_2019(realdata, calendar):
    """Every daily SPX chain of April and May 2019, worked out: [(date, analysis)]."""
    files = sorted((realdata / "chains" / "spx_daily_2019").glob("SPX_*.csv.xz"))
    assert len(files) == 25
    tables = [read_chain(path) for path in files]
    return [(table, analyse(table, calendar)) for table in tables]


@pytest.fixture(scope="module")
def published_vix(realdata):
    with (realdata / "vix_history" / "vix-daily.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    date, close = (next(name for name in rows[0] if name.lower() == wanted) for wanted in ("date", "close"))
    found = {}
    for row in rows:
        text = row[date]
        day = dt.date.fromisoformat(text) if "-" in text else dt.datetime.strptime(text, "%m/%d/%Y").date()
        found[day] = float(row[close])
    return found


def test_vix_and_vix9d_of_3_september_2025(realdata, calendar):
    report = analyse(read_chain(realdata / "chains" / "spxw_2025-09-03" / "spxw.csv"), calendar).report
    assert report.variance_index["vix"] == pytest.approx(16.35, abs=0.10)
    assert report.variance_index["vix9d"] == pytest.approx(14.54, abs=0.15)
    assert report.variance_index["vix6m"] is None  # the file ends before
    assert report.contracts == 6072


@pytest.mark.slow
def test_index_over_spring_2019_follows_the_published_vix(spring_2019, published_vix):
    # What the files themselves give away as a holiday or an early scrape is not compared with a closing value.
    fresh = [(table.quote_date, one.report.variance_index["vix"]) for table, one in spring_2019 if not one.report.notes]
    ours = np.array([value for _, value in fresh])
    theirs = np.array([published_vix[day] for day, _ in fresh])
    assert len(fresh) >= 15
    assert np.corrcoef(ours, theirs)[0, 1] > 0.95
    assert np.abs(ours - theirs).mean() < 0.4


@pytest.mark.slow
def test_index_over_spring_2019_correlates_with_early_scrapes_too(spring_2019, published_vix):
    pairs = [
        (one.report.variance_index["vix"], published_vix[table.quote_date])
        for table, one in spring_2019
        if table.quote_date in published_vix
    ]
    assert len(pairs) == 24
    assert np.corrcoef(np.array(pairs).T)[0, 1] > 0.95


@pytest.mark.slow
def test_holidays_and_early_scrapes_are_reported(spring_2019):
    notes = {table.quote_date: " ".join(one.report.notes) for table, one in spring_2019}
    assert "2019-05-27 is no trading day" in notes[dt.date(2019, 5, 27)]
    assert "0.34 % of open interest" in notes[dt.date(2019, 4, 25)]
    # The Federal Reserve's afternoon: the scrape is from before the fall that closed the day.
    assert "before the close" in notes[dt.date(2019, 5, 1)]
    assert not notes[dt.date(2019, 4, 29)]


@pytest.mark.slow
def test_am_settled_expiries_are_six_and_a_half_hours_shorter(spring_2019):
    report = spring_2019[0][1].report
    both = {one.settlement: one for one in report.expiries if one.expiry == "2019-05-17"}
    hours = (both["pm"].settle_ns - both["am"].settle_ns) / clock.NS_PER_SECOND / 3600
    assert hours == 6.5


@pytest.mark.slow
def test_stated_vols_near_the_money_agree(spring_2019):
    """Their conventions (clock, rate, which quote) are unknown, so the typical difference is what is held down."""
    gaps = []
    for table, analysis in spring_2019[1:6]:
        for one in analysis.slices:
            if not 20 / 365 < one.years < 1.0:
                continue
            rows = np.flatnonzero(table.expiry == table.expiries.index(one.expiry))
            place = np.searchsorted(one.strike, table.strike[rows])
            otm = (table.right[rows] > 0) == (table.strike[rows] >= one.forward)
            near = np.abs(np.log(table.strike[rows] / one.forward)) < 0.03
            stated = table.stated_iv[rows]
            chosen = otm & near & (stated > 0.01)
            gaps.append((one.vol[place] - stated)[chosen])
    gap = np.concatenate(gaps)
    assert gap.size > 1000
    assert np.nanmedian(np.abs(gap)) < 0.003


def test_deribit_marks_and_deltas(realdata, calendar):
    path = next((realdata / "deribit").glob("*.csv.gz"))
    for coin, tolerance in (("BTC", 2e-4), ("ETH", 2e-4)):
        table = read_chain(path, underlying=coin)
        settle = np.array([table.expiries[i].settle_ns for i in table.expiry])
        years, _ = clock.calendar_years(table.as_of_ns, settle)
        quoted = table.stated_iv > 0.0
        columns = [column[quoted] for column in (table.forward, table.strike, years, table.stated_iv)]
        forward, strike, t, vol = columns
        right = table.right[quoted]
        mark = black.price(forward, strike, t, 1.0, vol, right) / forward
        delta = black.greeks(forward, strike, t, 1.0, 0.0, right, vol).delta
        assert np.abs(mark - table.mark[quoted]).max() < tolerance, coin
        gap = np.abs(delta - table.stated_delta[quoted])
        # Their deltas are of a slightly other instant than their marks (which match to 1e-5): it shows near expiry.
        assert gap[t > 30 / 365].max() < 1e-3, coin
        assert np.mean(gap < 1e-3) > 0.9, coin
        assert gap.max() < 1e-2, coin


@pytest.mark.slow
def test_quote_time_of_a_file_with_a_date_is_the_close(spring_2019, calendar):
    table, _ = spring_2019[2]
    as_of_ns, notes = quote_time(table, calendar)
    assert notes == ()
    assert as_of_ns == calendar.session_on(dt.date(2019, 4, 29)).close_ns
