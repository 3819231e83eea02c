"""Symbols are eight bytes that sort, hash and print; option tickers are four fields."""

from __future__ import annotations

import string

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.symbols import (
    CALL,
    PUT,
    Contract,
    SymbolError,
    contract_ticker,
    parse_contract,
    symbol_code,
    symbol_text,
)

symbols = st.text(string.ascii_uppercase + string.digits + ".", min_size=1, max_size=8)
contracts = st.builds(
    Contract,
    root=st.text(string.ascii_uppercase + string.digits, min_size=1, max_size=6),
    expiry_day=st.integers(10_957, 47_481),  # 2000-01-01 to 2099-12-31: the ticker has two digits for the year
    strike_mills=st.integers(0, 99_999_999),
    right=st.sampled_from([CALL, PUT]),
)


@given(symbols)
def test_a_symbol_survives_its_code(symbol: str) -> None:
    assert symbol_text(symbol_code(symbol)) == symbol


@given(symbols)
def test_a_code_is_the_padded_bytes_seen_as_a_little_endian_number(symbol: str) -> None:
    padded = np.frombuffer(symbol.encode().ljust(8, b"\0"), "<u8")
    assert padded[0] == symbol_code(symbol)


@given(contracts)
def test_a_contract_survives_its_ticker(contract: Contract) -> None:
    assert parse_contract(contract_ticker(contract)) == contract


def test_a_ticker_may_come_without_its_prefix() -> None:
    assert parse_contract("SPXW251219P06500000") == parse_contract("O:SPXW251219P06500000")


def test_roots_that_share_everything_else_are_different_contracts() -> None:
    """SPX settles in the morning, SPXW in the afternoon of the same day."""
    assert parse_contract("O:SPX251219C06500000") != parse_contract("O:SPXW251219C06500000")


def test_an_adjusted_root_keeps_its_digit() -> None:
    assert parse_contract("O:TSLA1251219C00100000").root == "TSLA1"


def test_strike_and_expiry_read_as_a_person_would() -> None:
    contract = parse_contract("O:AAPL140606C00642860")
    assert contract.strike_usd == 642.86
    assert contract.expiry.isoformat() == "2014-06-06"


@pytest.mark.parametrize(
    "ticker",
    ["", "SPY", "O:SPY251219X00650000", "O:SPY25121900650000", "O:SPY251219C0065000", "O:TOOLONG251219C00650000", "💥"],
)
def test_what_is_not_a_ticker_is_quoted(ticker: str) -> None:
    with pytest.raises(SymbolError, match="is not an option ticker"):
        parse_contract(ticker)


def test_a_date_that_does_not_exist_is_named() -> None:
    with pytest.raises(SymbolError, match=r"'O:SPY250231C00650000' names a date that does not exist"):
        parse_contract("O:SPY250231C00650000")


@pytest.mark.parametrize("symbol", ["", "NINECHARS", "ÄÖÜ", "A\0B"])
def test_what_is_not_a_symbol_is_quoted(symbol: str) -> None:
    with pytest.raises(SymbolError, match="is not a symbol of 1 to 8 ASCII characters"):
        symbol_code(symbol)


def test_a_long_text_is_cut_before_it_is_quoted() -> None:
    with pytest.raises(SymbolError) as caught:
        parse_contract("O:" + "A" * 10_000)
    assert len(str(caught.value)) < 100
