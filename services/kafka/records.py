"""Decisions and views as Kafka records, and back into the order of the log.

A decision's record is its canonical JSON, keyed by its underlying. The header `ordinal` numbers the decisions of one
position, of all kinds together: with it their topics can be read back as the one sequence they were. A view's
record is keyed by underlying and context, because its topic is compacted; its header `at` is the frame it was sampled
at: epoch, seq, received_ns.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from schemas.decisions import View, canonical
from schemas.frames import Header
from schemas.kinds import KINDS, Decision, DecisionKind, identity_of, kind_of
from services.core.identity import Digest
from services.kafka.partition_processor import Decided

__all__ = ["ProducerRecord", "Published", "in_log_order", "log_digest", "records", "sampled_at"]

Headers = Sequence[tuple[str, bytes]]


class ProducerRecord(NamedTuple):
    """One record to write; `topic` is the registry's name."""

    topic: str
    key: bytes
    value: bytes
    partition: int
    headers: list[tuple[str, bytes]]


class _LogPosition(msgspec.Struct, frozen=True):
    """The part of a decision that says where it stands, and its `id` where its kind has one of that name."""

    epoch: int
    position: int
    id: str | None = None


_LOG_POSITION = msgspec.json.Decoder(_LogPosition)


@functools.cache
def _position_decoder(kind: DecisionKind) -> msgspec.json.Decoder[Any]:
    """Reads the part of a decision that says which it is and where it stands, `id` whatever the kind calls it."""
    fields = [("id", str), ("epoch", int), ("position", int), ("emitted_ns", int)]
    return msgspec.json.Decoder(msgspec.defstruct("Place", fields, frozen=True, rename={"id": kind.identity}))


class Published:
    """What of one partition is on the output topics already, told from the ends of them.

    Each topic holds a beginning of what the partition's log leads to: one writer at a time, in order. So everything up
    to the newest record was published, and nothing after it.
    """

    def __init__(self) -> None:
        self._newest: dict[str, tuple[int, int]] = {}
        self._ids: dict[str, set[str]] = {}
        self.log_ns = 0  # the largest log time of any of them; 0 when nothing was published

    def note(self, topic: str, value: bytes, headers: Headers) -> None:
        """Take one record from the end of an output topic, in any order."""
        if topic == "contexts":
            epoch, seq, received_ns = sampled_at(headers)
            self._newest[topic] = max(self._newest.get(topic, (-1, -1)), (epoch, seq))
            self.log_ns = max(self.log_ns, received_ns)
            return
        one = _position_decoder(_kind_on(topic)).decode(value)
        log_position = (one.epoch, one.position)
        newest = self._newest.get(topic, (-1, -1))
        if log_position > newest:
            self._newest[topic], self._ids[topic] = log_position, {one.id}
        elif log_position == newest:
            self._ids[topic].add(one.id)
        self.log_ns = max(self.log_ns, one.emitted_ns)

    def lacks_decision(self, decision: Decision) -> bool:
        """Whether a decision is not on its topic yet."""
        topic = kind_of(decision).topic
        log_position, newest = (decision.epoch, decision.position), self._newest.get(topic, (-1, -1))
        return log_position > newest or (log_position == newest and identity_of(decision) not in self._ids[topic])

    def lacks_views(self, header: Header) -> bool:
        """Whether the views sampled at a frame are not all known to be out. The newest frame's are written again."""
        return (header.epoch, header.seq) >= self._newest.get("contexts", (-1, -1))


def records(decided: Decided, published: Published | None = None) -> list[ProducerRecord]:
    """What to write for a frame, in order, without what `published` has."""
    head = decided.header
    made = [
        ProducerRecord(
            kind_of(one).topic, one.underlying.encode(), canonical(one), one.partition, [("ordinal", b"%d" % ordinal)]
        )
        for ordinal, one in decided.decisions
        if published is None or published.lacks_decision(one)
    ]  # fmt: skip
    if decided.views and (published is None or published.lacks_views(head)):
        stamp = b"%d %d %d" % (head.epoch, head.seq, head.received_ns)
        made += [_view_record(view, head.partition, stamp) for view in decided.views]
    return made


def _view_record(view: View, partition: int, stamp: bytes) -> ProducerRecord:
    return ProducerRecord(
        "contexts", f"{view.underlying}/{view.context}".encode(), canonical(view), partition, [("at", stamp)]
    )


def sampled_at(headers: Headers) -> tuple[int, int, int]:
    """Epoch, seq and received_ns of the frame a view was sampled at; zeros when the record does not say."""
    text = dict(headers).get("at", b"0 0 0")
    epoch, seq, received_ns = text.split()
    return int(epoch), int(seq), int(received_ns)


def _kind_on(topic: str) -> DecisionKind:
    """The kind of decision a topic carries."""
    return next(kind for kind in KINDS.values() if kind.topic == topic)


def in_log_order(read: Iterable[tuple[bytes, Headers]]) -> list[bytes]:
    """Documents of digested decisions of one partition in the log's order, each once."""
    placed = []
    for value, headers in read:
        one = _LOG_POSITION.decode(value)
        # What has no `id` is told apart by its bytes: a decision that is made again has the same.
        name = value if one.id is None else one.id.encode()
        placed.append((one.epoch, one.position, int(dict(headers).get("ordinal", b"0")), name, value))
    lines: dict[bytes, bytes] = {}
    for _, _, _, name, value in sorted(placed):
        lines.setdefault(name, value)
    return list(lines.values())


def log_digest(by_partition: dict[int, Iterable[tuple[bytes, Headers]]]) -> str:
    """The digest of a run from the topics of its decisions, as `verify` takes it from the warehouse."""
    digest = Digest()
    for partition in sorted(by_partition):
        digest.add(partition, in_log_order(by_partition[partition]))
    return digest.hexdigest()


def document(value: bytes) -> dict[str, Any]:
    """A record's value as a dictionary."""
    return dict(msgspec.json.decode(value))
