"""Decisions: one line of canonical JSON each, valid against the published schema, readable across versions."""

from __future__ import annotations

import json
import math
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.decisions import Alert, Contribution, DeadLetter, Outcome, Record, Signal, View, canonical, rounded
from schemas.gaps import Gap
from schemas.topics import TOPICS, json_schema

# JSON has one kind of number and no NaN; what a pipeline publishes is finite by contract and rounded.
numbers = st.floats(allow_nan=False, allow_infinity=False)
optional = st.none() | numbers
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
stamps = st.integers(-(2**63), 2**63 - 1)
counts = st.integers(0, 2**63 - 1)
named = st.dictionaries(words, numbers, max_size=4)
inputs = st.lists(st.tuples(counts, counts), max_size=3).map(tuple)

contributions = st.builds(Contribution, source=words, points=numbers, confidence=numbers, age_s=numbers, reason=words)
DOCUMENTS: dict[type[msgspec.Struct], st.SearchStrategy[Any]] = {
    View: st.builds(View, confidence=numbers, as_of_ns=stamps, values=st.dictionaries(words, optional, max_size=4)),
    Signal: st.builds(
        Signal, contract=st.none() | words, event_ns=stamps, emitted_ns=stamps, partition=counts, epoch=counts,
        position=counts, inputs=inputs, base=numbers, confidence=numbers, reference_usd=optional, stop_usd=optional,
        target_usd=optional, horizon_s=counts, null_probability=optional, factors=named, evidence=named, headline=words,
    ),
    Alert: st.builds(
        Alert, contract=st.none() | words, score=numbers, base=numbers, boosts=st.tuples(contributions),
        penalties=st.tuples(contributions), coverage=numbers, flags=st.lists(words, max_size=2).map(tuple),
        event_ns=stamps, emitted_ns=stamps, partition=counts, epoch=counts, position=counts, inputs=inputs,
        reference_usd=optional, stop_usd=optional, target_usd=optional, horizon_s=counts, evidence=named,
        record=st.builds(Record, n=counts, win_rate=optional), headline=words,
    ),
    Outcome: st.builds(Outcome, entry_usd=numbers, exit_usd=numbers, exit_ns=stamps, r_multiple=numbers),
    DeadLetter: st.builds(DeadLetter, source=words, reason=words, detail=words, received_ns=stamps),
    Gap: st.builds(
        Gap, epoch=counts, number=counts, channel=words, cause=words, from_ns=stamps, to_ns=st.none() | stamps,
        lost_ns=stamps, restored_ns=st.none() | stamps, losses=counts, note=words,
    ),
}  # fmt: skip
documents = st.one_of(*DOCUMENTS.values())
BY_DOCUMENT = {topic.document: topic for topic in TOPICS.values() if topic.document is not None}


def test_every_json_topic_is_covered_here() -> None:
    assert set(DOCUMENTS) == set(BY_DOCUMENT)


@settings(max_examples=200)
@given(documents)
def test_a_document_survives_its_json(document: msgspec.Struct) -> None:
    assert msgspec.json.decode(canonical(document), type=type(document)) == document


@settings(max_examples=200)
@given(documents)
def test_a_document_is_valid_against_its_published_schema(document: msgspec.Struct) -> None:
    jsonschema.validate(json.loads(canonical(document)), json_schema(BY_DOCUMENT[type(document)]))


@given(documents)
def test_canonical_is_one_line(document: msgspec.Struct) -> None:
    assert b"\n" not in canonical(document)


@given(documents)
def test_decoding_and_encoding_again_changes_no_byte(document: msgspec.Struct) -> None:
    once = canonical(document)
    assert canonical(msgspec.json.decode(once, type=type(document))) == once


def a_signal(**changes: Any) -> Signal:
    fields: dict[str, Any] = {
        "id": "1", "detector": "sweep_confirmation", "version": "1", "parameters": "abc", "underlying": "SPY",
        "contract": None, "direction": "LONG", "label": "PRICE_BARRIER", "event_ns": 1, "emitted_ns": 2,
        "partition": 0, "epoch": 1, "position": 10, "inputs": ((1, 9),), "base": 50.0, "confidence": 0.5,
        "reference_usd": None, "stop_usd": None, "target_usd": None, "horizon_s": 60, "null_probability": None,
        "factors": {}, "evidence": {}, "headline": "",
    }  # fmt: skip
    return Signal(**{**fields, **changes})


def test_the_order_in_which_evidence_was_found_does_not_show() -> None:
    one = a_signal(evidence={"premium_usd": 1.0, "contracts": 2.0})
    other = a_signal(evidence={"contracts": 2.0, "premium_usd": 1.0})
    assert canonical(one) == canonical(other)


def test_fields_stand_in_the_order_they_are_declared() -> None:
    assert tuple(json.loads(canonical(a_signal()))) == Signal.__struct_fields__


def test_a_zero_keeps_no_sign() -> None:
    """-0.0 and 0.0 are equal numbers with different JSON; published numbers are the positive one."""
    assert canonical(a_signal(base=rounded(-0.0))) == canonical(a_signal(base=0.0))


class TestEvolution:
    """A new field has a default; then old and new programs read each other's documents."""

    class Tomorrow(Signal, frozen=True, kw_only=True):
        trials: int = 1

    def test_new_reads_old(self) -> None:
        read = msgspec.json.decode(canonical(a_signal()), type=self.Tomorrow)
        assert read.trials == 1
        assert read.evidence == a_signal().evidence

    def test_old_reads_new(self) -> None:
        fields = {name: getattr(a_signal(), name) for name in Signal.__struct_fields__}
        written = canonical(self.Tomorrow(**fields, trials=7))
        assert msgspec.json.decode(written, type=Signal) == a_signal()

    def test_a_document_without_a_field_that_has_no_default_is_refused_by_name(self) -> None:
        document = json.loads(canonical(a_signal()))
        del document["detector"]
        with pytest.raises(msgspec.ValidationError, match="detector"):
            msgspec.json.decode(json.dumps(document), type=Signal)


class TestRounded:
    @given(numbers)
    def test_twice_is_once(self, value: float) -> None:
        assert rounded(rounded(value)) == rounded(value)

    @given(st.floats(1e-100, 1e100), st.sampled_from([-1, 1]))
    def test_a_last_bit_does_not_show(self, value: float, step: int) -> None:
        """Unless the value stands within one bit of a rounding boundary, which is why decisions round before they
        compare: six digits leave one boundary in ten million neighbours.
        """
        neighbour = math.nextafter(value, math.inf * step)
        kept, other = rounded(value), rounded(neighbour)
        assert kept == other or abs(kept - other) <= 1.000001e-5 * abs(kept)

    @given(st.floats(1e-300, 1e300))
    def test_the_error_is_half_of_the_last_digit_at_most(self, value: float) -> None:
        assert abs(rounded(value) - value) <= 5.0000001e-6 * value

    @pytest.mark.parametrize(
        ("value", "wanted"),
        [(1234567.891, 1234570.0), (-0.00012345678, -0.000123457), (0.1 + 0.2, 0.3), (100.0, 100.0)],
    )
    def test_examples(self, value: float, wanted: float) -> None:
        assert rounded(value) == wanted

    def test_what_is_not_finite_stays_what_it_is(self) -> None:
        assert math.isnan(rounded(math.nan))
        assert rounded(math.inf) == math.inf

    def test_fewer_digits_on_request(self) -> None:
        assert rounded(0.123456, 2) == 0.12
