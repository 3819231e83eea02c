"""The index strip against Cboe's worked example, strip by strip."""

import numpy as np
import pytest

from services.quant import black, variance_index


def flat_chain(vol=0.2, years=30 / 365, forward=5000.0, step=5.0):
    strike = np.arange(2500.0, 9000.0, step)
    mids = [black.price(forward, strike, years, 1.0, vol, right) for right in (1, -1)]
    return strike, [np.where(mid > 1e-6, mid, 0.0) for mid in (mids[0], mids[0], mids[1], mids[1])]


def test_a_flat_smile_gives_its_own_vol():
    strike, quotes = flat_chain()
    strip = variance_index.strip(strike, *quotes, 30 / 365, 0.0)
    assert np.sqrt(strip.variance) == pytest.approx(0.2, abs=2e-4)


def test_the_strip_stops_at_two_zero_bids_and_skips_single_ones():
    strike = np.arange(90.0, 112.0, 2.0)
    call = np.array([11, 9, 7, 5.2, 3.6, 2.4, 1.4, 0.0, 0.5, 0.0, 0.0])
    put = np.array([0.3, 0.0, 0.0, 0.4, 0.8, 2.0, 3.0, 4.5, 6, 8, 10])
    strip = variance_index.strip(strike, call, call + 0.1, put, put + 0.1, 0.1, 0.0)
    assert strip.k0 == 100.0
    assert strip.strikes.tolist() == [96.0, 98.0, 100.0, 102.0, 106.0]


def test_no_quotes_is_nan_not_zero():
    nothing = np.zeros(3)
    strip = variance_index.strip(np.array([1.0, 2.0, 3.0]), nothing, nothing, nothing, nothing, 0.1, 0.0)
    assert np.isnan(strip.variance)
    assert np.isnan(variance_index.index(np.array([0.1]), np.array([np.nan]), 30.0))


def test_far_horizons_are_not_invented():
    years, variance = np.array([10, 40]) / 365, np.array([0.04, 0.04])
    assert variance_index.index(years, variance, 30.0) == pytest.approx(20.0)
    assert np.isnan(variance_index.index(years, variance, 93.0))


@pytest.fixture
def white_paper(realdata):
    openpyxl = pytest.importorskip("openpyxl")
    return openpyxl.load_workbook(
        realdata / "vix_whitepaper_2014" / "VIX_SAMPLE_DATA.xlsx", data_only=True, read_only=True
    )


def test_cboes_worked_example_strip_by_strip(white_paper):
    quotes, summary = (list(white_paper[name].iter_rows(values_only=True)) for name in ("Data Set", "Data Summary"))
    # The white paper's rates and minutes: 25 days to the open, 32 to the close, at 9:46 a.m.
    terms = ((0, 35_924.0, 0.000305, 1962.89996, 0.01846292), (5, 46_394.0, 0.000286, 1962.40006, 0.01882101))
    years, variance = [], []
    for (first, minutes, rate, forward, published), column in zip(terms, (0, 5), strict=True):
        quoted = [row[first : first + 5] for row in quotes if isinstance(row[first], int | float)]
        rows = np.array(quoted, dtype=np.float64)
        strike, call_bid, call_ask, put_bid, put_ask = rows[np.argsort(rows[:, 0])].T.copy()
        years.append(minutes / variance_index.MINUTES_PER_YEAR)
        strip = variance_index.strip(strike, call_bid, call_ask, put_bid, put_ask, years[-1], rate)
        assert strip.forward == pytest.approx(forward, abs=1e-5)
        assert strip.variance == pytest.approx(published, abs=5e-9)
        theirs = [row[column : column + 5] for row in summary[1:] if isinstance(row[column], int | float)]
        assert strip.strikes.tolist() == [row[0] for row in theirs]
        assert strip.contribution == pytest.approx([row[4] for row in theirs], rel=1e-3, abs=6e-11)
        variance.append(strip.variance)
    index = variance_index.index(np.array(years), np.array(variance), variance_index.VIX)
    assert index == pytest.approx(13.685821, abs=1e-5)
