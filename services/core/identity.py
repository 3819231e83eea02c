"""Deterministic ids and digests: what is emitted twice has one name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec

__all__ = ["Digest", "identity", "parameters_digest"]

# 96 bits: among a billion ids the chance of one collision is below 1e-11 (birthday bound n^2 / 2^97).
ID_HEX = 24
PARAMETERS_HEX = 12

_ENCODER = msgspec.json.Encoder(order="deterministic")


def identity(*parts: str | int) -> str:
    """An id from what a decision is about. Parts are length-prefixed, so ("a", "bc") and ("ab", "c") differ.

    >>> identity("sweep_confirmation", 1) == identity("sweep_confirmation", 1)
    True
    >>> identity("a", "bc") == identity("ab", "c")
    False
    """
    hasher = hashlib.sha256()
    for part in parts:
        text = str(part).encode()
        hasher.update(b"%d:%b," % (len(text), text))
    return hasher.hexdigest()[:ID_HEX]


def parameters_digest(parameters: msgspec.Struct) -> str:
    """A short name for a set of parameters; those of `added` that stand at their default are left out of it."""
    added: frozenset[str] = getattr(type(parameters), "added", frozenset())
    defaults = type(parameters)() if added else parameters
    parts = []
    for name in parameters.__struct_fields__:
        value = getattr(parameters, name)
        if name not in added or value != getattr(defaults, name):
            parts.append(_ENCODER.encode(name) + b":" + _ENCODER.encode(value))
    return hashlib.sha256(b"{" + b",".join(parts) + b"}").hexdigest()[:PARAMETERS_HEX]


class Digest:
    """SHA-256 over the canonical JSON lines of signals and alerts, each ended by a newline, in log order: partition,
    then epoch, then position of the deciding event. Anybody can recompute it from the two topics.
    """

    def __init__(self) -> None:
        self._hasher = hashlib.sha256()
        self._partition = -1

    def add(self, partition: int, lines: Iterable[bytes]) -> None:
        """Append lines of a partition. Partitions must come in ascending order, one whole before the next."""
        assert partition >= self._partition, f"lines of partition {partition} after partition {self._partition}"
        self._partition = partition
        for line in lines:
            self._hasher.update(line)
            self._hasher.update(b"\n")

    def hexdigest(self) -> str:
        """The digest of all lines so far."""
        return self._hasher.hexdigest()
