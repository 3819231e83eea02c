"""Which part of which chain to ask for next. Pure: it is told the time and what was answered.

A chain is cut into *slices* of neighbouring expiries, each about a page long, so that the pages of a big chain (SPX:
eighty and more, behind serial cursors) are fetched side by side, and a small chain costs one or two requests. Expiries
within a week never share a slice with later ones: they are asked for more often.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from services.core.calendar import NS, ny_date

__all__ = ["CHECK_NS", "NEAR_DAYS", "ChainSlice", "PollSchedule", "PollTurn"]

CHECK_NS = NS

NEAR_DAYS = 7
SLICE_CONTRACTS = 250  # one page
# After answers that did not come: three tries have taken some seconds already, and every five minutes is how often the
# later expiries are asked for in good times; nobody waits for what is asked for more seldom. Two hundred chains that
# are all late then make two requests a second.
RETRY_NS = tuple(seconds * NS for seconds in (10, 20, 40, 80, 160, 300))
RELEARN_NS = 24 * 3600 * NS  # the contracts reference changes overnight


class ChainSlice(NamedTuple):
    """Expiries `first` to `last` (both included, ISO dates) of one chain."""

    underlying: str
    first: str
    last: str
    near: bool


class _Plan:
    """The slices of one chain and when each is due."""

    def __init__(self, learned_ns: int, slices: list[ChainSlice]) -> None:
        self.learned_ns = learned_ns
        self.day = ny_date(learned_ns)
        self.due_ns = dict.fromkeys(slices, 0)


class PollSchedule:
    """Keeps the slices of each chain that is followed.

    The caller follows underlyings (`follow`), learns the expiries of those in `unlearned`, and asks for what is `due`;
    a slice handed out is due again `near_s` or `far_s` later. It says of which underlyings the answers `failed`, and
    which `answered`: the former are left alone for a while, longer each time, and then tried with one slice.
    """

    def __init__(self, near_s: float, far_s: float, underlyings_max: int) -> None:
        self._every_ns = {True: int(near_s * NS), False: int(far_s * NS)}
        self._max = underlyings_max
        self._followed: dict[str, _Plan | None] = {}
        self._rungs: dict[str, int] = {}  # how often the answers of an underlying failed, as far as that counts
        self._wait_ns: dict[str, int] = {}  # until when it is left alone

    @property
    def followed(self) -> tuple[str, ...]:
        """The underlyings, in the order in which they were taken up."""
        return tuple(self._followed)

    def follow(self, underlyings: Iterable[str]) -> None:
        """Take up underlyings, as far as there is room."""
        for underlying in underlyings:
            if len(self._followed) >= self._max:
                return
            self._followed.setdefault(underlying, None)

    def drop(self, underlying: str, now_ns: int) -> None:
        """Ask no more today for a chain the vendor does not have; the place stays taken."""
        self._followed[underlying] = _Plan(now_ns, [])

    def unlearned(self, now_ns: int) -> list[str]:
        """Underlyings whose expiries are not known, or were learned on an earlier day."""
        return [
            underlying
            for underlying, plan in self._followed.items()
            if (plan is None or now_ns - plan.learned_ns >= RELEARN_NS or plan.day < ny_date(now_ns))
            and self._may_ask(underlying, now_ns)
        ]

    def failed(self, underlying: str, now_ns: int) -> None:
        """What was asked for of an underlying did not come: up one rung."""
        rung = self._rungs.get(underlying, 0)
        self._rungs[underlying] = min(rung + 1, len(RETRY_NS) - 1)
        self._wait_ns[underlying] = now_ns + RETRY_NS[rung]

    def answered(self, underlying: str) -> None:
        """It came: down one rung, so that a vendor who grants a few requests a minute is not asked for all of them."""
        rung = self._rungs.pop(underlying, 0)
        if rung > 1:
            self._rungs[underlying] = rung - 1

    def _may_ask(self, underlying: str, now_ns: int) -> bool:
        return now_ns >= self._wait_ns.get(underlying, 0)

    def learn(self, underlying: str, expiries: Mapping[str, int], now_ns: int) -> None:
        """Lay out an underlying's slices from its expiry dates and their number of contracts."""
        near_end = (ny_date(now_ns) + dt.timedelta(days=NEAR_DAYS)).isoformat()
        slices: list[ChainSlice] = []
        held: list[str] = []
        count = 0
        for expiry in sorted(expiries):
            near = expiry <= near_end
            if held and (count + expiries[expiry] > SLICE_CONTRACTS or near != (held[-1] <= near_end)):
                slices.append(ChainSlice(underlying, held[0], held[-1], held[-1] <= near_end))
                held, count = [], 0
            held.append(expiry)
            count += expiries[expiry]
        if held:
            slices.append(ChainSlice(underlying, held[0], held[-1], held[-1] <= near_end))
        self._followed[underlying] = _Plan(now_ns, slices)

    def due(self, now_ns: int) -> list[ChainSlice]:
        """The slices due at `now_ns`, near expiries first; each counts as asked for."""
        due = []
        for underlying, plan in self._followed.items():
            if plan is not None and self._may_ask(underlying, now_ns):
                its = [chain_slice for chain_slice, due_ns in plan.due_ns.items() if due_ns <= now_ns]
                for chain_slice in its[:1] if underlying in self._rungs else its:
                    due.append(chain_slice)
                    plan.due_ns[chain_slice] = now_ns + self._every_ns[chain_slice.near]
        return sorted(due, key=lambda chain_slice: not chain_slice.near)


class PollTurn:
    """When the schedule is looked at again: a second of the market after the last time, never once it is refused."""

    def __init__(self) -> None:
        self.over = False
        self._next_ns = 0

    def due(self, now_ns: int) -> bool:
        """Whether there may be something to ask for."""
        return not self.over and now_ns >= self._next_ns

    def taken(self, now_ns: int, *, refused: bool) -> None:
        """What was due at `now_ns` was asked for; `refused`: the vendor does not grant chains to this key."""
        self.over = refused
        self._next_ns = now_ns + CHECK_NS
