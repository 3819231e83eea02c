"""The ladders of spec/vendor.md 2.7."""

from __future__ import annotations

import random

import pytest

from services.gateway.massive.protocol import Retry
from services.gateway.policy.reconnect_backoff import CONTENDED_S, SOON_MAX_S, STABLE_NS, ReconnectBackoff


def ladder() -> ReconnectBackoff:
    return ReconnectBackoff(random.Random(1).random)


def test_an_ordinary_loss_waits_a_second_or_two_then_doubles_to_a_minute() -> None:
    it = ladder()
    delays = [it.delay_s(Retry.SOON) for _ in range(12)]
    for rung, delay_s in enumerate(delays[:5]):
        assert 2**rung <= delay_s <= 2 ** (rung + 1)
    assert all(SOON_MAX_S / 2 <= delay_s <= SOON_MAX_S for delay_s in delays[5:])
    assert len(set(delays[5:])) == len(delays[5:]), "jitter to the last, or all return at once"


def test_a_contended_key_waits_half_a_minute_to_ten() -> None:
    it = ladder()
    assert [it.delay_s(Retry.CONTENDED) for _ in range(7)] == [*CONTENDED_S, CONTENDED_S[-1], CONTENDED_S[-1]]


def test_a_moment_of_data_does_not_reset_the_ladder() -> None:
    it = ladder()
    it.delay_s(Retry.CONTENDED)
    it.data(0)
    it.data(STABLE_NS - 1)
    assert it.delay_s(Retry.CONTENDED) == CONTENDED_S[1]


def test_ten_seconds_of_data_do() -> None:
    it = ladder()
    it.delay_s(Retry.CONTENDED)
    it.data(0)
    it.data(STABLE_NS)
    assert it.delay_s(Retry.CONTENDED) == CONTENDED_S[0]


def test_stability_is_counted_within_one_connection() -> None:
    it = ladder()
    it.data(0)
    it.delay_s(Retry.CONTENDED)
    it.data(STABLE_NS)
    assert it.delay_s(Retry.CONTENDED) == CONTENDED_S[1]


def test_a_refused_key_is_never_tried_again() -> None:
    with pytest.raises(AssertionError, match="not tried again"):
        ladder().delay_s(Retry.NEVER)
