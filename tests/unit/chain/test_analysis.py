"""A chain made from known numbers, worked out: the numbers must come back."""

import datetime as dt
from pathlib import Path

import numpy as np
import pytest

from services.chain.analysis import analyse
from services.chain.slices import settle_instant
from services.chain.table import ChainContract, Expiry, table_of
from services.core.calendar import Calendar, ny_ns
from services.quant import american, black, exposure, gamma_profile

QUOTE_DATE = dt.date(2024, 3, 4)
SPOT, RATE, YIELD = 5000.0, 0.05, 0.013
AS_OF_NS = ny_ns(QUOTE_DATE, 15, 45)


@pytest.fixture(scope="module")
def calendar():
    return Calendar.load(dt.date(2024, 2, 20), dt.date(2025, 4, 1))


def vol_of(strike, years):
    return 0.14 - 0.25 * np.log(strike / SPOT) + 0.3 * np.log(strike / SPOT) ** 2 + 0.02 * np.sqrt(years)


def contracts_of(expiry, calendar, price, open_interest=100.0):
    years = (settle_instant(expiry, calendar) - AS_OF_NS) / 1e9 / (365 * 86_400)
    found = []
    for strike in np.arange(4000.0, 5805.0, 20.0):
        for right in (1, -1):
            mid = float(price(strike, years, right))
            half = min(0.05, 0.2 * mid)
            found.append(ChainContract(expiry, right, strike, mid - half, mid + half, open_interest, 10.0))
    return found


def european(strike, years, right):
    forward = SPOT * np.exp((RATE - YIELD) * years)
    return black.price(forward, strike, years, np.exp(-RATE * years), vol_of(strike, years), right)[0]


EXPIRIES = (
    Expiry(dt.date(2024, 3, 15), True),
    Expiry(dt.date(2024, 3, 28)),
    Expiry(dt.date(2024, 4, 19)),
    Expiry(dt.date(2024, 6, 21), True),
)


def made(calendar, expiries=EXPIRIES, price=european, extra=(), **options):
    contracts = [contract for expiry in expiries for contract in contracts_of(expiry, calendar, price)]
    defaults = {"as_of_ns": AS_OF_NS, "european": True}
    return table_of(Path("made.csv"), "made", "SPX", SPOT, QUOTE_DATE, [*contracts, *extra], **(defaults | options))


@pytest.fixture(scope="module")
def analysis(calendar):
    return analyse(made(calendar), calendar)


def test_forwards_and_rate_come_back(analysis):
    report = analysis.report
    assert report.rate == pytest.approx(RATE, abs=5e-4)
    for one in report.expiries:
        assert one.forward == pytest.approx(SPOT * np.exp((RATE - YIELD) * one.years), rel=2e-6)
        assert one.usable
        assert not any(one.checks.values())


def test_smiles_come_back(analysis):
    for one in analysis.report.expiries:
        assert one.curve == "svi"
        assert set(one.svi) == {"a", "b", "rho", "m", "s"}
        assert one.atm_iv == pytest.approx(float(vol_of(one.forward, one.years)), abs=5e-4)
        assert one.rr25 < 0.0


def test_constant_maturity_lies_between_its_expiries(analysis):
    near, far = analysis.report.expiries[1:3]
    assert min(near.atm_iv, far.atm_iv) <= analysis.report.cm30 <= max(near.atm_iv, far.atm_iv)


def test_am_settled_expiry_ends_at_the_open(analysis):
    first = analysis.report.expiries[0]
    assert first.settlement == "am"
    assert first.settle_ns == ny_ns(dt.date(2024, 3, 15), 9, 30)


def test_an_expiry_on_good_friday_belongs_to_thursday(calendar):
    assert settle_instant(Expiry(dt.date(2024, 3, 29)), calendar) == ny_ns(dt.date(2024, 3, 28), 16)


def test_exposure_is_that_of_the_arithmetic(analysis, calendar):
    report = analysis.report
    total = 0.0
    for one in report.expiries[:2]:
        strike = np.arange(4000.0, 5805.0, 20.0)
        raw = black.greeks(one.forward, strike, one.years, one.discount, RATE, 1, vol_of(strike, one.years))
        view = black.spot_view(raw, SPOT, one.forward, one.years)
        total += exposure.exposure(view, SPOT, np.full(strike.size, 100.0), np.full(strike.size, -2.0)).gex_usd.sum()
    short = analyse(made(calendar), calendar, horizon_days=30.0).report.exposure["all_short"]
    assert short.net_gex == pytest.approx(total, rel=2e-3)
    # As many calls as puts at every strike: under naive they cancel.
    naive = report.exposure["naive"]
    assert abs(naive.net_gex) < 1e-6 * naive.gross_gex
    assert short.zero_gamma == []
    assert short.nearest_zero_gamma is None


def test_profile_passes_through_the_net_exposure_at_spot(analysis):
    for name, profile in analysis.profiles.items():
        net = analysis.report.exposure[name].net_gex
        at_spot = np.interp(SPOT, profile.grid, profile.gamma_usd)
        assert at_spot == pytest.approx(net, rel=2e-2, abs=1e-6 * analysis.report.exposure[name].gross_gex)
        assert profile.grid.size == gamma_profile.spot_grid(SPOT).size


def test_a_given_rate_is_used(calendar):
    report = analyse(made(calendar), calendar, rate=0.03).report
    assert report.rate_method == "given"
    for one in report.expiries:
        assert one.discount == pytest.approx(np.exp(-0.03 * one.years))


def test_a_rate_that_no_expiry_tells_is_said_to_be_assumed(calendar):
    at_the_last_expiry = ny_ns(dt.date(2024, 6, 20), 12)
    report = analyse(made(calendar), calendar, as_of_ns=at_the_last_expiry).report
    assert (report.rate, report.rate_method) == (0.0, "assumed")


def test_a_later_quote_time_drops_what_has_expired(calendar):
    late = ny_ns(dt.date(2024, 3, 20), 12)
    report = analyse(made(calendar), calendar, as_of_ns=late).report
    assert [one.expiry for one in report.expiries] == ["2024-03-28", "2024-04-19", "2024-06-21"]
    assert report.rejected["expired"] == 182


def test_bad_quotes_are_counted_and_spoil_nothing(calendar, analysis):
    expiry = EXPIRIES[1]
    extra = [
        ChainContract(expiry, 1, 5810.0, 0.0, 0.0),
        ChainContract(expiry, 1, 5820.0, 3.0, 2.0),
        ChainContract(expiry, 1, 5830.0, 0.0, 0.05),
        ChainContract(expiry, 1, 5840.0, 9e6, 9.1e6),
    ]
    report = analyse(made(calendar, extra=extra), calendar).report
    assert report.rejected["crossed"] == 1
    assert report.rejected["no_quote"] == 1
    assert report.rejected["above_maximum"] == 1
    assert report.rejected["no_bid"] >= 1
    assert report.expiries[1].atm_iv == pytest.approx(analysis.report.expiries[1].atm_iv, abs=1e-6)


def test_long_american_options_lose_their_exercise_premium(calendar):
    expiry = Expiry(dt.date(2025, 3, 21))

    def american_price(strike, years, right):
        return american.price(SPOT, strike, years, RATE, YIELD, 0.25, right)[0]

    table = made(calendar, (expiry,), american_price, european=False)
    auto = analyse(table, calendar, rate=RATE).report.expiries[0]
    naive = analyse(table, calendar, rate=RATE, early_exercise=False).report.expiries[0]
    assert auto.forward_method == "american_parity"
    assert auto.forward == pytest.approx(SPOT * np.exp((RATE - YIELD) * auto.years), rel=2e-5)
    assert auto.atm_iv == pytest.approx(0.25, abs=1e-4)
    assert abs(naive.atm_iv - 0.25) > 10 * abs(auto.atm_iv - 0.25)


def test_without_spot_the_front_forward_stands_in(calendar):
    contracts = [c for expiry in EXPIRIES for c in contracts_of(expiry, calendar, european)]
    table = table_of(Path("x.csv"), "made", "SPX", np.nan, QUOTE_DATE, contracts, as_of_ns=AS_OF_NS)
    report = analyse(table, calendar).report
    assert report.spot_method == "front_forward"
    assert report.spot == report.expiries[0].forward


def test_two_lonely_quotes_give_nulls_and_a_note(calendar):
    contracts = [ChainContract(EXPIRIES[1], 1, 5000.0, 50.0, 51.0), ChainContract(EXPIRIES[1], -1, 4900.0, 20.0, 21.0)]
    table = table_of(Path("x.csv"), "made", "SPX", np.nan, QUOTE_DATE, contracts, as_of_ns=AS_OF_NS)
    report = analyse(table, calendar).report
    assert report.expiries[0].forward is None
    assert report.expiries[0].atm_iv is None
    assert report.cm30 is None
    assert report.exposure == {}  # neither open interest nor a spot is known: no wall, and no net delta of zero
    assert "open interest" in report.exposure_absent["naive"]
    assert any("too few" in note for note in report.notes)
