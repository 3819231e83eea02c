"""When quoted contracts are chosen anew, which pairs are held then, and what is forgotten."""

from __future__ import annotations

import datetime as dt

from services.core.calendar import NS, ny_ns
from services.core.partitioner import Partitioner
from services.gateway.decoding.tabulate import Tabulator
from services.gateway.massive.messages import decode_frame
from services.gateway.policy.contract_ranking import ContractRanking
from services.gateway.policy.quote_subscriptions import FIRST_CHOICE_NS, TRADES, QuoteSubscriptions
from tests.support import vendor as v

EVERY_NS = 60 * NS
T0 = v.T0_NS


def heard(contracts_max: int = 10) -> tuple[QuoteSubscriptions, Tabulator]:
    """Subscriptions after one print of SPY's call."""
    table = Tabulator(Partitioner(1))
    ranking = ContractRanking(table.contracts)
    trades = table.trades(decode_frame("options", v.frame(v.trade())))
    ranking.prints(trades.contracts, trades.rows.price_usd, trades.rows.size_contracts)
    return QuoteSubscriptions(table, ranking, contracts_max, EVERY_NS), table


def test_the_first_choice_waits_for_chains_and_the_next_for_its_turn() -> None:
    it, _ = heard()
    it.begin(T0, chains_known=False)
    assert [it.due(T0 + after_ns) for after_ns in (0, FIRST_CHOICE_NS - 1, FIRST_CHOICE_NS)] == [False, False, True]
    it.begin(T0, chains_known=True)
    assert it.due(T0)
    it.turn(T0)
    assert [it.due(T0 + after_ns) for after_ns in (EVERY_NS - 1, EVERY_NS)] == [False, True]


def test_all_trades_come_first_and_then_the_contracts_that_matter() -> None:
    it, _ = heard()
    assert it.choose((TRADES,), T0) == (TRADES, f"Q.{v.SPY_CALL}")


def test_where_no_quotes_are_wanted_the_pairs_stay() -> None:
    it, _ = heard(contracts_max=0)
    assert it.choose((TRADES,), T0) == (TRADES,)


def test_expired_contracts_are_forgotten_the_day_after_next() -> None:
    """A late report of the last day may still come on the next."""
    it, table = heard()
    expiry_ns = ny_ns(dt.date(1970, 1, 1) + dt.timedelta(days=int(table.contracts.expiry_day[0])), 12)
    day_ns = 86_400 * NS
    left = []
    for days in (1, 2):
        it.turn(expiry_ns + days * day_ns)
        left.append(len(table.contracts))
    assert left == [1, 0]
