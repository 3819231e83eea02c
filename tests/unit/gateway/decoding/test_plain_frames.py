"""Bytes straight to columns: what is plain comes out as the long way would have it, what is not is left to it."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.core.partitioner import Partitioner
from services.gateway.decoding.frames_kernel import PRINT, scan_frame
from services.gateway.decoding.plain_frames import FIRST_PLACES
from services.gateway.decoding.quotes_kernel import QUOTE
from services.gateway.decoding.tabulate import Tabulator, TradeTable
from services.gateway.massive.codes import CodeTable
from services.gateway.massive.messages import decode_frame
from tests.support import vendor as v

LATEST_NS = 2**63 - 1


def both_ways(*frames: bytes) -> tuple[list[TradeTable | None], list[TradeTable]]:
    """What two gateways make of the same frames: one reads bytes, one decodes events."""
    short, long = Tabulator(Partitioner(4)), Tabulator(Partitioner(4))
    return [short.plain(data) for data in frames], [long.trades(decode_frame("options", data)) for data in frames]


def assert_equal(one: TradeTable, other: TradeTable) -> None:
    for name, left, right in zip(one.rows._fields, one.rows, other.rows, strict=True):
        assert left.dtype == right.dtype, name
        assert left.tobytes() == right.tobytes(), name
    np.testing.assert_array_equal(one.partitions, other.partitions)
    assert one[3:] == other[3:]


def assert_plain(*frames: bytes) -> None:
    for short, long in zip(*both_ways(*frames), strict=True):
        assert short is not None
        assert_equal(short, long)
        np.testing.assert_array_equal(short.contracts, long.contracts)


def is_plain(data: bytes) -> bool:
    return Tabulator(Partitioner(4)).plain(data) is not None


def test_what_a_healthy_feed_sends_is_plain() -> None:
    assert_plain(v.frame(v.trade()), v.frame(v.trade(v.SPX_PUT, q=1), v.trade(q=1844730913), v.trade(q=1844730914)))


@pytest.mark.parametrize(
    "element",
    [
        {**v.trade(), "p": 0.0},
        v.trade(p=0),
        v.trade(p=12),
        v.trade(p=1e9),
        v.trade(p=0.1),
        v.trade(p=123456.789012345),
        v.trade(s=1),
        v.trade(s=2**31 - 1),
        v.trade(q=10**18 - 1),
        v.trade(q=0),
        v.trade(x=0),
        v.trade(c=[]),
        v.trade(c=[0]),
        v.trade(c=[219, 232, 209]),
        v.trade(c=[232, 0]),
        v.without(v.trade(), "c"),
        v.without(v.trade(), "x", "q", "c"),
        v.trade(t=946_684_800_000),
        v.trade(t=4_102_444_800_000),
        dict(reversed(v.trade().items())),
        v.quote(),
        v.quote(bp=0, bs=0),
        v.quote(bp=1e9, ap=0.01, bs=2**31 - 1),
        v.quote(t=v.T0_MS + 5),
        v.quote(t=4_102_444_800_000),
        v.quote(bx=0, ax=99_999),
        v.without(v.quote(), "bx", "ax", "bs", "as", "q"),
        {"ev": "Q", **dict(reversed(v.without(v.quote(), "ev").items()))},
    ],
)
def test_numbers_at_their_limits_lists_and_absent_keys_are_plain(element: dict[str, Any]) -> None:
    assert_plain(v.frame(element), v.frame(v.trade(q=2), element, v.trade(q=3)))


@pytest.mark.parametrize(
    "element",
    [
        {},
        dict(reversed(v.quote().items())),
        v.quote("NONSENSE"),
        v.quote(bp=-0.01),
        v.quote(ap=1_000_000_000.01),
        v.quote(ap="12"),
        v.quote(bs=2**31),
        v.quote(bs=1.0),
        v.quote(c=[1]),
        v.quote(i=[1]),
        v.quote(bz=1),
        v.quote(bpp=1),
        v.quote(t=946_684_799_999),
        *(v.without(v.quote(), key) for key in ("sym", "bp", "ap", "t")),
        v.status("success", "subscribed to: T.*"),
        v.stock_bar(v.SPY_CALL),
        v.trade(ev="TT"),
        v.trade(ds="25"),
        v.trade(c=None),
        v.trade(c=[2**15]),
        v.trade(c=[-1]),
        v.trade(c=[219.0]),
        v.trade(c=219),
        v.trade(c=[999]),
        v.trade(c=[219, 999]),
        v.trade(x=311),
        v.trade(x=2**15),
        v.trade(p=-0.01),
        v.trade(p=1e-7),
        v.trade(p=1_000_000_000.01),
        v.trade(p=0.12345678901234567),
        v.trade(p="12"),
        v.trade(s=0),
        v.trade(s=25.0),
        v.trade(s=2**31),
        v.trade(q=-1),
        v.trade(q=10**18),
        v.trade(t=v.T0_MS / 1000),
        v.trade(t=v.T0_NS),
        v.trade(t=946_684_799_999),
        v.trade("NONSENSE"),
        v.trade("O:SPY251319C00650000"),
        v.trade(""),
        v.trade("O:SPY251219C00650000" * 2),
        v.trade("O:BRK.B251219C00650000"),
        v.trade("O:É251219C00650000"),
        v.trade('O:"'),
        *(v.without(v.trade(), key) for key in ("ev", "sym", "p", "s", "t")),
    ],
)
def test_anything_odd_in_one_element_leaves_the_whole_frame_to_the_long_way(element: dict[str, Any]) -> None:
    assert not is_plain(v.frame(v.trade(q=1), element, v.trade(q=2)))
    assert not is_plain(v.frame(element))


PLAIN = v.frame(v.trade())


@pytest.mark.parametrize(
    "data",
    [
        b"", b"[", b"]", b"[]", b"{}", b"[[]]", b"[{}]", b"null",
        PLAIN + b" ", b" " + PLAIN, PLAIN + PLAIN, PLAIN[1:], PLAIN.replace(b",", b", "),
        PLAIN.replace(b":25", b":025"),
        PLAIN.replace(b"12.41", b"12."), PLAIN.replace(b"12.41", b".41"), PLAIN.replace(b"12.41", b"012.41"),
        PLAIN.replace(b"12.41", b"1.241e1"), PLAIN.replace(b"12.41", b"+12.41"), PLAIN.replace(b"}]", b",}]"),
        PLAIN.replace(b"}]", b"},]"), PLAIN.replace(b"}]", b'}{"ev"}]'), PLAIN.replace(b"[219]", b"[219,]"),
        PLAIN.replace(b"[219]", b"[,]"), PLAIN.replace(b'"s":25', b'"s":25,"s":26'), PLAIN.replace(b"}]", b"\0}]"),
        PLAIN.replace(b'"T"', b'"\\u0054"'), PLAIN.replace(b'"s"', b'"\\u0073"'),
    ],
)  # fmt: skip
def test_other_spellings_are_left_to_the_long_way(data: bytes) -> None:
    assert not is_plain(data)


def test_a_frame_that_breaks_off_is_not_plain_wherever_it_does() -> None:
    data = v.frame(v.trade(), v.quote(), v.trade(c=[219, 232]), v.quote())
    for end in range(len(data)):
        assert not is_plain(data[:end])
        assert is_plain(data[:end] + b"]") == data[:end].endswith(b"}")


BEHIND = [b'","x":302,"p":12.41}]', b"219]}]", b"9" * 40, b'"]}]]', b'p":1}]', b's":1,"ap":2}]', b'":"Q","sym":"']


@pytest.mark.parametrize("behind", BEHIND)
def test_nothing_is_read_behind_the_end_of_a_frame(behind: bytes) -> None:
    data = v.frame(v.trade(), v.quote(), v.trade(c=[219, 232]), v.quote())
    codes, places, prints, quotes = CodeTable(), np.zeros((8, 4), np.uint64), np.zeros(8, PRINT), np.zeros(8, QUOTE)
    counts = np.zeros(2, np.int64)

    def scanned(held: bytes, length: int) -> int:
        codes_held = (codes.bits, codes.quiet_conditions, codes.quiet_exchanges)
        characters = np.frombuffer(held, np.uint8)[:length]
        return int(scan_frame(characters, places, *codes_held, LATEST_NS, prints, quotes, counts))

    for end in range(len(data)):
        cut = data[:end] + b"]"
        assert scanned(cut + behind, len(cut)) == scanned(cut, len(cut)), cut


def test_a_print_later_than_can_be_believed_is_not_plain() -> None:
    table = Tabulator(Partitioner(4))
    table.latest_ns = v.T0_NS
    assert table.plain(v.frame(v.trade(q=1))) is not None
    assert table.plain(v.frame(v.trade(q=2), v.trade(t=v.T0_MS + 1, q=3))) is None


def test_an_unknown_id_is_plain_once_it_was_reported() -> None:
    table = Tabulator(Partitioner(4))
    data = v.frame(v.trade(c=[999], x=326))
    assert table.plain(data) is None
    table.trades(decode_frame("options", data))
    assert sorted(table.codes.take_unknown()) == [("condition", 999), ("exchange", 326)]
    found = table.plain(v.frame(v.trade(c=[999, 209], x=326, q=1844730913)))
    assert found is not None
    assert (found.rows.condition.tolist(), found.rows.condition_bits.tolist()) == ([999], [1 | 1 << 9])
    assert table.codes.take_unknown() == []


def test_a_repeated_print_goes_and_a_backward_one_is_counted() -> None:
    first, again = v.frame(v.trade(q=5)), v.frame(v.trade(q=5), v.trade(q=4), v.trade(q=6))
    assert_plain(first, again)
    shorts, _ = both_ways(first, again)
    assert [(each.repeated, each.backward) for each in shorts if each is not None] == [(0, 0), (1, 1)]


def test_prints_find_the_quotes_that_stand() -> None:
    short, long = Tabulator(Partitioner(4)), Tabulator(Partitioner(4))
    quotes, prints = v.frame(v.quote()), v.frame(v.trade(), v.trade(v.SPX_PUT), v.trade(t=v.T0_MS - 9, q=1))
    for table in (short, long):
        table.trades(decode_frame("options", quotes))
    found = short.plain(prints)
    assert found is not None
    assert found.rows.bid_usd[0] == 12.38
    assert_equal(found, long.trades(decode_frame("options", prints)))


def test_quotes_among_prints_stand_from_where_they_came() -> None:
    """Across frames, by contract, late ones, ties, and a contract that is met in a quote first."""
    dice = random.Random(5)
    tickers = [v.SPY_CALL, v.SPX_PUT, *(ticker(number) for number in range(1, 60))]
    frames = []
    for number in range(200):
        elements = []
        for at in range(dice.randint(1, 40)):
            symbol, t = dice.choice(tickers), v.T0_MS + number + dice.randint(-3, 3)
            bid = round(dice.uniform(0, 20), 2)
            elements.append(
                v.trade(symbol, t=t, q=number * 100 + at)
                if dice.random() < 0.3
                else v.quote(symbol, t=t, bp=bid, ap=round(bid + 0.05, 2), bs=dice.randint(0, 90))
            )
        frames.append(v.frame(*elements))
    assert_plain(*frames)
    shorts, _ = both_ways(*frames)
    known = [np.count_nonzero(~np.isnan(one.rows.bid_usd)) for one in shorts if one is not None]
    assert sum(known) > 500


def ticker(number: int) -> str:
    return f"O:R{number % 97}{number % 3}2512{1 + number % 28:02d}{'CP'[number % 2]}{number:08d}"


def test_more_contracts_than_there_were_places_are_all_found_again() -> None:
    numbers = list(range(1, 3 * FIRST_PLACES))
    frames = [v.frame(*(v.trade(ticker(n), q=n) for n in numbers[at : at + 700])) for at in range(0, len(numbers), 700)]
    again = [v.frame(*(v.trade(ticker(n), q=n + 1) for n in numbers))]
    assert_plain(*frames, *again)


def test_a_contract_known_from_elsewhere_keeps_its_id() -> None:
    table = Tabulator(Partitioner(4))
    known = [table.contracts.id_of(each) for each in (v.SPX_PUT, v.SPY_CALL)]
    found = table.plain(v.frame(v.trade(v.SPY_CALL), v.trade(v.SPX_PUT)))
    assert found is not None
    assert found.contracts.tolist() == known[::-1]


def test_ids_given_out_anew_are_learnt_anew() -> None:
    table = Tabulator(Partitioner(4))
    table.plain(v.frame(v.trade("O:SPY251218C00650000"), v.trade("O:SPY251219C00650000")))
    table.contracts.retire(table.contracts.expiry_day[1])
    table.repeats.clear()
    found = table.plain(v.frame(v.trade("O:SPY251219C00650000")))
    assert found is not None
    assert found.contracts.tolist() == [0]


def test_a_full_table_leaves_new_contracts_to_the_long_way() -> None:
    table = Tabulator(Partitioner(4))
    table.contracts._contracts_max = 1
    assert table.plain(v.frame(v.trade())) is not None
    assert table.plain(v.frame(v.trade(q=1844730913), v.trade(v.SPX_PUT))) is None
    assert table.plain(v.frame(v.trade(q=1844730914))) is not None


prices = st.one_of(
    st.decimals(0, 10**9, allow_nan=False, places=2).map(str),
    st.decimals(0, 1000, allow_nan=False, places=10).map(str),
    st.integers(0, 10**9).map(str),
    st.floats(0, 1e9, allow_nan=False).map(repr),
)


@given(st.lists(prices, min_size=1, max_size=30))
def test_a_price_has_the_bits_that_msgspec_gives_it(texts: list[str]) -> None:
    data = b"[" + b",".join(PLAIN[1:-1].replace(b"12.41", text.encode()) for text in texts) + b"]"
    for short, long in zip(*both_ways(data), strict=True):
        assert short is None or short.rows.price_usd.tobytes() == long.rows.price_usd.tobytes()
    if all("e" not in text.lower() and sum(map(str.isdigit, text)) <= 15 for text in texts):
        assert is_plain(data)


def test_a_hundred_thousand_mutated_frames_are_the_same_prints_or_not_plain() -> None:
    """The counterpart of the test of the whole path: a mutation that passes must be one that msgspec understands so."""
    dice = random.Random(20261128)
    elements = [v.trade(), v.quote(), v.trade(v.SPX_PUT, c=[219, 232]), v.trade(c=[], p=3), v.quote(v.SPX_PUT, bs=0)]
    short, long = Tabulator(Partitioner(4)), Tabulator(Partitioner(4))
    passed = 0
    for number in range(100_000):
        chosen = dice.sample(elements, dice.randint(1, 3))
        raw = bytearray(v.frame(*({**each, "q": number * 10 + at} for at, each in enumerate(chosen))))
        at = dice.randrange(len(raw))
        accident = dice.randrange(4)
        if accident == 0:
            raw[at] = dice.choice(b'0123456789.,:"[]{}evsymptxcqabTQOSPY- \0\xff')
        elif accident == 1:
            del raw[at : at + dice.randint(1, 5)]
        elif accident == 2:
            raw[at:at] = raw[at : at + dice.randint(1, 20)]
        else:
            raw[at:at] = dice.choice((b"1", b"0", b".", b",", b"9999999999", b'"', b"}", b"]", b"null"))
        data = bytes(raw)
        found = short.plain(data)
        if found is not None:
            passed += 1
            decoded = decode_frame("options", data)
            assert decoded.rejects == [], data
            assert len(msgspec.json.decode(data)) == len(decoded.events), data
            assert_equal(found, long.trades(decoded))
    assert passed > 1_000, "the mutations were too rough to prove anything"
