"""What follows the end of a session, and how long a connection may take to settle."""

from __future__ import annotations

import pytest

from services.gateway.massive.protocol import ConnectionState, Retry
from services.gateway.policy.session_end import SETTLE_TIMEOUT_NS, NextStep, SettleTimeout, next_step


@pytest.mark.parametrize(
    ("retry", "code", "until_closed", "step"),
    [
        (Retry.SOON, 1006, False, NextStep.RECONNECT),
        (Retry.CONTENDED, 1008, True, NextStep.RECONNECT),
        (Retry.SOON, None, True, NextStep.RECONNECT),
        (Retry.SOON, 1000, False, NextStep.RECONNECT),
        (Retry.SOON, 1000, True, NextStep.FINISHED),
        (Retry.NEVER, 1000, True, NextStep.REFUSED),
    ],
)
def test_only_a_refusal_or_an_awaited_normal_closure_ends_a_feed(
    retry: Retry, code: int | None, until_closed: bool, step: NextStep
) -> None:
    assert next_step(retry, code, until_closed=until_closed) is step


@pytest.mark.parametrize("state", [ConnectionState.CONNECTING, ConnectionState.AUTHING, ConnectionState.CLOSING])
def test_a_connection_that_does_not_settle_in_time_has_taken_too_long(state: ConnectionState) -> None:
    timeout = SettleTimeout(100)
    found = [timeout.expired(state, 100 + elapsed_ns) for elapsed_ns in (0, SETTLE_TIMEOUT_NS - 1, SETTLE_TIMEOUT_NS)]
    assert found == [False, False, True]


def test_a_live_connection_never_does_and_has_the_whole_time_to_close() -> None:
    timeout = SettleTimeout(0)
    assert not timeout.expired(ConnectionState.LIVE, 10 * SETTLE_TIMEOUT_NS)
    assert not timeout.expired(ConnectionState.CLOSING, 11 * SETTLE_TIMEOUT_NS - 1)
    assert timeout.expired(ConnectionState.CLOSING, 11 * SETTLE_TIMEOUT_NS)
