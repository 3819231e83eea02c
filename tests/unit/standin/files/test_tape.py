"""A recorded day: every bar arrives once, at its time, and nothing is known before it could be."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest

from services.core.calendar import ny_ns
from standin.errors import StandInError
from standin.feed.source import Batch
from standin.files.tape import TAPE_CONDITION, TAPE_EXCHANGE, Tape
from tests.unit.standin.conftest import CALL, DAY, PUT, write_tape

MINUTE_NS = 60_000_000_000
OPEN_NS = ny_ns(DAY, 9, 30)


def everything(tape: Tape, step_ns: int = MINUTE_NS) -> list[Batch]:
    """All batches to the end, with quotes of every contract."""
    rows = np.arange(len(tape.listing), dtype=np.int32)
    batches = []
    while not tape.ended:
        batches.append(tape.advance(step_ns, rows))
    return batches


def test_every_trade_bar_becomes_one_print_with_its_close_and_volume(tape: Tape) -> None:
    prints = [
        (tape.listing.tickers[row], price, size)
        for batch in everything(tape)
        for row, price, size in zip(batch.prints.contract, batch.prints.price, batch.prints.size, strict=True)
    ]
    assert prints == [(CALL, 1.55, 12), (PUT, 0.25, 700), (CALL, 1.5, 3)]


def test_a_bar_is_known_at_its_last_millisecond_and_not_before(tape: Tape) -> None:
    rows = np.arange(len(tape.listing), dtype=np.int32)
    assert len(tape.advance(MINUTE_NS - 1_000_001, rows).prints.q) == 0
    batch = tape.advance(1, rows)
    assert batch.prints.t_ms.tolist() == [OPEN_NS // 1_000_000 + 59_999]


def test_what_the_tape_does_not_know_is_neutral(tape: Tape) -> None:
    for batch in everything(tape):
        assert set(batch.prints.condition.tolist()) <= {TAPE_CONDITION}
        assert set(batch.prints.exchange.tolist()) <= {TAPE_EXCHANGE}


def test_the_minutes_quote_comes_before_its_print_in_sequence(tape: Tape) -> None:
    first = everything(tape)[0]
    assert first.quotes.q.tolist() == [1]
    assert first.prints.q.tolist() == [2]


def test_sequence_numbers_count_every_event_once_in_time_order(tape: Tape) -> None:
    batches = everything(tape)
    q = np.concatenate([np.sort(np.concatenate((batch.quotes.q, batch.prints.q))) for batch in batches])
    assert q.tolist() == [1, 2, 3, 4, 5, 6]


def test_any_step_gives_the_same_events(tape: Tape, tmp_path: Path) -> None:
    again = Tape.open(tmp_path, DAY, "XYZ")
    coarse = [q for batch in everything(tape, 10 * MINUTE_NS) for q in batch.prints.q.tolist()]
    fine = [q for batch in everything(again, 7_000_000_000) for q in batch.prints.q.tolist()]
    assert coarse == fine


def test_only_quotes_somebody_asked_for_are_handed_out(tape: Tape) -> None:
    row = np.array([tape.listing.row_of[PUT]], np.int32)
    quotes = tape.advance(5 * MINUTE_NS, row).quotes
    assert quotes.contract.tolist() == row.tolist()
    assert (quotes.bid[0], quotes.bid_size[0], quotes.ask[0]) == (0.0, 0, 0.26)


def test_the_chain_holds_what_has_a_trade_a_quote_or_open_interest(tape: Tape) -> None:
    listing = tape.listing
    assert listing.tickers == (CALL, "O:XYZ140620C00110000", PUT)
    assert listing.open_interest.tolist() == [321, 77, 0]


def test_a_snapshot_knows_only_the_past(tape: Tape) -> None:
    row = np.array([tape.listing.row_of[CALL]])
    before = tape.snapshot(row)
    assert np.isnan(before.last[0])
    assert np.isnan(before.ask[0])
    assert before.day_volume[0] == 0
    assert before.spot[0] == 99.9  # the minute before the open
    tape.advance(MINUTE_NS, row.astype(np.int32))
    now = tape.snapshot(row)
    assert (now.last[0], now.bid[0], now.ask[0], now.day_volume[0], now.spot[0]) == (1.55, 1.5, 1.56, 12, 100.0)
    # A call at the money, 14 days and two hours to go, worth 1.53: about 20 % by the rule 0.4 S vol sqrt(T).
    assert 0.17 < now.iv[0] < 0.23
    assert 0.45 < now.delta[0] < 0.6
    tape.advance(2 * MINUTE_NS, row.astype(np.int32))
    later = tape.snapshot(row)
    assert (later.day_open[0], later.day_high[0], later.day_low[0], later.day_volume[0]) == (1.55, 1.55, 1.5, 15)


def test_a_last_trade_without_a_quote_is_solved_against_the_spot_of_its_minute(tape: Tape) -> None:
    tape.advance(2 * MINUTE_NS, np.empty(0, np.int32))
    row = np.array([tape.listing.row_of[PUT]])
    first = tape.snapshot(row).iv[0]
    tape.advance(MINUTE_NS, np.empty(0, np.int32))  # the stock moves, the put does not trade
    assert tape.snapshot(row).iv[0] == pytest.approx(first, rel=1e-12)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    write_tape(tmp_path)
    (tmp_path / "option/xyz/20140606_trade_american.zip").unlink()
    with pytest.raises(StandInError, match=r"20140606_trade_american\.zip"):
        Tape.open(tmp_path, DAY, "XYZ")


@pytest.mark.parametrize("kept", [0, 10, 300])
def test_a_truncated_file_is_named_in_one_line(tmp_path: Path, kept: int) -> None:
    path = write_tape(tmp_path) / "option/xyz/20140606_trade_american.zip"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(StandInError, match=r"20140606_trade_american\.zip") as error:
        Tape.open(tmp_path, DAY, "XYZ")
    assert "\n" not in str(error.value)


def test_another_underlying_or_a_day_off_is_refused_by_name(tmp_path: Path) -> None:
    write_tape(tmp_path)
    with pytest.raises(StandInError, match="no options of ABC"):
        Tape.open(tmp_path, DAY, "ABC")
    (tmp_path / "option/xyz/20140606_trade_american.zip").rename(tmp_path / "option/xyz/20140607_trade_american.zip")
    with pytest.raises(StandInError, match="2014-06-07 is no session"):
        Tape.open(tmp_path, dt.date(2014, 6, 7), "XYZ")


def test_aapl_has_all_its_22067_prints_and_1185_traded_contracts(realdata: Path) -> None:
    batches = everything(Tape.open(realdata / "lean", dt.date(2014, 6, 6), "AAPL"))
    contracts = np.concatenate([batch.prints.contract for batch in batches])
    assert len(contracts) == 22_067
    assert len(np.unique(contracts)) == 1_185


def test_spx_call_and_index_agree_on_the_clock_although_their_files_do_not(realdata: Path) -> None:
    """The index file keeps Chicago's time: read as New York's, the call at 3,700 would be worth less than S - K."""
    tape = Tape.open(realdata / "lean", dt.date(2021, 1, 4), "SPX")
    row = np.array([tape.listing.row_of["O:SPXW210104C03700000"]])
    gaps = []
    while not tape.ended:
        tape.advance(MINUTE_NS, row.astype(np.int32))
        state = tape.snapshot(row)
        middle = (state.bid[0] + state.ask[0]) / 2
        gaps.append(middle - max(state.spot[0] - 3700.0, 0.0))
    known = np.array(gaps)[~np.isnan(gaps)]
    assert len(known) > 300
    assert np.mean(known > -1.0) > 0.97


def test_goog_quotes_solve_to_plausible_volatilities_near_the_money(realdata: Path) -> None:
    tape = Tape.open(realdata / "lean", dt.date(2015, 12, 24), "GOOG")
    tape.advance(60 * MINUTE_NS, np.empty(0, np.int32))
    listing = tape.listing
    rows = np.flatnonzero((np.abs(listing.strike_mills - 750_000) <= 20_000) & (listing.expiry_day > 16_800))
    state = tape.snapshot(rows)
    assert np.isfinite(state.iv[state.bid > 0]).mean() > 0.95
    assert 0.15 < np.nanmedian(state.iv) < 0.35
    # Calls and puts of one strike agree: the forward is about right.
    assert np.nanstd(state.iv) < 0.06
