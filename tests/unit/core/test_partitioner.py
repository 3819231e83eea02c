"""The partition is the one Kafka's default partitioner would choose."""

from __future__ import annotations

import pytest

from services.core.partitioner import Partitioner, murmur2

# The cases of Kafka's own test of its hash, as Java's signed integers.
KAFKA_CASES = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize(("data", "signed"), KAFKA_CASES.items())
def test_murmur2_agrees_with_kafka(data: bytes, signed: int) -> None:
    assert murmur2(data) == signed & 0xFFFFFFFF


def test_every_partition_is_used_and_none_beyond() -> None:
    partitioner = Partitioner(7)
    used = {partitioner.of(f"SYM{i}") for i in range(200)}
    assert used == set(range(7))


def test_an_override_wins() -> None:
    plain = Partitioner(4)
    other = (plain.of("SPX") + 1) % 4
    partitioner = Partitioner(4, {"SPX": other})
    assert partitioner.of("SPX") == other
    assert partitioner.of("SPY") == plain.of("SPY")


def test_an_override_outside_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"partition_overrides\.SPX = 4, outside 0 to 3"):
        Partitioner(4, {"SPX": 4})
