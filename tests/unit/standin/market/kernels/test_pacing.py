"""How often each contract trades, against the same said slowly with numpy."""

from __future__ import annotations

import numpy as np
import pytest

from standin.market.activity import OPEN_INTEREST_SMALL, TURNS, TURNS_LAST_DAY, row_weights
from standin.market.seeded import SeededMarket
from standin.market.universe import CAST, WEIGHTS

CONTRACTS_A_DAY = 9 * 350.0 * 23_400


def test_weights_are_near_the_money_near_expiry_and_held_by_open_interest() -> None:
    book = SeededMarket(7)._today.book
    book.move_to(600)
    forward = book.levels(book.slot_underlying, 0.0) * book.growth
    deviation = np.log(book.strike / forward[book.slot]) / np.sqrt(book.theta[book.slot])
    near = np.exp(-0.5 * (deviation / 1.05) ** 2) + 0.004
    days = book.years * 365.0
    soon = np.where(days * 86_400 > 1.5, 1.0 / (days + 0.8) ** 1.15 + 0.004, 0.0)
    weight = near * np.where(deviation * book.right > 0, 1.35, 0.75) * soon[book.slot]
    totals = np.bincount(book.underlying, weight, minlength=len(CAST))
    wanted = weight * (WEIGHTS / WEIGHTS.sum() * CONTRACTS_A_DAY / totals)[book.underlying]
    turns = (TURNS + TURNS_LAST_DAY / (1.0 + days) ** 2)[book.slot]
    weight /= 1.0 + wanted / (turns * (book.listing.open_interest + OPEN_INTEREST_SMALL))
    assert row_weights(book).cumulative == pytest.approx(np.cumsum(weight), rel=1e-10)
