"""Bars on the wire: once each, after their window, with the day so far."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from standin.files.tape import Tape
from standin.market.seeded import SeededMarket
from standin.protocol.live_bars import LiveBars
from tests.unit.standin.conftest import CALL, DAY, PUT, write_tape

SECOND_NS = 1_000_000_000
AM = ("options", "AM")
EVERY_KIND: set[Any] = {AM, ("options", "A"), ("indices", "A"), ("indices", "AM"), ("stocks", "AM")}


def played(tape: Tape, wanted: set[Any], *, delay_s: float = 0.0, step_s: int = 60, join_at_s: int = 0) -> list[Any]:
    """(seconds after the open, bar) of everything made, when the bars are wanted from `join_at_s` on."""
    bars = LiveBars(tape, delay_s)
    found = []
    for second in range(step_s, 600, step_s):
        batch = tape.advance(step_s * SECOND_NS, np.empty(0, np.int32))
        made = bars.made(batch, tape.clock_ns, wanted if second >= join_at_s else set())
        found += [(second, msgspec.to_builtins(event)) for events in made.values() for event in events]
    return found


def test_every_window_has_one_bar_a_contract_with_the_day_so_far(tape: Tape) -> None:
    found = played(tape, {AM})
    assert [(second, bar["ev"], bar["sym"], bar["o"], bar["v"], bar["av"], bar["op"]) for second, bar in found] == [
        (60, "AM", CALL, 1.55, 12, 12, 1.55), (120, "AM", PUT, 0.25, 700, 700, 0.25),
        (180, "AM", CALL, 1.5, 3, 15, 1.55),
    ]  # fmt: skip
    assert {bar["e"] - bar["s"] for _, bar in found} == {60_000}
    assert found[2][1]["a"] == round((12 * 1.55 + 3 * 1.5) / 15, 4)


def test_it_does_not_matter_in_which_steps_time_passes(tape: Tape, tmp_path: Any) -> None:
    fine = played(Tape.open(write_tape(tmp_path / "again"), DAY, "XYZ"), {AM}, step_s=7)
    assert [bar for _, bar in fine] == [bar for _, bar in played(tape, {AM})]


def test_a_bar_comes_after_its_delay(tape: Tape) -> None:
    assert [second for second, _ in played(tape, {AM}, delay_s=20.0, step_s=20)] == [80, 140, 200]


def test_who_comes_later_gets_the_day_so_far_but_no_old_bars(tape: Tape) -> None:
    ((second, bar),) = played(tape, {AM}, join_at_s=180)
    assert (second, bar["sym"], bar["v"], bar["av"], bar["op"]) == (180, CALL, 3, 15, 1.55)


def test_who_comes_within_a_window_gets_its_whole_bar(tape: Tape) -> None:
    found = played(tape, {AM}, delay_s=20.0, step_s=10, join_at_s=70)
    assert [(second, bar["v"], bar["av"]) for second, bar in found] == [(80, 12, 12), (140, 700, 700), (200, 3, 15)]


def test_who_comes_later_is_told_what_who_came_early_is() -> None:
    market = SeededMarket(7)
    early, late = (LiveBars(market, 1.0) for _ in range(2))
    nobody: set[Any] = set()
    quotes_of_nobody = np.empty(0, np.int32)
    for second in range(1, 200):
        batch = market.advance(SECOND_NS, quotes_of_nobody)
        told = early.made(batch, market.clock_ns, EVERY_KIND)
        if second > 100:
            assert late.made(batch, market.clock_ns, EVERY_KIND) == told
        else:
            late.made(batch, market.clock_ns, nobody)
    assert set(told) == EVERY_KIND


def test_stocks_have_minutes_here_and_their_seconds_from_the_source(tape: Tape) -> None:
    found = played(tape, {("stocks", "A"), ("stocks", "AM")})
    assert [(bar["ev"], bar["sym"], bar["c"]) for _, bar in found] == [
        ("AM", "XYZ", 100.0), ("AM", "XYZ", 100.1), ("AM", "XYZ", 100.2),
    ]  # fmt: skip


def test_nobody_wants_bars_and_none_are_made(tape: Tape) -> None:
    assert played(tape, set()) == []
