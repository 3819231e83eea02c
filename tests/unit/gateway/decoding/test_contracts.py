"""The contract table: once per contract, never per print."""

from __future__ import annotations

import pytest

from schemas.symbols import symbol_code
from services.gateway.decoding.contracts import BAD_TICKER, TABLE_FULL, ContractTable, underlying_of
from tests.support import vendor as v


def test_a_ticker_keeps_its_id() -> None:
    table = ContractTable(lambda underlying: 3)
    assert [table.id_of(ticker) for ticker in (v.SPY_CALL, v.SPX_PUT, v.SPY_CALL)] == [0, 1, 0]
    assert table.tickers == [v.SPY_CALL, v.SPX_PUT]
    assert table.ids[v.SPX_PUT] == 1


def test_arrays_hold_what_the_ticker_says() -> None:
    table = ContractTable(lambda underlying: {"SPX": 2}[underlying])
    at = table.id_of(v.SPX_PUT)
    assert table.underlying[at] == symbol_code("SPX")
    assert table.root[at] == symbol_code("SPXW")
    assert (table.expiry_day[at], table.strike_mills[at], table.right[at], table.partition[at]) == (
        20441, 6_800_000, -1, 2,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("root", "underlying"),
    [("SPXW", "SPX"), ("NDXP", "NDX"), ("RUTW", "RUT"), ("VIXW", "VIX"), ("AAPL1", "AAPL"), ("XSP", "XSP"), ("7", "7")],
)
def test_roots_lead_to_their_underlying(root: str, underlying: str) -> None:
    assert underlying_of(root) == underlying


@pytest.mark.parametrize("ticker", ["", "SPY", "O:", "O:SPY251319C00650000", "O:TOOLONGROOT251219C00650000"])
def test_nonsense_gets_no_place(ticker: str) -> None:
    table = ContractTable(lambda underlying: 0)
    assert table.id_of(ticker) == BAD_TICKER
    assert len(table) == 0
    assert table.ids == {}


def test_the_table_grows_and_forgets_nothing() -> None:
    table = ContractTable(lambda underlying: 1)
    tickers = [f"O:A251219C{strike:08d}" for strike in range(5000)]
    assert [table.id_of(ticker) for ticker in tickers] == list(range(5000))
    assert table.strike_mills[:5000].tolist() == list(range(5000))


def test_beyond_its_bound_a_table_refuses() -> None:
    table = ContractTable(lambda underlying: 1, contracts_max=3)
    ids = [table.id_of(f"O:A251219C{strike:08d}") for strike in range(5)]
    assert ids == [0, 1, 2, TABLE_FULL, TABLE_FULL]
    assert table.id_of("O:A251219C00000001") == 1


def test_what_expired_is_forgotten_and_the_rest_keeps_its_columns() -> None:
    table = ContractTable(lambda underlying: {"A": 1, "B": 2}[underlying])
    tickers = ["O:A251219C00001000", "O:B260116P00002000", "O:A251220C00003000", "O:B251219P00004000"]
    for ticker in tickers:
        table.id_of(ticker)
    kept = table.retire(20442)  # 2025-12-20
    assert kept.tolist() == [1, 2]
    assert table.tickers == [tickers[1], tickers[2]]
    assert [table.id_of(ticker) for ticker in (tickers[2], tickers[1], tickers[0])] == [1, 0, 2]
    assert table.strike_mills[:3].tolist() == [2000, 3000, 1000]
    assert table.partition[:3].tolist() == [2, 1, 1]
    assert table.generation == 1


def test_nothing_expired_changes_nothing() -> None:
    table = ContractTable(lambda underlying: 0)
    table.id_of(v.SPY_CALL)
    assert table.retire(20441).tolist() == [0]
    assert (table.generation, table.id_of(v.SPY_CALL)) == (0, 0)


def test_a_table_made_full_by_the_expired_has_room_again() -> None:
    table = ContractTable(lambda underlying: 0, contracts_max=1)
    table.id_of("O:A251219C00001000")
    assert table.id_of("O:A260116C00001000") == TABLE_FULL
    table.retire(20442)
    assert table.id_of("O:A260116C00001000") == 0
