"""The table of words: ours, which crept in, and the field's, by which a stranger searches. `test_words.py` holds it.

An identifier is compared whole and by its parts: `told_rows` and `ToldRows` both hold `told`. Prose is not.
"""

from __future__ import annotations

__all__ = ["ALLOWED", "IN_PARTS", "ROOMS_TO_COME", "WHOLE"]

# Never, not as a part of a longer name either.
IN_PARTS: dict[str, str] = {
    "told": "published",
    "tell": "publish",
    "tells": "publishes",
    "telling": "publishing",
    "asked": "requested, required",
    "asks": "requires, wants",
    "asking": "requesting",
    "heard": "received",
    "hear": "receive",
    "said": "contributed, published",
    "says": "description",
    "saying": "publishing",
    "seen": "measured, observed",
    "outlet": "publisher, injector",
    "outlets": "publishers",
    "repeats": "deduplicator",
    "spacing": "event_rate",
    "inbox": "receive_queue",
    "keeper": "tracker",
    "ladder": "backoff, grid",
    "machine": "processor",
    "machines": "processors",
    "bury": "send_to_dlq",
    "buried": "dead_lettered",
    "prove": "fence",
    "proved": "fenced",
    "breathe": "yield_if_due",
    "manners": "options, protocol_options",
    "mishaps": "rest_faults",
    "door": "acceptor",
    "portrait": "stylized_facts",
    "dice": "rng, rng_state",
    "noise": "residual, jitter",
    "twin": "numpy_reference",
    "twins": "numpy_references",
    "garbage": "gc",
    "making": "generator, generation",
    "held": "records, pending, waiting",
    "place": "slot, position",
    "places": "slots, positions",
    "interest": "open_interest, ranking",
    "quoting": "quote_subscriptions",
}

# Not alone; in a longer name they are the field's (`started_at`, `one_way`).
WHOLE: dict[str, str] = {
    "at": "index, row, time_ns",
    "way": "direction",
    "ways": "directions",
    "say": "publish, print",
}

# Identifiers that hold one of these and are right, each with its reason.
ALLOWED: dict[str, str] = {
    "open_interest": "contracts in existence, the field's own word",
    "quoting": "the stand-in's kernel that makes quotes",
    "contracts_asked": "a field of the documents on feed.gaps, which readers know by this name",
    "heard_ns": "a field of the documents on feed.gaps and a column of their table",
}

# Rooms whose names are still the old ones. A room leaves this list and never comes back.
ROOMS_TO_COME: tuple[str, ...] = (
    "services/chain/",
    "services/contexts/",
    "services/core/",
    "services/detectors/",
    "services/gateway/",
    "services/market/",
    "services/quant/",
    "services/scanner",
)
