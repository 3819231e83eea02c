"""The gap ledger: from when to when a channel was not heard, and why. Pure.

A gap opens when a connection is lost, when a frame breaks off, or after the fact when the exchange times of a session
jump; it closes with the first event that comes after. Between the two nobody knows what happened until it is refilled.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from msgspec.structs import replace

from schemas.gaps import CHANNELS, OPTIONS, EarlierGaps, Gap
from services.core.calendar import NS, Calendar, Session, ny_date
from services.gateway.gaps.event_rate import EventRate

__all__ = [
    "LAST_SILENCE_NS",
    "NOTHING",
    "SILENCE_NOTED_NS",
    "GapLedger",
    "Refill",
    "cause_of",
]

# A whole market's prints, its indices' values and its stocks' bars come several times a second. Five seconds without
# one are too short to hang up for, and too long to believe that nothing happened. A slower channel's are more.
SILENCE_NOTED_NS = 5 * NS
# At an epoch's end nobody waits for the next event to see how long it was, so a second counts.
LAST_SILENCE_NS = NS
# The exchanges open name by name, each a moment after its underlying; a whole market takes seconds over it, not ten. A
# gap too many costs some requests that find nothing, one too few an opening's prints.
OPENING_NOTED_NS = 10 * NS
# What happened before a close is waited for so long: a feed may be behind.
CLOSE_GRACE_NS = 30 * NS


NOTHING = EarlierGaps({}, ())


class Refill(NamedTuple):
    """What came of asking for a gap's prints: contracts asked for and not answered, and why it ended early, if so."""

    asked: int
    failed: int
    note: str


def cause_of(status: str, code: int | None) -> str:
    """Why a connection ended, in a word: the vendor's last status, else the close code, else that there was none.

    >>> cause_of("slow_consumer: too slow", 1008), cause_of("", 1011), cause_of("", None)
    ('slow_consumer', 'close 1011', 'dropped')
    """
    word = status.partition(":")[0].strip()
    if word:
        return word
    return "dropped" if code is None else f"close {code}"


class GapLedger:
    """Follows the channels of one epoch. Each method returns the entries that are new or have changed.

    Without a calendar nobody knows what a session is: then neither a restart nor a silence is taken for a gap.
    """

    def __init__(self, epoch: int, calendar: Calendar | None = None) -> None:
        self.open: dict[str, Gap] = {}  # by channel
        self._epoch = epoch
        self._calendar = calendar
        self._last_ns: dict[str, int] = {}
        self._spacing: dict[str, EventRate] = {}
        self._next = 1
        self._closed_ns = 0  # the last close that was judged
        self._filling: dict[int, Gap] = {}

    def start(self, cluster: str, log_end_ns: int, started_ns: int, past: EarlierGaps = NOTHING) -> list[Gap]:
        """A cluster's first connection is about to be made, at `started_ns` of the market.

        Where the log of earlier epochs ended at `log_end_ns` (0: there was none) in this day's session, what was not
        heard since the last event in it is a gap, a `restart`. What they left open ends where that takes over, or with
        its own session.
        """
        channel = CHANNELS[cluster]
        left = [gap for gap in past.open if gap.channel == channel]
        from_ns = self._restart_ns(channel, log_end_ns, started_ns, past.heard_ns.get(channel), left)
        entries = [self._ended_before(gap, started_ns if from_ns is None else from_ns, started_ns) for gap in left]
        self._last_ns[cluster] = started_ns if from_ns is None else from_ns
        return entries if from_ns is None else entries + self.lost(cluster, "restart", started_ns)

    def _restart_ns(
        self, channel: str, log_end_ns: int, started_ns: int, heard_ns: int | None, left: Sequence[Gap]
    ) -> int | None:
        """From when on a channel was not heard, None when that is of another session.

        The log's own end is no measure: its time goes on while a dead socket says nothing, or a feed lags.
        """
        session = self._session(started_ns)
        if session is None or not session.open_ns <= log_end_ns < session.close_ns:
            return None
        since_ns = [gap.from_ns for gap in left if gap.from_ns >= session.open_ns]
        if heard_ns is None:
            from_ns = min(since_ns, default=log_end_ns)
        elif channel == OPTIONS:
            # Exactly here: of what the log holds nobody in this process remembers a print, and a refill that begins
            # earlier would double it.
            from_ns = heard_ns
        else:
            from_ns = min([heard_ns, *since_ns])
        return max(from_ns, session.open_ns)

    def _ended_before(self, gap: Gap, to_ns: int, now_ns: int) -> Gap:
        """An earlier epoch's gap, over at `to_ns` or with the session that it touched."""
        sessions = () if self._calendar is None else self._calendar.sessions
        close_ns = next((day.close_ns for day in sessions if gap.from_ns < day.close_ns), to_ns)
        to_ns = max(gap.from_ns, min(to_ns, close_ns))
        note = f"its epoch ended; see epoch {self._epoch}"
        return replace(gap, state="not_refilled", to_ns=to_ns, restored_ns=now_ns, note=note)

    def last_ns(self, cluster: str) -> int:
        """The largest exchange time heard of a cluster."""
        return self._last_ns.get(cluster, 0)

    def lost(self, cluster: str, cause: str, now_ns: int) -> list[Gap]:
        """The connection is gone, or a frame of it was."""
        channel = CHANNELS[cluster]
        gap = self.open.get(channel)
        if gap is None:
            gap = self._new(channel, cause, self._last_ns.get(cluster, 0), now_ns)
        else:
            gap = replace(gap, losses=gap.losses + 1)
        self.open[channel] = gap
        return [gap]

    def connected(self, cluster: str, market_ns: int, now_ns: int) -> list[Gap]:
        """A connection is authenticated, at `market_ns` of the market: a gap that no session touched is over."""
        gap = self.open.get(CHANNELS[cluster])
        if gap is None or self.matters(gap, market_ns):
            return []
        del self.open[gap.channel]
        return [_restored(gap, max(market_ns, gap.from_ns), now_ns)]

    def switched_off(self, cluster: str) -> None:
        """The plan does not have a cluster: its gap stays as it is written, and nobody waits for its end."""
        self.open.pop(CHANNELS[cluster], None)
        self._spacing.pop(cluster, None)

    def matters(self, gap: Gap, market_ns: int) -> bool:
        """Whether a gap that has lasted until `market_ns`, or ended, touches a session; without a calendar any may."""
        if self._calendar is None:
            return True
        to_ns = market_ns if gap.to_ns is None else gap.to_ns
        return any(day.open_ns <= to_ns and gap.from_ns < day.close_ns for day in self._calendar.sessions)

    def heard(self, cluster: str, last_ns: int, now_ns: int, events: int = 1) -> list[Gap]:
        """Events of a cluster came, so many; the largest of their exchange times is `last_ns`."""
        channel = CHANNELS[cluster]
        before_ns = self._last_ns.get(cluster, 0)
        self._last_ns[cluster] = max(last_ns, before_ns)
        gap = self.open.pop(channel, None)
        if gap is not None:
            return [_restored(gap, max(last_ns, gap.from_ns), now_ns)]
        silences = self._silences(cluster, before_ns, last_ns, events)
        return [_restored(self._new(channel, "silence", span[0], now_ns), span[1], now_ns) for span in silences]

    def closed(self, market_ns: int, now_ns: int) -> list[Gap]:
        """Time has come to `market_ns` of the market: after a close, what was not heard to its end is a gap, and over.

        Call it every second or so.
        """
        session = self._session(market_ns)
        if session is None or session.close_ns == self._closed_ns or market_ns < session.close_ns + CLOSE_GRACE_NS:
            return []
        self._closed_ns = session.close_ns
        return [gap for cluster in sorted(self._last_ns) for gap in self._closed_on(cluster, market_ns, now_ns)]

    def ended(self, cluster: str, market_ns: int, now_ns: int) -> list[Gap]:
        """The epoch ends, at `market_ns` of the market: a silence that nobody has called one yet is a gap."""
        before_ns = self._last_ns.get(cluster, 0)
        if self._session_of(before_ns, market_ns) is None:
            return self._closed_on(cluster, market_ns, now_ns)
        if CHANNELS[cluster] in self.open or not self._silent(cluster, before_ns, market_ns, LAST_SILENCE_NS, 0):
            return []
        return self.lost(cluster, "silence", now_ns)

    def fill(self, gap: Gap) -> None:
        """A restored gap is going to be refilled: prints found are counted for it until `filled`."""
        self._filling[gap.number] = gap

    def found(self, number: int, refilled: int, known: int) -> None:
        """Prints of a gap came from REST: new ones, and ones that had been heard."""
        gap = self._filling[number]
        self._filling[number] = replace(
            gap, prints_refilled=gap.prints_refilled + refilled, prints_known=gap.prints_known + known
        )

    def filled(self, number: int, refill: Refill) -> list[Gap]:
        """A refill has ended."""
        gap = self._filling.pop(number)
        if refill.asked > refill.failed:
            state = "partial" if refill.failed or refill.note else "refilled"
        else:
            state = "not_refilled"
        return [
            replace(
                gap, state=state, contracts_asked=refill.asked, contracts_failed=refill.failed, note=refill.note
            )
        ]  # fmt: skip

    def _new(self, channel: str, cause: str, from_ns: int, now_ns: int) -> Gap:
        number, self._next = self._next, self._next + 1
        return Gap(
            epoch=self._epoch,
            number=number,
            channel=channel,
            cause=cause,
            from_ns=from_ns,
            to_ns=None,
            lost_ns=now_ns,
            restored_ns=None,
            losses=1,
            state="open",
        )

    def _closed_on(self, cluster: str, market_ns: int, now_ns: int) -> list[Gap]:
        """What a channel was not heard of at the edges of sessions until `market_ns`; it counts as heard until then."""
        if CHANNELS[cluster] in self.open:
            return []
        silences = self._silent_edges(cluster, self._last_ns.get(cluster, 0), market_ns)
        for _, to_ns in silences:
            self._last_ns[cluster] = to_ns
        return [
            _restored(self._new(CHANNELS[cluster], "silence", span[0], now_ns), span[1], now_ns) for span in silences
        ]

    def _silences(self, cluster: str, from_ns: int, to_ns: int, events: int) -> list[tuple[int, int]]:
        """The stretches of sessions between two events that are silent beyond what is usual; else it is learnt."""
        if self._session_of(from_ns, to_ns) is not None:
            return [(from_ns, to_ns)] if self._silent(cluster, from_ns, to_ns, SILENCE_NOTED_NS, events) else []
        self._spacing.setdefault(cluster, EventRate())
        return self._silent_edges(cluster, from_ns, to_ns)

    def _silent_edges(self, cluster: str, from_ns: int, to_ns: int) -> list[tuple[int, int]]:
        """The same of two times that no session holds together: what lies in the session of each. Nothing is learnt of
        it, for a night does not say how far apart events are."""
        spacing = self._spacing.get(cluster)
        if spacing is None or not spacing.known:
            return []
        spans = []
        evening, morning = self._session(from_ns), self._session(to_ns)
        if evening is not None and evening.open_ns <= from_ns < evening.close_ns < to_ns:
            spans.append((from_ns, evening.close_ns, SILENCE_NOTED_NS))
        if morning is not None and from_ns < morning.open_ns < to_ns:
            spans.append((morning.open_ns, min(to_ns, morning.close_ns), OPENING_NOTED_NS))
        return [
            (start_ns, stop_ns)
            for start_ns, stop_ns, least_ns in spans
            if stop_ns - start_ns >= spacing.unusual_ns(least_ns)
        ]

    def _silent(self, cluster: str, from_ns: int, to_ns: int, least_ns: int, events: int) -> bool:
        """Whether nothing between two times of a session is unusual for this channel; if it is not, it is learnt from
        the events that came."""
        first = cluster not in self._spacing
        spacing = self._spacing.setdefault(cluster, EventRate())
        # The time from a start to the first event does not say how far apart events are.
        if first or to_ns <= from_ns:
            return False
        step_ns = to_ns - from_ns
        if spacing.known and step_ns >= spacing.unusual_ns(least_ns):
            return True
        spacing.step(step_ns, events)
        return False

    def _session_of(self, from_ns: int, to_ns: int) -> Session | None:
        """The regular session in which both times lie."""
        session = self._session(to_ns)
        if session is None or not session.open_ns <= from_ns or not to_ns <= session.close_ns:
            return None
        return session

    def _session(self, time_ns: int) -> Session | None:
        """The session of a time's day."""
        return None if self._calendar is None or time_ns <= 0 else self._calendar.session_on(ny_date(time_ns))


def _restored(gap: Gap, to_ns: int, now_ns: int) -> Gap:
    return replace(gap, state="restored", to_ns=to_ns, restored_ns=now_ns)
