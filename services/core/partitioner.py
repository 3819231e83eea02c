"""Which partition an underlying lives in: the one Kafka's own clients would choose, so that any producer agrees."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["EVERY_PARTITION", "MARKET_WIDE", "Homes", "Partitioner", "market_homes", "murmur2"]

# What every underlying's contexts look at: these ticks are written into every partition.
MARKET_WIDE = frozenset({"SPX", "SPY", "VIX", "VIX9D", "VIX3M", "VIX6M", "VVIX"})
EVERY_PARTITION = -1  # the partition of a row that goes into all of them

_MASK = 0xFFFFFFFF
_SEED, _M, _R = 0x9747B28C, 0x5BD1E995, 24


def murmur2(data: bytes) -> int:
    """The 32-bit MurmurHash2 with the seed of Kafka's default partitioner (org.apache.kafka.common.utils.Utils).

    >>> hex(murmur2(b"foobar"))  # -790332482 as Java's signed int
    '0xd0e47bbe'
    """
    length = len(data)
    digest = _SEED ^ length
    whole = length & ~3
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at : at + 4], "little") * _M & _MASK
        k = (k ^ (k >> _R)) * _M & _MASK
        digest = (digest * _M & _MASK) ^ k
    if whole != length:
        digest = (digest ^ int.from_bytes(data[whole:], "little")) * _M & _MASK
    digest = (digest ^ (digest >> 13)) * _M & _MASK
    return digest ^ (digest >> 15)


class Partitioner:
    """Underlying to partition: an override where the configuration gives one, else murmur2 modulo the count.

    >>> Partitioner(4, {"SPX": 0}).of("SPX")
    0
    """

    def __init__(self, partitions: int, overrides: Mapping[str, int] | None = None) -> None:
        if partitions < 1:
            raise ValueError(f"{partitions} partitions; at least one is needed")
        for symbol, partition in (overrides or {}).items():
            if not 0 <= partition < partitions:
                raise ValueError(f"partition_overrides.{symbol} = {partition}, outside 0 to {partitions - 1}")
        self.partitions = partitions
        self._overrides = dict(overrides or {})

    def of(self, underlying: str) -> int:
        """The partition of an underlying. Callers remember it per contract; nothing is cached here."""
        fixed = self._overrides.get(underlying)
        if fixed is not None:
            return fixed
        # toPositive of Kafka's partitioner: the sign bit is dropped before the modulo.
        return (murmur2(underlying.encode("ascii", "replace")) & 0x7FFFFFFF) % self.partitions


class Homes:
    """Whether a symbol is judged in `partition`: any that has no home elsewhere.

    >>> Homes(2, {"SPX": 0})("SPX"), Homes(2, {"SPX": 0})("AAPL")
    (False, True)
    """

    def __init__(self, partition: int, market: Mapping[str, int]) -> None:
        self._partition, self._market = partition, market

    def __call__(self, symbol: str) -> bool:
        return self._market.get(symbol, self._partition) == self._partition


def market_homes(partitioner: Partitioner) -> dict[str, int]:
    """The one partition in which each symbol of the whole market is judged.

    >>> market_homes(Partitioner(1))["SPX"]
    0
    """
    return {symbol: partitioner.of(symbol) for symbol in sorted(MARKET_WIDE)}
