"""The table of instruments, and what a root gives away."""

from __future__ import annotations

import pytest

from schemas.instruments import AM_ROOTS, EUROPEAN_ROOTS, INSTRUMENTS, instrument_of, is_adjusted, osi_symbol


def test_weekly_vix_options_settle_in_the_morning_and_weekly_index_options_at_the_close() -> None:
    assert {"SPX", "NDX", "RUT", "DJX", "VIX", "VIXW"} <= AM_ROOTS
    assert not AM_ROOTS & {"SPXW", "NDXP", "RUTW", "XSP", "MRUT", "XND"}


def test_micro_and_reduced_indices_are_european_and_oex_is_not() -> None:
    assert {"XND", "MRUT", "NQX", "XSP", "XEO"} <= EUROPEAN_ROOTS
    assert "OEX" not in EUROPEAN_ROOTS
    assert all(INSTRUMENTS[root].is_index for root in EUROPEAN_ROOTS)


@pytest.mark.parametrize(("root", "underlying"), [("SPXW", "SPX"), ("VIXW", "VIX"), ("XSP", "XSP"), ("SDS1", "SDS")])
def test_a_root_names_its_underlying(root: str, underlying: str) -> None:
    assert instrument_of(root).underlying == underlying


def test_a_digit_marks_another_deliverable() -> None:
    assert [is_adjusted(root) for root in ("SDS1", "2SPY", "SDS", "SPXW", "BRKB", "")] == [True, True] + [False] * 4


def test_a_symbol_keeps_the_digit_of_its_root() -> None:
    symbol = osi_symbol("SDS1231020C00006000")
    assert symbol is not None
    assert symbol == ("SDS1", "231020", 1, 6.0)
    assert osi_symbol("O:SPXW250903P02800000") == ("SPXW", "250903", -1, 2800.0)
    assert osi_symbol("SPX") is None
