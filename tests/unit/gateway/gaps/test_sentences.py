"""A gap in one line: what is lost since when, what was found of it."""

from __future__ import annotations

import datetime as dt

from msgspec.structs import replace

from schemas.gaps import Gap
from services.core.calendar import NS, ny_ns
from services.gateway.gaps.sentences import gap_sentence

NOON = ny_ns(dt.date(2025, 12, 17), 12)
OPEN = Gap(
    epoch=1, number=3, channel="options.T", cause="slow_consumer", from_ns=NOON + 120_000_000, to_ns=None, lost_ns=0,
    restored_ns=None, losses=2, state="open",
)  # fmt: skip


def test_an_open_gap_says_since_when_nothing_came() -> None:
    assert gap_sentence(OPEN).startswith("gap 3 of options.T (slow_consumer): ")
    assert "12:00:00.120" in gap_sentence(OPEN)
    assert gap_sentence(OPEN).endswith("connections lost so far: 2")


def test_a_gap_that_is_over_says_from_when_to_when() -> None:
    over = replace(OPEN, state="restored", to_ns=NOON + 13_400_000_000)
    assert gap_sentence(over).endswith("over, 12:00:00.120 to 12:00:13.400, 13.3 s")


def test_a_refilled_gap_says_what_was_found_and_what_was_not() -> None:
    partial = replace(
        OPEN, state="not_refilled", to_ns=NOON + NS, prints_refilled=212, contracts_asked=950, contracts_failed=4,
        note="503",
    )  # fmt: skip
    sentence = gap_sentence(partial)
    assert "not refilled, 12:00:00.120 to 12:00:01.000" in sentence
    assert sentence.endswith("212 prints from 950 contracts, 4 unanswered; 503")
