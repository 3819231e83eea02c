"""Faults and switches as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from standin.errors import StandInError
from standin.faults.named import FAULTS, Drop, SlowConsumer, Strike
from standin.faults.protocol_options import ProtocolOptions
from standin.faults.requested import draw_faults, keys_of, options_of, read_fault, summary, written


def test_a_fault_is_a_name_and_keys_with_units() -> None:
    assert read_fault("slow_consumer:after=1.5m, close=abort,buffer=2MB") == SlowConsumer(
        after_s=90.0, close="abort", buffer_bytes=2_000_000
    )
    assert read_fault("drop") == Drop()
    assert read_fault("unentitled:channels=Q+AM").channels == ("Q", "AM")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("dorp", "there is no fault 'dorp'; there is absent_indices, auth_failed, "),
        ("drop:when=3s", "the fault drop has no key 'when'; it has after, times, every, cluster"),
        ("no_plan:x=1", "the fault no_plan has no key 'x'; it has none"),
        ("drop:after", "the fault drop takes key=value, not 'after'"),
        ("drop:after=soon", "after of the fault drop is a duration such as 30s, not 'soon'"),
        ("drop:times=0", "times of the fault drop is a whole number from 1, not '0'"),
        ("unknown_event:share=1.5", "share of the fault unknown_event is a number from 0 to 1, not '1.5'"),
        (
            "unentitled:channels=Q+X",
            "channels of the fault unentitled is any of T, Q, A, AM, V, joined by +, not 'Q+X'",
        ),
        (
            "disconnect:code=1006",
            "code of the fault disconnect is a close code, 1000 to 1003 or 1007 to 1014 or 3000 to 4999, not '1006'",
        ),
        ("http_error:code=200", "code of the fault http_error is an HTTP status, 400 to 599, not '200'"),
        ("slow_consumer:close=politely", "close of the fault slow_consumer is frame|abort, not 'politely'"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence_with_the_names_that_exist(text: str, sentence: str) -> None:
    with pytest.raises(StandInError) as refused:
        read_fault(text)
    assert str(refused.value).startswith(sentence)
    assert "\n" not in str(refused.value)


def test_switches_turn_one_manner_each() -> None:
    options = options_of(["victim=newer", "auth_timeout=2s", "entitled=T+V", "compression=yes"])
    assert (options.victim, options.auth_timeout_s, options.compression) == ("newer", 2.0, True)
    assert options.entitled == frozenset({"T", "V"})
    assert options_of([]) == ProtocolOptions()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("victim", "a switch is name=value, not 'victim'; there is early_subscribe, "),
        ("colour=red", "the stand-in has no switch 'colour'; it has early_subscribe, "),
        ("compression=maybe", "compression of the stand-in is yes|no, not 'maybe'"),
        ("slow_consumer_code=1005", "slow_consumer_code of the stand-in is a close code, 1000 to 1003 or"),
        ("force_disconnect_code=7", "force_disconnect_code of the stand-in is a close code, 1000 to 1003 or"),
        ("buffer=huge", "buffer of the stand-in is a size such as 1MB, not 'huge'"),
    ],
)
def test_a_wrong_switch_is_said_likewise(text: str, sentence: str) -> None:
    with pytest.raises(StandInError) as refused:
        options_of([text])
    assert str(refused.value).startswith(sentence)


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_is_described_and_can_be_asked_for_by_what_it_shows(name: str) -> None:
    kind = FAULTS[name]
    assert summary(kind).endswith(".")
    assert kind.row
    text = f"{name}:" + ",".join(f"{key.name}={key.default}" for key in keys_of(kind))
    assert read_fault(text) == kind()
    assert all(key.description and key.takes for key in keys_of(kind))


def test_every_switch_can_be_asked_for_by_what_it_shows() -> None:
    assert options_of(f"{key.name}={key.default}" for key in keys_of(ProtocolOptions)) == ProtocolOptions()


@given(st.integers(min_value=0, max_value=2**31))
def test_drawn_faults_follow_from_the_seed_and_can_be_written_down(seed: int) -> None:
    faults = draw_faults(seed, over_s=60.0)
    assert faults == draw_faults(seed, over_s=60.0)
    assert 3 <= len(faults) <= 6
    assert [read_fault(written(fault)) for fault in faults] == list(faults)
    assert all(type(fault).drawn for fault in faults), "some feed would never come back"
    assert all(fault.after_s <= 60.0 for fault in faults if isinstance(fault, Strike))


def test_a_drawn_connection_fault_is_over_at_some_time() -> None:
    drawn = [fault for seed in range(60) for fault in draw_faults(seed) if isinstance(fault, Strike)]
    assert len({type(fault) for fault in drawn}) >= 8, "the draw reaches most of them"
    assert max(fault.times for fault in drawn) <= 3
