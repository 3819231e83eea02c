"""The envelope around every answer of Massive.com's REST, `{"status":"OK","results":[...],"next_url":"..."}`. Pure.

`results` may be absent, `next_url` is absolute and never carries the key. A row is judged on its own, as on the
WebSocket: all rows at once, and one by one when that fails.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from services.gateway.massive.messages import REJECT_BYTES_MAX, Reject

__all__ = ["MALFORMED", "Bodies", "bodies", "rows_of"]

MALFORMED = (ValueError, RecursionError)


class _Envelope(Struct):
    results: list[msgspec.Raw] = []
    next_url: str | None = None


class Bodies(NamedTuple):
    """Decoders of one kind of body: all rows at once, and one by one when that fails."""

    what: str
    whole: msgspec.json.Decoder[Any]
    row: msgspec.json.Decoder[Any]


def bodies(what: str, row: Any) -> Bodies:
    """Decoders of a kind of body, named `what` in rejects, whose rows are `row`s."""
    envelope = msgspec.defstruct(f"{what}Envelope", [("results", list[row], []), ("next_url", str | None, None)])
    return Bodies(what, msgspec.json.Decoder(envelope, strict=False), msgspec.json.Decoder(row, strict=False))


_ENVELOPE = msgspec.json.Decoder(_Envelope)


def rows_of(body: bytes, kind: Bodies) -> tuple[list[Any], list[Reject], str | None]:
    """The rows of a body, what was malformed, the next page's address."""
    try:
        whole = kind.whole.decode(body)
    except MALFORMED:
        return _one_by_one(body, kind)
    return whole.results, [], whole.next_url


def _one_by_one(body: bytes, kind: Bodies) -> tuple[list[Any], list[Reject], str | None]:
    try:
        envelope = _ENVELOPE.decode(body)
    except MALFORMED as error:
        return [], [Reject("not_json", f"{kind.what}: {error}", body[:REJECT_BYTES_MAX])], None
    rows: list[Any] = []
    rejects: list[Reject] = []
    for raw in envelope.results:
        try:
            rows.append(kind.row.decode(raw))
        except MALFORMED as error:
            rejects.append(Reject("malformed", f"{kind.what}: {error}", bytes(raw)[:REJECT_BYTES_MAX]))
    return rows, rejects, envelope.next_url
