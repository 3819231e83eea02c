"""The arithmetic against figures somebody else published about real chains."""

import csv
import datetime as dt
import gzip

import numpy as np
import pytest

from services.chain.analysis import analyse
from services.chain.freshness import STATED_VOLS
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
def published(realdata):
    """Cboe's daily (low, high, close) by index name and date."""
    files = {"vix": "vix-daily", "vix9d": "VIX9D_History", "vix3m": "VIX3M_History", "vix6m": "VIX6M_History"}
    return {name: history(realdata / "vix_history" / f"{file}.csv") for name, file in files.items()}


def history(path):
    with path.open() as lines:
        rows = list(csv.DictReader(lines))
    column = {name.lower(): name for name in rows[0]}
    found = {}
    for row in rows:
        text = row[column["date"]]
        day = dt.date.fromisoformat(text) if "-" in text else dt.datetime.strptime(text, "%m/%d/%Y").date()
        found[day] = tuple(float(row[column[name]]) for name in ("low", "high", "close"))
    return found


def minutes_early(table, analysis, calendar):
    return (calendar.session_on(table.quote_date).close_ns - analysis.report.as_of_ns) / clock.NS_PER_SECOND / 60


def vix_against_close(spring_2019, published, calendar, minutes):
    """(ours, published close) of the trading days whose quotes are from at most `minutes` before the close."""
    return np.array(
        [
            (one.report.variance_index["vix"], published["vix"][table.quote_date][2])
            for table, one in spring_2019
            if calendar.session_on(table.quote_date) is not None and minutes_early(table, one, calendar) <= minutes
        ]
    ).T


def test_vix_and_vix9d_of_3_september_2025(realdata, calendar):
    report = analyse(read_chain(realdata / "chains" / "spxw_2025-09-03" / "spxw.csv"), calendar).report
    assert report.variance_index["vix"] == pytest.approx(16.35, abs=0.10)
    assert report.variance_index["vix9d"] == pytest.approx(14.54, abs=0.15)
    assert report.variance_index["vix6m"] is None  # the file ends before
    # The file names 176 strikes of 10 September twice, the second time with the quotes of a later day.
    assert (report.contracts, report.rejected["repeated"]) == (6072 - 352, 352)


@pytest.mark.slow
def test_quotes_of_the_close_give_the_published_indices(spring_2019, published):
    """Nothing but the files says which they are: those about which the report has nothing to note."""
    fresh = [(table.quote_date, one.report.variance_index) for table, one in spring_2019 if not one.report.notes]
    assert [f"{day:%m-%d}" for day, _ in fresh] == ["04-26", "04-29", "05-09", "05-20", "05-24"]
    for day, ours in fresh:
        for name, value in ours.items():
            assert value == pytest.approx(published[name][day][2], abs=0.06), (day, name)


@pytest.mark.slow
def test_index_over_spring_2019_follows_the_published_vix(spring_2019, published, calendar):
    ours, theirs = vix_against_close(spring_2019, published, calendar, minutes=60.0)
    assert ours.size == 16
    assert np.corrcoef(ours, theirs)[0, 1] > 0.98
    assert np.abs(ours - theirs).mean() < 0.25


@pytest.mark.slow
def test_index_over_spring_2019_correlates_with_early_scrapes_too(spring_2019, published, calendar):
    ours, theirs = vix_against_close(spring_2019, published, calendar, minutes=24 * 60.0)
    assert ours.size == 24
    assert np.corrcoef(ours, theirs)[0, 1] > 0.95
    assert np.abs(ours - theirs).mean() < 0.4


@pytest.mark.slow
def test_every_index_lies_within_its_days_range(spring_2019, published):
    for table, one in spring_2019:
        for name, value in one.report.variance_index.items():
            low, high, _ = published[name].get(table.quote_date, (0.0, 100.0, np.nan))
            assert low - 0.1 <= value <= high + 0.1, (table.quote_date, name)


@pytest.mark.slow
def test_holidays_and_early_scrapes_are_reported(spring_2019, calendar):
    notes = {table.quote_date: " ".join(one.report.notes) for table, one in spring_2019}
    assert "2019-05-27 is no trading day" in notes[dt.date(2019, 5, 27)]
    assert "0.34 % of open interest" in notes[dt.date(2019, 4, 25)]
    # The Federal Reserve's afternoon: the scrape is from before the fall that closed the day.
    assert "quotes from about 13:54, 125 minutes before the close" in notes[dt.date(2019, 5, 1)]
    assert not notes[dt.date(2019, 4, 29)]
    trading = [(table, one) for table, one in spring_2019 if calendar.session_on(table.quote_date) is not None]
    early = [minutes_early(table, one, calendar) for table, one in trading]
    assert sum(minutes > 120 for minutes in early) == 8
    assert sum(20 < minutes < 40 for minutes in early) == 11


@pytest.mark.slow
def test_am_settled_expiries_are_six_and_a_half_hours_shorter(spring_2019):
    report = spring_2019[0][1].report
    both = {one.settlement: one for one in report.expiries if one.expiry == "2019-05-17"}
    hours = (both["pm"].settle_ns - both["am"].settle_ns) / clock.NS_PER_SECOND / 3600
    assert hours == 6.5


@pytest.mark.slow
def test_stated_vols_near_the_money_agree_to_a_thousandth(spring_2019):
    """Files whose stated vols fit their quotes; in the others the vols are of another moment than the quotes."""
    fitting = [(table, one) for table, one in spring_2019 if one.report.as_of_method == STATED_VOLS]
    assert len(fitting) == 20
    gap = np.concatenate([stated_vol_gaps(table, one) for table, one in fitting])
    assert gap.size > 15_000
    assert np.median(gap) < 1.5e-4  # the file's vols have four decimals
    assert np.mean(gap < 1e-3) > 0.99


def stated_vol_gaps(table, analysis):
    """Differences to the stated vols, out of the money within 3 % of the forward, eight days to a year."""
    gaps = []
    for one in analysis.slices:
        if not 8 / 365 < one.years < 1.0:
            continue
        rows = np.flatnonzero(table.expiry == table.expiries.index(one.expiry))
        place = np.searchsorted(one.strike, table.strike[rows])
        otm = (table.right[rows] > 0) == (table.strike[rows] >= one.forward)
        near = np.abs(np.log(table.strike[rows] / one.forward)) < 0.03
        stated = table.stated_iv[rows]
        gaps.append(np.abs(one.vol[place] - stated)[otm & near & (stated > 0.01) & np.isfinite(one.vol[place])])
    return np.concatenate(gaps)


@pytest.fixture(scope="module")
def deribit_rows(realdata):
    """Columns of the quoted options by coin; `index` is of the moment each row was asked for."""
    path = next((realdata / "deribit").glob("*.csv.gz"))
    with gzip.open(path, "rt") as lines:
        rows = list(csv.DictReader(lines))
    names = {"delta": "delta", "mark": "mark_price", "index": "index_price", "forward": "futures_price"}
    names |= {"strike": "strike", "vol": "implied_volatility"}
    found = {}
    for coin in ("BTC", "ETH"):
        chosen = [row for row in rows if row["currency"] == coin and float(row["implied_volatility"] or 0.0) > 0.0]
        columns = {name: np.array([float(row[column]) for row in chosen]) for name, column in names.items()}
        left = [
            dt.datetime.fromisoformat(row["expiry_datetime"]) - dt.datetime.fromisoformat(row["timestamp"])
            for row in chosen
        ]
        columns["years"] = np.array([one.total_seconds() / clock.SECONDS_PER_YEAR for one in left])
        columns["right"] = np.array([1 if row["option_type"] == "call" else -1 for row in chosen], dtype=np.int8)
        found[coin] = columns
    return found


COINS = pytest.mark.parametrize("coin", ["BTC", "ETH"])


def deribit_delta(rows, forward):
    return black.greeks(forward, rows["strike"], rows["years"], 1.0, 0.0, rows["right"], rows["vol"]).delta


@COINS
def test_deribit_marks_are_black_76_in_the_coin(deribit_rows, coin):
    rows = deribit_rows[coin]
    price = black.price(rows["forward"], rows["strike"], rows["years"], 1.0, rows["vol"], rows["right"])
    assert np.abs(price / rows["forward"] - rows["mark"]).max() < 2e-4


@COINS
def test_deribit_deltas_are_those_of_the_moment_each_row_was_asked_for(deribit_rows, coin):
    """Forwards and marks of the file are one snapshot; deltas came row by row while the index moved by 3e-4.

    Each row carries the index of its own moment. With the forward moved by as much, the deltas are Black-76's to
    1e-3; one number a coin, the index at the snapshot, is not in the file and is fitted.
    """
    rows = deribit_rows[coin]
    raw = black.greeks(rows["forward"], rows["strike"], rows["years"], 1.0, 0.0, rows["right"], rows["vol"])
    slope = raw.gamma * rows["forward"]  # of delta in the logarithm of the forward
    base = np.exp((slope * (slope * np.log(rows["index"]) - rows["delta"] + raw.delta)).sum() / (slope**2).sum())
    gap = np.abs(deribit_delta(rows, rows["forward"] * rows["index"] / base) - rows["delta"])
    assert np.mean(gap < 1e-3) > 0.995
    assert gap[rows["years"] > 5 / 365].max() < 1e-3
    # Nearer expiries: the vol moved too between the moments, and it is not in the file.
    assert gap.max() < 2e-3
    still = np.abs(deribit_delta(rows, rows["forward"]) - rows["delta"])
    assert still.max() > 2.0 * gap.max()


@COINS
def test_deribit_deltas_contradict_each_other_by_more_than_the_tolerance(deribit_rows, coin):
    """Call and put deltas of one strike differ by 1 in any model of one moment: no formula can meet both to 1e-3."""
    rows = deribit_rows[coin]
    by_option = {
        (years, strike, right): delta
        for years, strike, right, delta in zip(
            rows["years"], rows["strike"], rows["right"].tolist(), rows["delta"], strict=True
        )
    }
    parity = [
        delta - by_option[years, strike, -1] - 1.0
        for (years, strike, right), delta in by_option.items()
        if right > 0 and (years, strike, -1) in by_option
    ]
    assert np.abs(parity).max() > 3e-3
