"""Prices, implied volatilities and greeks against published and high-precision values."""

import csv
import json

import mpmath as mp
import numpy as np
import pytest

from services.quant import black
from services.quant import numpy_reference as twin


def spot_market(spot, rate, dividend_yield, years):
    return spot * np.exp((rate - dividend_yield) * years), np.exp(-rate * years)


def sample(rows, seed, moneyness=0.5):
    """Options of the size and shape a chain has: some hours to two years, 5 to 150 % vol."""
    rng = np.random.default_rng(seed)
    years = np.exp(rng.uniform(np.log(1 / 365), np.log(2), rows))
    years[: rows // 20] = rng.uniform(5, 390, rows // 20) / (365 * 1440)
    x = rng.uniform(-moneyness, moneyness, rows)
    x[: rows // 20] = rng.normal(0, 0.01, rows // 20)
    forward = np.exp(rng.uniform(np.log(20), np.log(6000), rows))
    vol = np.exp(rng.uniform(np.log(0.05), np.log(1.5), rows))
    right = np.where(rng.random(rows) < 0.5, 1, -1).astype(np.int8)
    return forward, forward * np.exp(x), years, np.exp(-0.04 * years), vol, right


def exact_price(forward, strike, years, discount, vol, right):
    f, k, t, d, v = (mp.mpf(float(x)) for x in (forward, strike, years, discount, vol))
    s = v * mp.sqrt(t)
    d1 = mp.log(f / k) / s + s / 2
    c = int(right)
    return c * d * (f * mp.ncdf(c * d1) - k * mp.ncdf(c * (d1 - s)))


class TestPublishedValues:
    def test_golden_call_and_put_of_the_specification(self):
        forward, discount = spot_market(5000.0, 0.045, 0.013, 7 / 365)
        terms = forward, [5050.0, 4950.0], 7 / 365, discount
        raw = black.greeks(*terms, 0.045, [1, -1], [0.14, 0.16])
        spot = black.spot_view(raw, 5000.0, forward, 7 / 365)
        assert black.price(*terms, [0.14, 0.16], [1, -1]) == pytest.approx([19.818247, 22.433920], abs=1e-6)
        assert spot.delta == pytest.approx([0.3184281511, -0.3111548231], abs=1e-9)
        assert spot.gamma == pytest.approx([0.00368086245, 0.0031891043], abs=1e-9)
        assert spot.vega[0] == pytest.approx(247.0715891, abs=1e-6)
        assert spot.vanna == pytest.approx([1.2520949789, -1.0383080713], abs=1e-9)
        assert spot.charm == pytest.approx([-5.1549450992, 3.8169262596], abs=1e-8)

    def test_haug_european_table_to_its_four_decimals(self, realdata):
        rows = list(csv.DictReader((realdata / "iv_vectors" / "quantlib_european_haug.csv").open()))
        prices = [row for row in rows if row["test"] == "testValues"]
        assert len(prices) > 30
        for row in prices:
            spot, rate, q, years = (float(row[key]) for key in ("spot", "rate", "div_q", "T"))
            forward, discount = spot_market(spot, rate, q, years)
            right = 1 if row["right"] == "call" else -1
            ours = black.price(forward, float(row["strike"]), years, discount, float(row["vol"]), right)[0]
            assert ours == pytest.approx(float(row["value"]), abs=float(row["tol"])), row

    def test_black_scholes_vectors_with_their_units(self, realdata):
        table = json.loads((realdata / "iv_vectors" / "black_scholes.json").read_text())
        data = np.array(table["data"], dtype=np.float64)
        column = {name: data[:, i] for i, name in enumerate(table["columns"])}
        forward, discount = spot_market(column["S"], column["R"], 0.0, column["t"])
        for letter, right in (("C", 1), ("P", -1)):
            terms = forward, column["K"], column["t"], discount
            raw = black.greeks(*terms, column["R"], right, column["v"])
            view = black.spot_view(raw, column["S"], forward, column["t"])
            value = black.price(*terms, column["v"], right)
            named = "bs_call" if right > 0 else "bs_put"
            # Prices are per share, theta per year, vega and rho per 1.00; the file prints six digits at its coarsest.
            for ours, name in (
                (value, named),
                (view.delta, letter + "D"),
                (view.gamma, letter + "G"),
                (view.theta, letter + "T"),
                (view.vega, letter + "V"),
                (view.rho, letter + "R"),
            ):
                assert np.abs(ours - column[name]).max() < 2e-6 * max(1.0, np.abs(column[name]).max()), name

    def test_jaeckels_thousand_values_wherever_they_are_well_posed(self, realdata):
        vectors = json.loads((realdata / "iv_vectors" / "lets_be_rational.json").read_text())
        f, k, t, vol, sign = (
            np.array([float(row[key]) for row in vectors["input"]]) for key in ("F", "K", "T", "sigma", "q")
        )
        price = np.array([row["black"] for row in vectors["output"]])
        ours, status = black.implied_vol(price, f, k, t, 1.0, sign.astype(np.int8))
        with np.errstate(all="ignore"):
            ulp_in_vol = np.spacing(price) / black.greeks(f, k, t, 1.0, 0.0, sign.astype(np.int8), vol).vega
        posed = ulp_in_vol < 1e-12
        assert posed.sum() > 900
        assert (status[posed] == black.OK).all()
        assert np.abs(ours - vol)[posed].max() < 1e-12
        assert (np.abs(np.log(f / k))[posed] > np.log(50)).any()


class TestAgainstHighPrecision:
    def test_prices_and_vols_on_a_random_grid(self):
        columns = sample(400, seed=3, moneyness=1.5)
        columns = (*columns[:5], np.where(columns[1] >= columns[0], 1, -1).astype(np.int8))
        with mp.workdps(40):
            exact = [exact_price(*row) for row in zip(*columns, strict=True)]
            value = np.array([float(p) for p in exact])
            ours = black.price(*columns)
            forward, strike, years, discount, vol, right = columns
            assert max(abs(mp.mpf(float(o)) - e) / f for o, e, f in zip(ours, exact, forward, strict=True)) < 2e-15
        sensitivity = black.greeks(*columns[:4], 0.0, right, vol).vega
        solved, status = black.implied_vol(value, forward, strike, years, discount, right)
        # What one unit in the last place of the price is worth in vol.
        noise = np.spacing(value) / sensitivity
        kept = (noise < 1e-11) & (value > 1e-300)
        assert kept.sum() > 200
        assert (status[kept] == black.OK).all()
        assert (np.abs(solved - vol)[kept] < 1e-12 + 4.0 * noise[kept]).all()

    def test_deep_tails_keep_relative_accuracy(self):
        forward, years, vol = 100.0, 0.25, 0.2
        with mp.workdps(60):
            for strike in (200.0, 500.0, 1500.0, 3500.0):
                value = float(exact_price(forward, strike, years, 1.0, vol, 1))
                solved, status = black.implied_vol(value, forward, strike, years, 1.0, 1)
                assert status[0] == black.OK
                assert solved[0] == pytest.approx(vol, rel=1e-13), strike

    def test_the_smallest_positive_price_still_has_a_vol(self):
        with mp.workdps(60):
            solved, status = black.implied_vol(5e-324, 111.27815, 54.607, 0.01878, 1.0, -1)
            assert status[0] == black.OK
            # Half a unit of this price is half of it, so only the order of the volatility can be right.
            below, above = (exact_price(111.27815, 54.607, 0.01878, 1.0, solved[0] * c, -1) for c in (0.99, 1.01))
            assert below < mp.mpf(5e-324) < above

    def test_total_volatility_up_to_forty(self):
        with mp.workdps(400):
            for total in (0.5, 3.0, 8.0, 20.0, 40.0):
                value = exact_price(100.0, 130.0, 1.0, 1.0, total, 1)
                # The double nearest the price still tells volatilities apart only while the ceiling is not reached.
                if float(value) < 100.0:
                    solved, _ = black.implied_vol(float(value), 100.0, 130.0, 1.0, 1.0, 1)
                    vega = black.greeks(100.0, 130.0, 1.0, 1.0, 0.0, 1, total).vega[0]
                    assert abs(solved[0] - total) < 1e-14 * total + 4.0 * np.spacing(float(value)) / vega


class TestRoundTrip:
    def test_out_of_the_money_prices_return_their_vol_to_1e_12(self):
        forward, strike, years, discount, vol, _ = sample(200_000, seed=7)
        right = np.where(strike >= forward, 1, -1).astype(np.int8)
        value = black.price(forward, strike, years, discount, vol, right)
        kept = value > 1e-8 * forward
        columns = [column[kept] for column in (value, forward, strike, years, discount, right)]
        solved, status = black.implied_vol(*columns)
        assert not status.any()
        assert np.abs(solved - vol[kept]).max() < 1e-12

    def test_twin_agrees_everywhere(self):
        columns = sample(20_000, seed=11, moneyness=2.0)
        forward, strike, years, discount, vol, right = columns
        value = black.price(*columns)
        assert np.abs(value - twin.price(*columns)).max() < 1e-11
        ours, status = black.implied_vol(value, forward, strike, years, discount, right)
        theirs, their_status = twin.implied_vol(value, forward, strike, years, discount, right)
        assert (status == their_status).all()
        vega = black.greeks(forward, strike, years, discount, 0.04, right, vol).vega
        posed = (status == black.OK) & (vega > 1e-6 * forward)
        assert np.abs(ours - theirs)[posed].max() < 1e-9
        for ours_greek, theirs_greek in zip(
            black.greeks(forward, strike, years, discount, 0.04, right, vol),
            twin.greeks(forward, strike, years, discount, 0.04, right, vol),
            strict=True,
        ):
            assert np.abs(ours_greek - theirs_greek).max() <= 1e-10 * np.abs(theirs_greek).max()


class TestBadRows:
    @pytest.mark.parametrize(
        ("value", "forward", "strike", "years", "discount", "right", "status"),
        [
            (5.0, 100.0, 90.0, 1.0, 1.0, 1, black.BELOW_INTRINSIC),
            (10.0, 100.0, 90.0, 1.0, 1.0, 1, black.BELOW_INTRINSIC),
            (0.0, 100.0, 110.0, 1.0, 1.0, 1, black.BELOW_INTRINSIC),
            (-1.0, 100.0, 110.0, 1.0, 1.0, 1, black.BELOW_INTRINSIC),
            (100.0, 100.0, 90.0, 1.0, 1.0, 1, black.ABOVE_MAXIMUM),
            (1e9, 100.0, 90.0, 1.0, 1.0, 1, black.ABOVE_MAXIMUM),
            (95.0, 100.0, 90.0, 1.0, 1.0, -1, black.ABOVE_MAXIMUM),
            (15.0, 100.0, 90.0, 0.0, 1.0, 1, black.BAD_TIME),
            (15.0, 100.0, 90.0, -1.0, 1.0, 1, black.BAD_TIME),
            (15.0, 100.0, 90.0, np.nan, 1.0, 1, black.BAD_TIME),
            (np.nan, 100.0, 90.0, 1.0, 1.0, 1, black.BAD_INPUT),
            (np.inf, 100.0, 90.0, 1.0, 1.0, 1, black.BAD_INPUT),
            (15.0, -100.0, 90.0, 1.0, 1.0, 1, black.BAD_INPUT),
            (15.0, 100.0, 0.0, 1.0, 1.0, 1, black.BAD_INPUT),
            (15.0, 100.0, 90.0, 1.0, 0.0, 1, black.BAD_INPUT),
            (15.0, 100.0, 90.0, 1.0, 1.0, 0, black.BAD_INPUT),
        ],
    )
    def test_a_bad_row_is_nan_with_its_reason(self, value, forward, strike, years, discount, right, status):
        for solve in (black.implied_vol, twin.implied_vol):
            solved, given = solve(value, forward, strike, years, discount, right)
            assert np.isnan(solved[0])
            assert given[0] == status

    def test_a_bad_row_does_not_disturb_its_neighbours(self):
        good = black.implied_vol(np.full(9, 8.0), 100.0, 100.0, 1.0, 1.0, 1)[0]
        mixed = np.full(9, 8.0)
        mixed[4] = np.nan
        solved, status = black.implied_vol(mixed, 100.0, 100.0, 1.0, 1.0, 1)
        assert status.tolist() == [0, 0, 0, 0, 4, 0, 0, 0, 0]
        assert (np.delete(solved, 4) == np.delete(good, 4)).all()

    def test_fuzzed_garbage_never_raises_and_always_explains(self):
        rng = np.random.default_rng(13)
        odd = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, -1.0, 1e-320, 1e308, 1e-300, 100.0, 1.0, 0.2])
        columns = [rng.choice(odd, 20_000) for _ in range(5)]
        right = rng.choice(np.array([-1, 0, 1, 5], dtype=np.int8), 20_000)
        solved, status = black.implied_vol(*columns, right)
        assert (np.isnan(solved) == (status != black.OK)).all()
        assert set(np.unique(status)) <= set(range(len(black.STATUS_NAMES)))
        assert (solved[status == black.OK] > 0.0).all()

    def test_greeks_of_a_bad_row_are_nan(self):
        raw = black.greeks(
            [100.0, -1.0, 100.0, 100.0], 100.0, [1.0, 1.0, 0.0, 1.0], 1.0, 0.0, 1, [0.2, 0.2, 0.2, np.nan]
        )
        for greek in raw:
            assert np.isfinite(greek[0])
            assert np.isnan(greek[1:]).all()

    def test_price_without_time_or_vol_is_intrinsic(self):
        assert black.price(100.0, [90.0, 110.0], 0.0, 0.9, 0.2, 1).tolist() == [9.0, 0.0]
        assert black.price(100.0, [90.0, 110.0], 1.0, 0.9, 0.0, -1).tolist() == [0.0, 9.0]


class TestCallingConvention:
    def test_out_is_written_and_returned(self):
        columns = sample(100, seed=1)
        out = np.empty(100)
        assert black.price(*columns, out=out) is out
        assert (out == black.price(*columns)).all()

    def test_fused_call_equals_the_two_calls(self):
        forward, strike, years, discount, _vol, right = columns = sample(5_000, seed=2)
        value = black.price(*columns)
        _solved, status, fused = black.iv_greeks(value, forward, strike, years, discount, 0.04, right)
        again, again_status = black.implied_vol(value, forward, strike, years, discount, right)
        separate = black.greeks(forward, strike, years, discount, 0.04, right, again)
        assert (status == again_status).all()
        for one, two in zip(fused, separate, strict=True):
            assert np.array_equal(one, two, equal_nan=True)

    def test_scalars_and_shapes_broadcast(self):
        grid = black.price(np.full((2, 3), 100.0), [90.0, 100.0, 110.0], 1.0, 1.0, 0.2, 1)
        assert grid.shape == (2, 3)
        assert (grid[0] == grid[1]).all()

    def test_read_only_arrays_are_accepted(self):
        columns = sample(50, seed=4)
        frozen = [column.copy() for column in columns]
        for column in frozen:
            column.flags.writeable = False
        assert (black.price(*frozen) == black.price(*columns)).all()

    def test_a_wrong_out_is_refused(self):
        with pytest.raises(ValueError, match="shape"):
            black.price(*sample(10, seed=1), out=np.empty(9))

    def test_results_do_not_depend_on_the_batch_they_came_in(self):
        forward, strike, years, discount, _vol, right = columns = sample(9_000, seed=5)
        value = black.price(*columns)
        whole = black.implied_vol(value, forward, strike, years, discount, right)[0]
        parts = [
            black.implied_vol(*(column[i : i + 7] for column in (value, forward, strike, years, discount, right)))[0]
            for i in range(0, 9_000, 7)
        ]
        assert np.array_equal(np.concatenate(parts), whole, equal_nan=True)
