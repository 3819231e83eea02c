"""What the answers to a poll of chains mean for what is asked for next. Pure: it is told statuses and the time."""

from __future__ import annotations

import enum
from collections import Counter

from services.gateway.policy.poll_schedule import PollSchedule

__all__ = ["AnswerMeaning", "ChainAnswers"]

_UNAUTHORIZED = frozenset({401, 403})
_NOT_FOUND = 404


class AnswerMeaning(enum.Enum):
    """What an answer that is none means."""

    FORBIDDEN = "forbidden"  # the key or plan has no chains: nothing is asked for any more
    ABSENT = "absent"  # the vendor has no such chain today
    LATE = "late"  # it did not come, for the first time since answers came
    STILL_LATE = "still late"


class ChainAnswers:
    """Counts the answers of each poll and moves the schedule's waits; after each poll call `settle`.

    `disabled` is empty, or the sentence in which the vendor refused the feature for this key. `failures` counts answers
    that did not come.
    """

    def __init__(self, schedule: PollSchedule) -> None:
        self.disabled = ""
        self.failures = 0
        self._schedule = schedule
        self._came: Counter[str] = Counter()  # answers of this poll, by underlying
        self._failed: Counter[str] = Counter()
        self._late: set[str] = set()

    def came(self, underlying: str) -> None:
        """An answer is whole."""
        self._came[underlying] += 1

    def failed(self, underlying: str, http_status: int, sentence: str, now_ns: int) -> AnswerMeaning:
        """No answer: `http_status` of a refusal, 0 where nothing usable came; `sentence` says why."""
        if http_status in _UNAUTHORIZED:
            self.disabled = sentence
            return AnswerMeaning.FORBIDDEN
        if http_status == _NOT_FOUND:
            self._schedule.drop(underlying, now_ns)
            return AnswerMeaning.ABSENT
        self.failures += 1
        self._failed[underlying] += 1
        if underlying in self._late:
            return AnswerMeaning.STILL_LATE
        self._late.add(underlying)
        return AnswerMeaning.LATE

    def settle(self, now_ns: int) -> list[str]:
        """The poll ended: of which underlyings most answers failed, those are asked for more seldom.

        Returns the underlyings that were late and whose answers come again.
        """
        returned = []
        for underlying in sorted(self._came.keys() | self._failed.keys()):
            if self._failed[underlying] > self._came[underlying]:
                self._schedule.failed(underlying, now_ns)
            else:
                self._schedule.answered(underlying)
            if underlying in self._late and not self._failed[underlying]:
                self._late.discard(underlying)
                returned.append(underlying)
        self._came.clear()
        self._failed.clear()
        return returned
