"""Informed bursts: each is a case worth an alert by specification (spec/detectors.md B.12 and B.14)."""

from __future__ import annotations

import numpy as np
import pytest

from standin.market.book import Book
from standin.market.bursts import CONTRACTS_MAX, Plan, plan_of
from standin.market.informed import MOVES
from standin.market.orders import OrderKind
from standin.market.seeded import SeededMarket
from standin.market.universe import CAST


@pytest.fixture(scope="module")
def book() -> Book:
    return SeededMarket(11)._today.book


@pytest.fixture(scope="module")
def plan(book: Book) -> Plan:
    return plan_of(SeededMarket(11).seed, book, book.day.morning.informed)


def test_one_comes_every_couple_of_minutes_and_the_first_soon(plan: Plan) -> None:
    starts = np.array([burst.start_s for burst in plan.bursts])
    assert starts[0] == 20
    assert 90 < np.mean(np.diff(starts)) < 140
    # Most come when most trade: within the first half hour twice as many as in an average one.
    assert np.count_nonzero(starts < 1800) > 2 * len(starts) / 13


def test_contracts_are_days_to_months_out_and_somewhat_out_of_the_money(book: Book, plan: Plan) -> None:
    for burst in plan.bursts:
        book.move_to(burst.start_s)
        assert 0.15 <= abs(book.greeks(np.array([burst.row])).delta[0]) <= 0.70
        days = (book.listing.settlement_ns[burst.row] - book.now_ns) / 86_400e9
        assert 1 <= days <= 90
        assert book.right[burst.row] == burst.direction


def test_sweeping_bursts_have_several_sweeps_within_ten_minutes(plan: Plan) -> None:
    sweeping = [number for number, burst in enumerate(plan.bursts) if not burst.opening]
    assert len(sweeping) > 50
    for number in sweeping:
        orders = np.flatnonzero(plan.burst == number)
        assert len(orders) >= 2
        assert np.ptp(plan.second[orders]) <= 600
        assert set(plan.kind[orders].tolist()) == {OrderKind.SWEEP}
        assert np.all(plan.premium_usd[orders] >= 100_000)


def test_opening_bursts_buy_more_than_twice_the_open_interest(book: Book, plan: Plan) -> None:
    opening = [(number, burst) for number, burst in enumerate(plan.bursts) if burst.opening]
    assert len(opening) > 50
    for number, burst in opening:
        orders = np.flatnonzero(plan.burst == number)
        contracts = int(plan.contracts[orders].sum())
        assert contracts >= 500
        assert contracts > 2 * book.listing.open_interest[burst.row]
        book.move_to(burst.start_s)
        premium = contracts * float(book.quote(np.array([burst.row]), 0.0).bid_cents[0])
        assert premium >= 100_000


def test_a_burst_starts_with_its_first_order(plan: Plan) -> None:
    """Drifts are stated from there on."""
    for number, burst in enumerate(plan.bursts):
        assert plan.second[plan.burst == number].min() == burst.start_s
        assert burst.drift_start_s - burst.start_s >= 120


def test_no_burst_is_for_more_than_the_most_whatever_a_contract_costs(book: Book, plan: Plan) -> None:
    assert np.bincount(plan.burst, plan.contracts).max() <= CONTRACTS_MAX
    dear = plan._replace(premium_usd=np.where(plan.premium_usd > 0, 1e12, 0.0))
    bought = np.zeros(len(plan.bursts))
    for second in np.unique(plan.second).tolist():
        book.move_to(second)
        orders = dear.orders(book, second)
        assert orders is not None
        np.add.at(bought, orders["burst"], orders["size"])
    assert bought.max() <= CONTRACTS_MAX


def test_nobody_comes_in_a_halt() -> None:
    """There is no ask to size an order by."""
    book = SeededMarket(7, scenario="crash")._today.book
    informed = book.day.morning.informed
    plan = plan_of(7, book, informed)
    halted = [book.day.halted(burst.start_s) for burst in plan.bursts]
    assert any(book.day.halted(second) is not None for second in informed.start_s.tolist())
    assert not any(who is not None and who[burst.underlying] for who, burst in zip(halted, plan.bursts, strict=True))


def test_most_but_not_all_know_something_and_their_drift_is_within_the_rules(book: Book, plan: Plan) -> None:
    informed = [burst for burst in plan.bursts if burst.informed]
    assert 0.5 < len(informed) / len(plan.bursts) < 0.8
    for burst in informed:
        assert np.sign(burst.log_return) == burst.direction
        assert burst.start_s < burst.drift_start_s <= burst.drift_end_s
        assert 0.02 < abs(burst.log_return) / book.day.morning.daily_sd[MOVES[burst.underlying]] <= 1.5


def test_index_products_have_none(plan: Plan) -> None:
    assert not any(CAST[burst.underlying].is_index for burst in plan.bursts)
