"""What the end of a connection means for the gap ledger."""

from __future__ import annotations

import pytest

from services.gateway.gaps.losses import SILENCE, LossMeaning, meaning_of_loss
from services.gateway.massive.protocol import Retry

GAP, NOTHING, OFF = LossMeaning.GAP, LossMeaning.NOTHING, LossMeaning.SWITCHED_OFF


@pytest.mark.parametrize(
    ("cluster", "retry", "cause", "code", "until_closed", "gap_is_open", "meaning"),
    [
        ("options", Retry.SOON, "dropped", None, False, False, GAP),
        ("options", Retry.SOON, "dropped", None, True, True, GAP),
        ("options", Retry.SOON, SILENCE, None, False, True, NOTHING),  # noted when the connection was given up
        ("options", Retry.SOON, SILENCE, None, False, False, GAP),  # what came after all had closed that gap
        ("stocks", Retry.SOON, "close 1000", 1000, True, False, NOTHING),  # the end of a tape
        ("stocks", Retry.SOON, "close 1000", 1000, False, False, GAP),
        ("stocks", Retry.NEVER, "auth_failed", 1000, True, True, OFF),
        ("options", Retry.NEVER, "auth_failed", None, False, False, GAP),  # it ends the gateway
    ],
)
def test_a_loss_is_a_gap_unless_it_is_known_awaited_or_of_no_cluster_of_the_plan(
    cluster: str, retry: Retry, cause: str, code: int | None, until_closed: bool, gap_is_open: bool,
    meaning: LossMeaning,
) -> None:  # fmt: skip
    found = meaning_of_loss(cluster, retry, cause, code, until_closed=until_closed, gap_is_open=gap_is_open)
    assert found is meaning
