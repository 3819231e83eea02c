"""The registry of what a pipeline decides: each kind's document, topic, table, and what is counted and compared.

Hosts, sinks, metrics, replay and verification take from here what they do with a decision. A new kind is a document in
`schemas.decisions`, a line below, and a migration for its table.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import msgspec

from schemas.decisions import Alert, Signal

__all__ = ["KINDS", "Decision", "DecisionKind", "UnknownKindError", "identity_of", "kind_named", "kind_of"]


class Decision(Protocol):
    """What every decision says of itself: whom it is about, and where in the log it stands."""

    @property
    def underlying(self) -> str: ...
    @property
    def event_ns(self) -> int: ...
    @property
    def emitted_ns(self) -> int: ...
    @property
    def partition(self) -> int: ...
    @property
    def epoch(self) -> int: ...
    @property
    def position(self) -> int: ...


class DecisionKind(NamedTuple):
    """One kind of decision.

    `name` is singular, `counted` the name of its total. `columns` are the fields that its table has beside its place in
    the log and the document. `rank` orders the kinds at one position where a record lost its ordinal. What is not
    `digested` is published and stored, and left out of the digest of a run.
    """

    name: str
    document: type[msgspec.Struct]
    topic: str
    table: str
    counted: str
    columns: tuple[str, ...]
    about: str
    rank: int = 0
    digested: bool = True
    identity: str = "id"  # the field that names one decision


class UnknownKindError(TypeError):
    """A document of a kind that nobody registered."""

    def __init__(self, document: object) -> None:
        self.document = document
        names = ", ".join(kind.name for kind in KINDS.values())
        super().__init__(f"{type(document).__name__} is no kind of decision; registered in schemas/kinds.py: {names}")


_ABOUT = ("id", "detector", "version", "underlying", "direction")

KINDS: dict[type, DecisionKind] = {
    kind.document: kind
    for kind in (
        DecisionKind("signal", Signal, "signals", "signals", "signals", (*_ABOUT, "base"), "one a detection"),
        DecisionKind(
            "alert",
            Alert,
            "alerts",
            "alerts",
            "alerts",
            (*_ABOUT, "signal_id", "score"),
            "scored, deduplicated",
            rank=1,
        ),
    )
}


def kind_of(decision: Decision) -> DecisionKind:
    """The kind of a decision. Raises UnknownKindError."""
    kind = KINDS.get(type(decision))
    if kind is None:
        raise UnknownKindError(decision)
    return kind


def kind_named(name: str) -> DecisionKind:
    """The kind of that name; KeyError when there is none."""
    return {kind.name: kind for kind in KINDS.values()}[name]


def identity_of(decision: Decision) -> str:
    """The id of a decision, whatever its kind calls it."""
    return str(getattr(decision, kind_of(decision).identity))
