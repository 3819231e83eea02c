"""Which contracts are quoted."""

from __future__ import annotations

import datetime as dt

import numpy as np

from schemas.frames import GreekRows, Lane
from services.core.calendar import ny_ns
from services.gateway.decoding.contracts import ContractTable
from services.gateway.policy.contract_ranking import ContractRanking
from tests.support.frames import constant_rows

NOW = ny_ns(dt.date(2025, 12, 17), 10)


def contract(strike_usd: int, expiry: str = "251219", right: str = "C") -> str:
    return f"O:SPY{expiry}{right}{strike_usd * 1000:08d}"


def setting(*tickers: str, open_interest: int = 0, spot_usd: float = 650.0) -> tuple[ContractTable, ContractRanking]:
    table = ContractTable(lambda underlying: 0)
    ids = np.array([table.id_of(ticker) for ticker in tickers])
    interest = ContractRanking(table)
    rows = constant_rows(Lane.GREEKS, [0] * len(ids), open_interest=open_interest, spot_usd=spot_usd)
    assert isinstance(rows, GreekRows)
    interest.chain(ids, rows)
    return table, interest


def trade(table: ContractTable, interest: ContractRanking, ticker: str, premium_usd: float) -> None:
    interest.prints(np.array([table.id_of(ticker)]), np.array([premium_usd / 100.0]), np.array([1], np.int32))


def test_nearer_to_the_money_is_quoted_first() -> None:
    _, interest = setting(contract(700), contract(655), contract(600))
    assert interest.best(1, frozenset(), NOW) == [contract(655)]


def test_nearer_to_expiry_is_quoted_first() -> None:
    _, interest = setting(contract(650, "261218"), contract(650, "251217"))
    assert interest.best(1, frozenset(), NOW) == [contract(650, "251217")]


def test_flow_brings_a_far_contract_in() -> None:
    table, interest = setting(*(contract(strike) for strike in (650, 651, 652, 900)))
    trade(table, interest, contract(900), 1_000_000.0)
    assert contract(900) in interest.best(1, frozenset(), NOW)


def test_flow_is_forgotten_by_halves() -> None:
    table, interest = setting(contract(650), contract(900))
    trade(table, interest, contract(900), 10_000.0)
    assert interest.best(1, frozenset(), NOW) == [contract(900)]
    for _ in range(20):
        last = interest.best(1, frozenset(), NOW)
    assert last == [contract(650)]


def test_a_small_lead_does_not_swap_what_is_held() -> None:
    _, interest = setting(contract(650), contract(651))
    assert interest.best(1, frozenset(), NOW) == [contract(650)]
    assert interest.best(1, frozenset({contract(651)}), NOW) == [contract(651)]


def test_what_has_expired_is_not_quoted() -> None:
    _, interest = setting(contract(650, "251216"), contract(900, "251219"), open_interest=10)
    assert interest.best(5, frozenset(), NOW) == [contract(900, "251219")]


def test_without_a_spot_open_interest_decides() -> None:
    table, interest = setting(contract(650), contract(660), spot_usd=float("nan"))
    rows = constant_rows(Lane.GREEKS, [0], open_interest=500, spot_usd=float("nan"))
    assert isinstance(rows, GreekRows)
    interest.chain(np.array([table.id_of(contract(660))]), rows)
    assert interest.best(1, frozenset(), NOW) == [contract(660)]


def test_flow_stays_with_its_contract_when_others_are_retired() -> None:
    table, interest = setting(contract(650, "251216"), contract(650), contract(900))
    trade(table, interest, contract(900), 1_000_000.0)
    interest.keep(table.retire(20441))
    assert interest.best(2, frozenset(), NOW) == [contract(900), contract(650)]
    assert table.id_of(contract(1000)) == 2
    assert interest.best(3, frozenset(), NOW) == [contract(900), contract(650)], "a new contract inherits nothing"


def test_a_held_contract_that_was_retired_is_let_go() -> None:
    table, interest = setting(contract(650, "251216"), contract(650))
    interest.keep(table.retire(20441))
    assert interest.best(2, frozenset({contract(650, "251216")}), NOW) == [contract(650)]


def test_nothing_known_means_nothing_quoted() -> None:
    table = ContractTable(lambda underlying: 0)
    assert ContractRanking(table).best(10, frozenset(), NOW) == []


def test_no_more_than_asked_for() -> None:
    _, interest = setting(*(contract(strike) for strike in range(600, 700)))
    assert len(interest.best(40, frozenset(), NOW)) == 40
