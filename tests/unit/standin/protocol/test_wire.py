"""The vendor's JSON, key by key (spec/vendor.md 3.1 to 3.7)."""

from __future__ import annotations

import json

import numpy as np

from standin.feed.source import Prints, Quotes, SecondBars, Values
from standin.files.tape import Tape
from standin.protocol.wire import encode, frames, index_events, option_events, stock_events
from tests.unit.standin.conftest import CALL, PUT


def prints(*q: int) -> Prints:
    count = len(q)
    return Prints(
        np.zeros(count, np.int32),
        np.full(count, 302, np.int32),
        np.full(count, 1.55),
        np.full(count, 12),
        np.full(count, 219, np.int32),
        np.full(count, 1402061459999),
        np.array(q),
    )


def quotes(*q: int) -> Quotes:
    count = len(q)
    ones = np.ones(count, np.int64)
    venue = np.full(count, 313, np.int32)
    price = np.full(count, 1.5)
    return Quotes(
        np.ones(count, np.int32),
        venue,
        price,
        9 * ones,
        venue,
        price + 0.1,
        4 * ones,
        ones * 1402061459999,
        np.array(q),
    )


def test_a_trade_has_the_vendors_keys_and_nothing_else(tape: Tape) -> None:
    assert json.loads(encode(option_events(tape.listing, prints(7), quotes()))) == [
        {"ev": "T", "sym": CALL, "x": 302, "p": 1.55, "s": 12, "c": [219], "t": 1402061459999, "q": 7}
    ]


def test_a_quote_has_the_vendors_keys_and_nothing_else(tape: Tape) -> None:
    (event,) = json.loads(encode(option_events(tape.listing, prints(), quotes(6))))
    assert event == {
        "ev": "Q",
        "sym": tape.listing.tickers[1],
        "bx": 313,
        "bp": 1.5,
        "bs": 9,
        "ax": 313,
        "ap": 1.6,
        "as": 4,
        "t": 1402061459999,
        "q": 6,
    }
    assert PUT in tape.listing.tickers


def test_trades_and_quotes_are_merged_by_sequence(tape: Tape) -> None:
    events = json.loads(encode(option_events(tape.listing, prints(2, 6), quotes(1, 5, 7))))
    assert [(event["ev"], event["q"]) for event in events] == [("Q", 1), ("T", 2), ("Q", 5), ("T", 6), ("Q", 7)]


def test_an_index_value_names_its_ticker_under_a_capital_t() -> None:
    values = Values(np.array([1], np.int32), np.array([16.9]), np.array([1402061400000]))
    assert json.loads(encode(index_events(("I:SPX", "I:VIX"), values))) == [
        {"ev": "V", "val": 16.9, "T": "I:VIX", "t": 1402061400000}
    ]


def test_a_stock_bar_has_the_vendors_keys() -> None:
    one = np.array([1.0])
    count = np.array([500])
    bars = SecondBars(np.array([0], np.int32), one, one, one, one, count, one, count, one, count, count + 1000)
    (event,) = json.loads(encode(stock_events(("SPY",), bars)))
    assert set(event) == {"ev", "sym", "v", "av", "op", "vw", "o", "c", "h", "l", "a", "z", "s", "e"}
    assert (event["sym"], event["v"], event["s"], event["e"]) == ("SPY", 500, 500, 1500)


def test_frames_hold_at_most_the_asked_number_of_events_in_order(tape: Tape) -> None:
    cut = [json.loads(frame) for frame in frames(option_events(tape.listing, prints(*range(1, 8)), quotes()), 3)]
    assert [[event["q"] for event in frame] for frame in cut] == [[1, 2, 3], [4, 5, 6], [7]]
