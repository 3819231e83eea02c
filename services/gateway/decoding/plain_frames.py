"""Prints and quotes straight from a frame's bytes to columns, where the frame holds nothing else and nothing odd.

A healthy options socket sends little but such frames, and a busy one hundreds of thousands of events a second: making
an object of each and taking it apart again cost more than everything else the gateway does. The loop itself, and what
it takes for plain, is in `_frames_kernel`; what is not plain goes the long way (`massive.decode_frame`), and comes out
the same.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from services.gateway.decoding.contracts import ContractTable
from services.gateway.decoding.frames_kernel import NOT_PLAIN, PRINT, UNKNOWN_CONTRACT, scan_frame
from services.gateway.decoding.quotes_kernel import QUOTE, join_quotes
from services.gateway.decoding.text_kernel import PLACE_WORDS, TICKER_BYTES, learn
from services.gateway.massive.codes import CodeTable

__all__ = ["PlainFrames", "warm_up"]

# The shortest event there is, {"ev":"T","sym":"A","p":1,"s":1,"t":946684800000}, has one byte more.
EVENT_BYTES_MIN = 48
# Four times the longest frame that the sockets let in; places within it are counted in 32 bits.
FRAME_BYTES_MAX = 64 * 1024 * 1024
FIRST_PLACES = 4096

Records = npt.NDArray[Any]


class Plain(NamedTuple):
    """The events of a frame: records of PRINT, and of QUOTE."""

    prints: Records
    quotes: Records


class PlainFrames:
    """Reads frames; knows the contracts of `contracts` by the characters of their tickers.

    A contract's place costs 64 bytes at most, 130 MB for as many as the table of contracts may hold.
    """

    def __init__(self, contracts: ContractTable, codes: CodeTable) -> None:
        self._contracts = contracts
        self._codes = codes
        self._prints: Records = np.zeros(1024, PRINT)
        self._quotes: Records = np.zeros(1024, QUOTE)
        self._counts = np.zeros(2, np.int64)
        self._forget()

    def _forget(self) -> None:
        self._places = np.zeros((FIRST_PLACES, PLACE_WORDS), np.uint64)
        self._taken = 0
        self._generation = self._contracts.generation

    def read(self, data: bytes, latest_ns: int) -> Plain | None:
        """The events of a frame, every contract known by now; None when the frame must go the long way.

        They are good until the next call. No print later than `latest_ns` (exchange time) is plain.
        """
        if self._generation != self._contracts.generation:  # ids were given out anew
            self._forget()
        if len(data) > FRAME_BYTES_MAX:
            return None
        if len(data) >= EVENT_BYTES_MIN * len(self._prints):
            size = 2 * (len(data) // EVENT_BYTES_MIN + 1)
            self._prints, self._quotes = np.zeros(size, PRINT), np.zeros(size, QUOTE)
        codes = self._codes
        count = scan_frame(
            np.frombuffer(data, np.uint8), self._places, codes.bits, codes.quiet_conditions, codes.quiet_exchanges,
            latest_ns, self._prints, self._quotes, self._counts,
        )  # fmt: skip
        if count == NOT_PLAIN:
            return None
        prints, quotes = (held[:count] for held, count in zip((self._prints, self._quotes), self._counts, strict=True))
        if not self._introduce(data, quotes) or not self._introduce(data, prints):
            return None
        return Plain(prints, quotes)

    def _introduce(self, data: bytes, events: Records) -> bool:
        """Find the contracts of those events that have none yet, new ones included; False when one has none."""
        strangers = np.flatnonzero(events["contract"] == UNKNOWN_CONTRACT)
        if not len(strangers):
            return True
        tickers: list[bytes] = []
        ids: list[int] = []
        for start in events["ticker_at"][strangers].tolist():
            ticker = data[start : data.index(b'"', start)]
            found = self._contracts.id_of(ticker.decode("ascii"))
            if found < 0:
                return False
            tickers.append(ticker.ljust(TICKER_BYTES, b"\0"))
            ids.append(found)
        events["contract"][strangers] = ids
        learnt = np.empty((len(ids), PLACE_WORDS), np.uint64)
        learnt[:, :-1] = np.frombuffer(b"".join(tickers), "<u8").reshape(len(ids), -1)
        learnt[:, -1] = np.array(ids, np.uint64) + np.uint64(1)
        if 2 * (self._taken + len(ids)) > len(self._places):
            grown = np.zeros((2 << (2 * (self._taken + len(ids)) - 1).bit_length(), PLACE_WORDS), np.uint64)
            self._taken = learn(self._places, grown)
            self._places = grown
        self._taken += learn(learnt, self._places)
        return True


def warm_up() -> None:
    """Compile what this module calls, or load it: before the feed is opened, not while it talks."""
    learn.compile()
    scan_frame.compile()
    join_quotes.compile()
