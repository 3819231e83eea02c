"""Records lie on whole cache lines, and taking some of them is the same as asking numpy."""

from __future__ import annotations

import numpy as np

from services.market.records import RESERVE, RESERVED_FROM_BYTES, doubled, line_record, records, taken
from services.quant.jit import LINE

RECORD = line_record({"name": "i8", "flag": "i1", "price": "f8", "small": "i2"})


def test_a_record_is_whole_lines_and_the_first_begins_one() -> None:
    assert RECORD.itemsize == LINE
    assert line_record({f"f{number}": "f8" for number in range(9)}).itemsize == 2 * LINE
    for count in (1, 3, 1000):
        held = records(count, RECORD)
        assert len(held) == count
        assert held.ctypes.data % LINE == 0
        assert not held.view(np.uint8).any()


def test_taken_records_are_those_numpy_takes() -> None:
    held = records(10, RECORD)
    held["name"], held["price"], held["flag"] = np.arange(10), np.arange(10) / 7, 1
    for which in (np.array([3, 3, 9]), np.array([], np.int64), held["name"] % 2 == 0):
        assert taken(held, which).tolist() == held[which].tolist()
    assert doubled(held)[:10].tolist() == held.tolist()
    assert not doubled(held)[10:].view(np.uint8).any()


def test_many_records_double_in_their_place_until_their_room_is_used_up() -> None:
    count = RESERVED_FROM_BYTES // RECORD.itemsize
    held = records(count, RECORD)
    assert held.ctypes.data % LINE == 0
    held["name"] = np.arange(1, count + 1)
    place, doublings = held.ctypes.data, 0
    while (grown := doubled(held)).ctypes.data == place:
        held, doublings = grown, doublings + 1
        assert held["name"][:count].tolist() == list(range(1, count + 1))
        assert not held[count:].view(np.uint8).any()
    assert 2**doublings == RESERVE
    assert len(grown) == 2 * len(held)
    assert grown["name"].tolist() == [*range(1, count + 1), *[0] * (len(grown) - count)]
