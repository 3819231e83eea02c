"""Conditions and exchanges: unknown ids pass, once with a word about it."""

from __future__ import annotations

import numpy as np

from services.gateway.massive.codes import CodeTable


def test_a_condition_is_its_bit() -> None:
    first, bits = CodeTable().conditions([(209,), (219,), (248,)])
    assert first.tolist() == [209, 219, 248]
    assert bits.tolist() == [1 << 9, 1 << 19, 1 << 48]


def test_several_conditions_are_several_bits_and_the_first_is_the_condition() -> None:
    first, bits = CodeTable().conditions([(232, 219), (), None, (209,)])
    assert first.tolist() == [232, 0, 0, 209]
    assert bits.tolist() == [1 << 32 | 1 << 19, 0, 0, 1 << 9]


def test_an_unknown_condition_passes_as_bit_zero_and_is_reported_once() -> None:
    table = CodeTable()
    first, bits = table.conditions([(999,), (209,), (999,)])
    assert first.tolist() == [999, 209, 999]
    assert bits.tolist() == [1, 1 << 9, 1]
    assert table.take_unknown() == [("condition", 999)]
    table.conditions([(999, 219), (777,)])
    assert table.take_unknown() == [("condition", 777)]


def test_retired_ids_are_unknown() -> None:
    table = CodeTable()
    _, bits = table.conditions([(215,)])
    assert bits.tolist() == [1]
    assert table.take_unknown() == [("condition", 215)]


def test_an_unknown_exchange_is_reported_once() -> None:
    table = CodeTable()
    for _ in range(3):
        table.check_exchanges(np.array([302, 326, 326, 0], np.int16))
    assert table.take_unknown() == [("exchange", 326)]
    assert table.take_unknown() == []
