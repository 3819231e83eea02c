"""What goes wrong over REST: refusals, late answers, rows with holes. Pure: wall time comes as an argument.

Which contract's row has a hole follows from its ticker, so it is the same one every time; which request fails is drawn.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

import numpy as np

from standin.faults.named import (
    AbsentIndices,
    EmptyDay,
    Fault,
    HttpError,
    MissingGreeks,
    NoLastQuote,
    NotEntitled,
    RateLimit,
    SlowHttp,
)
from standin.faults.timeline import found
from standin.protocol.rest_documents import ChainRow, emptied_day, emptied_greeks

__all__ = ["Refusal", "RestFaults"]

PACED_MESSAGE = (
    "You've exceeded the maximum requests per minute, please wait or upgrade your subscription to continue. "
    "https://massive.com/pricing"
)
PLAN_MESSAGE = "You are not entitled to this data. Please upgrade your plan at https://massive.com/pricing"
HTML = b"<html><body><h1>Service unavailable</h1></body></html>"
# Requests remembered for pacing, whatever the fault allows.
REQUESTS_MAX = 100_000


class Refusal(NamedTuple):
    """An answer instead of a document: `fields` make a JSON body, unless `raw` bytes are given."""

    code: int
    fields: dict[str, str] | None
    raw: bytes = b""
    retry_after_s: int | None = None


class RestFaults:
    """REST's share of a list of faults."""

    def __init__(self, faults: Sequence[Fault] = (), seed: int = 0) -> None:
        self._rng = np.random.default_rng([seed, 0x4E57])
        self._pace = found(faults, RateLimit)
        self._served: deque[float] = deque(maxlen=REQUESTS_MAX)
        self._error, self._slow = found(faults, HttpError), found(faults, SlowHttp)
        self._plan = found(faults, NotEntitled)
        self._greeks, self._day = found(faults, MissingGreeks), found(faults, EmptyDay)
        self._quote, self._absent = found(faults, NoLastQuote), found(faults, AbsentIndices)

    def refusal(self, document: str, now_s: float) -> Refusal | None:
        """Why a request for a kind of document is refused now, or None."""
        pace = self._pace
        if pace is not None:
            while self._served and self._served[0] <= now_s - pace.per_s:
                self._served.popleft()
            if len(self._served) >= pace.requests:
                wait_s = ceil(self._served[0] + pace.per_s - now_s)
                return Refusal(429, {"status": "ERROR", "error": PACED_MESSAGE}, retry_after_s=max(wait_s, 1))
            self._served.append(now_s)
        if self._error is not None and self._rng.random() < self._error.share:
            fields = {"status": "ERROR", "error": "Internal error"} if self._error.body == "json" else None
            return Refusal(self._error.code, fields, HTML if self._error.body == "html" else b"")
        if self.lacks(document):
            return Refusal(403, {"status": "NOT_AUTHORIZED", "message": PLAN_MESSAGE})
        return None

    def delay_s(self) -> float:
        """How long the answer to a request is kept back."""
        late = self._slow is not None and self._rng.random() < self._slow.share
        return self._slow.by_s if late and self._slow is not None else 0.0

    def holed(self, rows: list[ChainRow]) -> list[ChainRow]:
        """Rows of a chain as the faults leave them."""
        for row in rows:
            luck = (zlib.crc32(row.details.ticker.encode()) % 10_000) / 10_000
            if self._greeks is not None and luck < self._greeks.share:
                row.implied_volatility, row.greeks = None, emptied_greeks(self._greeks.how)
            # The other end of the same luck, so that the two faults hit different contracts.
            if self._day is not None and 1.0 - luck <= self._day.share:
                row.day = emptied_day(row.day, self._day.how)
            if self._quote is not None:
                row.drop_quote(self._quote.how)
        return rows

    def lacks(self, document: str) -> bool:
        """Whether the plan lacks a kind of document."""
        return self._plan is not None and document in self._plan.documents

    def has(self, ticker: str) -> bool:
        """Whether the vendor has the index at all."""
        return self._absent is None or ticker not in self._absent.tickers
