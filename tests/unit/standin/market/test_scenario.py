"""Every scenario is there by name and does what it says; `driftless` has no edge, `planted` has the stated one."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

import numpy as np
import pytest

from services.core.calendar import Calendar
from standin.market.events import schedule_of
from standin.market.paths import day_of
from standin.market.scenario import names, scenario_of
from standin.market.seeded import SECOND_NS, SeededMarket
from standin.market.universe import CAST, position_of
from standin.market.walk import Walk

NOBODY = np.empty(0, np.int32)
CANCELS = (201, 203, 205, 207)
WANTED = {"calm", "crash", "driftless", "earnings", "expiry", "half_day", "halt", "pin", "plain", "planted", "squeeze"}
CALENDAR = Calendar.load(dt.date(2025, 1, 1), dt.date(2028, 12, 31))
SESSIONS = 40


def test_every_scenario_is_found_and_says_what_it_is() -> None:
    assert set(names()) == WANTED
    assert names()[0] == "plain"
    for name in names():
        scenario = scenario_of(name)
        assert scenario.name == name
        assert scenario.about
        assert CALENDAR.session_on(scenario.start) is not None


def test_an_unknown_name_lists_all_there_are() -> None:
    with pytest.raises(LookupError, match=r"no scenario 'bedlam'; there are plain, calm, .*squeeze"):
        scenario_of("bedlam")


def test_a_scenario_is_part_of_the_seeds_identity() -> None:
    identities = {scenario_of(name).identity(7) for name in names()}
    assert len(identities) == len(WANTED)
    noon = dt.datetime(2025, 12, 19, 17, tzinfo=dt.UTC)
    at_ns = int(noon.timestamp()) * SECOND_NS
    one, other = (SeededMarket(7, at_ns, scenario=name).advance(SECOND_NS, NOBODY) for name in ("plain", "expiry"))
    assert one.prints.q.tolist() != other.prints.q.tolist()


class Followed(NamedTuple):
    """Bursts of many sessions: whether they swept, and what the underlying did their way from a minute after the last
    order could come to 47 minutes after the first, in deviations of such a stretch."""

    opening: np.ndarray
    informed: np.ndarray
    moved: np.ndarray


def followed(name: str, seed: int) -> Followed:
    scenario = scenario_of(name)
    identity = scenario.identity(seed)
    walk = Walk(identity, scenario, CALENDAR, schedule_of(identity, scenario, CALENDAR, dt.date(2028, 12, 31)))
    first = next(at for at, session in enumerate(CALENDAR.sessions) if session.date >= dt.date(2026, 1, 5))
    parts = []
    for session in CALENDAR.sessions[first : first + SESSIONS]:
        morning = walk.morning(session)
        day = day_of(identity, morning, scenario.vol_scale)
        who = morning.informed
        whole = who.start_s + 2820 < day.seconds
        start, end = who.start_s[whole] + 120, who.start_s[whole] + 2820
        path, moves = day.log_return.astype(float), who.moves[whole]
        moved = (path[end, moves] - path[start, moves]) / morning.daily_sd[moves] * who.direction[whole]
        parts.append(Followed(who.opening[whole], who.deviations[whole] != 0, moved))
    return Followed(*map(np.concatenate, zip(*parts, strict=True)))


def test_nothing_follows_in_the_driftless_market() -> None:
    """40 sessions, some 7,000 bursts: the mean move their way is within three errors of none, for each kind."""
    seen = followed("driftless", 7)
    assert not seen.informed.any()
    for kind in (seen.opening, ~seen.opening):
        moved = seen.moved[kind]
        assert len(moved) > 2_500
        assert abs(moved.mean()) < 3.0 * moved.std() / np.sqrt(len(moved))
        # As a coin falls.
        assert abs(np.mean(moved > 0) - 0.5) < 3.0 * 0.5 / np.sqrt(len(moved))


def test_the_planted_edge_is_the_stated_one_and_its_twin_has_none() -> None:
    """40 sessions, some 4,000 bursts: 0.8 x 0.6 daily deviations after sweeping, nothing after opening."""
    seen = followed("planted", 7)
    sweeping, opening = seen.moved[~seen.opening], seen.moved[seen.opening]
    assert len(sweeping) > 1_500
    error = sweeping.std() / np.sqrt(len(sweeping))
    assert error < 0.02
    assert sweeping.mean() == pytest.approx(0.8 * 0.6, abs=4 * error)
    assert np.mean(seen.informed[~seen.opening]) == pytest.approx(0.8, abs=0.04)
    assert abs(opening.mean()) < 3.0 * opening.std() / np.sqrt(len(opening))


def test_the_calm_market_is_calm_and_the_plain_one_is_not() -> None:
    calm, plain = (SeededMarket(7, scenario=name).index_state("I:VIX") for name in ("calm", "plain"))
    assert calm is not None
    assert plain is not None
    assert 8 < calm.value < 14 < plain.value


def test_the_crash_stops_the_market_at_seven_percent_and_doubles_volatility() -> None:
    market = SeededMarket(7, scenario="crash")
    day, spx = market._today.day, position_of["SPX"]
    assert day.log_return[2399, spx] < -0.06
    halted = day.halted(2400)
    assert halted is not None
    assert halted.all()
    book = market._today.book
    book.move_to(0)
    before = float(book.family()[2])
    book.move_to(23_000)
    assert float(book.family()[2]) > 1.8 * before


def test_nothing_trades_or_is_quoted_while_everything_is_halted_and_it_reopens_with_210() -> None:
    open_ns = SeededMarket(7, scenario="crash").clock_ns
    market = SeededMarket(7, open_ns + 2398 * SECOND_NS, scenario="crash")
    quoted = np.arange(0, 2000, 10, dtype=np.int32)
    assert len(market.advance(SECOND_NS, quoted).prints.q) > 100
    market.advance(SECOND_NS, quoted)
    stopped = [market.advance(SECOND_NS, quoted) for _ in range(5)]
    # Corrections of what was printed in the second before come all the same.
    assert np.isin(stopped[0].prints.condition, CANCELS).all()
    assert not any(len(batch.prints.q) for batch in stopped[1:])
    assert not any(len(batch.bars.close) or len(batch.quotes.q) for batch in stopped)
    halted_ns = open_ns + 2400 * SECOND_NS
    ticker = market.listing.tickers[100]
    assert len(market.quotes_of(ticker, halted_ns, halted_ns + 5 * SECOND_NS, 10, newest=True).q) == 0
    (last,) = market.quotes_of(ticker, 0, halted_ns + 5 * SECOND_NS, 1, newest=True).t_ms.tolist()
    assert 0 <= halted_ns - last * 1_000_000 <= SECOND_NS
    after = SeededMarket(7, open_ns + 3300 * SECOND_NS, scenario="crash")
    assert 210 in after.advance(SECOND_NS, quoted).prints.condition


def test_a_minute_after_a_halt_reopens_for_three_seconds() -> None:
    open_ns = SeededMarket(7, scenario="crash").clock_ns
    market = SeededMarket(7, open_ns + 3300 * SECOND_NS, scenario="crash", span_s=60)
    prints = market.advance(60 * SECOND_NS, NOBODY).prints
    after_ms = prints.t_ms - (open_ns // 1_000_000 + 3_300_000)
    reopening = prints.condition == 210
    assert reopening.any()
    assert after_ms[reopening].max() < 3000


def test_halts_are_of_whole_minutes() -> None:
    for name in names():
        assert all(halt.start_s % 60 == halt.end_s % 60 == 0 for halt in scenario_of(name).halts)


def test_the_squeezed_stock_rises_a_third_and_is_bought_by_call() -> None:
    market = SeededMarket(7, scenario="squeeze")
    gme = position_of["GME"]
    assert market._today.day.log_return[:, gme].max() > 0.25
    bursts = [burst for burst in market._today.plan.bursts if burst.underlying == gme]
    assert len(bursts) > 0.2 * len(market._today.plan.bursts)
    assert np.mean([burst.direction > 0 for burst in bursts]) > 0.9


def test_the_half_day_ends_at_one() -> None:
    market = SeededMarket(7, scenario="half_day")
    assert market._today.day.session.minutes == 210
    assert market._today.day.seconds == 12_600


def test_the_expiry_begins_two_hours_before_what_it_is_about() -> None:
    market = SeededMarket(7, scenario="expiry")
    left_s = (market._today.day.session.close_ns - market.clock_ns) // SECOND_NS
    assert left_s == 7200
    expiring = market.listing.settlement_ns == market._today.day.session.close_ns
    assert np.count_nonzero(expiring) > 2_000
    prints = market.advance(SECOND_NS, NOBODY).prints
    assert np.mean(expiring[prints.contract]) > 0.3


def test_a_scripted_halt_names_underlyings_of_the_cast() -> None:
    tickers = {member.ticker for member in CAST} | {"*"}
    for name in names():
        scenario = scenario_of(name)
        named = [entry.ticker for entry in (*scenario.ramps, *scenario.halts)]
        named += [ticker for ticker, _ in (*scenario.dealers, *scenario.earnings)]
        assert set(named) <= tickers
